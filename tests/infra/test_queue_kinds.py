"""Kinds of jobs: tries and gaps, places for the patient, and none without somebody who does it."""

import asyncio
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from soloist.infra.db import Database
from soloist.infra.queue import KINDS, Job, Kind, UnknownJob, enqueue, kind
from soloist.infra.queue_upkeep import failed, prune
from soloist.infra.queue_worker import PATIENT_AT_ONCE, Worker
from tests.infra.queueing import ALICE, SECRET, has, note, opened, until, working


@pytest.fixture
async def db(db_url: str) -> AsyncIterator[Database]:
    async with opened(db_url) as database:
        yield database


async def test_tries_and_gaps_are_those_of_the_kind(db: Database, db_url: str) -> None:
    begun: list[float] = []

    async def fail(_: Database, job: Job) -> None:
        begun.append(time.monotonic())
        raise ValueError(f"a text that may quote {SECRET}")

    async with working(db_url, {"thrice": fail}):
        async with db.changing(ALICE) as tx:
            await enqueue(tx, "thrice", {})
        await until(lambda: kept_as_failed(db))
    assert len(begun) == 3
    first, second = begun[1] - begun[0], begun[2] - begun[1]
    assert 0.1 <= first < 1.6
    assert 0.2 <= second < 1.7
    assert await failed(db) == {"thrice": 1}
    async with db.connection() as conn:
        kept = await conn.fetch("select traceback::text from pgqueuer_log where traceback is not null")
    assert len(kept) == 3
    assert not any(SECRET in row["traceback"] for row in kept)


async def kept_as_failed(db: Database) -> bool:
    return bool(await failed(db))


def test_gaps_double_up_to_the_longest() -> None:
    of = KINDS["thrice"]
    assert [of.gap_after(attempt) for attempt in (1, 2, 3)] == [
        timedelta(milliseconds=100),
        timedelta(milliseconds=200),
        None,
    ]
    usual = KINDS["note"]
    assert usual.gap_after(usual.tries - 1) == timedelta(seconds=64)
    assert usual.gap_after(usual.tries) is None
    long = Kind("long", tries=10**6, first_gap=timedelta(seconds=1), longest_gap=timedelta(hours=2), patient=False)
    assert long.gap_after(10**5) == timedelta(hours=2)


async def test_job_of_no_kind_is_refused(db: Database, db_url: str) -> None:
    async with db.changing(ALICE) as tx:
        with pytest.raises(UnknownJob, match="nobody"):
            await enqueue(tx, "nobody does this", {})
    with pytest.raises(UnknownJob, match="nobody"):
        Worker(db_url, {"nobody does this": note}, ())
    with pytest.raises(UnknownJob, match="share the name note"):
        kind("note")


async def test_jobs_that_wait_for_others_leave_room_for_the_rest(db: Database, db_url: str) -> None:
    go_on, waiting = asyncio.Event(), 0

    async def wait(_: Database, __: Job) -> None:
        nonlocal waiting
        waiting += 1
        await go_on.wait()

    async with working(db_url, {"waiting": wait, "note": note}):
        async with db.changing(ALICE) as tx:
            for _ in range(PATIENT_AT_ONCE + 20):
                await enqueue(tx, "waiting", {})
        await until(lambda: asyncio.sleep(0, waiting == PATIENT_AT_ONCE))
        begin = time.monotonic()
        async with db.changing(ALICE) as tx:
            await enqueue(tx, "note", {"n": "in between"})
        await until(lambda: has(db, 1))
        assert time.monotonic() - begin < 5
        assert waiting == PATIENT_AT_ONCE
        go_on.set()
        await until(lambda: asyncio.sleep(0, waiting == PATIENT_AT_ONCE + 20))


async def test_old_traces_of_jobs_are_forgotten(db: Database, db_url: str) -> None:
    async with db.connection() as conn:
        for age, status in (("8 days", "old"), ("6 days", "young")):
            await conn.execute(
                f"""
                with job as (
                    insert into pgqueuer (priority, entrypoint, status, updated)
                    values (0, '{status}', 'failed', now() - interval '{age}') returning id
                ), noted as (
                    insert into pgqueuer_log (job_id, status, entrypoint, priority, created)
                    select id, 'failed', '{status}', 0, now() - interval '{age}' from job
                )
                insert into suspect_jobs (job_id, strikes, struck_at) select id, 1, now() - interval '{age}' from job
                """
            )
        assert await failed(db) == {"old": 1, "young": 1}
        assert await prune(db) == 1
        assert await failed(db) == {"young": 1}
        assert await conn.fetchval("select array_agg(entrypoint) from pgqueuer_log") == ["young"]
        assert await conn.fetchval("select count(*) from suspect_jobs") == 1


def test_every_kind_of_job_has_a_handler_and_no_handler_is_idle() -> None:
    """In a process of its own: the tests declare kinds, too."""
    program = """
import importlib, pkgutil, soloist
from datetime import timedelta
for module in pkgutil.walk_packages(soloist.__path__, "soloist."):
    importlib.import_module(module.name)
from pydantic import SecretStr
from soloist import mailing, worker
from soloist.infra.queue import KINDS
from soloist.infra.outbound import Outbound
from soloist.infra.clock import system_clock
from soloist.infra.settings import Settings
from soloist.market.connection import doors_of
from soloist.market.jobs import Syncing
from soloist.webhooks.lanes import Lanes
from soloist.infra.sealing import Vault
lanes = Lanes(Outbound(()), Vault(b"k" * 32, "tests"), timedelta(seconds=8))
for given in ({}, {"smtp_host": "mail.example", "smtp_from": "a@example.com"}):
    settings = Settings(secret=SecretStr("no secret, nothing is signed here"), **given)
    syncing = Syncing(doors_of(settings, b"k" * 32, system_clock))
    handlers = worker.handlers(settings, lanes, mailing.start(settings), syncing)
    assert handlers.keys() == KINDS.keys(), (sorted(handlers), sorted(KINDS))
print(len(KINDS))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) >= 4
