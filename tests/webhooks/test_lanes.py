"""The lanes of a worker on a clock that is set: the whole schedule, the five days, and whose hand a delivery is in."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from uuid import UUID

import asyncpg
import pytest

from soloist.accounts.unattended import unattended
from soloist.infra.db import Database
from soloist.infra.ids import new_id
from soloist.infra.outbound import Outbound
from soloist.infra.queue_worker import STALE
from soloist.webhooks import deliveries, jobs
from soloist.webhooks.lanes import Lanes
from tests.receiver import OK, Receiver, Reply
from tests.serving import Served
from tests.webhooks.hooks import Book, Hook
from tests.webhooks.test_model import SCHEDULE

FAIL = Reply(500)


class Engine:
    """A worker's lanes without the worker: they look for work when they are told to."""

    def __init__(self, served: Served, receiver: Receiver) -> None:
        self.served, self.receiver, self.clock = served, receiver, served.clock
        self.book = Book(served, receiver)
        self.db = Database(served.dsn, size=4, clock=served.clock, wait_seconds=5)
        self.worker_id = new_id()

    async def start(self) -> None:
        await self.db.open()
        await self.run("insert into worker_heartbeats (worker_id, seen_at) values ($1, now())", self.worker_id)
        settings, vault = self.served.app.state.settings, self.served.app.state.vault
        self.lanes = Lanes(Outbound(settings.outbound_allow), vault, STALE)
        await self.lanes.start(self.db, self.worker_id)

    async def run(self, sql: str, *args: object) -> list[asyncpg.Record]:
        async with self.db.connection() as conn:
            return await conn.fetch(sql, *args)

    async def hook(self, *replies: Reply) -> Hook:
        hook = await asyncio.to_thread(self.book.hook, "client.created")
        if replies:
            self.receiver.plan(hook.path, *replies)
        return hook

    async def happen(self) -> UUID:
        """One event, put before every endpoint; answers its id."""
        account_id = self.book.owner.account["id"]
        # Events are stored by the server; a token of today is of no use to a clock that was set.
        await self.run(
            """insert into events (account_id, id, type, occurred_at, body)
            values ($1, $2, 'client.created', $3, '{"type":"client.created"}')""",
            account_id,
            event_id := new_id(),
            self.clock(),
        )
        async with self.db.changing(unattended(UUID(account_id), "UTC", "USD")) as tx:
            await deliveries.fan_out(tx, event_id, "client.created")
        return event_id

    async def look(self, hook: Hook) -> None:
        """Have what is due sent, and wait until it is settled."""
        before = await self.attempts(hook)
        self.clock.advance(seconds=jobs.OVERDUE.total_seconds() + 0.01)
        assert await jobs.rescue(self.lanes, self.db) == 1
        await self.until(lambda: self.more_than(hook, before))

    async def more_than(self, hook: Hook, before: int) -> bool:
        held = "select 1 from webhook_deliveries where webhook_id = $1 and claimed_by is not null"
        return await self.attempts(hook) > before and not await self.run(held, hook.id)

    async def attempts(self, hook: Hook) -> int:
        sql = "select coalesce(sum(attempts), 0) from webhook_deliveries where webhook_id = $1"
        [[count]] = await self.run(sql, hook.id)
        return int(count)

    async def delivery(self, hook: Hook) -> asyncpg.Record:
        """The newest."""
        sql = "select * from webhook_deliveries where webhook_id = $1 order by id desc limit 1"
        return (await self.run(sql, hook.id))[0]

    async def webhook(self, hook: Hook) -> asyncpg.Record:
        return (await self.run("select * from webhooks where id = $1", hook.id))[0]

    async def until(self, condition: Callable[[], Awaitable[bool]], seconds: float = 10) -> None:
        end = time.monotonic() + seconds
        while not await condition():
            assert time.monotonic() < end, "it did not happen in time"
            await asyncio.sleep(0.01)


@pytest.fixture
async def engine(quiet: Served, receiver: Receiver) -> AsyncIterator[Engine]:
    made = Engine(quiet, receiver)
    await made.start()
    yield made
    await made.lanes.end()
    await made.db.close()


async def test_ten_attempts_by_the_schedule_then_it_has_failed(engine: Engine) -> None:
    hook = await engine.hook(FAIL)
    engine.clock.freeze()
    begun = engine.clock()
    await engine.happen()
    gaps = []
    for attempt in range(1, 11):
        await engine.look(hook)
        row = await engine.delivery(hook)
        assert row["attempts"] == attempt
        if attempt < 10:
            gaps.append((row["next_attempt_at"] - engine.clock()).total_seconds())
            engine.clock.freeze(row["next_attempt_at"])
    for gap, planned in zip(gaps, SCHEDULE[1:], strict=True):
        assert 0.8 * planned <= gap <= 1.2 * planned
    row = await engine.delivery(hook)
    assert (row["state"], row["next_attempt_at"]) == ("FAILED", None)
    assert len({one.id for one in engine.receiver.at(hook.path)}) == 1
    assert len({one.body for one in engine.receiver.at(hook.path)}) == 1
    webhook = await engine.webhook(hook)
    assert (webhook["status"], webhook["version"]) == ("ENABLED", 1)
    assert timedelta(0) <= webhook["failing_since"] - begun < timedelta(seconds=5)


async def test_five_days_of_unbroken_failure_disable_and_the_owner_is_told(engine: Engine) -> None:
    hook = await engine.hook(FAIL)
    await engine.happen()
    await engine.look(hook)
    engine.clock.advance(days=4, hours=23)
    await engine.happen()
    await engine.look(hook)
    assert (await engine.webhook(hook))["status"] == "ENABLED"
    engine.clock.advance(hours=2)
    await engine.look(hook)
    webhook = await engine.webhook(hook)
    assert (webhook["status"], webhook["disabled_because"], webhook["version"]) == ("DISABLED", "FAILING", 2)
    await engine.until(lambda: all_cancelled(engine, hook))
    jobs_ = await engine.run("select payload from pgqueuer where entrypoint = 'mail.webhook_disabled'")
    assert [hook.id in row["payload"].decode() for row in jobs_] == [True]


async def all_cancelled(engine: Engine, hook: Hook) -> bool:
    rows = await engine.run("select state from webhook_deliveries where webhook_id = $1", hook.id)
    return {row["state"] for row in rows} == {"CANCELLED"}


async def test_one_success_begins_the_five_days_anew(engine: Engine) -> None:
    hook = await engine.hook(FAIL, OK, FAIL)
    await engine.happen()
    await engine.look(hook)
    assert (await engine.webhook(hook))["failing_since"] is not None
    engine.clock.advance(days=4)
    await engine.look(hook)
    assert (await engine.webhook(hook))["failing_since"] is None
    engine.clock.advance(days=4)
    await engine.happen()
    await engine.look(hook)
    webhook = await engine.webhook(hook)
    assert webhook["status"] == "ENABLED"
    assert engine.clock() - webhook["failing_since"] < timedelta(minutes=1)


async def test_retry_after_is_honoured_up_to_twice_the_gap(engine: Engine) -> None:
    hook = await engine.hook(Reply(503, {"Retry-After": "8"}), Reply(429, {"Retry-After": "86400"}))
    engine.clock.freeze()
    await engine.happen()
    await engine.look(hook)
    row = await engine.delivery(hook)
    assert (row["next_attempt_at"] - engine.clock()).total_seconds() == pytest.approx(8, abs=0.01)
    engine.clock.freeze(row["next_attempt_at"])
    await engine.look(hook)
    waits = ((await engine.delivery(hook))["next_attempt_at"] - engine.clock()).total_seconds()
    assert 2 * 240 <= waits <= 2 * 360


@pytest.mark.parametrize(
    ("heard", "held", "free"),
    [(1, 1, False), (9, 1, True), (None, 1, True), (1, 170, False), (1, 181, True)],
    ids=["living", "silent", "gone", "living and patient", "living and stuck"],
)
async def test_what_another_worker_has_in_hand_is_taken_when_its_heart_stops(
    engine: Engine, heard: int | None, held: int, free: bool
) -> None:
    hook = await engine.hook()
    await engine.happen()
    other = new_id()
    if heard is not None:
        beat = "insert into worker_heartbeats (worker_id, seen_at) values ($1, now() - make_interval(secs => $2))"
        await engine.run(beat, other, heard)
    take = "update webhook_deliveries set claimed_by = $1, claimed_at = now() - make_interval(secs => $2)"
    await engine.run(take, other, held)
    if free:
        await engine.look(hook)
        assert (await engine.delivery(hook))["state"] == "DELIVERED"
        return
    engine.clock.advance(seconds=5)
    assert await jobs.rescue(engine.lanes, engine.db) == 0
    assert (await engine.delivery(hook))["attempts"] == 0


async def test_an_outcome_counts_only_for_who_still_has_the_delivery(engine: Engine) -> None:
    """A worker that was stopped for a while: another has taken over what it had on the wire."""
    hook = await engine.hook(Reply(200, wait=0.5))
    await engine.happen()
    other = new_id()
    engine.clock.advance(seconds=5)
    await jobs.rescue(engine.lanes, engine.db)
    await asyncio.to_thread(engine.receiver.wait_for, 1, hook.path)
    await engine.run("update webhook_deliveries set claimed_by = $1, claimed_at = now()", other)
    await engine.lanes.end()
    row = await engine.delivery(hook)
    assert (row["state"], row["attempts"], row["claimed_by"]) == ("PENDING", 0, other)


async def test_a_database_that_goes_away_meanwhile_makes_no_duplicate(engine: Engine) -> None:
    hook = await engine.hook(Reply(200, wait=0.3))
    for _ in range(6):
        await engine.happen()
    engine.clock.advance(seconds=5)
    await jobs.rescue(engine.lanes, engine.db)
    await asyncio.to_thread(engine.receiver.wait_for, 4, hook.path)
    cut = """select pg_terminate_backend(pid) from pg_stat_activity
        where datname = current_database() and pid <> pg_backend_pid()"""
    await engine.run(cut)
    await engine.until(lambda: settled(engine, hook, 4))
    engine.clock.advance(seconds=5)
    await jobs.rescue(engine.lanes, engine.db)
    await engine.until(lambda: settled(engine, hook, 6))
    assert len(engine.receiver.at(hook.path)) == len({one.id for one in engine.receiver.at(hook.path)}) == 6


async def settled(engine: Engine, hook: Hook, count: int) -> bool:
    sql = "select count(*) from webhook_deliveries where webhook_id = $1 and state = 'DELIVERED'"
    try:
        [[found]] = await engine.run(sql, hook.id)
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError):
        return False
    return int(found) >= count


async def test_an_end_puts_back_what_was_not_sent(engine: Engine) -> None:
    hook = await engine.hook(Reply(200, wait=0.3))
    for _ in range(10):
        await engine.happen()
    engine.clock.advance(seconds=5)
    await jobs.rescue(engine.lanes, engine.db)
    await asyncio.to_thread(engine.receiver.wait_for, 4, hook.path)
    await engine.lanes.end()
    rows = await engine.run("select state, claimed_by from webhook_deliveries where webhook_id = $1", hook.id)
    assert sorted(row["state"] for row in rows) == ["DELIVERED"] * 4 + ["PENDING"] * 6
    assert {row["claimed_by"] for row in rows} == {None}
    assert len(engine.receiver.at(hook.path)) == 4


async def test_an_event_that_is_no_longer_kept_is_given_up_and_no_fault_of_the_endpoint(engine: Engine) -> None:
    hook = await engine.hook()
    event_id = await engine.happen()
    await engine.run("delete from events where id = $1", event_id)
    await engine.look(hook)
    row = await engine.delivery(hook)
    [attempt] = await engine.run("select * from webhook_attempts where delivery_id = $1", row["id"])
    assert (row["state"], attempt["error"]) == ("FAILED", "EVENT_EXPIRED")
    assert (await engine.webhook(hook))["failing_since"] is None
    assert engine.receiver.at(hook.path) == []


async def test_what_came_while_the_endpoint_was_being_disabled_is_cancelled(engine: Engine) -> None:
    hook = await engine.hook()
    await engine.happen()
    await engine.run(
        "update webhooks set status = 'DISABLED', disabled_because = 'GONE', disabled_at = now() where id = $1", hook.id
    )
    engine.clock.advance(seconds=5)
    await jobs.rescue(engine.lanes, engine.db)
    await engine.until(lambda: is_cancelled(engine, hook))
    assert engine.receiver.at(hook.path) == []


async def is_cancelled(engine: Engine, hook: Hook) -> bool:
    row = await engine.delivery(hook)
    return row["state"] == "CANCELLED" and row["claimed_by"] is None


async def test_the_log_is_kept_for_thirty_days(engine: Engine) -> None:
    hook = await engine.hook(OK, FAIL)
    await engine.happen()
    await engine.look(hook)
    engine.clock.advance(days=1)
    await engine.happen()
    await engine.look(hook)
    engine.clock.advance(days=29, hours=1)
    assert await jobs.prune(engine.db) == 1
    engine.clock.advance(days=1)
    assert await jobs.prune(engine.db) == 0  # the second is still to be tried
    [[attempts]] = await engine.run("select count(*) from webhook_attempts")
    assert attempts == 1
