"""Reminders as records: set, read, change, delete, and what each refuses."""

from datetime import timedelta
from typing import Any

import pytest

from tests import make
from tests.book import events
from tests.opportunities.deals import deal
from tests.people import Member, Person, data, faults, refusal
from tests.reminders.tasks import LATER, MONTHLY, NOW, act, change, iso, recurring, reminder, seen
from tests.serving import Served, SettableClock

FOLLOW_UP = {
    "title": "Follow up on proposal",
    "description": "Check if they reviewed the proposal",
    "reminderType": "FOLLOW_UP",
    "priority": "HIGH",
    "dueDate": "2024-02-15T10:00:00Z",
    "isRecurring": False,
}


def test_new_reminder_is_answered_whole(alice: Member, clock: SettableClock) -> None:
    client = make.client(alice)
    made_at = iso(clock.freeze())
    answer = alice.post("/reminders", {**FOLLOW_UP, "clientId": client["id"]})
    made = data(answer, 201)
    assert answer.headers["location"] == f"/api/cockpit/reminders/{made['id']}"
    assert answer.headers["etag"] == '"1"'
    assert made == {
        **FOLLOW_UP,
        "id": made["id"],
        "clientId": client["id"],
        "clientName": "Acme Corporation",
        "opportunityId": None,
        "interactionId": None,
        "status": "PENDING",
        "dueDate": "2024-02-15T10:00:00.000Z",
        "snoozedUntil": None,
        "effectiveDate": "2024-02-15T10:00:00.000Z",
        "isOverdue": True,
        "notifyBefore": None,
        "recurringPattern": None,
        "timeZone": None,
        "seriesId": None,
        "occurrence": None,
        "nextOccurrence": None,
        "skipped": 0,
        "completedAt": None,
        "completionNotes": None,
        "version": 1,
        "createdAt": made_at,
        "updatedAt": made_at,
    }
    assert seen(alice, made["id"]) == made


def test_recurring_reminder_names_its_series(alice: Member) -> None:
    pattern = {"frequency": "monthly", "interval": 1, "endDate": "2024-12-31"}
    made = recurring(alice, "2024-02-01T10:00:00Z", pattern)
    assert made["isRecurring"] is True
    assert made["recurringPattern"] == {**pattern, "count": None, "daysOfWeek": None}
    assert (made["occurrence"], made["timeZone"]) == (1, "UTC")
    assert made["seriesId"] is not None


def test_what_is_left_out_has_its_default(alice: Member) -> None:
    made = recurring(alice, "2024-02-01T10:00:00Z", {"frequency": "daily"})
    assert (made["priority"], made["clientId"], made["recurringPattern"]["interval"]) == ("MEDIUM", None, 1)
    assert reminder(alice, NOW)["isRecurring"] is False


def test_the_answered_pattern_can_be_sent_back(alice: Member) -> None:
    made = recurring(alice, NOW, {"frequency": "weekly", "interval": 2, "daysOfWeek": ["FRIDAY", "MONDAY", "FRIDAY"]})
    assert made["recurringPattern"]["daysOfWeek"] == ["MONDAY", "FRIDAY"]
    same = change(
        alice, made["id"], isRecurring=True, recurringPattern=made["recurringPattern"], dueDate=made["dueDate"]
    )
    assert same == made


def test_due_date_with_another_offset_is_the_same_moment(alice: Member) -> None:
    assert reminder(alice, "2026-03-08T02:30:00.1239-05:00")["dueDate"] == "2026-03-08T07:30:00.123Z"


def test_reminder_of_a_deal_belongs_to_the_deals_client(alice: Member) -> None:
    client = make.client(alice)
    lead = deal(alice, clientId=client["id"])
    made = reminder(alice, NOW, opportunityId=lead["id"])
    assert (made["clientId"], made["opportunityId"]) == (client["id"], lead["id"])
    free = deal(alice)
    assert reminder(alice, NOW, opportunityId=free["id"])["clientId"] is None


def test_deal_of_another_client_is_refused(alice: Member) -> None:
    client, other = make.client(alice), make.client(alice)
    lead = deal(alice, clientId=other["id"])
    body = {**FOLLOW_UP, "clientId": client["id"], "opportunityId": lead["id"]}
    assert "another client" in faults(alice.post("/reminders", body))["opportunityId"]
    mine = reminder(alice, NOW, clientId=client["id"])
    patched = alice.patch(f"/reminders/{mine['id']}", {"opportunityId": lead["id"]})
    assert "another client" in faults(patched)["opportunityId"]
    linked = reminder(alice, NOW, opportunityId=lead["id"])
    moved = alice.patch(f"/reminders/{linked['id']}", {"clientId": client["id"]})
    assert "another client" in faults(moved)["opportunityId"]
    assert seen(alice, linked["id"]) == linked


def test_client_and_deal_can_be_changed_and_cleared(alice: Member) -> None:
    client, other = make.client(alice), make.client(alice, companyName="Other")
    made = reminder(alice, NOW, clientId=client["id"])
    assert change(alice, made["id"], clientId=other["id"])["clientName"] == "Other"
    lead = deal(alice, clientId=client["id"])
    both = change(alice, made["id"], clientId=client["id"], opportunityId=lead["id"])
    assert (both["clientId"], both["opportunityId"]) == (client["id"], lead["id"])
    cleared = change(alice, made["id"], clientId=None, opportunityId=None)
    assert (cleared["clientId"], cleared["clientName"], cleared["opportunityId"]) == (None, None, None)
    taken = change(alice, made["id"], opportunityId=lead["id"])
    assert taken["clientId"] == client["id"]


def test_reminder_stays_when_its_deal_is_deleted(alice: Member) -> None:
    client = make.client(alice)
    lead = deal(alice, clientId=client["id"])
    made = reminder(alice, NOW, opportunityId=lead["id"])
    data(alice.delete(f"/opportunities/{lead['id']}"))
    assert seen(alice, made["id"]) == {**made, "opportunityId": None}


def test_unknown_and_foreign_records_are_missing(alice: Member, bob: Member) -> None:
    foreign = make.client(bob)["id"]
    their_deal = deal(bob)["id"]
    refusal(alice.post("/reminders", {**FOLLOW_UP, "clientId": foreign}), 404, "CLIENT_NOT_FOUND")
    refusal(alice.post("/reminders", {**FOLLOW_UP, "opportunityId": their_deal}), 404, "OPPORTUNITY_NOT_FOUND")
    mine = reminder(alice, NOW)
    refusal(alice.patch(f"/reminders/{mine['id']}", {"clientId": foreign}), 404, "CLIENT_NOT_FOUND")
    refusal(alice.patch(f"/reminders/{mine['id']}", {"opportunityId": their_deal}), 404, "OPPORTUNITY_NOT_FOUND")


ROUTES = (
    ("GET", ""), ("PATCH", ""), ("DELETE", ""), ("POST", "/complete"), ("POST", "/snooze"), ("POST", "/cancel"),
    ("POST", "/reopen"), ("POST", "/skip"),
)  # fmt: skip
BODIES: dict[tuple[str, str], dict[str, Any]] = {
    ("PATCH", ""): {"title": "x"},
    ("POST", "/snooze"): {"snoozeUntil": LATER},
}


@pytest.mark.parametrize(("method", "action"), ROUTES)
def test_foreign_reminder_answers_as_a_missing_one(
    alice: Member, bob: Member, stranger: Person, method: str, action: str
) -> None:
    theirs = reminder(bob, NOW)
    body = BODIES.get((method, action))
    given = {} if body is None else {"json": body}
    for reminder_id in (theirs["id"], "00000000-0000-0000-0000-000000000000", "not-a-uuid"):
        refusal(alice.request(method, f"/reminders/{reminder_id}{action}", **given), 404, "REMINDER_NOT_FOUND")
    refusal(stranger.request(method, f"/reminders/{theirs['id']}{action}", **given), 401, "UNAUTHORIZED")
    assert seen(bob, theirs["id"]) == theirs


def test_only_sent_fields_change(alice: Member) -> None:
    made = reminder(alice, NOW, description="Ask for the contract", notifyBefore=30)
    changed = change(alice, made["id"], title="Ring up", priority="URGENT", description=None)
    expected = {**made, "title": "Ring up", "priority": "URGENT", "description": None, "version": 2}
    assert changed == {**expected, "updatedAt": changed["updatedAt"]}
    assert change(alice, made["id"], title="Ring up", notifyBefore=30) == changed


def test_change_of_a_version_that_has_moved_on_is_refused(alice: Member) -> None:
    made = reminder(alice, NOW)
    change(alice, made["id"], title="Ring up")
    old = {"If-Match": '"1"'}
    for method, path, given in (
        ("PATCH", "", {"json": {"title": "x"}}),
        ("DELETE", "", {}),
        ("POST", "/complete", {}),
        ("POST", "/snooze", {"json": {"snoozeUntil": LATER}}),
        ("POST", "/cancel", {}),
        ("POST", "/reopen", {}),
    ):
        answer = alice.request(method, f"/reminders/{made['id']}{path}", headers=old, **given)
        assert refusal(answer, 412, "PRECONDITION_FAILED")["details"] == {"currentVersion": 2}
    data(alice.post(f"/reminders/{made['id']}/complete", headers={"If-Match": '"2"'}))


def test_completed_reminder_can_not_be_changed(alice: Member) -> None:
    made = reminder(alice, NOW)
    done = act(alice, made["id"], "complete")
    error = refusal(alice.patch(f"/reminders/{made['id']}", {"title": "x"}), 400, "REMINDER_ALREADY_COMPLETED")
    assert error["details"] == {"completedAt": done["completedAt"]}


def test_cancelled_reminder_can_not_be_changed(alice: Member) -> None:
    made = reminder(alice, NOW)
    act(alice, made["id"], "cancel")
    assert "can't be changed" in faults(alice.patch(f"/reminders/{made['id']}", {"title": "x"}))["status"]


def test_new_due_date_ends_a_snooze(alice: Member) -> None:
    made = reminder(alice, NOW)
    act(alice, made["id"], "snooze", {"snoozeUntil": LATER})
    moved = change(alice, made["id"], dueDate=LATER)
    assert (moved["status"], moved["snoozedUntil"]) == ("PENDING", None)
    assert moved["effectiveDate"] == LATER


def test_deleted_reminder_is_gone(alice: Member, server: Served) -> None:
    made = reminder(alice, NOW)
    assert data(alice.delete(f"/reminders/{made['id']}")) == {"id": made["id"], "deleted": True}
    refusal(alice.get(f"/reminders/{made['id']}"), 404, "REMINDER_NOT_FOUND")
    [called_off] = events(server, alice, "reminder.cancelled")
    assert called_off["data"] == {"id": made["id"], "clientId": None, "title": "Call back", "version": 1}


def test_deleting_a_completed_reminder_only_forgets_it(alice: Member, server: Served) -> None:
    first = recurring(alice, NOW - timedelta(days=1), MONTHLY)
    done = act(alice, first["id"], "complete")
    data(alice.delete(f"/reminders/{first['id']}"))
    assert seen(alice, done["nextOccurrence"]["id"])["status"] == "PENDING"
    assert events(server, alice, "reminder.cancelled") == []


def test_events_tell_of_creation_without_notes(alice: Member, server: Served) -> None:
    client = make.client(alice)
    made = reminder(alice, NOW, clientId=client["id"], description="Secret words")
    [created] = events(server, alice, "reminder.created")
    assert created["data"] == {
        "id": made["id"],
        "clientId": client["id"],
        "title": "Call back",
        "reminderType": "CUSTOM",
        "dueDate": iso(NOW),
        "version": 1,
    }


def test_archived_client_refuses_every_change_of_its_reminders(alice: Member) -> None:
    client = make.client(alice)
    made = recurring(alice, NOW, MONTHLY, clientId=client["id"])
    done = act(alice, made["id"], "complete")
    following = done["nextOccurrence"]["id"]
    free = reminder(alice, NOW)
    data(alice.post(f"/clients/{client['id']}/archive"))
    body = {**FOLLOW_UP, "clientId": client["id"]}
    refused = [
        alice.post("/reminders", body),
        alice.patch(f"/reminders/{free['id']}", {"clientId": client["id"]}),
        alice.patch(f"/reminders/{following}", {"title": "x"}),
        alice.delete(f"/reminders/{following}"),
        alice.post(f"/reminders/{following}/complete"),
        alice.post(f"/reminders/{following}/snooze", {"snoozeUntil": LATER}),
        alice.post(f"/reminders/{following}/cancel"),
        alice.post(f"/reminders/{following}/skip"),
        alice.post(f"/reminders/{made['id']}/reopen"),
    ]
    for answer in refused:
        assert "restore" in refusal(answer, 400, "CLIENT_ARCHIVED")["message"].lower()
    data(alice.post(f"/clients/{client['id']}/restore"))
    assert act(alice, following, "complete")["status"] == "COMPLETED"
    assert seen(alice, free["id"]) == free


def test_repeated_request_with_a_key_makes_one_reminder(alice: Member) -> None:
    key = {"Idempotency-Key": "reminder-1"}
    first = alice.post("/reminders", FOLLOW_UP, headers=key)
    again = alice.post("/reminders", FOLLOW_UP, headers=key)
    assert again.content == first.content
    assert again.headers["idempotency-replayed"] == "true"
    assert data(alice.get("/reminders"))["total"] == 1


def test_clients_record_shows_its_next_five_open_reminders(alice: Member) -> None:
    client = make.client(alice)
    made = [reminder(alice, NOW + timedelta(days=day), clientId=client["id"], title=f"{day}") for day in range(7)]
    act(alice, made[0]["id"], "complete")
    act(alice, made[1]["id"], "snooze", {"snoozeUntil": LATER})
    shown = data(alice.get(f"/clients/{client['id']}"))["upcomingReminders"]
    assert [line["title"] for line in shown] == ["2", "3", "4", "5", "6"]


def test_completed_reminder_stands_in_the_clients_timeline(alice: Member) -> None:
    client = make.client(alice)
    made = reminder(alice, NOW, clientId=client["id"])
    done = act(alice, made["id"], "complete", {"notes": "Called and confirmed meeting"})
    entries = data(alice.get(f"/clients/{client['id']}/timeline"))["entries"]
    [entry] = [one for one in entries if one["type"] == "REMINDER_COMPLETED"]
    assert entry["id"] == made["id"]
    assert (entry["detail"], entry["occurredAt"]) == ("Called and confirmed meeting", done["completedAt"])
