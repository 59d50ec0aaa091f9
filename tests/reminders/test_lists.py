"""Lists of reminders: what is due today, upcoming and overdue by the account's own day; filters and pages."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests import make
from tests.opportunities.deals import deal
from tests.people import Member, Person, data, faults, refusal, register
from tests.reminders.tasks import NOW, act, in_zone, iso, listed, recurring, reminder, seen, titles
from tests.serving import Served, SettableClock


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


def named(person: Person, **due: str) -> None:
    """Reminders whose titles are the names."""
    for title, moment in due.items():
        reminder(person, moment, title=title)


# Zone, the moment it is, and the first and the last moment of the local day in UTC.
DAYS = {
    "UTC": ("UTC", "2026-06-10T12:00Z", "2026-06-10T00:00Z", "2026-06-10T23:59:59.999Z"),
    "UTC+14, a day ahead": ("Pacific/Kiritimati", "2026-06-10T12:00Z", "2026-06-10T10:00Z", "2026-06-11T09:59:59.999Z"),
    "UTC-12, a day behind": ("Etc/GMT+12", "2026-06-10T11:00Z", "2026-06-09T12:00Z", "2026-06-10T11:59:59.999Z"),
    "23 hours": ("America/New_York", "2026-03-08T12:00Z", "2026-03-08T05:00Z", "2026-03-09T03:59:59.999Z"),
    "25 hours": ("America/New_York", "2026-11-01T12:00Z", "2026-11-01T04:00Z", "2026-11-02T04:59:59.999Z"),
    "no midnight": ("America/Sao_Paulo", "2018-11-04T12:00Z", "2018-11-04T03:00Z", "2018-11-05T01:59:59.999Z"),
    "two midnights": ("America/Havana", "2026-11-01T12:00Z", "2026-11-01T04:00Z", "2026-11-02T04:59:59.999Z"),
    "half an hour more": ("Australia/Lord_Howe", "2026-04-05T01:00Z", "2026-04-04T13:00Z", "2026-04-05T13:29:59.999Z"),
    "after the missing day": ("Pacific/Apia", "2011-12-30T11:00Z", "2011-12-30T10:00Z", "2011-12-31T09:59:59.999Z"),
}


@pytest.mark.parametrize("name", DAYS)
def test_today_is_the_accounts_day(server: Served, clock: SettableClock, name: str) -> None:
    zone, now, first, last = DAYS[name]
    clock.freeze(at(now))
    owner = in_zone(server, zone)
    before, after = at(first) - timedelta(milliseconds=1), at(last) + timedelta(milliseconds=1)
    named(owner, before=iso(before), first=first, last=last, after=iso(after))
    assert titles(owner, "today") == ["first", "last"]


@pytest.mark.parametrize("name", DAYS)
def test_upcoming_ends_with_the_accounts_day(server: Served, clock: SettableClock, name: str) -> None:
    zone, inside, first, last = DAYS[name]
    clock.freeze(at(first) - timedelta(days=6, hours=12))  # the middle of a usual day
    owner = in_zone(server, zone)
    now, end = clock(), at(last)
    days = 8 if "missing day" in name else 7  # by the calendar
    named(owner, past=iso(now - timedelta(milliseconds=1)), now=iso(now), inside=inside)
    named(owner, last=iso(end), after=iso(end + timedelta(milliseconds=1)))
    assert titles(owner, f"upcoming?days={days}") == ["now", "inside", "last"]
    assert titles(owner, f"upcoming?days={days - 1}") == ["now"]
    assert titles(owner, "upcoming?days=365") == ["now", "inside", "last", "after"]
    assert titles(owner, "upcoming") == titles(owner, "upcoming?days=7")


def test_today_holds_what_has_already_passed(server: Served, clock: SettableClock) -> None:
    clock.freeze(NOW)
    owner = register(server.url, "owner")
    named(owner, passed=iso(NOW - timedelta(hours=1)), ahead=iso(NOW + timedelta(hours=1)))
    entries = data(owner.get("/reminders/today"))
    assert [(entry["title"], entry["isOverdue"]) for entry in entries] == [("passed", True), ("ahead", False)]
    assert titles(owner, "overdue") == ["passed"]
    assert titles(owner, "upcoming") == ["ahead"]


def test_moment_itself_is_upcoming_not_overdue(server: Served, clock: SettableClock) -> None:
    clock.freeze(NOW)
    owner = register(server.url, "owner")
    named(owner, now=iso(NOW))
    assert (titles(owner, "overdue"), titles(owner, "upcoming?days=1")) == ([], ["now"])
    clock.freeze(NOW + timedelta(milliseconds=1))
    assert (titles(owner, "overdue"), titles(owner, "upcoming?days=1")) == (["now"], [])


def test_reminder_becomes_overdue_as_time_passes(server: Served, clock: SettableClock) -> None:
    clock.freeze(NOW)
    owner = register(server.url, "owner")
    made = reminder(owner, NOW + timedelta(minutes=5))
    assert made["isOverdue"] is False
    clock.advance(minutes=6)
    assert seen(owner, made["id"])["isOverdue"] is True
    assert listed(owner)[0]["isOverdue"] is True


def test_snooze_moves_a_reminder_between_the_lists(server: Served, clock: SettableClock) -> None:
    clock.freeze(NOW)
    owner = register(server.url, "owner")
    made = reminder(owner, NOW - timedelta(hours=2), title="snoozed")
    act(owner, made["id"], "snooze", {"snoozeUntil": iso(NOW + timedelta(days=3))})
    assert [titles(owner, path) for path in ("today", "overdue", "upcoming?days=2", "upcoming?days=3")] == [
        [], [], [], ["snoozed"],
    ]  # fmt: skip


def test_only_open_reminders_are_in_the_lists(server: Served, clock: SettableClock) -> None:
    clock.freeze(NOW)
    owner = register(server.url, "owner")
    for action in ("complete", "cancel"):
        act(owner, reminder(owner, NOW - timedelta(hours=1))["id"], action)
        act(owner, reminder(owner, NOW + timedelta(hours=1))["id"], action)
    assert [titles(owner, path) for path in ("today", "overdue", "upcoming")] == [[], [], []]
    assert data(owner.get("/reminders"))["total"] == 4


def test_reminders_of_archived_clients_are_silent_until_restored(server: Served, clock: SettableClock) -> None:
    clock.freeze(NOW)
    owner = register(server.url, "owner")
    client = make.client(owner)
    reminder(owner, NOW - timedelta(hours=1), clientId=client["id"], title="theirs")
    reminder(owner, NOW - timedelta(hours=1), title="own")
    data(owner.post(f"/clients/{client['id']}/archive"))
    assert [titles(owner, path) for path in ("today", "overdue")] == [["own"], ["own"]]
    assert data(owner.get("/reminders"))["total"] == 2
    data(owner.post(f"/clients/{client['id']}/restore"))
    assert titles(owner, "overdue") == ["theirs", "own"]


def test_lists_show_only_ones_own(alice: Member, bob: Member) -> None:
    reminder(bob, datetime.now(UTC) + timedelta(seconds=-1))
    assert [data(alice.get(f"/reminders/{path}")) for path in ("today", "overdue", "upcoming")] == [[], [], []]
    assert data(alice.get("/reminders"))["reminders"] == []


def test_lists_answer_whole_reminders(alice: Member) -> None:
    made = recurring(alice, datetime.now(UTC) + timedelta(hours=1), {"frequency": "weekly", "daysOfWeek": ["FRIDAY"]})
    assert data(alice.get("/reminders/upcoming")) == [made] == listed(alice)


# --- search ---


@pytest.fixture
def book(server: Served, clock: SettableClock) -> tuple[Member, dict[str, str]]:
    """Four reminders around noon of 10 June 2026 in New York, and the ids they hang on."""
    clock.freeze(NOW)
    owner = register(server.url, "owner", timeZone="America/New_York")
    client, other = make.client(owner), make.client(owner)
    lead = deal(owner, clientId=client["id"])
    ids = {"client": client["id"], "other": other["id"], "deal": lead["id"]}
    reminder(owner, "2026-06-09T23:30:00-04:00", title="a", clientId=client["id"], priority="LOW")
    reminder(owner, "2026-06-10T00:00:00-04:00", title="b", opportunityId=lead["id"], reminderType="MEETING")
    done = reminder(owner, "2026-06-10T23:59:59.999-04:00", title="c", clientId=other["id"], priority="URGENT")
    act(owner, done["id"], "complete")
    put_off = reminder(owner, "2026-06-08T12:00:00-04:00", title="d", reminderType="CHECK_IN")
    act(owner, put_off["id"], "snooze", {"snoozeUntil": "2026-06-11T00:00:00-04:00"})
    return owner, ids


SEARCHES: dict[str, str] = {
    "": "abcd",
    "clientId={client}": "ab",
    "clientId={other}": "c",
    "opportunityId={deal}": "b",
    "clientId={client}&opportunityId={deal}": "b",
    "clientId=0190b5a4-7c1e-7b3a-9d55-2f6c1f0a8e21": "",
    "status=PENDING": "ab",
    "status=PENDING&status=SNOOZED": "abd",
    "status=COMPLETED,SNOOZED": "cd",
    "status[]=CANCELLED": "",
    "reminderType=MEETING,CHECK_IN": "bd",
    "priority=LOW&priority=URGENT": "ac",
    "dueAfter=2026-06-10": "bcd",
    "dueBefore=2026-06-10": "abc",
    "dueAfter=2026-06-10&dueBefore=2026-06-10": "bc",
    "dueAfter=2026-06-10T04:00:00.001Z": "cd",
    "dueAfter=2026-06-10T04:00:00Z": "bcd",
    "dueBefore=2026-06-10T04:00:00Z": "ab",
    "dueBefore=2026-06-10T03:59:59.999Z": "a",
    "dueBefore=2026-06-08": "",
    "limit=2": "ab",
    "limit=2&page=2": "cd",
    "limit=3&page=2": "d",
    "page=3": "",
}


@pytest.mark.parametrize("query", SEARCHES)
def test_every_parameter_narrows_the_list(book: tuple[Member, dict[str, str]], query: str) -> None:
    owner, ids = book
    answer = data(owner.get(f"/reminders?{query.format(**ids)}"))
    assert "".join(entry["title"] for entry in answer["reminders"]) == SEARCHES[query]
    if "page" not in query and "limit" not in query:
        assert answer["total"] == len(SEARCHES[query])


def test_bounds_the_wrong_way_round_are_refused_with_both(alice: Member) -> None:
    told = faults(alice.get("/reminders?dueAfter=2026-06-11&dueBefore=2026-06-10"))["dueAfter"]
    assert "2026-06-11" in told
    assert "2026-06-10" in told
    data(alice.get("/reminders?dueAfter=2026-06-10&dueBefore=2026-06-10"))


def test_cursor_goes_through_equal_dates_once(alice: Member, bob: Member) -> None:
    made = [reminder(alice, NOW + timedelta(minutes=number // 4), title=str(number)) for number in range(11)]
    found: list[dict[str, Any]] = []
    query = "/reminders?limit=3"
    cursor = None
    while True:
        page = data(alice.get(query + (f"&cursor={cursor}" if cursor else "")))
        assert page["total"] == 11
        found += page["reminders"]
        cursor = page["nextCursor"]
        if cursor is None:
            break
        refusal(bob.get(f"{query}&cursor={cursor}"), 400, "VALIDATION_ERROR")
    assert [entry["id"] for entry in found] == [entry["id"] for entry in made]
