"""A run of the sync from the first page to the last client: fetch, plan, then a transaction for each client.

It may be cut off anywhere and taken up again: the stage, the plan and what is done of it stand in the database.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import datetime
from decimal import Decimal
from functools import partial
from typing import Any
from uuid import UUID

import asyncpg
import orjson
import structlog

from soloist.accounts.model import Actor
from soloist.clients.model import ClientAlreadyExists, ClientStatus
from soloist.infra.db import UNAVAILABLE, Database, Tx
from soloist.infra.errors import Problem, ServiceUnavailable
from soloist.infra.statement import crossing
from soloist.market import fetching, provenance, queries, runs, staging
from soloist.market.actions import lost_a_race, take_over
from soloist.market.fetching import Changing
from soloist.market.gateway import Market
from soloist.market.model import Done, EntryState, ItemKind, Paid, PlatformClientNotFound, Rated, Relation, RunPhase
from soloist.market.runs import Entry, Run, Superseded

log = structlog.get_logger("soloist.market")
_STATISTICS = "has the planner count the rows of all accounts; answers nothing"
COMPARED_AT_ONCE = 500
TAKEN_AT_ONCE = 100
LANES = 3  # clients of one run that are written at the same time
OURS: tuple[type[Exception], ...] = (*UNAVAILABLE, ServiceUnavailable, OSError, Superseded)
TRIES = 3
FEW = 100  # clients that need no better plan

# Statistics for the planner, which are nobody's data; autovacuum would come for them a minute too late.
_COUNT_STAGED = crossing("statistics of the stage", _STATISTICS, "analyze (skip_locked) market_staged")
_COUNT_ENTRIES = crossing("statistics of the plan", _STATISTICS, "analyze (skip_locked) market_run_entries")
_COUNT_BOOK = crossing(
    "statistics of the book",
    _STATISTICS,
    "analyze (skip_locked) clients, interactions, health_history, market_payments, market_reviews, market_contracts",
)
_BOOK_SIZE = crossing(
    "size of the book",
    "reads how many clients of all accounts the planner believes in",
    "select greatest(reltuples, 0) from pg_class where oid = 'clients'::regclass",
)


async def carry_out(changing: Changing, run: Run, market: Market) -> None:
    """Do what is left of a run, to its end.

    Raises a MarketFault where the Market can't be read, Superseded where the run is no longer this worker's, and
    whatever says that the database is away: then the run is to be taken up again.
    """
    async with changing() as tx:
        applying = run.phase is RunPhase.APPLYING and await queries.still_staged(tx, run.id)
    if not applying:
        await clear(changing, run.id)
        async with changing() as tx:
            await runs.start_anew(tx, run)
        marks = await fetching.fetch(changing, run, market)
        async with changing() as tx:
            await runs.enter(tx, run, RunPhase.PLANNING, marks)
            await tx.conn.execute(_COUNT_STAGED)
        await _plan(changing, run)
        async with changing() as tx:
            await runs.enter(tx, run, RunPhase.APPLYING)
            await tx.conn.execute(_COUNT_ENTRIES)
    await _apply(changing, run)
    async with changing() as tx:
        await runs.complete(tx, run)
    await clear(changing, run.id)


async def clear(changing: Changing, run_id: UUID) -> None:
    """Forget what a run has fetched."""
    more = True
    while more:
        async with changing() as tx:
            more = await staging.drop(tx, run_id)


async def _plan(changing: Changing, run: Run) -> None:
    """Compare the book with the stage, piece by piece, and write down what is to be done."""
    after = ""
    while True:
        async with changing() as tx:
            rows = await queries.compare(tx, run.id, after, COMPARED_AT_ONCE)
            if not rows:
                return
            entries = [entry for row in rows for entry in judge(row)]
            own = {entry.item_id: entry.state for entry in entries if entry.kind is ItemKind.CLIENT}
            planned = sum(state is EntryState.PLANNED for state in own.values())
            await runs.note(tx, run, entries)
            await runs.compared(tx, run, planned, len(rows) - len(own))
        after = rows[-1]["market_id"]


def judge(row: asyncpg.Record) -> Iterator[Entry]:
    """What is to be done with a client, and what can't be; nothing for one that is in the book as it should be."""
    market_id = row["market_id"]
    for payment_id in row["foreign_payments"] or ():
        message = "This payment is booked for another client; ids are never used again."
        yield Entry(ItemKind.PAYMENT, payment_id, True, EntryState.FAILED, code="ALREADY_BOOKED", message=message)
    entry = partial(Entry, ItemKind.CLIENT, market_id, True)
    name = row["display_name"] or row["name"]
    linked = row["platform_client_id"] == market_id
    if not row["came"] and not linked:
        message = "Contracts, payments or reviews name this client, but it is not among the Market's clients."
        yield entry(EntryState.FAILED, code=PlatformClientNotFound.code, message=message)
    elif not linked and (row["has_rival"] or row["platform_client_id"] is not None):
        message = "Another client of the Market has the same e-mail address; the book holds each address once."
        yield entry(EntryState.FAILED, name=row["name"], code=ClientAlreadyExists.code, message=message)
    elif row["id"] is None or not linked:
        yield entry(EntryState.PLANNED, row["id"], name)
    else:
        found = provenance.merge(dict(row), orjson.loads(row["offered"]) if row["came"] else {})
        if found.changes or (row["has_news"] and row["status"] != ClientStatus.ARCHIVED):
            yield entry(EntryState.PLANNED, row["id"], name)
        elif found.kept:
            yield entry(EntryState.KEPT, row["id"], name, kept=runs.told(found.kept))


async def _apply(changing: Changing, run: Run) -> None:
    after, done, counted = "", 0, FEW
    while True:
        async with changing() as tx:
            rows = await queries.planned(tx, run.id, after, TAKEN_AT_ONCE)
        if not rows:
            return
        waiting = iter(rows)
        try:
            async with asyncio.TaskGroup() as lanes:
                for _ in range(LANES):
                    lanes.create_task(_lane(changing, run, waiting))
        except ExceptionGroup as faults:  # whichever fell first took the others with it
            raise faults.exceptions[0] from None
        after, done = rows[-1]["market_id"], done + len(rows)
        if done >= 2 * counted:
            await _count_anew(changing, done)
            counted = done


async def _count_anew(changing: Changing, done: int) -> None:
    """Have the planner look again at tables that were about empty: it reads them from end to end as long as it thinks
    that they are. A book that is much bigger than what came is known well enough.
    """
    async with changing() as tx:
        if await tx.conn.fetchval(_BOOK_SIZE) < 4 * done:
            await tx.conn.execute(_COUNT_BOOK)


async def _lane(changing: Changing, run: Run, waiting: Iterator[asyncpg.Record]) -> None:
    for row in waiting:
        await _take(changing, run, _relation(row))


async def _take(changing: Changing, run: Run, relation: Relation) -> None:
    """Take one client over; whatever is wrong with it is its own matter, but a database that is away is ours."""
    try:
        await _take_over(changing, run, relation)
        return
    except OURS:
        raise
    except Problem as problem:
        code, message = problem.code, problem.message
    except Exception as fault:
        log.error("a client of the Market could not be taken over", client=relation.market_id, exc_info=fault)
        code, message = "INTERNAL_ERROR", "This client could not be taken over, by a fault of ours; it is in the log."
    async with changing() as tx:
        await runs.settle_failed(tx, run, relation.market_id, code, message)


async def _take_over(changing: Changing, run: Run, relation: Relation) -> None:
    """One client in one transaction, with the line about it; again where somebody else made it at that moment."""
    for left in range(TRIES - 1, -1, -1):
        try:
            async with changing() as tx:
                await runs.settle(tx, run, relation.market_id, await take_over(tx, relation))
            return
        except (asyncpg.UniqueViolationError, ClientAlreadyExists) as fault:
            if not left or not lost_a_race(fault):
                raise


def _relation(row: asyncpg.Record) -> Relation:
    at = datetime.fromisoformat
    payments: list[Any] = orjson.loads(row["payments"])
    reviews: list[Any] = orjson.loads(row["reviews"])
    contracts: list[Any] = orjson.loads(row["contracts"])
    return Relation(
        row["market_id"],
        None if row["offered"] is None else orjson.loads(row["offered"]),
        [
            Paid(id_, None if amount is None else Decimal(amount), code, at(when))
            for id_, amount, code, when in payments
        ],
        [Rated(id_, rating, at(when)) for id_, rating, when in reviews],
        [Done(id_, title, at(when)) for id_, title, when in contracts],
    )


def opening(db: Database, actor: Actor, room: asyncio.Semaphore) -> Changing:
    """Transactions of an account, as many at once as `room` leaves: syncs must not take every connection there is."""

    @asynccontextmanager
    async def changing() -> AsyncIterator[Tx]:
        async with room, db.changing(actor) as tx:
            yield tx

    return changing
