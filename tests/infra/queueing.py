"""What the tests of the queue share: kinds of jobs, a worker beside a block, and what its jobs left behind."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta

from soloist.accounts.unattended import unattended
from soloist.infra.db import Database
from soloist.infra.ids import new_id
from soloist.infra.queue import Handler, Job, Periodic, kind
from soloist.infra.queue_worker import Worker

SECRET = "Jane Smith, +12025550123"
ALICE = unattended(new_id(), "UTC", "USD")
kind("note")
kind("slow")
kind("thrice", tries=3, first_gap=timedelta(milliseconds=100), longest_gap=timedelta(milliseconds=200))
kind("waiting", patient=True)
EFFECTS = "create table effects (at timestamptz default clock_timestamp(), name text, account_id uuid, note text)"


@asynccontextmanager
async def opened(dsn: str) -> AsyncIterator[Database]:
    """A database with a table for what the jobs of a test do."""
    database = Database(dsn, size=4)
    await database.open()
    async with database.connection() as conn:
        await conn.execute(EFFECTS)
    yield database
    await database.close()


@asynccontextmanager
async def working(dsn: str, handlers: dict[str, Handler], *periodic: Periodic) -> AsyncIterator[Worker]:
    """A worker beside the block, stopped in order at its end."""
    worker = Worker(dsn, handlers, periodic)
    running = asyncio.create_task(worker.run())
    try:
        yield worker
    finally:
        worker.stop()
        await running


async def note(db: Database, job: Job) -> None:
    """Does what a job is there for: leaves its note."""
    async with db.connection() as conn:
        await conn.execute(
            "insert into effects (name, account_id, note) values ($1, $2, $3)",
            job.name,
            job.account_id,
            job.payload["n"],
        )


async def effects(db: Database) -> list[str]:
    """The notes that jobs left, in order."""
    async with db.connection() as conn:
        return [row["note"] for row in await conn.fetch("select note from effects order by at")]


async def until(condition: Callable[[], Awaitable[bool]], seconds: float = 15) -> None:
    """Wait until it holds; fails if it does not in time."""
    end = time.monotonic() + seconds
    while not await condition():
        assert time.monotonic() < end, "it did not happen in time"
        await asyncio.sleep(0.02)


async def has(db: Database, count: int) -> bool:
    """Whether at least so many notes were left."""
    return len(await effects(db)) >= count
