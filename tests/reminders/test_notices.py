"""Reminders announce themselves: due and overdue, each once, in order, whatever the worker missed."""

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest

from soloist.accounts.unattended import unattended
from soloist.infra.db import Database
from soloist.reminders import jobs, notices
from soloist.worker import create_worker
from tests import make
from tests.book import events, run, until
from tests.databases import clone
from tests.opportunities.deals import deal
from tests.people import Member, data, register
from tests.reminders.tasks import NOW, act, announce, change, iso, pass_by, recurring, reminder, seen, timeless
from tests.reminders.tasks import notices as announced
from tests.serving import Served, SettableClock, serving, settings_for


@pytest.fixture
def owner(server: Served, clock: SettableClock) -> Member:
    """The owner of a new book on 10 June 2026 at noon, where time stands still."""
    clock.freeze(NOW)
    return timeless(server)


def test_due_reminder_is_announced_with_who_and_when(owner: Member, server: Served, clock: SettableClock) -> None:
    client = make.client(owner)
    lead = deal(owner, clientId=client["id"])
    made = reminder(owner, NOW + timedelta(minutes=5), opportunityId=lead["id"], priority="HIGH", description="Secret")
    announce(server)
    assert announced(server, owner) == []
    pass_by(server, clock, minutes=5)
    [event] = events(server, owner, "reminder.due")
    assert event["timestamp"] == iso(clock())
    assert event["data"] == {
        "id": made["id"],
        "clientId": client["id"],
        "clientName": "Acme Corporation",
        "opportunityId": lead["id"],
        "title": "Call back",
        "reminderType": "CUSTOM",
        "priority": "HIGH",
        "dueDate": made["dueDate"],
        "effectiveDate": made["dueDate"],
        "version": 1,
    }


def test_each_notice_is_given_once(owner: Member, server: Served, clock: SettableClock) -> None:
    reminder(owner, NOW, title="call")
    for _ in range(3):
        announce(server)
    assert announced(server, owner) == [("due", "call")]
    pass_by(server, clock, hours=23, minutes=59)
    assert announced(server, owner) == [("due", "call")]
    for _ in range(3):
        pass_by(server, clock, minutes=1)
    assert announced(server, owner) == [("due", "call"), ("overdue", "call")]


def test_announcing_is_no_change_of_the_record(owner: Member, server: Served, clock: SettableClock) -> None:
    made = reminder(owner, NOW + timedelta(hours=1))
    pass_by(server, clock, days=2)
    assert seen(owner, made["id"]) == {**made, "isOverdue": True}


def test_when_overdue_begins_is_a_setting(owner: Member, server: Served, clock: SettableClock) -> None:
    reminder(owner, NOW, title="call")
    clock.advance(hours=1)
    announce(server, overdue_after=timedelta(hours=2))
    assert announced(server, owner) == [("due", "call")]
    clock.advance(hours=1)
    announce(server, overdue_after=timedelta(hours=2))
    assert announced(server, owner) == [("due", "call"), ("overdue", "call")]


def test_notice_comes_as_many_minutes_before_as_asked(owner: Member, server: Served, clock: SettableClock) -> None:
    reminder(owner, NOW + timedelta(hours=2), notifyBefore=90)
    pass_by(server, clock, minutes=29)
    assert announced(server, owner) == []
    pass_by(server, clock, minutes=1)
    assert announced(server, owner) == [("due", "Call back")]


def test_notice_follows_a_change_of_its_minutes(owner: Member, server: Served, clock: SettableClock) -> None:
    made = reminder(owner, NOW + timedelta(hours=2), notifyBefore=90)
    change(owner, made["id"], notifyBefore=None)
    pass_by(server, clock, hours=1)
    assert announced(server, owner) == []
    change(owner, made["id"], notifyBefore=60)
    announce(server)
    assert announced(server, owner) == [("due", "Call back")]
    change(owner, made["id"], notifyBefore=30)
    pass_by(server, clock, hours=1)
    assert len(announced(server, owner)) == 1


def test_snooze_notifies_again_when_it_wakes(owner: Member, server: Served, clock: SettableClock) -> None:
    made = reminder(owner, NOW)
    announce(server)
    act(owner, made["id"], "snooze", {"snoozeUntil": iso(NOW + timedelta(hours=30))})
    pass_by(server, clock, hours=29)
    assert announced(server, owner) == [("due", "Call back")]
    pass_by(server, clock, hours=1)
    assert announced(server, owner) == [("due", "Call back")] * 2
    assert events(server, owner, "reminder.due")[1]["data"]["effectiveDate"] == iso(NOW + timedelta(hours=30))
    pass_by(server, clock, hours=24)
    assert announced(server, owner)[2:] == [("overdue", "Call back")]


def test_overdue_one_that_is_snoozed_is_told_again(owner: Member, server: Served, clock: SettableClock) -> None:
    made = reminder(owner, NOW)
    pass_by(server, clock, hours=24)
    act(owner, made["id"], "snooze", {"snoozeUntil": iso(NOW + timedelta(hours=25))})
    pass_by(server, clock, hours=30)
    assert [kind for kind, _ in announced(server, owner)] == ["due", "overdue", "due", "overdue"]


def test_snooze_keeps_the_minutes_before(owner: Member, server: Served, clock: SettableClock) -> None:
    made = reminder(owner, NOW + timedelta(hours=1), notifyBefore=30)
    act(owner, made["id"], "snooze", {"snoozeUntil": iso(NOW + timedelta(hours=5))})
    pass_by(server, clock, hours=4, minutes=29)
    assert announced(server, owner) == []
    pass_by(server, clock, minutes=1)
    assert announced(server, owner) == [("due", "Call back")]


def test_snooze_shorter_than_the_minutes_before_is_told_when_it_ends(
    owner: Member, server: Served, clock: SettableClock
) -> None:
    made = reminder(owner, NOW + timedelta(minutes=10), notifyBefore=60)
    announce(server)
    act(owner, made["id"], "snooze", {"snoozeUntil": iso(NOW + timedelta(minutes=20))})
    pass_by(server, clock, minutes=19)
    assert len(announced(server, owner)) == 1
    pass_by(server, clock, minutes=1)
    assert len(announced(server, owner)) == 2


def test_new_due_date_is_announced_anew(owner: Member, server: Served, clock: SettableClock) -> None:
    made = reminder(owner, NOW)
    announce(server)
    change(owner, made["id"], dueDate=iso(NOW + timedelta(hours=1)))
    announce(server)
    assert len(announced(server, owner)) == 1
    pass_by(server, clock, hours=1)
    assert len(announced(server, owner)) == 2


def test_closed_reminders_are_silent(owner: Member, server: Served, clock: SettableClock) -> None:
    for action in ("complete", "cancel"):
        act(owner, reminder(owner, NOW + timedelta(hours=1))["id"], action)
    data(owner.delete(f"/reminders/{reminder(owner, NOW)['id']}"))
    pass_by(server, clock, days=3)
    assert announced(server, owner) == []


def test_reopened_reminder_is_not_announced_twice(owner: Member, server: Served, clock: SettableClock) -> None:
    made = reminder(owner, NOW)
    announce(server)
    act(owner, made["id"], "complete")
    act(owner, made["id"], "reopen")
    announce(server)
    assert len(announced(server, owner)) == 1
    pass_by(server, clock, hours=24)
    assert [kind for kind, _ in announced(server, owner)] == ["due", "overdue"]


def test_skipped_to_occurrence_is_announced(owner: Member, server: Served, clock: SettableClock) -> None:
    made = recurring(owner, NOW, {"frequency": "daily"}, notifyBefore=10)
    announce(server)
    act(owner, made["id"], "skip")
    pass_by(server, clock, hours=23, minutes=49)
    assert len(announced(server, owner)) == 1
    pass_by(server, clock, minutes=1)
    assert len(announced(server, owner)) == 2


def test_archived_clients_reminders_fire_once_when_it_is_restored(
    owner: Member, server: Served, clock: SettableClock
) -> None:
    client = make.client(owner)
    reminder(owner, NOW + timedelta(hours=1), clientId=client["id"], title="first")
    reminder(owner, NOW + timedelta(hours=2), clientId=client["id"], title="second")
    data(owner.post(f"/clients/{client['id']}/archive"))
    pass_by(server, clock, days=2)
    assert announced(server, owner) == []
    data(owner.post(f"/clients/{client['id']}/restore"))
    for _ in range(2):
        announce(server)
    assert announced(server, owner) == [
        ("due", "first"), ("due", "second"), ("overdue", "first"), ("overdue", "second"),
    ]  # fmt: skip


def test_disabled_account_is_silent(owner: Member, server: Served) -> None:
    reminder(owner, NOW)
    run(server, "update accounts set status = 'DISABLED' where account_id = $1", owner.account["id"])
    announce(server)
    assert announced(server, owner) == []


def test_everything_missed_fires_once_and_in_order(owner: Member, server: Served, clock: SettableClock) -> None:
    for hours in (30, 2, 0, 27, 1):
        reminder(owner, NOW + timedelta(hours=hours), title=f"{hours:02}")
    pass_by(server, clock, days=7)
    expected = sorted(
        [(hours, "due", f"{hours:02}") for hours in (0, 1, 2, 27, 30)]
        + [(hours + 24, "overdue", f"{hours:02}") for hours in (0, 1, 2, 27, 30)]
    )
    assert announced(server, owner) == [(kind, title) for _, kind, title in expected]
    announce(server)
    assert len(announced(server, owner)) == 10


@asynccontextmanager
async def database(server: Served) -> AsyncIterator[Database]:
    db = Database(server.dsn, size=4, clock=server.clock)
    await db.open()
    try:
        yield db
    finally:
        await db.close()


def test_order_holds_from_batch_to_batch(owner: Member, server: Served, clock: SettableClock) -> None:
    for hours in range(0, 60, 5):
        reminder(owner, NOW + timedelta(hours=hours), title=f"{hours:02}")
    clock.advance(days=7)

    async def in_small_batches() -> None:
        actor = unattended(UUID(owner.account["id"]), "UTC", "USD")
        async with database(server) as db:
            given = 1
            while given:
                async with db.changing(actor) as tx:
                    given = await notices.announce(tx, timedelta(hours=24), 3)

    asyncio.run(in_small_batches())
    moments = [
        (int(title) + (24 if kind == "overdue" else 0), kind == "overdue") for kind, title in announced(server, owner)
    ]
    assert [hours for hours, _ in moments] == sorted(hours for hours, _ in moments)
    assert len(moments) == len(set(announced(server, owner))) == 24


def test_workers_at_once_give_each_notice_once(owner: Member, server: Served, clock: SettableClock) -> None:
    for number in range(40):
        reminder(owner, NOW + timedelta(minutes=number), title=str(number))
    clock.advance(days=2)

    async def five_at_once() -> None:
        async with database(server) as db:
            await asyncio.gather(*(jobs.announce(db) for _ in range(5)))

    asyncio.run(five_at_once())
    announce(server)
    found = announced(server, owner)
    assert len(found) == len(set(found)) == 80


@pytest.mark.slow
def test_worker_announces_within_its_quarter_of_a_minute(postgres: str, tmp_path: Path) -> None:
    settings = settings_for(tmp_path, reminder_overdue_hours=1)
    with serving(settings, clone(postgres)) as served:
        owner = register(served.url, "owner")
        now = datetime.now(UTC)
        reminder(owner, now - timedelta(minutes=50), title="due")
        reminder(owner, now - timedelta(minutes=70), title="overdue")
        worker = create_worker(settings, served.dsn)
        loop = asyncio.new_event_loop()
        thread = threading.Thread(target=loop.run_until_complete, args=(worker.run(),))
        thread.start()
        try:
            until(lambda: len(announced(served, owner)) == 3, seconds=30)
        finally:
            loop.call_soon_threadsafe(worker.stop)
            thread.join(30)
            loop.close()
        assert announced(served, owner) == [("due", "overdue"), ("due", "due"), ("overdue", "overdue")]


def test_year_of_a_monthly_series_goes_by_in_seconds(server: Served, clock: SettableClock) -> None:
    clock.freeze(datetime(2027, 12, 31, 10, tzinfo=UTC))
    owner = timeless(server)
    data(owner.patch("/me", {"timeZone": "America/New_York"}))
    current = recurring(owner, "2027-12-31T09:00:00-05:00", {"frequency": "monthly", "interval": 1})
    days = []
    for _ in range(13):
        due = datetime.fromisoformat(current["dueDate"])
        clock.freeze(due - timedelta(seconds=1))
        announce(server)
        before = len(announced(server, owner))
        clock.freeze(due)
        announce(server)
        assert len(announced(server, owner)) == before + 1
        pass_by(server, clock, hours=1)
        days.append(current["dueDate"][:16])
        current = act(owner, current["id"], "complete")["nextOccurrence"]
    assert days == [
        "2027-12-31T14:00", "2028-01-31T14:00", "2028-02-29T14:00", "2028-03-31T13:00", "2028-04-30T13:00",
        "2028-05-31T13:00", "2028-06-30T13:00", "2028-07-31T13:00", "2028-08-31T13:00", "2028-09-30T13:00",
        "2028-10-31T13:00", "2028-11-30T14:00", "2028-12-31T14:00",
    ]  # fmt: skip
    assert announced(server, owner) == [("due", "Call back")] * 13
