"""Workers as processes of their own, killed, stopped and outnumbered: no job is lost, and none runs for ever."""

import asyncio
import os
import random
import signal
import subprocess
import sys
import time
from asyncio.subprocess import Process
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest

from soloist.accounts.unattended import unattended
from soloist.infra.db import Database
from soloist.infra.ids import new_id
from soloist.infra.queue import Job, Periodic, enqueue, kind
from soloist.infra.queue_upkeep import failed
from soloist.infra.queue_worker import Worker

pytestmark = pytest.mark.slow

ALICE = unattended(new_id(), "UTC", "USD")
EFFECTS = "create table effects (at timestamptz default clock_timestamp(), worker int, job bigint, what text)"
for _name in ("crash.note", "crash.hang", "crash.die", "crash.once"):
    kind(_name)

# Says "ready" once it beats, then "began <n>" at each job.
PROGRAM = """
import asyncio, os, signal, sys
from datetime import timedelta
from soloist.infra.queue import Periodic, kind
from soloist.infra.queue_worker import Worker

async def keep(db, job, what):
    async with db.connection() as conn:
        sql = "insert into effects (worker, job, what) values ($1, $2, $3)"
        await conn.execute(sql, os.getpid(), job.payload["n"], what)

async def note(db, job):
    print("began", job.payload["n"], flush=True)
    await keep(db, job, "done")

async def hang(db, job):
    print("began", job.payload["n"], flush=True)
    await asyncio.sleep(3600)

async def die(db, job):
    await keep(db, job, "died")
    os.kill(os.getpid(), signal.SIGKILL)

async def ready(db):
    print("ready", flush=True)
    return 0

kinds = {"crash.note": note, "crash.hang": hang, "crash.die": die}
for name in kinds:
    kind(name)
asyncio.run(Worker(sys.argv[1], kinds, (Periodic(f"ready {os.getpid()}", timedelta(seconds=1), ready),)).run())
"""


@pytest.fixture
async def db(db_url: str) -> AsyncIterator[Database]:
    database = Database(db_url, size=4)
    await database.open()
    async with database.connection() as conn:
        await conn.execute(EFFECTS)
    yield database
    await database.close()


@asynccontextmanager
async def spawned(dsn: str) -> AsyncIterator[Process]:
    """A worker in a process of its own; killed at the end if it is still there."""
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", PROGRAM, dsn, stdout=subprocess.PIPE)
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


@asynccontextmanager
async def worker(dsn: str) -> AsyncIterator[Process]:
    """The same, up and looking for jobs."""
    async with spawned(dsn) as process:
        await said(process, "ready")
        yield process


async def said(process: Process, word: str) -> str:
    """The first line from now on that begins with `word`."""
    assert process.stdout
    async with asyncio.timeout(20):
        async for line in process.stdout:
            if line.decode().startswith(word):
                return line.decode().strip()
    raise AssertionError(f"the worker ended without saying {word}")


async def add(db: Database, name: str, *numbers: int) -> None:
    async with db.changing(ALICE) as tx:
        for number in numbers:
            await enqueue(tx, name, {"n": number})


async def done(db: Database, what: str = "done") -> Counter[int]:
    """Job → how often it was done."""
    async with db.connection() as conn:
        return Counter([row["job"] for row in await conn.fetch("select job from effects where what = $1", what)])


async def waiting(db: Database) -> int:
    async with db.connection() as conn:
        left: int = await conn.fetchval("select count(*) from pgqueuer where status <> 'failed'")
        return left


async def until(condition: Callable[[], Awaitable[object]], seconds: float) -> float:
    """Wait until it holds; answers how long it took."""
    begin = time.monotonic()
    while not await condition():
        assert time.monotonic() - begin < seconds, "it did not happen in time"
        await asyncio.sleep(0.05)
    return time.monotonic() - begin


async def empty(db: Database) -> bool:
    return await waiting(db) == 0


async def test_killed_workers_jobs_are_taken_up_by_another_within_15_seconds(db: Database, db_url: str) -> None:
    async with worker(db_url) as first, worker(db_url) as second:
        await add(db, "crash.hang", 1)
        listening = {asyncio.create_task(said(process, "began")): process for process in (first, second)}
        begun, idle = await asyncio.wait(listening, return_when=asyncio.FIRST_COMPLETED)
        listening[begun.pop()].kill()
        killed = time.monotonic()
        await asyncio.wait_for(idle.pop(), 20)
        assert time.monotonic() - killed < 15


async def test_worker_that_stood_still_for_10_seconds_loses_and_spoils_nothing(db: Database, db_url: str) -> None:
    async with worker(db_url) as first:
        await add(db, "crash.hang", 0)
        await said(first, "began 0")
        os.kill(first.pid, signal.SIGSTOP)
        async with worker(db_url) as second:
            await add(db, "crash.note", *range(1, 31))
            await said(second, "began 0")  # what the first one had in hand
            await until(lambda: all_done(db, 30), 10)
        os.kill(first.pid, signal.SIGCONT)
        await add(db, "crash.note", *range(31, 41))
        await until(lambda: all_done(db, 40), 10)
    assert set((await done(db)).values()) == {1}


async def all_done(db: Database, count: int) -> bool:
    return len(await done(db)) == count


async def test_two_workers_share_the_jobs_and_do_each_once(db: Database, db_url: str) -> None:
    async with worker(db_url), worker(db_url):
        for start in range(0, 400, 20):
            await add(db, "crash.note", *range(start, start + 20))
        await until(lambda: all_done(db, 400), 20)
        await until(lambda: empty(db), 10)
    assert set((await done(db)).values()) == {1}
    async with db.connection() as conn:
        shares = [row["times"] for row in await conn.fetch("select count(*) as times from effects group by worker")]
    assert len(shares) == 2
    assert min(shares) > 20


async def test_job_that_kills_its_worker_is_set_aside_after_the_third(db: Database, db_url: str) -> None:
    """Those that were under way beside it are done all the same, and no other is ever blamed."""
    await add(db, "crash.note", *range(10))
    await add(db, "crash.die", 99)
    await add(db, "crash.note", *range(10, 20))
    deaths = 0
    begin = time.monotonic()
    while not await failed(db):
        assert time.monotonic() - begin < 100, "it is still tried"
        async with spawned(db_url) as process:
            await until(lambda: either(process, db), 20)
            deaths += process.returncode == -signal.SIGKILL
            if process.returncode is None:
                await until(lambda: empty(db), 20)
    assert deaths == 3
    assert await done(db, "died") == {99: 3}
    assert await failed(db) == {"crash.die": 1}
    assert set(await done(db)) == set(range(20))


async def either(process: Process, db: Database) -> bool:
    return process.returncode is not None or bool(await failed(db))


async def test_storm_of_kills_blames_no_innocent_job(db: Database, db_url: str) -> None:
    chance = random.Random(7)
    await add(db, "crash.note", *range(1500))
    for _ in range(8):
        async with spawned(db_url) as process:
            for _ in range(chance.randrange(5, 60)):
                await said(process, "began")
        await age(db)
    async with worker(db_url):
        await until(lambda: empty(db), 30)
    times = await done(db)
    assert await failed(db) == {}
    assert times.keys() == set(range(1500))
    assert sum(times.values()) < 1500 * 1.5
    async with db.connection() as conn:
        assert await conn.fetchval("select count(*) from suspect_jobs") == 0


async def age(db: Database) -> None:
    """As if what is under way had been left alone for a minute."""
    async with db.connection() as conn:
        await conn.execute(
            """
            update pgqueuer set heartbeat = heartbeat - interval '1 minute',
                execute_after = execute_after - interval '1 minute'
            where status = 'picked'
            """
        )


async def test_periodic_work_that_died_with_its_worker_goes_on_at_once(db: Database, db_url: str) -> None:
    runs = 0

    async def tick(_: Database) -> int:
        nonlocal runs
        runs += 1
        return 0

    async with db.connection() as conn:
        await conn.execute(
            """
            insert into pgqueuer_schedules (expression, entrypoint, status, heartbeat, next_run)
            values ('* * * * * */1', 'tick', 'picked', now() - interval '9 seconds', now())
            """
        )
    living = Worker(db_url, {}, (Periodic("tick", timedelta(seconds=1), tick),))
    running = asyncio.create_task(living.run())
    await until(lambda: asyncio.sleep(0, runs > 0), 10)
    living.stop()
    await running


async def test_stop_finishes_what_goes_on_beside_the_jobs(db: Database, db_url: str) -> None:
    class Beside:
        """A companion that takes a moment to end."""

        def __init__(self) -> None:
            self.steps: list[str] = []

        async def start(self, db: Database, worker_id: object) -> None:
            self.steps.append("started")

        async def end(self) -> None:
            if "ended" not in self.steps:
                await asyncio.sleep(0.2)
                self.steps.append("ended")

    beside = Beside()
    began = asyncio.Event()

    async def once(_: Database, job: Job) -> None:
        beside.steps.append(f"job of {job.worker_id}")
        began.set()

    living = Worker(db_url, {"crash.once": once}, (), companion=beside)
    running = asyncio.create_task(living.run())
    await add(db, "crash.once", 1)
    await began.wait()
    async with db.connection() as conn:
        beating = [str(row[0]) for row in await conn.fetch("select worker_id from worker_heartbeats")]
    living.stop()
    await running
    assert beside.steps == ["started", f"job of {beating[0]}", "ended"]
