"""The life of a run of the sync: the only writer of `market_runs` and `market_run_entries`.

Every write of a worker names the attempt it belongs to: one that was given up for dead changes nothing any more.
"""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, NamedTuple
from uuid import UUID

import asyncpg
import orjson

from soloist.events import log
from soloist.events.model import SyncCompleted, SyncFailed
from soloist.infra import jsonbody
from soloist.infra.db import Tx
from soloist.infra.errors import IdempotencyKeyInUse
from soloist.infra.ids import new_id
from soloist.infra.queue import enqueue, kind
from soloist.infra.statement import statement
from soloist.market.actions import Taken
from soloist.market.model import EntryState, ItemKind, RunCause, RunPhase, SyncInProgress

# Carries out a run, or goes on with it: `{"run": <id>}`.
SYNC = kind("market.sync", tries=6, longest_gap=timedelta(seconds=30), patient=True)
FULL_EVERY = timedelta(hours=20)  # a scheduled run asks for everything where none of the last hours did

_BEGIN = statement(
    """
    insert into market_runs (account_id, id, state, cause, idempotency_key, created_at)
    values ($1, $2, 'QUEUED', $3, $4, $5)
    on conflict (account_id) where state in ('QUEUED', 'RUNNING') do nothing
    """
)
_UNDER_WAY = statement(
    "select id, idempotency_key from market_runs where account_id = $1 and state in ('QUEUED', 'RUNNING')"
)


async def begin(tx: Tx, cause: RunCause, key: str | None = None) -> UUID:
    """Have a run carried out; answers its id.

    Raises SyncInProgress while another of the account is under way, IdempotencyKeyInUse if that one was asked for
    with the same key.
    """
    run_id = new_id()
    if not await tx.run(_BEGIN, run_id, cause, key, tx.now):
        row = await tx.row(_UNDER_WAY)
        if row is not None and key is not None and row["idempotency_key"] == key:
            raise IdempotencyKeyInUse
        raise SyncInProgress(details={"runId": str(row["id"])} if row is not None else None)
    await resume(tx, run_id)
    return run_id


async def resume(tx: Tx, run_id: UUID) -> None:
    """Have a worker go on with a run, unless one does or is about to."""
    await enqueue(tx, SYNC, {"run": run_id}, dedupe_key=str(run_id))


class Run(NamedTuple):
    """A run in the hands of one worker."""

    id: UUID
    attempt: int
    phase: RunPhase | None
    asked_since: Mapping[str, str]


_CLAIM = statement(
    """
    update market_runs r set state = 'RUNNING', attempt = r.attempt + 1, started_at = coalesce(r.started_at, $3),
        asked_since = case when r.attempt > 0 then r.asked_since else coalesce((
            select b.ask_next_since
            from (
                select l.* from market_runs l
                where l.account_id = $1 and l.state = 'COMPLETED' order by l.created_at desc, l.id desc limit 1
            ) as b
            where r.cause = 'SCHEDULED' and b.failed = 0 and exists (
                select from market_runs f
                where f.account_id = $1 and f.state = 'COMPLETED' and f.asked_since = '{}' and f.created_at > $4)
        ), '{}') end
    where r.account_id = $1 and r.id = $2 and r.state in ('QUEUED', 'RUNNING')
    returning r.id, r.attempt, r.phase, r.asked_since
    """
)


async def claim(tx: Tx, run_id: UUID) -> Run | None:
    """Take a run up; None if it has ended. Whoever had it before is left without a say.

    A scheduled run asks only for what has changed since the one before, but once a day for everything.
    """
    row = await tx.row(_CLAIM, run_id, tx.now, tx.now - FULL_EVERY)
    if row is None:
        return None
    phase = RunPhase(row["phase"]) if row["phase"] else None
    return Run(row["id"], row["attempt"], phase, orjson.loads(row["asked_since"]))


class Superseded(Exception):
    """Another worker has taken the run up, or it has ended."""


_START_ANEW = statement(
    """
    with run as (
        update market_runs r set phase = 'FETCHING', fetched = 0, planned = 0, done = 0, unchanged = 0
        where r.account_id = $1 and r.id = $2 and r.attempt = $3 and r.state = 'RUNNING'
        returning r.id
    ), gone as (
        delete from market_run_entries e using run
        where e.account_id = $1 and e.run_id = run.id and e.state in ('PLANNED', 'KEPT', 'FAILED')
    )
    select true from run
    """
)
_FETCHED = statement(
    """
    update market_runs set fetched = fetched + $4
    where account_id = $1 and id = $2 and attempt = $3 and state = 'RUNNING'
    """
)
_PHASE = statement(
    """
    update market_runs set phase = $4, ask_next_since = coalesce($5::jsonb, ask_next_since)
    where account_id = $1 and id = $2 and attempt = $3 and state = 'RUNNING'
    """
)
_COMPARED = statement(
    """
    update market_runs set planned = planned + $4, unchanged = unchanged + $5
    where account_id = $1 and id = $2 and attempt = $3 and state = 'RUNNING'
    """
)


async def start_anew(tx: Tx, run: Run) -> None:
    """Begin with the fetching, and forget what an attempt before had planned; raises Superseded."""
    if await tx.value(_START_ANEW, run.id, run.attempt) is None:
        raise Superseded


async def fetched(tx: Tx, run: Run, count: int) -> None:
    """Count items that came; raises Superseded."""
    await _ours(tx, _FETCHED, run, count)


async def enter(tx: Tx, run: Run, phase: RunPhase, ask_next_since: Mapping[str, str] | None = None) -> None:
    """Go on to the next phase; raises Superseded."""
    since = None if ask_next_since is None else orjson.dumps(ask_next_since).decode()
    await _ours(tx, _PHASE, run, phase, since)


async def compared(tx: Tx, run: Run, planned: int, unchanged: int) -> None:
    """Count clients that were compared; raises Superseded."""
    await _ours(tx, _COMPARED, run, planned, unchanged)


async def _ours(tx: Tx, sql: Any, run: Run, *values: object) -> None:
    if not await tx.run(sql, run.id, run.attempt, *values):
        raise Superseded


class Entry(NamedTuple):
    """A line of a run's report, or of its plan. Without an id it has a number among the others like it."""

    kind: ItemKind
    item_id: str
    has_id: bool
    state: EntryState
    client_id: UUID | None = None
    name: str | None = None
    kept: str = "[]"
    code: str | None = None
    message: str | None = None


_ENTER = statement(
    """
    insert into market_run_entries (
        account_id, run_id, kind, item_id, has_id, state, client_id, name, kept, code, message
    )
    select $1, $2, t.kind, t.item_id, t.has_id, t.state, t.client_id, t.name, t.kept, t.code, t.message
    from unnest(
        $3::text[], $4::text[], $5::boolean[], $6::text[], $7::uuid[], $8::text[], $9::jsonb[], $10::text[], $11::text[]
    ) as t (kind, item_id, has_id, state, client_id, name, kept, code, message)
    on conflict (account_id, run_id, kind, item_id) do nothing
    """
)


async def note(tx: Tx, run: Run, entries: Sequence[Entry]) -> None:
    """Add lines; one that is there already stays."""
    if entries:
        await tx.run(_ENTER, run.id, *(list(column) for column in zip(*entries, strict=True)))


# What a crash of the machine may lose of a client is done again: no need to wait for the disk at each.
_SETTLE = statement(
    """
    with run as (
        update market_runs r set done = r.done + 1
        where r.account_id = $1 and r.id = $2 and r.attempt = $3 and r.state = 'RUNNING'
        returning r.id
    ), unhurried as materialized (
        select set_config('synchronous_commit', 'off', true)
    )
    update market_run_entries e set state = $5, client_id = coalesce($6, e.client_id), name = coalesce($7, e.name),
        changes = $8::jsonb, kept = $9::jsonb, payments = $10, reviews = $11, contracts = $12, code = $13, message = $14
    from run cross join unhurried
    where e.account_id = $1 and e.run_id = run.id and e.kind = 'CLIENT' and e.item_id = $4
    """
)


async def settle(tx: Tx, run: Run, market_id: str, taken: Taken | None) -> None:
    """Note what became of a planned client, in the transaction that did it; raises Superseded."""
    if taken is None or taken.state is None:
        await _settle(tx, run, market_id, EntryState.KEPT, *_nothing(taken))
        return
    changes = [{"field": name, "from": before, "to": after} for name, before, after in taken.changes]
    await _settle(
        tx, run, market_id, taken.state, taken.client_id, taken.name, jsonbody.dumps(changes), told(taken.kept),
        taken.payments, taken.reviews, taken.contracts, None, None,
    )  # fmt: skip


async def settle_failed(tx: Tx, run: Run, market_id: str, code: str, message: str) -> None:
    """Note that a planned client could not be taken over; raises Superseded."""
    await _settle(tx, run, market_id, EntryState.FAILED, None, None, "[]", "[]", 0, 0, 0, code, message)


async def _settle(tx: Tx, run: Run, market_id: str, state: EntryState, *values: object) -> None:
    if not await tx.run(_SETTLE, run.id, run.attempt, market_id, state, *values):
        raise Superseded


def _nothing(taken: Taken | None) -> tuple[object, ...]:
    return (taken.client_id if taken else None, None, "[]", "[]", 0, 0, 0, None, None)


def told(kept: Sequence[Any]) -> str:
    """Fields that stayed, as they are stored."""
    return jsonbody.dumps(
        [{"field": one.field, "yours": one.yours, "market": one.market, "reason": one.because} for one in kept]
    )


_COMPLETE = statement(
    """
    update market_runs r set state = 'COMPLETED', phase = null, finished_at = $4,
        created = n.created, updated = n.updated, kept = n.kept, failed = n.failed
    from (
        select count(*) filter (where e.state = 'CREATED') as created,
            count(*) filter (where e.state = 'UPDATED') as updated,
            count(*) filter (where e.kept <> '[]') as kept,
            count(*) filter (where e.state = 'FAILED') as failed
        from market_run_entries e where e.account_id = $1 and e.run_id = $2
    ) as n
    where r.account_id = $1 and r.id = $2 and r.attempt = $3 and r.state = 'RUNNING'
    returning r.created, r.updated, r.failed
    """
)
_FAIL = statement(
    """
    update market_runs set state = 'FAILED', phase = null, finished_at = $3, failure = $4
    where account_id = $1 and id = $2 and state in ('QUEUED', 'RUNNING')
    """
)


async def complete(tx: Tx, run: Run) -> None:
    """End a run that has done all it could, and tell; raises Superseded."""
    row: asyncpg.Record | None = await tx.row(_COMPLETE, run.id, run.attempt, tx.now)
    if row is None:
        raise Superseded
    created, updated = row["created"], row["updated"]
    await log.record(
        tx,
        SyncCompleted(run_id=run.id, synced=created + updated, created=created, updated=updated, errors=row["failed"]),
    )


async def fail(tx: Tx, run_id: UUID, reason: str) -> None:
    """End a run that could not be carried out, and tell why; one that has ended stays as it is."""
    if await tx.run(_FAIL, run_id, tx.now, reason):
        await log.record(tx, SyncFailed(run_id=run_id, reason=reason))
