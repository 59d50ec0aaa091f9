"""What runs unattended: the runs of the sync, those that are due, those whose worker died, and forgetting old ones."""

import asyncio
import contextlib
from dataclasses import dataclass, field
from uuid import UUID

import structlog

from soloist.accounts import queries as accounts
from soloist.accounts.unattended import unattended
from soloist.infra.db import Database
from soloist.infra.queue import KINDS, Job
from soloist.infra.statement import crossing
from soloist.market import runs, staging, sync
from soloist.market.connection import Doors
from soloist.market.gateway import MarketFault
from soloist.market.model import EVERY, KEPT, NOT_CONNECTED, RunCause, SyncInProgress
from soloist.market.runs import SYNC, Superseded

log = structlog.get_logger("soloist.market")
CONNECTIONS = 4  # of the worker's, for all syncs together
BROKE_OFF = "The sync was broken off several times by a fault of ours; it is in the log."

# Each account has its own place in the six hours: they do not come all at once.
_DUE = crossing(
    "accounts due for a sync",
    "finds the connected accounts of all whose turn it is",
    f"""
    select d.account_id, d.time_zone, d.base_currency
    from (
        select a.account_id, a.time_zone, a.base_currency,
            abs(hashtext(a.account_id::text)::bigint) % {EVERY.total_seconds():.0f} as place,
            coalesce(
                (select max(r.created_at) from market_runs r where r.account_id = a.account_id),
                m.created_at, a.created_at
            ) as last
        from accounts a
        left join market_connections m on m.account_id = a.account_id
        where a.status = 'ACTIVE' and (m.account_id is not null or $2)
    ) as d
    where floor((extract(epoch from $1::timestamptz) - d.place) / {EVERY.total_seconds():.0f})
        > floor((extract(epoch from d.last) - d.place) / {EVERY.total_seconds():.0f})
    order by d.last limit 100
    """,
)
_UNDER_WAY = crossing(
    "syncs under way",
    "finds the runs of all accounts that a worker should have in hand",
    """
    select r.account_id, r.id from market_runs r
    where r.state in ('QUEUED', 'RUNNING') and r.created_at < $1 order by r.created_at limit 1000
    """,
)
_FORGET = crossing(
    "prune sync runs",
    "a sweep over all accounts, of runs older than three months",
    """
    delete from market_runs where (account_id, id) in (
        select r.account_id, r.id from market_runs r
        where r.created_at < $1 and r.state in ('COMPLETED', 'FAILED') order by r.created_at limit 100)
    """,
)


@dataclass(slots=True)
class Syncing:
    """What the syncs of one worker share; as its companion it closes the way to the Markets when the worker ends."""

    doors: Doors
    room: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(CONNECTIONS))

    async def start(self, db: Database, worker_id: UUID) -> None:
        """Nothing is to be done before the first sync."""

    async def end(self) -> None:
        """Hang up. A sync that still runs is cut off with its worker, and taken up again by the next."""
        await self.doors.close()


async def carry_out(syncing: Syncing, db: Database, job: Job) -> None:
    """Carry out a run, or go on with one whose worker died; one that has ended is left alone."""
    run_id = UUID(job.payload["run"])
    holder = await accounts.find_holder(db, job.account_id)
    if holder is None:
        return
    actor = unattended(holder.account_id, holder.time_zone, holder.base_currency)
    changing = sync.opening(db, actor, syncing.room)
    async with changing() as tx:
        run = await runs.claim(tx, run_id)
    if run is None:
        return
    reason: str | None = None
    try:
        async with changing() as tx:
            market = await syncing.doors.market(tx)
        if market is None:
            reason = NOT_CONNECTED
        else:
            await sync.carry_out(changing, run, market)
    except MarketFault as fault:
        reason = fault.text
    except Superseded:
        log.info("a sync was taken up by another worker", run=str(run_id))
    except Exception:
        if KINDS[SYNC].gap_after(job.attempt) is None:
            async with changing() as tx:
                await runs.fail(tx, run_id, BROKE_OFF)
        raise
    if reason is not None:
        async with changing() as tx:
            await runs.fail(tx, run_id, reason)
        await sync.clear(changing, run_id)


async def begin_due(has_default: bool, db: Database) -> int:
    """Begin the sync of each connected account whose turn it is, every six hours; answers how many."""
    begun = 0
    for row in await db.cross_rows(_DUE, db.now(), has_default):
        with contextlib.suppress(SyncInProgress):
            async with db.changing(unattended(row["account_id"], row["time_zone"], row["base_currency"])) as tx:
                await runs.begin(tx, RunCause.SCHEDULED)
            begun += 1
    return begun


async def rescue(db: Database) -> int:
    """Have runs gone on with that no job is left of; answers how many were looked at."""
    rows = await db.cross_rows(_UNDER_WAY, db.now() - EVERY / 360)
    for row in rows:
        async with db.changing(unattended(row["account_id"], "UTC", "USD")) as tx:
            await runs.resume(tx, row["id"])
    return 0


async def prune(db: Database) -> int:
    """Forget runs older than 90 days, and what ended runs left staged; answers how many."""
    total, gone = 0, 1
    while gone:
        gone = await db.cross_run(_FORGET, db.now() - KEPT)
        gone += await db.cross_run(staging.LEFT_BEHIND, staging.CHUNK)
        total += gone
    return total
