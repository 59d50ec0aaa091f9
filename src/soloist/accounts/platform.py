"""Tokens of the platform that the operator trusts: signed with a shared secret, or with a key that it publishes.

The algorithm follows from the key, never from the token; addresses and keys inside a token are ignored.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, NamedTuple, Protocol

import httpx2
import orjson
import structlog
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, Key, OctKey, OKPKey, RSAKey

from soloist.accounts.tokens import ISSUER, LEEWAY, Unverified, check_signature, forged, moment
from soloist.infra.clock import Clock
from soloist.infra.errors import ServiceUnavailable, TokenExpired
from soloist.infra.settings import Settings, SettingsInvalid

log = structlog.get_logger("soloist.accounts")

LONGEST_LIFE = timedelta(hours=24)
KEEP, KEEP_STALE = timedelta(seconds=300), timedelta(hours=1)
ASK_AGAIN, ASK_AGAIN_EMPTY = timedelta(seconds=30), timedelta(seconds=5)
FETCH_SECONDS, MAX_SET_BYTES, MAX_SET_KEYS = 3.0, 256 * 1024, 100
LEAST_RSA_BITS = 2048

# RFC 9864 gives EdDSA with Ed25519 a second name; both are one algorithm.
_SAME = {"RS256": "RS256", "ES256": "ES256", "EdDSA": "EdDSA", "Ed25519": "EdDSA"}
_TYPES = ("at+jwt", "application/at+jwt", "jwt")


class Subject(NamedTuple):
    """Who a platform's token speaks for, and until when that may be believed without asking again."""

    issuer: str
    subject: str
    until: datetime


class Keys(Protocol):
    """Where a platform's keys come from."""

    async def find(self, algorithm: str, kid: str | None, now: datetime) -> tuple[Key, datetime] | None:
        """The key for a token with this header, and until when it holds; None if there is none."""


class SharedSecret:
    """One key, known to both sides; it does HS256 and nothing else."""

    def __init__(self, secret: bytes) -> None:
        self._key = OctKey.import_key(secret)

    async def find(self, algorithm: str, kid: str | None, now: datetime) -> tuple[Key, datetime] | None:
        return (self._key, now + LONGEST_LIFE) if algorithm == "HS256" else None


@dataclass(slots=True)
class PublishedKeys:
    """The keys a platform publishes (JWKS, RFC 7517), fetched when needed.

    Kept for 300 s; an unknown key id asks again, but no more often than every 30 s; while the platform does
    not answer, the keys it had are used for up to an hour.
    """

    url: str
    _keys: list[tuple[str, str | None, Key]] = field(default_factory=list)  # algorithm, key id, key
    _fetched_at: datetime | None = None
    _tried_at: datetime | None = None
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def find(self, algorithm: str, kid: str | None, now: datetime) -> tuple[Key, datetime] | None:
        """As Keys; raises ServiceUnavailable while no keys are known at all."""
        if algorithm not in _SAME:
            return None
        key = self._known(algorithm, kid)
        if key is None or not self._fresh(now):
            async with self._lock:
                if self._may_ask(now):
                    await self._fetch(now)
            key = self._known(algorithm, kid)
        if self._fetched_at is None or now > self._fetched_at + KEEP_STALE:
            raise ServiceUnavailable(
                "The platform's keys can't be fetched at the moment. Try again shortly.", retry_after=5
            )
        if key is None:
            return None
        return key, self._fetched_at + KEEP if self._fresh(now) else now + ASK_AGAIN

    def _known(self, algorithm: str, kid: str | None) -> Key | None:
        fitting = [key for its, key_id, key in self._keys if its == _SAME[algorithm] and kid in (None, key_id)]
        # Without a key id only one key can be meant.
        return fitting[0] if fitting and (kid is not None or len(fitting) == 1) else None

    def _fresh(self, now: datetime) -> bool:
        return self._fetched_at is not None and now <= self._fetched_at + KEEP

    def _may_ask(self, now: datetime) -> bool:
        pause = ASK_AGAIN if self._keys else ASK_AGAIN_EMPTY
        return self._tried_at is None or now >= self._tried_at + pause

    async def _fetch(self, now: datetime) -> None:
        self._tried_at = now
        try:
            self._keys = usable(await _download(self.url))
            self._fetched_at = now
        except (httpx2.HTTPError, httpx2.InvalidURL, TimeoutError, ValueError) as fault:
            log.warning("platform keys not fetched", reason=f"{type(fault).__name__}: {fault}"[:200])


async def _download(url: str) -> object:
    body = b""
    async with (
        asyncio.timeout(FETCH_SECONDS),
        httpx2.AsyncClient(trust_env=False, follow_redirects=False) as client,
        client.stream("GET", url, headers={"Accept-Encoding": "identity"}) as response,
    ):
        if response.status_code != 200:
            raise ValueError(f"answered {response.status_code}")
        async for chunk in response.aiter_bytes():
            body += chunk
            if len(body) > MAX_SET_BYTES:
                raise ValueError(f"more than {MAX_SET_BYTES} bytes")
    return orjson.loads(body)


def usable(key_set: object) -> list[tuple[str, str | None, Key]]:
    """The signing keys of a JWKS that we take: RSA from 2,048 bits, P-256, Ed25519. Raises ValueError if it is none."""
    listed = key_set.get("keys") if isinstance(key_set, Mapping) else None
    if not isinstance(listed, list):
        raise ValueError("not a JSON Web Key Set")
    found = (_usable(entry) for entry in listed[:MAX_SET_KEYS] if isinstance(entry, dict))
    return [entry for entry in found if entry is not None]


def _usable(entry: dict[str, Any]) -> tuple[str, str | None, Key] | None:
    algorithm = _ALGORITHM.get(f"{entry.get('kty')} {entry.get('crv', '')}".strip())
    kid = entry.get("kid")
    meant = entry.get("alg", algorithm) if algorithm else None
    if algorithm is None or _SAME.get(str(meant)) != algorithm or entry.get("use", "sig") != "sig":
        return None
    if not isinstance(kid, str | None) or "verify" not in _operations(entry):
        return None
    if algorithm == "RS256" and len(str(entry.get("n"))) * 6 < LEAST_RSA_BITS:  # six bits a character
        return None
    try:
        key = _IMPORT[algorithm].import_key(entry)
    except (JoseError, ValueError, TypeError, KeyError):
        return None
    return algorithm, kid, key


_ALGORITHM = {"RSA": "RS256", "EC P-256": "ES256", "OKP Ed25519": "EdDSA"}
_IMPORT: Mapping[str, type[RSAKey] | type[ECKey] | type[OKPKey]] = {"RS256": RSAKey, "ES256": ECKey, "EdDSA": OKPKey}


def _operations(entry: dict[str, Any]) -> Sequence[object]:
    given = entry.get("key_ops", ["verify"])
    return given if isinstance(given, list) else []


class Platform:
    """The one issuer whose tokens are accepted beside our own."""

    def __init__(self, issuer: str, audience: str, keys: Keys) -> None:
        self.issuer = issuer
        self._audience = audience
        self._keys = keys

    async def verify(self, token: bytes, taken: Unverified, clock: Clock) -> Subject:
        """Who the token speaks for.

        Raises Unauthorized with one text for all that is wrong with it, TokenExpired later than 30 s after
        its end, ServiceUnavailable while the platform's keys can't be had.
        """
        header, claims = taken
        kind, algorithm, kid = (header.get(name) for name in ("typ", "alg", "kid"))
        if not isinstance(algorithm, str) or not isinstance(kid, str | None):
            raise forged()
        if kind is not None and str(kind).lower() not in _TYPES:  # many platforms leave it out
            raise forged()
        found = await self._keys.find(algorithm, kid, clock())
        if found is None:
            raise forged()
        key, key_until = found
        check_signature(token, algorithm, key)
        expires_at = self._judge(claims, clock())
        return Subject(self.issuer, _subject(claims), min(key_until, expires_at + LEEWAY))

    def _judge(self, claims: Mapping[str, Any], now: datetime) -> datetime:
        expires_at, issued_at, not_before = (moment(claims, name) for name in ("exp", "iat", "nbf"))
        audience = claims.get("aud")
        audiences = audience if isinstance(audience, list) else [audience]
        if claims.get("iss") != self.issuer or self._audience not in audiences or expires_at is None:
            raise forged()
        if any(start is not None and start > now + LEEWAY for start in (issued_at, not_before)):
            raise forged()
        if expires_at - (issued_at or now) > LONGEST_LIFE:
            raise forged()
        if now > expires_at + LEEWAY:
            raise TokenExpired
        return expires_at


def _subject(claims: Mapping[str, Any]) -> str:
    subject = claims.get("sub")
    # A NUL can't be stored.
    if not isinstance(subject, str) or not 0 < len(subject) <= 255 or "\x00" in subject:
        raise forged()
    return subject


def platform_of(settings: Settings) -> Platform | None:
    """The platform that the settings name; None without one. Raises SettingsInvalid for values that can't work."""
    if settings.token_issuer is None or settings.token_audience is None:
        return None
    if settings.token_issuer == ISSUER:
        raise SettingsInvalid(f"SOLOIST_TOKEN_ISSUER: {ISSUER!r} is our own issuer; name the platform's.")
    if settings.token_secret is not None:
        try:
            keys: Keys = SharedSecret(settings.token_secret.get_secret_value().encode())
        except ValueError as fault:
            raise SettingsInvalid(f"SOLOIST_TOKEN_SECRET can't be used: {fault}.") from None
    elif settings.token_jwks_url is not None:
        keys = PublishedKeys(settings.token_jwks_url)
    else:
        return None
    return Platform(settings.token_issuer, settings.token_audience, keys)
