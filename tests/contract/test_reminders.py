"""The document's section "Reminders": its JSON blocks sent as they stand there, in the days of which they speak."""

from datetime import datetime

import pytest

from tests import make
from tests.contract import blocks
from tests.contract.matching import create, filled, holds, parsed, send
from tests.people import Member, data, register
from tests.reminders.tasks import act, reminder, titles
from tests.serving import Served, SettableClock


@pytest.fixture
def owner(server: Served, clock: SettableClock) -> Member:
    """An owner of 15 February 2024, an hour before the reminder of the example is due."""
    clock.freeze(datetime.fromisoformat("2024-02-15T09:00:00Z"))
    return register(server.url, "reminders")


def follow_up(owner: Member) -> str:
    block = filled(blocks.CREATE_REMINDER, clientId=make.client(owner)["id"])
    return str(create(owner, "/reminders", block)["id"])


def test_create_reminder(owner: Member) -> None:
    shown = data(owner.get(f"/reminders/{follow_up(owner)}"))
    assert (shown["status"], shown["isRecurring"], shown["recurringPattern"]) == ("PENDING", False, None)


def test_recurring_reminder_comes_monthly_until_its_end(server: Served, clock: SettableClock) -> None:
    clock.freeze(datetime.fromisoformat("2024-01-15T09:00:00Z"))
    owner = register(server.url, "monthly")
    block = filled(blocks.CREATE_RECURRING_REMINDER, clientId=make.client(owner)["id"])
    current = create(owner, "/reminders", block)
    found = [current["dueDate"]]
    while following := act(owner, current["id"], "complete")["nextOccurrence"]:
        current = following
        found.append(current["dueDate"])
    assert found == [f"2024-{month:02d}-01T10:00:00.000Z" for month in range(2, 13)]


def test_get_upcoming_reminders_of_seven_days_by_default(owner: Member) -> None:
    for day in (15, 22, 23):
        reminder(owner, f"2024-02-{day}T10:00:00Z", title=str(day))
    assert titles(owner, "upcoming") == ["15", "22"]


def test_get_overdue_and_todays_reminders(owner: Member) -> None:
    for name, due in {
        "yesterday": "14T10:00",
        "earlier": "15T08:00",
        "later": "15T10:00",
        "tomorrow": "16T10:00",
    }.items():
        reminder(owner, f"2024-02-{due}:00Z", title=name)
    assert titles(owner, "overdue") == ["yesterday", "earlier"]
    assert titles(owner, "today") == ["earlier", "later"]


def test_complete_reminder(owner: Member) -> None:
    done = send(owner, "POST", f"/reminders/{follow_up(owner)}/complete", blocks.COMPLETE_REMINDER)
    assert (done["status"], done["completionNotes"]) == ("COMPLETED", parsed(blocks.COMPLETE_REMINDER)["notes"])
    assert done["completedAt"] == "2024-02-15T09:00:00.000Z"


def test_snooze_reminder(owner: Member) -> None:
    snoozed = send(owner, "POST", f"/reminders/{follow_up(owner)}/snooze", blocks.SNOOZE_REMINDER)
    until = parsed(blocks.SNOOZE_REMINDER)["snoozeUntil"]
    holds(snoozed, {"status": "SNOOZED", "snoozedUntil": until, "effectiveDate": until})
    assert titles(owner, "today") == []


def test_cancel_reminder(owner: Member) -> None:
    assert act(owner, follow_up(owner), "cancel")["status"] == "CANCELLED"
    assert titles(owner, "today") == []
