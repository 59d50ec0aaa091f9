"""The transaction of one changing request: its Idempotency-Key, its If-Match and its answer are settled together.

async with change(request, actor) as tx:
    await actions.archive(tx, client_id)
    return await tx.answer(200, await queries.get(tx, client_id))
"""

import hashlib
import re
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal, NamedTuple
from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response

from soloist.infra.db import Caller, Database, Tx
from soloist.infra.errors import IdempotencyKeyInUse, IdempotencyKeyReused, PreconditionFailed, one_fault
from soloist.infra.http import JSON, Replay, enveloped
from soloist.infra.shape import Record
from soloist.infra.statement import Statement, crossing, statement

KEEP = timedelta(hours=24)


class Found(NamedTuple):
    """A record as PostgreSQL rendered it, with its version for the ETag (None: this shape has none)."""

    version: int | None
    raw: str


@dataclass(slots=True)
class Change(Tx):
    """A `Tx` that also knows the request, so that the answer can be stored under its key before the commit."""

    key: str | None = None
    fingerprint: bytes = b""

    async def answer(self, status: int, found: Found, location: str | None = None) -> Response:
        """The enveloped answer; stored under the Idempotency-Key in this transaction, if there is one.

        Raises PreconditionFailed when an If-Match was sent and no record was there to hold it against.
        """
        if self.expected_version is not None:
            raise PreconditionFailed(None)
        headers = {"ETag": f'"{found.version}"'} if found.version is not None else {}
        if location is not None:
            headers["Location"] = location
        response = enveloped(found.raw, status, headers)
        if self.key is not None:
            etag, body = headers.get("ETag"), bytes(response.body)
            await self.run(_STORE, self.key, self.fingerprint, status, etag, location, body, self.now)
        return response


class Deleted(Record):
    """The record is gone."""

    id: UUID
    deleted: Literal[True]


def deleted(record_id: UUID) -> Found:
    """What a DELETE answers."""
    return Found(None, f'{{"id":"{record_id}","deleted":true}}')


def shown(found: Found) -> Response:
    """A record as the answer of a GET, with its ETag."""
    return enveloped(found.raw, 200, {"ETag": f'"{found.version}"'} if found.version is not None else None)


def reading(request: Request, actor: Caller) -> AbstractAsyncContextManager[Tx]:
    """One connection to read with; a single statement needs no transaction."""
    db: Database = request.app.state.db
    return db.reading(actor)


_LOCK = statement("select pg_try_advisory_xact_lock(hashtextextended($1::uuid::text || ':' || $2, 0))")
_FIND = statement(
    """
    select fingerprint, status, etag, location, body, created_at from idempotency_keys
    where account_id = $1 and key = $2 and created_at > $3
    """
)
_STORE = statement(
    """
    insert into idempotency_keys (account_id, key, fingerprint, status, etag, location, body, created_at)
    values ($1, $2, $3, $4, $5, $6, $7, $8)
    on conflict (account_id, key) do update set
        fingerprint = excluded.fingerprint, status = excluded.status, etag = excluded.etag,
        location = excluded.location, body = excluded.body, created_at = excluded.created_at
    """
)
_PRUNE = crossing(
    "prune idempotency keys",
    "a sweep over all accounts, of keys older than a day",
    "delete from idempotency_keys where created_at < $1",
)


@asynccontextmanager
async def change(request: Request, actor: Caller) -> AsyncIterator[Change]:
    """One transaction for a changing request; it commits before the answer is sent.

    Raises Replay when the same request was answered before under its key, IdempotencyKeyReused when the key
    belongs to another request, IdempotencyKeyInUse while a twin still runs.
    """
    db: Database = request.app.state.db
    key = idempotency_key(request)
    expected = if_match(request)
    async with db.changing(actor) as plain:
        tx = Change(plain.conn, plain.account_id, actor, plain.now, expected, plain.after_commit, plain.staged)
        if key is not None:
            tx.key = key
            tx.fingerprint = await _fingerprint(request)
            await _claim(tx, key)
        yield tx


@asynccontextmanager
async def change_at_once(request: Request, actor: Caller) -> AsyncIterator[Change]:
    """As `change`, for an action that is one statement, which is a transaction by itself: one round trip, not three.

    With an Idempotency-Key or If-Match more has to be settled with it; then there is a transaction all the same.
    """
    if "idempotency-key" in request.headers or "if-match" in request.headers:
        async with change(request, actor) as tx:
            yield tx
        return
    db: Database = request.app.state.db
    async with db.reading(actor) as plain:
        yield _AtOnce(plain.conn, plain.account_id, actor, plain.now, staged=plain.staged)


class _AtOnce(Change):
    """Not in a transaction: a second change could stand without the first."""

    async def run(self, sql: Statement, *args: object) -> int:
        raise AssertionError("a change at once is one statement; this one needs change()")


async def _claim(tx: Change, key: str) -> None:
    if not await tx.value(_LOCK, key):
        raise IdempotencyKeyInUse
    row = await tx.row(_FIND, key, tx.now - KEEP)
    if row is None:
        return
    if row["fingerprint"] != tx.fingerprint:
        used = row["created_at"].strftime("%Y-%m-%dT%H:%M:%SZ")
        raise IdempotencyKeyReused(
            f"This Idempotency-Key was first used at {used} for another request. Use a new key for a new request.",
            details={"firstUsedAt": used},
        )
    headers = {"Idempotency-Replayed": "true"}
    if row["etag"]:
        headers["ETag"] = row["etag"]
    if row["location"]:
        headers["Location"] = row["location"]
    raise Replay(Response(row["body"], row["status"], headers, JSON))


async def _fingerprint(request: Request) -> bytes:
    path, query = request.url.path, request.url.query
    head = f"{request.method}\n{path}\n{query}\n".encode()
    return hashlib.sha256(head + await request.body()).digest()


_KEY = re.compile(r"[\x21-\x7e]{1,255}")


def idempotency_key(request: Request) -> str | None:
    """The request's key, with or without the quotes of the draft standard; raises ValidationFailed if unusable."""
    given = request.headers.getlist("idempotency-key")
    if not given:
        return None
    key = given[0][1:-1] if len(given[0]) > 1 and given[0][0] == given[0][-1] == '"' else given[0]
    if len(given) > 1 or not _KEY.fullmatch(key):
        raise one_fault(
            "Idempotency-Key", "header", "send one key of 1 to 255 visible ASCII characters, such as a UUID"
        )
    return key


_ETAG = re.compile(r'"([0-9]{1,18})"')
NEVER = -1  # a version no record has


def if_match(request: Request) -> int | None:
    """The version that the request's If-Match names; None without one or for `*`."""
    given = request.headers.get("if-match")
    if given is None or given.strip() == "*":
        return None
    if exact := _ETAG.fullmatch(given.strip()):
        return int(exact[1])
    if re.fullmatch(r'W/"[^"]*"|"[^"]*"', given.strip()):
        return NEVER  # a weak or foreign tag is well formed, but is none of ours: it can't match
    raise one_fault("If-Match", "header", 'send the ETag you were given, in quotes, such as If-Match: "3"')


async def prune_keys(db: Database) -> int:
    """Forget the keys that are older than a day; answers how many."""
    return await db.cross_run(_PRUNE, db.clock() - KEEP)
