"""Bad input of reminders, one table; and hard but good input that must be taken as it is."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests import make
from tests.opportunities.deals import deal
from tests.people import Member, data, faults, refusal, register
from tests.reminders.tasks import act, in_zone, recurring, reminder, seen
from tests.serving import Served, SettableClock
from tests.wire import refused

DUE = "2024-02-15T10:00:00Z"
GOOD = {"title": "Call back", "reminderType": "CUSTOM", "dueDate": DUE}
TYPES = "FOLLOW_UP, MEETING, DEADLINE, CHECK_IN, BIRTHDAY, RENEWAL, CUSTOM"
EXAMPLE = "such as 2024-02-15T10:00:00Z"


def due(value: object) -> dict[str, Any]:
    return {**GOOD, "dueDate": value}


def pattern(**fields: Any) -> dict[str, Any]:
    return {**GOOD, "isRecurring": True, "recurringPattern": {"frequency": "monthly", **fields}}


@pytest.fixture(scope="module")
def owner(server: Served) -> Member:
    """One book for all rows."""
    return register(server.url, "e.rows")


BAD_REMINDERS: dict[str, tuple[dict[str, Any], dict[str, str]]] = {
    # what is sent → field: what must be said
    "nothing": ({}, {"title": "required", "reminderType": "required", "dueDate": "required"}),
    "faults of every kind": (
        {"title": "", "reminderType": "x", "dueDate": 1, "priority": 1, "clientId": "x", "notifyBefore": "1", "id": "x",
         "status": "PENDING", "snoozedUntil": DUE, "descripton": "x", "isRecurring": "yes",
         "recurringPattern": {"frequency": "hourly"}},
        {"title": "empty", "reminderType": TYPES, "dueDate": EXAMPLE, "priority": "URGENT", "clientId": "UUID",
         "notifyBefore": "whole number", "id": "read-only", "status": "/complete", "snoozedUntil": "/snooze",
         "descripton": "did you mean description", "isRecurring": "true or false",
         "recurringPattern.frequency": "daily, weekly, monthly, yearly"},
    ),
    "E-78 a word": (due("tomorrow"), {"dueDate": EXAMPLE}),
    "E-78 a number": (due(1707991200), {"dueDate": EXAMPLE}),
    "E-78 a number in quotes": (due("1707991200"), {"dueDate": EXAMPLE}),
    "E-78 no offset": (due("2024-02-15T10:00:00"), {"dueDate": "with an offset"}),
    "E-78 a day": (due("2024-02-15"), {"dueDate": EXAMPLE}),
    "E-78 24:00": (due("2024-02-15T24:00:00Z"), {"dueDate": "not a time that exists"}),
    "E-78 leap second": (due("2016-12-31T23:59:60Z"), {"dueDate": "not a time that exists"}),
    "E-78 30 February": (due("2024-02-30T10:00:00Z"), {"dueDate": "not a time that exists"}),
    "E-78 offset of a day": (due("2024-02-15T10:00:00+24:00"), {"dueDate": "not a time that exists"}),
    "E-78 zone name": (due("2024-02-15T10:00:00[Europe/Berlin]"), {"dueDate": EXAMPLE}),
    "E-78 year 0": (due("0000-01-01T00:00:00Z"), {"dueDate": "not a time that exists"}),
    "E-78 year 9999": (due("9999-12-31T23:59:59Z"), {"dueDate": "not a time that exists"}),
    "E-78 null": (due(None), {"dueDate": EXAMPLE}),
    "E-78 list": (due([DUE]), {"dueDate": EXAMPLE}),
    "E-79 among other faults": (
        {**GOOD, "title": " ", "isRecurring": True}, {"title": "empty", "recurringPattern": "how it recurs"}
    ),
    "E-79 not a boolean": ({**GOOD, "isRecurring": 1}, {"isRecurring": "true or false"}),
    "E-88 empty": ({**GOOD, "title": ""}, {"title": "empty"}),
    "E-88 spaces": ({**GOOD, "title": "   "}, {"title": "empty"}),
    "E-88 zero-width": ({**GOOD, "title": "\u200b"}, {"title": "visible"}),
    "E-88 256 characters": ({**GOOD, "title": "x" * 256}, {"title": "255 characters"}),
    "E-88 line break": ({**GOOD, "title": "a\nb"}, {"title": "U+000A"}),
    "E-88 number": ({**GOOD, "title": 5}, {"title": "string"}),
    "E-88 null": ({**GOOD, "title": None}, {"title": "string"}),
    "description of 5,001": ({**GOOD, "description": "x" * 5001}, {"description": "5000 characters"}),
    "type in lower case": ({**GOOD, "reminderType": "custom"}, {"reminderType": TYPES}),
    "priority of its own": ({**GOOD, "priority": "ASAP"}, {"priority": "LOW, MEDIUM, HIGH, URGENT"}),
    "minutes below 0": ({**GOOD, "notifyBefore": -1}, {"notifyBefore": "at least 0"}),
    "minutes over a year": ({**GOOD, "notifyBefore": 527041}, {"notifyBefore": "at most 527040"}),
    "half a minute": ({**GOOD, "notifyBefore": 0.5}, {"notifyBefore": "whole number"}),
    "opportunity that is no id": ({**GOOD, "opportunityId": "abc"}, {"opportunityId": "UUID"}),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD_REMINDERS)
def test_bad_reminder_is_refused_with_every_fault(owner: Member, name: str) -> None:
    body, said = BAD_REMINDERS[name]
    told = faults(owner.post("/reminders", body))
    assert set(told) == set(said)
    for field, words in said.items():
        assert words.lower() in told[field].lower(), told


BAD_PATTERNS: dict[str, tuple[dict[str, Any], dict[str, str]]] = {
    "E-79 no pattern": ({**GOOD, "isRecurring": True}, {"recurringPattern": "say how it recurs"}),
    "E-79 null": ({**GOOD, "isRecurring": True, "recurringPattern": None}, {"recurringPattern": "say how it recurs"}),
    "E-79 isRecurring false": ({**pattern(), "isRecurring": False}, {"recurringPattern": "isRecurring is not true"}),
    "E-79 isRecurring left out": (
        {**GOOD, "recurringPattern": {"frequency": "daily"}}, {"recurringPattern": "isRecurring is not true"}
    ),
    "not an object": ({**GOOD, "isRecurring": True, "recurringPattern": "monthly"}, {"recurringPattern": "object"}),
    "empty": ({**GOOD, "isRecurring": True, "recurringPattern": {}}, {"recurringPattern.frequency": "required"}),
    "frequency hourly": (pattern(frequency="hourly"), {"recurringPattern.frequency": "daily, weekly, monthly, yearly"}),
    "frequency in capitals": (pattern(frequency="MONTHLY"), {"recurringPattern.frequency": "daily, weekly"}),
    "interval 0": (pattern(interval=0), {"recurringPattern.interval": "at least 1"}),
    "interval 367": (pattern(interval=367), {"recurringPattern.interval": "at most 366"}),
    "interval in quotes": (pattern(interval="1"), {"recurringPattern.interval": "whole number"}),
    "interval 1.5": (pattern(interval=1.5), {"recurringPattern.interval": "whole number"}),
    "interval null": (pattern(interval=None), {"recurringPattern.interval": "whole number"}),
    "interval true": (pattern(interval=True), {"recurringPattern.interval": "whole number"}),
    "count 0": (pattern(count=0), {"recurringPattern.count": "at least 1"}),
    "count too high": (pattern(count=10_001), {"recurringPattern.count": "at most 10000"}),
    "E-81 end before the due day": (
        pattern(endDate="2024-02-13"),
        {"recurringPattern.endDate": "(2024-02-13) must not be before the day of dueDate (2024-02-15T10:00:00.000Z)"},
    ),
    "E-81 30 February": (pattern(endDate="2024-02-30"), {"recurringPattern.endDate": "not a day of the calendar"}),
    "E-81 with a time": (pattern(endDate="2024-12-31T00:00:00Z"), {"recurringPattern.endDate": "YYYY-MM-DD"}),
    "days of a monthly one": (pattern(daysOfWeek=["MONDAY"]), {"recurringPattern.daysOfWeek": "weekly, not monthly"}),
    "no days": (pattern(frequency="weekly", daysOfWeek=[]), {"recurringPattern.daysOfWeek": "at least one day"}),
    "unknown day": (
        pattern(frequency="weekly", daysOfWeek=["MONDAY", "Mon"]),
        {"recurringPattern.daysOfWeek.1": "did you mean MONDAY"},
    ),
    "day as number": (
        pattern(frequency="weekly", daysOfWeek=[1]), {"recurringPattern.daysOfWeek.0": "MONDAY, TUESDAY"}
    ),
    "days not a list": (pattern(frequency="weekly", daysOfWeek="MONDAY"), {"recurringPattern.daysOfWeek": "list"}),
    "unknown field": (pattern(intervall=2), {"recurringPattern.intervall": "did you mean interval"}),
    "several at once": (
        pattern(frequency="x", interval=0, endDate="x", count="x"),
        {"recurringPattern.frequency": "daily", "recurringPattern.interval": "at least 1",
         "recurringPattern.endDate": "YYYY-MM-DD", "recurringPattern.count": "whole number"},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD_PATTERNS)
def test_bad_pattern_alone_has_its_own_code(owner: Member, name: str) -> None:
    body, said = BAD_PATTERNS[name]
    error = refusal(owner.post("/reminders", body), 400, "INVALID_RECURRING_PATTERN")
    told = {fault["field"]: fault["message"] for fault in error["details"]}
    assert set(told) == set(said)
    for field, words in said.items():
        assert words.lower() in told[field].lower(), told
    together = faults(owner.post("/reminders", {**body, "title": ""}))
    assert set(together) == {"title", *said}


def test_end_is_judged_by_the_accounts_day(server: Served) -> None:
    ahead = in_zone(server, "Pacific/Kiritimati")
    late = {**pattern(endDate="2024-02-15"), "dueDate": "2024-02-15T09:59:59Z"}
    data(ahead.post("/reminders", late), 201)
    error = refusal(ahead.post("/reminders", {**late, "dueDate": DUE}), 400, "INVALID_RECURRING_PATTERN")
    assert error["details"][0]["field"] == "recurringPattern.endDate"
    behind = in_zone(server, "Etc/GMT+12")
    refused(behind.post("/reminders", pattern(endDate="2024-02-13")), 400, "INVALID_RECURRING_PATTERN", "2024-02-13")
    data(behind.post("/reminders", {**pattern(endDate="2024-02-14"), "dueDate": "2024-02-15T11:59:59Z"}), 201)


def test_e_82_completed_twice(owner: Member) -> None:
    made = reminder(owner, DUE)
    done = act(owner, made["id"], "complete")
    answer = owner.post(f"/reminders/{made['id']}/complete")
    refused(answer, 400, "REMINDER_ALREADY_COMPLETED", done["completedAt"], "reopen")


def test_e_83_states_are_named(owner: Member) -> None:
    soon = {"snoozeUntil": (datetime.now(UTC) + timedelta(days=1)).strftime("%Y-%m-%dT%H:%M:%SZ")}
    cancelled = reminder(owner, DUE)
    act(owner, cancelled["id"], "cancel")
    refused(owner.post(f"/reminders/{cancelled['id']}/complete"), 400, "VALIDATION_ERROR", "cancelled", "reopen")
    refused(owner.post(f"/reminders/{cancelled['id']}/snooze", soon), 400, "VALIDATION_ERROR", "cancelled", "reopen")
    completed = reminder(owner, DUE)
    act(owner, completed["id"], "complete")
    refused(owner.post(f"/reminders/{completed['id']}/snooze", soon), 400, "REMINDER_ALREADY_COMPLETED", "completedAt")


BAD_QUERIES = {
    "E-85 upcoming?days=0": "from 1 to 365",
    "E-85 upcoming?days=-1": "from 1 to 365",
    "E-85 upcoming?days=366": "from 1 to 365",
    "E-85 upcoming?days=3651": "from 1 to 365",
    "E-85 upcoming?days=seven": "from 1 to 365",
    "E-85 upcoming?days=7.5": "from 1 to 365",
    "E-85 upcoming?days=": "from 1 to 365",
    "E-85 upcoming?days=1&days=2": "once",
    "E-85 upcoming?day=7": "did you mean days",
    "list ?status=OPEN": "PENDING, SNOOZED, COMPLETED, CANCELLED",
    "list ?status=pending": "did you mean PENDING",
    "list ?reminderType=CALL": TYPES,
    "list ?priority=1": "URGENT",
    "list ?clientId=abc": "UUID",
    "list ?opportunityId=abc": "UUID",
    "list ?dueAfter=yesterday": "2024-03-01",
    "list ?dueBefore=2024-02-30": "not a day of the calendar",
    "list ?dueBefore=2024-02-15T10:00:00": "with an offset",
    "list ?due=2024-02-15": "unknown",
    "list ?limit=101": "from 1 to 100",
    "list ?page=0": "from 1",
    "list ?page=101&limit=100": "cursor",
    "list ?cursor=abc": "not valid",
}


@pytest.mark.parametrize("name", BAD_QUERIES)
def test_bad_query_is_refused(owner: Member, name: str) -> None:
    query = name.partition(" ")[2]
    path = f"/reminders/{query}" if query.startswith("upcoming") else f"/reminders{query}"
    refused(owner.get(path), 400, "VALIDATION_ERROR", BAD_QUERIES[name])


def test_e_86_related_records(owner: Member, bob: Member) -> None:
    theirs, mine, other = make.client(bob)["id"], make.client(owner)["id"], make.client(owner)["id"]
    refused(owner.post("/reminders", {**GOOD, "clientId": theirs}), 404, "CLIENT_NOT_FOUND")
    lead = deal(owner, clientId=other)["id"]
    answer = owner.post("/reminders", {**GOOD, "clientId": mine, "opportunityId": lead})
    refused(answer, 400, "VALIDATION_ERROR", "belongs to another client")
    foreign = deal(bob)["id"]
    refused(owner.post("/reminders", {**GOOD, "opportunityId": foreign}), 404, "OPPORTUNITY_NOT_FOUND")


HARD = {
    # 02:30 at the offset of the day before is the moment 03:30 of that day, and 03:30 it stays.
    "02:30 on the day it is skipped": (
        "America/New_York", "2026-03-08T02:30:00-05:00", "daily", ["2026-03-09T07:30", "2026-03-10T07:30"]
    ),
    "02:30 on the day before": (
        "America/New_York", "2026-03-07T02:30:00-05:00", "daily", ["2026-03-08T07:30", "2026-03-09T06:30"]
    ),
    "31 January": ("UTC", "2026-01-31T09:00:00Z", "monthly", ["2026-02-28T09:00", "2026-03-31T09:00"]),
    "29 February": ("UTC", "2028-02-29T09:00:00Z", "yearly", ["2029-02-28T09:00", "2030-02-28T09:00"]),
}  # fmt: skip


@pytest.mark.parametrize("name", HARD)
def test_e_87_hard_dates_are_taken(server: Served, clock: SettableClock, name: str) -> None:
    zone, first, frequency, expected = HARD[name]
    clock.freeze(datetime.fromisoformat(first))
    member = in_zone(server, zone)
    current = recurring(member, first, {"frequency": frequency})
    found = []
    for _ in expected:
        current = act(member, current["id"], "complete")["nextOccurrence"]
        found.append(current["dueDate"][:16])
    assert found == expected


BAD_MOVES: dict[str, tuple[str, object, str]] = {
    "snooze without a time": ("snooze", {}, "required"),
    "snooze until a word": ("snooze", {"snoozeUntil": "tomorrow"}, EXAMPLE),
    "snooze until a day": ("snooze", {"snoozeUntil": "2030-01-01"}, EXAMPLE),
    "snooze until null": ("snooze", {"snoozeUntil": None}, EXAMPLE),
    "snooze into the past": ("snooze", {"snoozeUntil": "2020-01-01T00:00:00Z"}, "later than now"),
    "snooze for ever": ("snooze", {"snoozeUntil": "9000-01-01T00:00:00Z"}, "five years"),
    "snooze for minutes": ("snooze", {"minutes": 5}, "unknown field minutes"),
    "notes of 5,001": ("complete", {"notes": "x" * 5001}, "5000 characters"),
    "notes as a number": ("complete", {"notes": 5}, "string"),
    "note": ("complete", {"note": "x"}, "did you mean notes"),
    "complete with a list": ("complete", [], "JSON object"),
    "cancel with a reason": ("cancel", {"reason": "x"}, "takes no fields"),
    "reopen with notes": ("reopen", {"notes": "x"}, "takes no fields"),
    "skip with a number": ("skip", {"count": 2}, "takes no fields"),
}


@pytest.mark.parametrize("name", BAD_MOVES)
def test_bad_move_is_refused_and_changes_nothing(owner: Member, name: str) -> None:
    action, body, words = BAD_MOVES[name]
    made = reminder(owner, DUE)
    refused(owner.post(f"/reminders/{made['id']}/{action}", body), 400, "VALIDATION_ERROR", words)
    assert seen(owner, made["id"]) == made


BAD_CHANGES: dict[str, tuple[dict[str, Any], str]] = {
    "nothing": ({}, "nothing to change"),
    "title null": ({"title": None}, "string"),
    "type null": ({"reminderType": None}, TYPES),
    "due date null": ({"dueDate": None}, EXAMPLE),
    "isRecurring null": ({"isRecurring": None}, "true or false"),
    "status": ({"status": "COMPLETED"}, "/complete"),
    "completed at": ({"completedAt": DUE}, "/complete"),
    "version": ({"version": 2}, "read-only"),
    "series": ({"seriesId": "0190b5a4-7c1e-7b3a-9d55-2f6c1f0a8e21"}, "read-only"),
    "misspelt": ({"titel": "x"}, "did you mean title"),
}


@pytest.mark.parametrize("name", BAD_CHANGES)
def test_bad_change_is_refused_and_changes_nothing(owner: Member, name: str) -> None:
    body, words = BAD_CHANGES[name]
    made = reminder(owner, DUE)
    refused(owner.patch(f"/reminders/{made['id']}", body), 400, "VALIDATION_ERROR", words)
    assert seen(owner, made["id"]) == made


@pytest.mark.parametrize(
    "title", ["x" * 255, "<script>alert(1)</script>", "{{7*7}}", "=1+1", "👨‍👩‍👧 Küßchen", "\u202eabc"]
)
def test_odd_title_is_kept_as_it_is(owner: Member, title: str) -> None:
    assert reminder(owner, DUE, title=title)["title"] == title


@pytest.mark.parametrize("moment", ["1970-01-01T00:00:00Z", "0002-01-01T00:00:00Z", "9997-12-31T23:59:59Z"])
def test_distant_due_date_can_be_completed(owner: Member, moment: str) -> None:
    made = recurring(owner, moment, {"frequency": "yearly", "interval": 366})
    assert act(owner, made["id"], "complete")["status"] == "COMPLETED"
