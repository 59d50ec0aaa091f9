"""Who is asking: credentials are turned into actors here, once, and remembered for as long as they hold.

The gate in front of the routes identifies the caller; a handler that needs one asks by `Reader`, `Writer` or
`Syncer`, which only look it up.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated
from uuid import UUID

import structlog
from fastapi import Depends, Request
from starlette.types import Scope as Connection

from soloist.accounts import actions, keys, queries
from soloist.accounts.model import ALL_SCOPES, AccountStatus, Actor, Scope, account_disabled
from soloist.accounts.passwords import Passwords
from soloist.accounts.platform import platform_of
from soloist.accounts.queries import Holder
from soloist.accounts.revocations import Listener
from soloist.accounts.sessions import ENDED, Vault
from soloist.accounts.throttle import Throttle
from soloist.accounts.tokens import (
    ISSUER,
    LEEWAY,
    MAX_TOKEN,
    Tokens,
    Unverified,
    digest,
    forged,
    is_key,
    take_apart,
)
from soloist.infra.db import UNAVAILABLE, Database
from soloist.infra.errors import AccessDenied, ServiceUnavailable, TokenExpired, Unauthorized
from soloist.infra.fields import zone
from soloist.infra.routing import guard
from soloist.infra.settings import Settings

__all__ = ["Actor", "Identifier", "Reader", "Scope", "Syncer", "Writer"]

log = structlog.get_logger("soloist.accounts")

LONGEST_KNOWN = timedelta(minutes=5)  # then a credential is looked up again, whatever was or was not announced
KNOWN_UNHEARD = timedelta(seconds=2)  # the same while announcements may be missed
KEY_USE_NOTED = timedelta(minutes=1)
MOST_KNOWN = 2048
STOP_SECONDS = 5


_AWAY: tuple[type[Exception], ...] = (*UNAVAILABLE, OSError, ServiceUnavailable)


@guard
async def reader(request: Request) -> Actor:
    """The actor, who may read."""
    return _actor(request, Scope.READ)


@guard
async def writer(request: Request) -> Actor:
    """The actor, who may change things."""
    return _actor(request, Scope.WRITE)


@guard
async def syncer(request: Request) -> Actor:
    """The actor, who may synchronise with a platform."""
    return _actor(request, Scope.SYNC)


Reader = Annotated[Actor, Depends(reader)]
Writer = Annotated[Actor, Depends(writer)]
Syncer = Annotated[Actor, Depends(syncer)]


def _actor(request: Request, scope: Scope) -> Actor:
    state = request.scope["state"]
    actor: Actor | None = state.get("actor")
    if actor is None:
        raise state.get("refusal") or Unauthorized()
    if scope not in actor.scopes:
        held = sorted(actor.scopes)
        raise AccessDenied(
            f"This needs the scope '{scope}', which this API key lacks (it has: {', '.join(held)}).",
            details={"requiredScope": scope, "scopes": held},
        )
    return actor


@dataclass(slots=True)
class _Known:
    actor: Actor
    until: datetime
    key_id: UUID | None = None
    note_use_at: datetime | None = None


class Identifier:
    """Finds out who sends a request; one for each server process.

    What it finds it keeps, so that a busy caller costs a look-up in memory. A change of the account, its
    sessions or its keys makes it forget: at once in this process, by announcement in the others.
    """

    def __init__(self, db: Database, settings: Settings, signing_key: bytes) -> None:
        self._db = db
        self._tokens = Tokens(signing_key)
        self._platform = platform_of(settings)
        passwords = Passwords(settings.password_memory_kib, settings.password_passes)
        self.vault = Vault(settings, self._tokens, passwords, Throttle(db), self.forget)
        self._known: dict[bytes, _Known] = {}
        self._forgotten = 0  # counts; a look-up that began before a change must not be kept after it
        self._hearing = False
        self._notes: set[asyncio.Task[None]] = set()

    async def identify(self, scope: Connection) -> Actor | None:
        """The actor whose credential the request carries; None if it carries none.

        Raises Unauthorized, TokenExpired, or AccessDenied for a disabled account.
        """
        header: bytes | None = None
        for name, value in scope["headers"]:
            if name == b"authorization":
                if header is not None:
                    raise Unauthorized("Send exactly one Authorization header.")
                header = value
        if header is None:
            if b"access_token=" in scope["query_string"]:
                raise Unauthorized("A token is not taken from the URL. Send it as 'Authorization: Bearer <token>'.")
            return None
        known = self._known.get(header)
        now = self._db.clock()
        if known is None or now >= known.until:
            known = await self._look_up(header, now)
        if known.note_use_at is not None and now >= known.note_use_at:
            self._note_use(known, now)
        return known.actor

    def forget(self, account_id: UUID) -> None:
        """Look every credential of the account up anew from now on."""
        self._forgotten += 1
        for header in [header for header, known in self._known.items() if known.actor.account_id == account_id]:
            del self._known[header]

    @contextlib.asynccontextmanager
    async def listening(self) -> AsyncIterator[None]:
        """Hear what other processes announce, while the block runs; does not wait for the database."""
        listener = asyncio.create_task(Listener(self._db.dsn, self.forget, self._set_hearing).run())
        try:
            yield
        finally:
            listener.cancel()
            await asyncio.wait({listener, *self._notes}, timeout=STOP_SECONDS)

    def _set_hearing(self, hearing: bool) -> None:
        self._hearing = hearing
        self._forgotten += 1
        self._known.clear()

    async def _look_up(self, header: bytes, now: datetime) -> _Known:
        forgotten = self._forgotten
        known = await self._verify(_token(header), now)
        known.until = min(known.until, now + (LONGEST_KNOWN if self._hearing else KNOWN_UNHEARD))
        if forgotten == self._forgotten:
            if len(self._known) >= MOST_KNOWN:
                del self._known[next(iter(self._known))]
            self._known[header] = known
        return known

    async def _verify(self, token: bytes, now: datetime) -> _Known:
        if token.startswith(b"slk_"):
            return await self._by_key(token.decode("latin-1"), now)
        taken = take_apart(token)
        issuer = taken.claims.get("iss")
        if issuer == ISSUER:
            return await self._by_access_token(token, taken, now)
        if self._platform is not None and issuer == self._platform.issuer:
            found = await self._platform.verify(token, taken, self._db.clock)
            return _Known(_acting(await self._subject_holder(found.issuer, found.subject), "platform"), found.until)
        raise forged()

    async def _by_access_token(self, token: bytes, taken: Unverified, now: datetime) -> _Known:
        access = self._tokens.read_access(token, taken, now)
        until = access.expires_at + LEEWAY
        if access.session_id is None:
            holder = await queries.find_holder(self._db, access.account_id)
        else:
            found = await queries.find_session_holder(self._db, access.account_id, access.session_id, now)
            if found is not None and found.ends_at is None:
                raise Unauthorized(ENDED)
            holder = found.holder if found else None
        if holder is None:
            raise forged()
        return _Known(_acting(holder, "user", session_id=access.session_id), until)

    async def _by_key(self, key: str, now: datetime) -> _Known:
        found = await queries.find_key_holder(self._db, digest(key)) if is_key(key) else None
        if found is None:
            raise forged()
        if found.expires_at is not None and now >= found.expires_at:
            raise TokenExpired("The API key has expired. Make a new one with POST /me/api-keys.")
        scopes = found.scopes | {Scope.READ} if Scope.WRITE in found.scopes else found.scopes
        actor = _acting(found.holder, f"key:{found.key_id}", scopes)
        note_use_at = found.last_used_at + KEY_USE_NOTED if found.last_used_at else now
        return _Known(actor, found.expires_at or now + LONGEST_KNOWN, found.key_id, note_use_at)

    async def _subject_holder(self, issuer: str, subject: str) -> Holder:
        holder = await queries.find_subject_holder(self._db, issuer, subject)
        if holder is None:
            await actions.admit_subject(self._db, issuer, subject)
            holder = await queries.find_subject_holder(self._db, issuer, subject)
        assert holder is not None
        return holder

    def _note_use(self, known: _Known, now: datetime) -> None:
        known.note_use_at = now + KEY_USE_NOTED
        task = asyncio.create_task(self._write_use(known))
        self._notes.add(task)
        task.add_done_callback(self._notes.discard)

    async def _write_use(self, known: _Known) -> None:
        assert known.key_id is not None
        try:
            async with self._db.changing(known.actor) as tx:
                await keys.note_use(tx, known.key_id)
        except _AWAY as fault:
            log.warning("use of an API key not noted", reason=type(fault).__name__)


def _token(header: bytes) -> bytes:
    if len(header) > MAX_TOKEN:
        raise Unauthorized(f"The token is longer than {MAX_TOKEN:,} bytes, the most that is read.")
    scheme, _, token = header.partition(b" ")
    token = token.strip(b" ")
    if scheme.lower() != b"bearer" or not token:
        raise Unauthorized("Send the token as 'Authorization: Bearer <token>'; other schemes are not known here.")
    return token


def _acting(holder: Holder, label: str, scopes: frozenset[Scope] = ALL_SCOPES, session_id: UUID | None = None) -> Actor:
    if holder.status is not AccountStatus.ACTIVE:
        raise account_disabled()
    return Actor(holder.account_id, zone(holder.time_zone), label, scopes, holder.base_currency, session_id)
