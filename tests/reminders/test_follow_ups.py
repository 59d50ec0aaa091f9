"""An interaction's followUpDate sets a reminder beside it, in the same transaction."""

from datetime import timedelta
from typing import Any

from tests import make
from tests.book import events
from tests.people import Member, data, faults, register
from tests.reminders.tasks import MONTHLY, NOW, act, announce, change, iso, listed, notices, seen
from tests.serving import Served, SettableClock


def test_follow_up_day_sets_a_reminder_for_that_morning(server: Served, clock: SettableClock) -> None:
    clock.freeze(NOW)
    owner = register(server.url, "owner", timeZone="America/New_York")
    client = make.client(owner)
    talk = make.interaction(owner, client["id"], subject="Talked about the offer", followUpDate="2026-06-12")
    [found] = listed(owner)
    expected = {
        "clientId": client["id"],
        "clientName": "Acme Corporation",
        "interactionId": talk["id"],
        "title": "Follow up: Talked about the offer",
        "reminderType": "FOLLOW_UP",
        "priority": "MEDIUM",
        "status": "PENDING",
        "dueDate": "2026-06-12T13:00:00.000Z",
        "isRecurring": False,
    }
    assert {name: found[name] for name in expected} == expected
    [created] = events(server, owner, "reminder.created")
    assert created["data"]["id"] == found["id"]


def _patch(owner: Member, talk: dict[str, Any], **fields: Any) -> None:
    data(owner.patch(f"/interactions/{talk['id']}", fields))


def test_new_day_moves_the_open_reminder(server: Served, clock: SettableClock) -> None:
    clock.freeze(NOW)
    owner = register(server.url, "owner")
    talk = make.interaction(owner, make.client(owner)["id"], followUpDate="2026-06-12")
    [found] = listed(owner)
    act(owner, found["id"], "snooze", {"snoozeUntil": iso(NOW + timedelta(days=9))})
    _patch(owner, talk, followUpDate="2026-06-15")
    [moved] = listed(owner)
    assert (moved["id"], moved["dueDate"]) == (found["id"], "2026-06-15T09:00:00.000Z")
    assert (moved["status"], moved["snoozedUntil"], moved["version"]) == ("PENDING", None, 3)
    clock.freeze(NOW + timedelta(days=5))
    announce(server)
    assert notices(server, owner) == [("due", found["title"])]


def test_moved_recurring_follow_up_moves_its_anchor(server: Served, clock: SettableClock) -> None:
    clock.freeze(NOW)
    owner = register(server.url, "owner")
    talk = make.interaction(owner, make.client(owner)["id"], followUpDate="2026-06-12")
    [found] = listed(owner)
    change(owner, found["id"], isRecurring=True, recurringPattern=MONTHLY)
    _patch(owner, talk, followUpDate="2026-06-30")
    assert act(owner, found["id"], "complete")["nextOccurrence"]["dueDate"] == "2026-07-30T09:00:00.000Z"


def test_cleared_day_cancels_the_open_reminder(alice: Member, server: Served) -> None:
    talk = make.interaction(alice, make.client(alice)["id"], followUpDate="2026-06-12")
    [found] = listed(alice)
    _patch(alice, talk, followUpDate=None)
    assert seen(alice, found["id"])["status"] == "CANCELLED"
    [event] = events(server, alice, "reminder.cancelled")
    assert event["data"]["version"] == 2


def test_day_after_a_reminder_that_is_done_sets_another(alice: Member) -> None:
    talk = make.interaction(alice, make.client(alice)["id"], followUpDate="2026-06-12")
    [found] = listed(alice)
    act(alice, found["id"], "complete")
    _patch(alice, talk, followUpDate="2026-06-15")
    assert [(one["status"], one["dueDate"][:10]) for one in listed(alice)] == [
        ("COMPLETED", "2026-06-12"), ("PENDING", "2026-06-15"),
    ]  # fmt: skip


def test_deleted_interaction_leaves_its_reminder(alice: Member) -> None:
    talk = make.interaction(alice, make.client(alice)["id"], followUpDate="2026-06-12")
    [found] = listed(alice)
    data(alice.delete(f"/interactions/{talk['id']}"))
    assert listed(alice) == [{**found, "interactionId": None}]


def test_refused_interaction_leaves_no_reminder(alice: Member) -> None:
    client = make.client(alice)
    body = {"interactionType": "CALL", "subject": "x", "followUpDate": "2026-06-12", "duration": -5}
    assert "duration" in faults(alice.post(f"/clients/{client['id']}/interactions", body))
    assert listed(alice) == []
