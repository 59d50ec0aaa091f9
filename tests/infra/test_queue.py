"""Jobs and periodic work on a real database, with real workers."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from datetime import timedelta
from uuid import UUID

import asyncpg
import pytest

from soloist.accounts.unattended import unattended
from soloist.infra.db import UNAVAILABLE, Database
from soloist.infra.queue import Job, Periodic, enqueue
from soloist.infra.queue_worker import Worker, cron
from tests.infra.queueing import ALICE, effects, has, note, opened, until, working


@pytest.fixture
async def db(db_url: str) -> AsyncIterator[Database]:
    async with opened(db_url) as database:
        yield database


async def test_a_job_exists_exactly_when_its_change_does(db: Database, db_url: str) -> None:
    with pytest.raises(RuntimeError):
        await enqueue_and_fail(db)
    async with working(db_url, {"note": note}):
        async with db.changing(ALICE) as tx:
            await enqueue(tx, "note", {"n": "committed"})
            assert await effects(db) == []
        await until(lambda: has(db, 1))
    assert await effects(db) == ["committed"]
    async with db.connection() as conn:
        assert await conn.fetchval("select account_id from effects") == ALICE.account_id


async def enqueue_and_fail(db: Database) -> None:
    async with db.changing(ALICE) as tx:
        await enqueue(tx, "note", {"n": "rolled back"})
        raise RuntimeError


async def test_an_idle_worker_takes_a_job_within_a_blink(db: Database, db_url: str) -> None:
    async with working(db_url, {"note": note}):
        await until(lambda: is_seen(db))
        waits = []
        for turn in range(5):
            begin = time.monotonic()
            async with db.changing(ALICE) as tx:
                await enqueue(tx, "note", {"n": str(turn)})
            await until(lambda turn=turn: has(db, turn + 1))  # type: ignore[misc]
            waits.append(time.monotonic() - begin)
    assert sorted(waits)[2] < 0.2


async def is_seen(db: Database) -> bool:
    async with db.connection() as conn:
        return bool(await conn.fetchval("select exists (select from worker_heartbeats)"))


async def test_an_equal_job_that_waits_is_not_added_again(db: Database, db_url: str) -> None:
    bob = unattended(UUID(int=ALICE.account_id.int + 1), "UTC", "USD")
    for actor in (ALICE, ALICE, bob):
        async with db.changing(actor) as tx:
            await enqueue(tx, "note", {"n": "same"}, dedupe_key="day 1")
            await enqueue(tx, "note", {"n": "other"}, dedupe_key="day 2")
    async with working(db_url, {"note": note}):
        await until(lambda: has(db, 4))
    assert sorted(await effects(db)) == ["other", "other", "same", "same"]


async def test_a_delayed_job_waits(db: Database, db_url: str) -> None:
    async with working(db_url, {"note": note}):
        async with db.changing(ALICE) as tx:
            await enqueue(tx, "note", {"n": "later"}, delay=timedelta(seconds=1))
            await enqueue(tx, "note", {"n": "now"})
            begun = await tx.conn.fetchval("select now()")
        await until(lambda: has(db, 2))
    assert await effects(db) == ["now", "later"]
    async with db.connection() as conn:
        waited = await conn.fetchval("select max(at) - $1 from effects", begun)
    assert timedelta(seconds=1) <= waited < timedelta(seconds=5)


async def test_a_failed_job_is_tried_again(db: Database, db_url: str) -> None:
    attempts = []

    async def fail_twice(db: Database, job: Job) -> None:
        attempts.append(job.attempt)
        if job.attempt < 3:
            raise ValueError("not yet")
        await note(db, job)

    async with working(db_url, {"note": fail_twice}):
        async with db.changing(ALICE) as tx:
            await enqueue(tx, "note", {"n": "done"})
        await until(lambda: has(db, 1))
    assert attempts == [1, 2, 3]


async def test_a_stop_lets_the_running_job_finish_and_takes_no_other(db: Database, db_url: str) -> None:
    started, go_on = asyncio.Event(), asyncio.Event()

    async def slow(db: Database, job: Job) -> None:
        started.set()
        await go_on.wait()
        await note(db, job)

    worker = Worker(db_url, {"slow": slow}, ())
    running = asyncio.create_task(worker.run())
    async with db.changing(ALICE) as tx:
        await enqueue(tx, "slow", {"n": "first"})
    await started.wait()
    worker.stop()
    async with db.changing(ALICE) as tx:
        await enqueue(tx, "slow", {"n": "second"})
    go_on.set()
    await asyncio.wait_for(running, 10)
    assert await effects(db) == ["first"]
    async with db.connection() as conn:
        assert await conn.fetchval("select count(*) from pgqueuer") == 1
        assert await conn.fetchval("select count(*) from worker_heartbeats") == 0


async def test_work_goes_on_after_every_connection_was_cut(db: Database, db_url: str) -> None:
    async with working(db_url, {"note": note}):
        await until(lambda: is_seen(db))
        other = await asyncpg.connect(db_url)
        await other.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity "
            "where datname = current_database() and pid <> pg_backend_pid()"
        )
        await other.close()

        async def add() -> bool:
            try:
                async with db.changing(ALICE) as tx:
                    await enqueue(tx, "note", {"n": "after"})
            except UNAVAILABLE:  # the pool has not noticed all of them
                return False
            return True

        await until(add)
        await until(lambda: has(db, 1))


async def test_a_periodic_slot_runs_once_with_two_workers(db: Database, db_url: str) -> None:
    async def tick(db: Database) -> int:
        async with db.connection() as conn:
            await conn.execute("insert into effects (name, note) values ('tick', '')")
        return 1

    every_second = Periodic("tick", timedelta(seconds=1), tick)
    async with working(db_url, {}, every_second), working(db_url, {}, every_second):
        await until(lambda: has(db, 4), 20)
    async with db.connection() as conn:
        row = await conn.fetchrow("select count(*) as runs, extract(epoch from max(at) - min(at)) as span from effects")
    assert row
    assert row["runs"] <= float(row["span"]) + 2  # twice that, if each worker ran every slot


async def test_failing_periodic_work_does_not_stop_the_worker(db: Database, db_url: str) -> None:
    turns = []

    async def stumble(_: Database) -> int:
        turns.append(1)
        raise ValueError("this time, too")

    async with working(db_url, {"note": note}, Periodic("stumble", timedelta(seconds=1), stumble)):
        await until(lambda: asyncio.sleep(0, len(turns) >= 2))
        async with db.changing(ALICE) as tx:
            await enqueue(tx, "note", {"n": "still here"})
        await until(lambda: has(db, 1))


async def test_job_enqueued_in_sql_is_run_like_any_other(db: Database, db_url: str) -> None:
    given = {"account": str(ALICE.account_id), "payload": {"n": "Größe"}}
    async with working(db_url, {"note": note}), db.connection() as conn:
        job_id = await conn.fetchval("select enqueue_job('note', $1)", json.dumps(given))
        await until(lambda: has(db, 1))
        await until(lambda: logged(db, job_id, 3))
        statuses = await conn.fetch("select status from pgqueuer_log where job_id = $1 order by id", job_id)
    assert await effects(db) == ["Größe"]
    assert [row["status"] for row in statuses] == ["queued", "picked", "successful"]


async def logged(db: Database, job_id: int, times: int) -> bool:
    async with db.connection() as conn:
        return bool(await conn.fetchval("select count(*) = $2 from pgqueuer_log where job_id = $1", job_id, times))


@pytest.mark.parametrize(
    ("every", "expression"),
    [
        (timedelta(seconds=1), "* * * * * */1"),
        (timedelta(seconds=15), "* * * * * */15"),
        (timedelta(minutes=1), "*/1 * * * *"),
        (timedelta(minutes=20), "*/20 * * * *"),
        (timedelta(hours=6), "0 */6 * * *"),
        (timedelta(days=1), "0 0 * * *"),
    ],
)
def test_a_period_becomes_a_cron_expression(every: timedelta, expression: str) -> None:
    assert cron(every) == expression


@pytest.mark.parametrize("every", [timedelta(0), timedelta(seconds=7), timedelta(minutes=90), timedelta(days=2)])
def test_a_period_that_slots_can_not_have_is_refused(every: timedelta) -> None:
    with pytest.raises(ValueError, match="does not divide"):
        cron(every)
