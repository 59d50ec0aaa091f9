"""The tokens that we issue: access tokens (JWT, RFC 9068), opaque refresh and reset tokens, and API keys.

Everything here is computed; whether a session or a key still stands is asked of the database elsewhere.
"""

import base64
import hashlib
import hmac
import re
import secrets
import string
import zlib
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

import orjson
from joserfc import jws
from joserfc.errors import JoseError, UnsupportedAlgorithmError
from joserfc.jwa import JWSAlgModel
from joserfc.jwk import Key, OctKey

from soloist.infra.errors import TokenExpired, Unauthorized
from soloist.infra.ids import new_id
from soloist.infra.secrets import derived

ISSUER = "soloist"
ACCESS_LIFE = timedelta(minutes=15)
REFRESH_LIFE = timedelta(days=30)
RESET_LIFE = timedelta(hours=1)
LEEWAY = timedelta(seconds=30)
MAX_TOKEN = 8192

# One text for every token that is not genuine: it tells a forger nothing.
FORGED = "The token is not valid. Sign in, or use a token or API key that was issued for this API."


def forged() -> Unauthorized:
    """The refusal of a token that is not genuine, whatever is wrong with it."""
    return Unauthorized(FORGED)


class Unverified(NamedTuple):
    """A JWT taken apart; nothing in it may be believed before its signature is checked."""

    header: dict[str, Any]
    claims: dict[str, Any]


_JWT = re.compile(rb"([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)")


def take_apart(token: bytes) -> Unverified:
    """The header and claims of a compact JWT; raises Unauthorized if it is none, or asks for any extension."""
    found = _JWT.fullmatch(token)
    if found is None:
        raise forged()
    try:
        header, claims = (_decoded(part) for part in found.groups()[:2])
        taken = Unverified(orjson.loads(header), orjson.loads(claims))
    except ValueError:
        raise forged() from None
    if (
        not isinstance(taken.header, dict)
        or not isinstance(taken.claims, dict)
        or {"crit", "b64"} & taken.header.keys()
    ):
        raise forged()
    return taken


def _decoded(part: bytes) -> bytes:
    return base64.urlsafe_b64decode(part + b"=" * (-len(part) % 4))


class _Registry(jws.JWSRegistry):
    """Allows exactly the named algorithms, whatever the library recommends; other header fields are ignored."""

    max_header_length = MAX_TOKEN

    def get_alg(self, name: str) -> JWSAlgModel:
        if name not in (self.allowed or ()):
            raise UnsupportedAlgorithmError(name)
        return self.algorithms[name]


_REGISTRIES = {
    name: _Registry(algorithms=[name], strict_check_header=False)
    for name in ("HS256", "RS256", "ES256", "EdDSA", "Ed25519")
}


def check_signature(token: bytes, algorithm: str, key: Key) -> None:
    """Raises Unauthorized unless `token` names `algorithm` and is signed by `key`; the key decides on the algorithm."""
    try:
        jws.deserialize_compact(token, key, registry=_REGISTRIES[algorithm])
    except (JoseError, ValueError, TypeError, RecursionError):
        raise forged() from None


def moment(claims: Mapping[str, Any], name: str) -> datetime | None:
    """A time among the claims; None if absent; raises Unauthorized if it is no time."""
    value = claims.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise forged()
    try:
        return datetime.fromtimestamp(value, UTC)
    except (ValueError, OverflowError, OSError):
        raise forged() from None


class Access(NamedTuple):
    """What a valid access token says: whose it is, of which session (None: of none), and until when."""

    account_id: UUID
    session_id: UUID | None
    expires_at: datetime


class Opaque(NamedTuple):
    """A token that stands for a row of an account: `text` for its holder, `digest` for the database."""

    account_id: UUID
    row_id: UUID
    text: str
    digest: bytes


_REFRESH, _RESET = "slr_", "slp_"


class Tokens:
    """Issues and reads tokens with the installation's signing key, of 32 bytes."""

    def __init__(self, signing_key: bytes) -> None:
        self._signing_key = signing_key
        self._key = OctKey.import_key(signing_key)

    def access(self, account_id: UUID, session_id: UUID | None, now: datetime, life: timedelta = ACCESS_LIFE) -> str:
        """An access token from `now` on, for as long as `life`."""
        issued = int(now.timestamp())
        claims: dict[str, object] = {
            "iss": ISSUER,
            "aud": ISSUER,
            "sub": str(account_id),
            "jti": str(new_id()),
            "iat": issued,
            "exp": issued + int(life.total_seconds()),
        }
        if session_id is not None:
            claims["sid"] = str(session_id)
        header = {"alg": "HS256", "typ": "at+jwt"}
        return jws.serialize_compact(header, orjson.dumps(claims), self._key, registry=_REGISTRIES["HS256"])

    def read_access(self, token: bytes, taken: Unverified, now: datetime) -> Access:
        """What an access token of ours says; raises Unauthorized, or TokenExpired later than 30 s after its end."""
        if taken.header.get("typ") != "at+jwt":
            raise forged()
        check_signature(token, "HS256", self._key)
        claims = taken.claims
        expires_at = moment(claims, "exp")
        if claims.get("iss") != ISSUER or claims.get("aud") != ISSUER or expires_at is None:
            raise forged()
        try:
            account_id = UUID(claims["sub"])
            session_id = UUID(claims["sid"]) if "sid" in claims else None
        except (KeyError, ValueError, AttributeError, TypeError):
            raise forged() from None
        if now > expires_at + LEEWAY:
            raise TokenExpired
        return Access(account_id, session_id, expires_at)

    def refresh(self, account_id: UUID, session_id: UUID) -> Opaque:
        """A new refresh token of a session."""
        return self._opaque(_REFRESH, account_id, session_id)

    def read_refresh(self, text: str) -> Opaque | None:
        """The parts of a refresh token that was issued here, perhaps long ago; None for anything else."""
        return self._read(_REFRESH, text)

    def reset(self, account_id: UUID, reset_id: UUID) -> Opaque:
        """A new token that allows one password to be set."""
        return self._opaque(_RESET, account_id, reset_id)

    def read_reset(self, text: str) -> Opaque | None:
        """The parts of a reset token that was issued here, perhaps long ago; None for anything else."""
        return self._read(_RESET, text)

    def key_seed(self, key_id: UUID) -> bytes:
        """What an API key made over HTTP follows from, so that a repeated request can be answered with it again."""
        return hmac.digest(derived(self._signing_key, KEY_PREFIX), key_id.bytes, "sha256")

    def _opaque(self, prefix: str, account_id: UUID, row_id: UUID) -> Opaque:
        body = account_id.bytes + row_id.bytes + secrets.token_bytes(32)
        text = prefix + base64.urlsafe_b64encode(body + self._seal(prefix, body)).decode()
        return Opaque(account_id, row_id, text, digest(text))

    def _read(self, prefix: str, text: str) -> Opaque | None:
        try:
            raw = base64.b64decode(text.removeprefix(prefix).encode(), altchars=b"-_", validate=True)
        except ValueError:
            return None
        body, seal = raw[:64], raw[64:]
        if not text.startswith(prefix) or not hmac.compare_digest(seal, self._seal(prefix, body)):
            return None
        return Opaque(UUID(bytes=body[:16]), UUID(bytes=body[16:32]), text, digest(text))

    def _seal(self, prefix: str, body: bytes) -> bytes:
        # Without it, whoever knows a session's id could end the session with an invented "used" token.
        # 17 bytes make 81 with the body, which base64 writes without padding.
        return hmac.digest(derived(self._signing_key, prefix), body, "sha256")[:17]


def digest(secret: str) -> bytes:
    """What the database keeps of a token or key. Plain SHA-256 is enough: they hold over 170 random bits."""
    return hashlib.sha256(secret.encode()).digest()


KEY_PREFIX = "slk_"
_BASE62 = string.digits + string.ascii_uppercase + string.ascii_lowercase
_KEY = re.compile(r"slk_([0-9A-Za-z]{30})([0-9A-Za-z]{6})")


def new_key(seed: bytes | None = None) -> str:
    """A new API key: `slk_`, 30 random characters, and 6 that check them, so that leaked keys can be recognised.

    With a `seed` of 32 bytes the key follows from it.
    """
    body = _base62(int.from_bytes(seed or secrets.token_bytes(32), "big"), 30)
    return KEY_PREFIX + body + _checksum(body)


def is_key(text: str) -> bool:
    """Whether `text` has the form and the check characters of an API key."""
    found = _KEY.fullmatch(text)
    return found is not None and _checksum(found[1]) == found[2]


def _checksum(body: str) -> str:
    return _base62(zlib.crc32(body.encode()), 6)


def _base62(number: int, width: int) -> str:
    characters = []
    for _ in range(width):
        number, index = divmod(number, 62)
        characters.append(_BASE62[index])
    return "".join(reversed(characters))
