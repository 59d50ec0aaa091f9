"""Makes JWTs of any kind, good and bad, without the library that the product reads them with."""

import base64
import hmac
import json
from collections.abc import Callable, Mapping
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

Sign = Callable[[bytes], bytes]


def b64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def unb64(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def jwt(header: Any, claims: Any, sign: Sign) -> str:
    """A compact JWT; header and claims may be anything, bytes and texts go in as they are."""
    signed = f"{_part(header)}.{_part(claims)}"
    return f"{signed}.{b64(sign(signed.encode()))}"


def _part(value: Any) -> str:
    if isinstance(value, bytes):
        return b64(value)
    return b64((value if isinstance(value, str) else json.dumps(value)).encode())


def hs(secret: bytes, digest: str = "sha256") -> Sign:
    return lambda signed: hmac.digest(secret, signed, digest)


def unsigned(_: bytes) -> bytes:
    return b""


def rs256(key: rsa.RSAPrivateKey) -> Sign:
    return lambda signed: key.sign(signed, padding.PKCS1v15(), SHA256())


def ps256(key: rsa.RSAPrivateKey) -> Sign:
    return lambda signed: key.sign(signed, padding.PSS(padding.MGF1(SHA256()), 32), SHA256())


def es256(key: ec.EllipticCurvePrivateKey) -> Sign:
    def sign(signed: bytes) -> bytes:
        r, s = decode_dss_signature(key.sign(signed, ec.ECDSA(SHA256())))
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")

    return sign


def ed(key: ed25519.Ed25519PrivateKey) -> Sign:
    return key.sign


def rsa_jwk(key: rsa.RSAPrivateKey, kid: str, **more: Any) -> dict[str, Any]:
    numbers = key.public_key().public_numbers()
    return {"kty": "RSA", "kid": kid, "n": _number(numbers.n), "e": _number(numbers.e), **more}


def ec_jwk(key: ec.EllipticCurvePrivateKey, kid: str, **more: Any) -> dict[str, Any]:
    numbers = key.public_key().public_numbers()
    point = {"x": b64(numbers.x.to_bytes(32, "big")), "y": b64(numbers.y.to_bytes(32, "big"))}
    return {"kty": "EC", "crv": "P-256", "kid": kid, **point, **more}


def ed_jwk(key: ed25519.Ed25519PrivateKey, kid: str, **more: Any) -> dict[str, Any]:
    return {"kty": "OKP", "crv": "Ed25519", "kid": kid, "x": b64(key.public_key().public_bytes_raw()), **more}


def _number(value: int) -> str:
    return b64(value.to_bytes((value.bit_length() + 7) // 8, "big"))


def taken_apart(token: str) -> tuple[dict[str, Any], dict[str, Any], bytes]:
    """Header, claims and signature of a token that is right."""
    header, claims, signature = token.split(".")
    return json.loads(unb64(header)), json.loads(unb64(claims)), unb64(signature)


def without(claims: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in claims.items() if name not in names}
