"""Series of reminders: the zone they keep, and what a change of date, rhythm or end does to them."""

from datetime import UTC, datetime

import pytest

from tests.people import Member, data, refusal, register
from tests.reminders.tasks import MONTHLY, NOW, act, change, in_zone, recurring, reminder
from tests.serving import Served, SettableClock


def day(text: str) -> datetime:
    return datetime.fromisoformat(f"{text}T09:00:00+00:00")


def test_series_keeps_the_zone_in_which_it_began(server: Served, clock: SettableClock) -> None:
    clock.freeze(datetime(2026, 3, 7, 7, 30, tzinfo=UTC))
    owner = in_zone(server, "America/New_York")
    current = recurring(owner, "2026-03-07T02:30:00-05:00", {"frequency": "daily"})
    assert current["timeZone"] == "America/New_York"
    data(owner.patch("/me", {"timeZone": "Asia/Tokyo"}))
    dates = []
    for _ in range(3):
        following = act(owner, current["id"], "complete")["nextOccurrence"]
        dates.append(following["dueDate"])
        current = following
    # 02:30, moved to 03:30 by the clock change on the 8th, then 02:30 summer time.
    assert dates == ["2026-03-08T07:30:00.000Z", "2026-03-09T06:30:00.000Z", "2026-03-10T06:30:00.000Z"]


def test_moving_the_due_date_moves_the_anchor(server: Served, clock: SettableClock) -> None:
    clock.freeze(day("2026-01-31"))
    owner = register(server.url, "owner")
    first = recurring(owner, day("2026-01-31"), {**MONTHLY, "count": 4})
    second = act(owner, first["id"], "complete")["nextOccurrence"]["id"]
    moved = change(owner, second, dueDate="2026-03-05T10:00:00Z")
    assert (moved["occurrence"], moved["dueDate"]) == (2, "2026-03-05T10:00:00.000Z")
    third = act(owner, second, "complete")["nextOccurrence"]
    assert (third["occurrence"], third["dueDate"]) == (3, "2026-04-05T10:00:00.000Z")
    fourth = act(owner, third["id"], "complete")["nextOccurrence"]
    assert act(owner, fourth["id"], "complete")["nextOccurrence"] is None


def test_due_date_can_not_be_moved_past_the_end(alice: Member) -> None:
    made = recurring(alice, day("2026-01-31"), {**MONTHLY, "endDate": "2026-03-31"})
    change(alice, made["id"], dueDate="2026-03-31T23:59:59Z")
    past = alice.patch(f"/reminders/{made['id']}", {"dueDate": "2026-04-01T00:00:00Z"})
    error = refusal(past, 400, "INVALID_RECURRING_PATTERN")
    assert [fault["field"] for fault in error["details"]] == ["recurringPattern.endDate"]


def test_new_end_keeps_the_anchor(server: Served, clock: SettableClock) -> None:
    clock.freeze(day("2026-01-31"))
    owner = register(server.url, "owner")
    first = recurring(owner, day("2026-01-31"), MONTHLY)
    second = act(owner, first["id"], "complete")["nextOccurrence"]["id"]
    change(owner, second, recurringPattern={**MONTHLY, "endDate": "2026-12-31"})
    assert act(owner, second, "complete")["nextOccurrence"]["dueDate"] == "2026-03-31T09:00:00.000Z"


def test_new_rhythm_counts_from_the_present_due_date(server: Served, clock: SettableClock) -> None:
    clock.freeze(day("2026-01-31"))
    owner = register(server.url, "owner")
    first = recurring(owner, day("2026-01-31"), MONTHLY)
    second = act(owner, first["id"], "complete")["nextOccurrence"]["id"]
    change(owner, second, recurringPattern={"frequency": "weekly", "interval": 2})
    third = act(owner, second, "complete")["nextOccurrence"]
    assert (third["occurrence"], third["dueDate"]) == (3, "2026-03-14T09:00:00.000Z")


def test_reminder_can_begin_and_cease_to_recur(server: Served, clock: SettableClock) -> None:
    clock.freeze(day("2026-01-31"))
    owner = register(server.url, "owner")
    made = reminder(owner, day("2026-01-31"))
    begun = change(owner, made["id"], isRecurring=True, recurringPattern={"frequency": "yearly"})
    assert (begun["isRecurring"], begun["occurrence"]) == (True, 1)
    second = act(owner, made["id"], "complete")["nextOccurrence"]
    assert second["dueDate"] == "2027-01-31T09:00:00.000Z"
    ceased = change(owner, second["id"], isRecurring=False)
    assert [ceased[name] for name in ("isRecurring", "recurringPattern", "seriesId", "occurrence", "timeZone")] == [
        False, None, None, None, None,
    ]  # fmt: skip
    assert act(owner, second["id"], "complete")["nextOccurrence"] is None


@pytest.mark.parametrize(
    ("sent", "field", "words"),
    [
        ({"recurringPattern": None}, "recurringPattern", "how it recurs"),
        ({"isRecurring": True, "recurringPattern": None}, "recurringPattern", "how it recurs"),
        ({"isRecurring": False, "recurringPattern": MONTHLY}, "recurringPattern", "leave the pattern out"),
        ({"recurringPattern": {**MONTHLY, "endDate": "2026-02-27"}}, "recurringPattern.endDate", "2026-02-28"),
        ({"recurringPattern": {**MONTHLY, "count": 1}}, "recurringPattern.count", "(2)"),
        ({"recurringPattern": {"interval": 2}}, "recurringPattern.frequency", "required"),
    ],
    ids=str,
)
def test_bad_change_of_a_pattern_is_refused(
    server: Served, clock: SettableClock, sent: dict[str, object], field: str, words: str
) -> None:
    clock.freeze(day("2026-01-31"))
    owner = register(server.url, "owner")
    first = recurring(owner, day("2026-01-31"), MONTHLY)
    second = act(owner, first["id"], "complete")["nextOccurrence"]["id"]
    error = refusal(owner.patch(f"/reminders/{second}", sent), 400, "INVALID_RECURRING_PATTERN")
    assert [(fault["field"], words in fault["message"]) for fault in error["details"]] == [(field, True)]
    once = reminder(owner, NOW)
    alone = owner.patch(f"/reminders/{once['id']}", {"recurringPattern": MONTHLY})
    assert "isRecurring" in refusal(alone, 400, "INVALID_RECURRING_PATTERN")["message"]
    bare = owner.patch(f"/reminders/{once['id']}", {"isRecurring": True})
    assert "how it recurs" in refusal(bare, 400, "INVALID_RECURRING_PATTERN")["message"]
