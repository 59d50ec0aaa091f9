"""What may be done about a reminder: complete, snooze, cancel, reopen, skip; and what becomes of its series."""

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

import pytest

from tests import make
from tests.book import events, select
from tests.people import Member, data, faults, refusal, register
from tests.reminders.tasks import (
    LATER,
    MONTHLY,
    NOW,
    act,
    change,
    iso,
    listed,
    recurring,
    reminder,
    seen,
    signed_in_again,
)
from tests.serving import Served, SettableClock


def day(text: str) -> datetime:
    return datetime.fromisoformat(f"{text}T09:00:00+00:00")


# --- complete ---


def test_completed_reminder_keeps_when_and_what(alice: Member, server: Served, clock: SettableClock) -> None:
    client = make.client(alice)
    made = reminder(alice, NOW, clientId=client["id"])
    now = clock.freeze()
    done = act(alice, made["id"], "complete", {"notes": "Called and confirmed meeting"})
    assert done == {
        **made,
        "status": "COMPLETED",
        "isOverdue": False,
        "completedAt": iso(now),
        "completionNotes": "Called and confirmed meeting",
        "version": 2,
        "updatedAt": iso(now),
    }
    assert seen(alice, made["id"]) == done
    [event] = events(server, alice, "reminder.completed")
    assert event["data"] == {
        "id": made["id"],
        "clientId": client["id"],
        "title": "Call back",
        "completedAt": iso(now),
        "nextId": None,
        "skipped": 0,
        "version": 2,
    }


@pytest.mark.parametrize("body", [None, {}, {"notes": None}])
def test_completing_needs_no_words(alice: Member, body: dict[str, str] | None) -> None:
    made = reminder(alice, NOW)
    assert act(alice, made["id"], "complete", body)["completionNotes"] is None


def test_completing_twice_is_refused_with_the_time_of_the_first(alice: Member) -> None:
    made = reminder(alice, NOW)
    done = act(alice, made["id"], "complete")
    error = refusal(alice.post(f"/reminders/{made['id']}/complete"), 400, "REMINDER_ALREADY_COMPLETED")
    assert error["details"] == {"completedAt": done["completedAt"]}


def test_completing_a_recurring_one_makes_the_next(server: Served, clock: SettableClock) -> None:
    clock.freeze(day("2026-01-31"))
    owner = register(server.url, "owner")
    client = make.client(owner)
    fields = {"clientId": client["id"], "description": "Every month", "priority": "HIGH", "notifyBefore": 60}
    first = recurring(owner, day("2026-01-31"), MONTHLY, **fields)
    done = act(owner, first["id"], "complete", {"notes": "Done"})
    assert done["nextOccurrence"] == {
        "id": done["nextOccurrence"]["id"],
        "occurrence": 2,
        "dueDate": "2026-02-28T09:00:00.000Z",
    }
    assert done["skipped"] == 0
    following = seen(owner, done["nextOccurrence"]["id"])
    changed = {
        "id": following["id"],
        "occurrence": 2,
        "dueDate": "2026-02-28T09:00:00.000Z",
        "effectiveDate": "2026-02-28T09:00:00.000Z",
    }
    assert following == {**first, **changed}
    created = events(server, owner, "reminder.completed", "reminder.created")
    assert [event["type"] for event in created] == ["reminder.created", "reminder.completed", "reminder.created"]
    assert created[1]["data"]["nextId"] == following["id"]


def test_late_completion_skips_what_was_missed(server: Served, clock: SettableClock) -> None:
    clock.freeze(day("2026-01-31"))
    owner = register(server.url, "owner")
    first = recurring(owner, day("2026-01-31"), MONTHLY)
    clock.freeze(day("2026-05-15"))
    owner = signed_in_again(owner)
    done = act(owner, first["id"], "complete")
    assert done["skipped"] == 3
    assert (done["nextOccurrence"]["occurrence"], done["nextOccurrence"]["dueDate"]) == (5, "2026-05-31T09:00:00.000Z")
    assert len(listed(owner, "status=PENDING")) == 1


def test_early_completion_leaves_out_nothing(server: Served, clock: SettableClock) -> None:
    clock.freeze(day("2026-01-01"))
    owner = register(server.url, "owner")
    first = recurring(owner, day("2026-01-31"), MONTHLY)
    second = act(owner, first["id"], "complete")["nextOccurrence"]
    assert second["dueDate"] == "2026-02-28T09:00:00.000Z"
    third = act(owner, second["id"], "complete")["nextOccurrence"]
    assert third["dueDate"] == "2026-03-31T09:00:00.000Z"


@pytest.mark.parametrize(
    "limit", [{"count": 2}, {"endDate": "2026-02-28"}, {"count": 9, "endDate": "2026-03-30"}], ids=str
)
def test_series_ends_with_its_last_occurrence(server: Served, clock: SettableClock, limit: dict[str, object]) -> None:
    clock.freeze(day("2026-01-31"))
    owner = register(server.url, "owner")
    first = recurring(owner, day("2026-01-31"), {**MONTHLY, **limit})
    second = act(owner, first["id"], "complete")["nextOccurrence"]
    last = act(owner, second["id"], "complete")
    assert (last["nextOccurrence"], last["skipped"]) == (None, 0)
    assert data(owner.get("/reminders"))["total"] == 2


def test_what_a_finished_series_missed_is_counted(server: Served, clock: SettableClock) -> None:
    clock.freeze(day("2026-07-15"))
    owner = register(server.url, "owner")
    first = recurring(owner, day("2026-01-31"), {**MONTHLY, "count": 4})
    done = act(owner, first["id"], "complete")
    assert (done["nextOccurrence"], done["skipped"]) == (None, 3)


def test_ten_completions_at_once_make_one_next_occurrence(alice: Member, server: Served) -> None:
    for _ in range(5):
        made = recurring(alice, NOW - timedelta(days=90), MONTHLY)
        with ThreadPoolExecutor(10) as pool:
            path = f"/reminders/{made['id']}/complete"
            answers = list(pool.map(lambda _, path=path: alice.post(path), range(10)))
        done = [answer for answer in answers if answer.status_code == 200]
        assert len(done) == 1
        refused = [answer for answer in answers if answer.status_code != 200]
        for answer in refused:
            refusal(answer, 400, "REMINDER_ALREADY_COMPLETED")
        rows = select(server, "select id, status from reminders where series_id = $1", made["seriesId"])
        assert sorted(row["status"] for row in rows) == ["COMPLETED", "PENDING"]
    assert len(events(server, alice, "reminder.completed")) == 5


def test_complete_snooze_and_cancel_at_once_leave_one_outcome(alice: Member, server: Served) -> None:
    for _ in range(5):
        made = recurring(alice, NOW, MONTHLY)
        path = f"/reminders/{made['id']}"
        moves = [("complete", None), ("cancel", None), ("skip", None), ("snooze", {"snoozeUntil": LATER})] * 2
        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(lambda move, path=path: alice.post(f"{path}/{move[0]}", move[1]), moves))
        assert {answer.status_code for answer in answers} <= {200, 400}
        rows = select(server, "select id, status from reminders where series_id = $1", made["seriesId"])
        final = seen(alice, made["id"])
        assert final["status"] in ("COMPLETED", "CANCELLED")
        assert len(rows) == (2 if final["status"] == "COMPLETED" else 1)


# --- snooze ---


def test_snoozed_reminder_takes_effect_later(alice: Member) -> None:
    made = reminder(alice, NOW)
    snoozed = act(alice, made["id"], "snooze", {"snoozeUntil": LATER})
    assert (snoozed["status"], snoozed["snoozedUntil"], snoozed["effectiveDate"]) == ("SNOOZED", LATER, LATER)
    assert (snoozed["dueDate"], snoozed["isOverdue"]) == (made["dueDate"], False)


def test_snooze_never_shifts_the_series(server: Served, clock: SettableClock) -> None:
    clock.freeze(day("2026-01-31"))
    owner = register(server.url, "owner")
    first = recurring(owner, day("2026-01-31"), MONTHLY)
    act(owner, first["id"], "snooze", {"snoozeUntil": "2026-02-10T15:00:00Z"})
    assert act(owner, first["id"], "complete")["nextOccurrence"]["dueDate"] == "2026-02-28T09:00:00.000Z"


def test_snooze_goes_five_years_ahead_and_no_further(server: Served, clock: SettableClock) -> None:
    clock.freeze(day("2024-02-29"))
    owner = register(server.url, "owner")
    path = f"/reminders/{reminder(owner, day('2024-02-29'))['id']}/snooze"
    for until in ("2024-02-29T09:00:00Z", "2024-02-29T08:59:59Z", "2029-02-28T09:00:00.001Z"):
        assert "five years" in faults(owner.post(path, {"snoozeUntil": until}))["snoozeUntil"]
    data(owner.post(path, {"snoozeUntil": "2029-02-28T09:00:00Z"}))
    data(owner.post(path, {"snoozeUntil": "2024-02-29T09:00:00.001Z"}))


def test_completed_reminder_can_not_be_snoozed_or_cancelled_or_skipped(alice: Member) -> None:
    made = recurring(alice, NOW, MONTHLY)
    act(alice, made["id"], "complete")
    for action, body in (("snooze", {"snoozeUntil": LATER}), ("cancel", None), ("skip", None)):
        refusal(alice.post(f"/reminders/{made['id']}/{action}", body), 400, "REMINDER_ALREADY_COMPLETED")


# --- cancel ---


def test_cancelling_ends_the_series(alice: Member, server: Served) -> None:
    made = recurring(alice, NOW, MONTHLY)
    cancelled = act(alice, made["id"], "cancel")
    assert cancelled["status"] == "CANCELLED"
    assert data(alice.get("/reminders"))["total"] == 1
    for action, verb in (("complete", "completed"), ("snooze", "snoozed"), ("skip", "skipped")):
        body = {"snoozeUntil": LATER} if action == "snooze" else None
        told = faults(alice.post(f"/reminders/{made['id']}/{action}", body))["status"]
        assert f"cancelled and can't be {verb}" in told
    [event] = events(server, alice, "reminder.cancelled")
    assert event["data"] == {"id": made["id"], "clientId": None, "title": "Call back", "version": 2}


def test_cancelling_twice_is_one_event(alice: Member, server: Served) -> None:
    made = reminder(alice, NOW)
    assert act(alice, made["id"], "cancel") == act(alice, made["id"], "cancel")
    assert len(events(server, alice, "reminder.cancelled")) == 1


# --- reopen ---


def test_reopened_reminder_is_as_it_was(alice: Member) -> None:
    made = reminder(alice, NOW)
    act(alice, made["id"], "complete", {"notes": "Done"})
    back = act(alice, made["id"], "reopen")
    assert back == {**made, "version": 3, "updatedAt": back["updatedAt"]}
    act(alice, made["id"], "cancel")
    assert act(alice, made["id"], "reopen")["status"] == "PENDING"


def test_reopened_reminder_is_still_snoozed(alice: Member) -> None:
    made = reminder(alice, NOW)
    act(alice, made["id"], "snooze", {"snoozeUntil": LATER})
    act(alice, made["id"], "complete")
    back = act(alice, made["id"], "reopen")
    assert (back["status"], back["effectiveDate"]) == ("SNOOZED", LATER)


def test_reopening_an_open_reminder_changes_nothing(alice: Member) -> None:
    made = reminder(alice, NOW)
    assert act(alice, made["id"], "reopen") == made


def test_reopening_takes_the_untouched_next_occurrence_back(alice: Member, server: Served) -> None:
    made = recurring(alice, NOW, MONTHLY)
    following = act(alice, made["id"], "complete")["nextOccurrence"]["id"]
    back = act(alice, made["id"], "reopen")
    assert back == {**made, "version": 3, "updatedAt": back["updatedAt"]}
    refusal(alice.get(f"/reminders/{following}"), 404, "REMINDER_NOT_FOUND")
    assert [event["data"]["id"] for event in events(server, alice, "reminder.cancelled")] == [following]
    assert act(alice, made["id"], "complete")["nextOccurrence"]["occurrence"] > 1


@pytest.mark.parametrize("touch", ["change", "complete", "snooze", "cancel", "skip", "delete"])
def test_series_that_has_gone_on_is_not_reopened_behind(alice: Member, touch: str) -> None:
    made = recurring(alice, NOW, MONTHLY)
    following = act(alice, made["id"], "complete")["nextOccurrence"]["id"]
    if touch == "change":
        change(alice, following, title="Changed")
    elif touch == "delete":
        data(alice.delete(f"/reminders/{following}"))
    else:
        act(alice, following, touch, {"snoozeUntil": LATER} if touch == "snooze" else None)
    before = data(alice.get("/reminders"))
    assert "next occurrence" in faults(alice.post(f"/reminders/{made['id']}/reopen"))["nextOccurrence"]
    assert data(alice.get("/reminders")) == before


def test_cancelled_series_goes_on_when_reopened(server: Served, clock: SettableClock) -> None:
    clock.freeze(day("2026-01-31"))
    owner = register(server.url, "owner")
    first = recurring(owner, day("2026-01-31"), MONTHLY)
    act(owner, first["id"], "cancel")
    act(owner, first["id"], "reopen")
    assert act(owner, first["id"], "complete")["nextOccurrence"]["dueDate"] == "2026-02-28T09:00:00.000Z"


# --- skip ---


def test_skipping_moves_one_occurrence_on(server: Served, clock: SettableClock) -> None:
    clock.freeze(day("2026-05-15"))
    owner = register(server.url, "owner")
    made = recurring(owner, day("2026-01-31"), MONTHLY)
    act(owner, made["id"], "snooze", {"snoozeUntil": "2026-06-01T00:00:00Z"})
    moved = act(owner, made["id"], "skip")
    assert (moved["id"], moved["occurrence"], moved["dueDate"]) == (made["id"], 2, "2026-02-28T09:00:00.000Z")
    assert (moved["status"], moved["snoozedUntil"], moved["isOverdue"]) == ("PENDING", None, True)
    assert act(owner, made["id"], "skip")["dueDate"] == "2026-03-31T09:00:00.000Z"
    assert data(owner.get("/reminders"))["total"] == 1


def test_only_a_recurring_reminder_can_be_skipped(alice: Member) -> None:
    made = reminder(alice, NOW)
    assert "recurring" in faults(alice.post(f"/reminders/{made['id']}/skip"))["isRecurring"]


def test_last_occurrence_can_not_be_skipped(alice: Member) -> None:
    made = recurring(alice, NOW, {**MONTHLY, "count": 1})
    assert "last" in faults(alice.post(f"/reminders/{made['id']}/skip"))["occurrence"]
