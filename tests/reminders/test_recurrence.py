"""Recurrence, purely: a table of hard cases, an independent implementation, and what holds of every series."""

import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from soloist.reminders.recurrence import WEEK, Frequency, Pattern, Series, Step, Weekday
from tests.reminders.oracle import occurrences

TABLE = Path(__file__).parents[1] / "data" / "recurrences.jsonl"
CASES: dict[str, dict[str, Any]] = {case["case"]: case for case in map(json.loads, TABLE.read_text().splitlines())}
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
DAYS_MISSING = "Pacific/Apia"
ZONES = (
    "UTC", "America/New_York", "Europe/Berlin", "Australia/Lord_Howe", "Africa/Casablanca", "Pacific/Kiritimati",
    "Etc/GMT+12", "Antarctica/Troll", "America/Havana", "Asia/Kathmandu", DAYS_MISSING,
)  # fmt: skip


def series_of(case: dict[str, Any]) -> Series:
    days = tuple(Weekday(day) for day in case.get("days", ()))
    end = date.fromisoformat(case["end"]) if "end" in case else None
    pattern = Pattern(Frequency(case["frequency"]), case.get("interval", 1), end, case.get("count"), days)
    return Series(datetime.fromisoformat(case["due"][0]).astimezone(UTC), ZoneInfo(case["zone"]), pattern)


def test_the_table_is_long_enough_to_mean_something() -> None:
    assert len(CASES) == len(TABLE.read_text().splitlines()) >= 60


@pytest.mark.parametrize("name", CASES)
def test_each_date_is_the_tabled_one(name: str) -> None:
    case = CASES[name]
    series, tabled = series_of(case), case["due"]
    due = [series.due(number) for number in range(1, len(tabled) + 1)]
    assert due == [datetime.fromisoformat(text) for text in tabled]
    assert all(moment is not None and moment.tzinfo is UTC for moment in due)
    # The wall clock too: the table's offset is that of the zone at that moment.
    shown = [moment.astimezone(series.zone).utcoffset() for moment in due if moment]
    assert shown == [datetime.fromisoformat(text).utcoffset() for text in tabled]


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if {"end", "count"} & case.keys()])
def test_series_with_an_end_is_over_after_its_last_date(name: str) -> None:
    series, last = series_of(CASES[name]), len(CASES[name]["due"])
    assert series.due(last + 1) is None
    assert series.following(last) == Step(last + 1, None, 0)


@pytest.mark.parametrize("name", CASES)
def test_another_implementation_gives_the_same_dates(name: str) -> None:
    series = series_of(CASES[name])
    ours = [series.due(number) for number in range(1, 21)]
    theirs = occurrences(series.anchor, series.zone, series.pattern, 20)
    assert [moment for moment in ours if moment] == theirs


intervals = st.one_of(st.integers(1, 5), st.integers(1, 366))
patterns = st.builds(
    Pattern,
    st.sampled_from(Frequency),
    intervals,
    days_of_week=st.lists(st.sampled_from(WEEK), unique=True, max_size=7).map(tuple),
)
# More of the last days of months and of 29 February than chance would bring.
anchors = st.one_of(
    st.integers(0, 135 * 365 * 1440).map(lambda minutes: EPOCH + timedelta(minutes=minutes)),
    st.builds(
        lambda year, minutes: datetime(year, 3, 1, tzinfo=UTC) - timedelta(minutes=minutes),
        st.integers(1970, 2104),
        st.integers(1, 60 * 1440),
    ),
)
all_series = st.builds(Series, anchors, st.sampled_from(ZONES).map(ZoneInfo), patterns)


@settings(max_examples=500, deadline=None, database=None)
@given(all_series)
def test_dates_strictly_increase_and_the_nth_equals_going_on_n_times(series: Series) -> None:
    number, due = 1, series.anchor
    for _ in range(10):
        step = series.following(number)
        assert step.due is not None
        assert step.due > due
        assert step.due == series.due(step.number)
        assert step.number == number + 1 or series.zone.key == DAYS_MISSING
        number, due = step.number, step.due


def test_the_same_holds_of_ten_thousand_series_drawn_at_random() -> None:
    draw, zones = Random(20240229), [ZoneInfo(name) for name in ZONES]
    for _ in range(10_000):
        days = tuple(draw.sample(WEEK, draw.randrange(8)))
        interval = draw.choice((1, 1, 2, 3, draw.randint(1, 366)))
        anchor = EPOCH + timedelta(minutes=draw.randrange(135 * 365 * 1440))
        pattern = Pattern(draw.choice(tuple(Frequency)), interval, days_of_week=days)
        series = Series(anchor, draw.choice(zones), pattern)
        first = series.following(1)
        second = series.following(first.number)
        assert first.due is not None
        assert second.due is not None
        assert series.anchor < first.due < second.due, series
        assert (series.due(first.number), series.due(second.number)) == (first.due, second.due), series
        assert second.number == 3 or series.zone.key == DAYS_MISSING


@settings(max_examples=500, deadline=None, database=None)
@given(all_series, st.integers(1, 20), st.integers(0, 20_000))
def test_the_next_after_a_moment_is_the_first_that_is_later(series: Series, number: int, days: int) -> None:
    own = series.due(number)
    assert own is not None
    after = own + timedelta(days=days)
    step = series.following(number, after)
    if step.due is None:
        return
    before = series.due(step.number - 1)
    assert before is not None
    assert before <= after < step.due
    assert step.skipped == step.number - number - 1


@settings(max_examples=200, deadline=None, database=None)
@given(all_series)
def test_another_implementation_agrees_on_any_series(series: Series) -> None:
    weekday = WEEK[series.anchor.astimezone(series.zone).weekday()]
    days = {*series.pattern.days_of_week, weekday} if series.pattern.days_of_week else set()
    weekly = series.pattern.frequency is Frequency.WEEKLY
    pattern = Pattern(series.pattern.frequency, series.pattern.interval, days_of_week=tuple(days) if weekly else ())
    ours = Series(series.anchor, series.zone, pattern)
    assert [ours.due(number) for number in range(2, 9)] == occurrences(ours.anchor, ours.zone, pattern, 8)[1:]


@settings(max_examples=500, deadline=None, database=None)
@given(all_series, st.integers(1, 20), st.one_of(st.none(), st.integers(1, 30)))
def test_no_date_lies_past_the_end(series: Series, number: int, count: int | None) -> None:
    last = series.due(number)
    assert last is not None
    end_on = last.astimezone(series.zone).date()
    pattern = Pattern(series.pattern.frequency, series.pattern.interval, end_on, count, series.pattern.days_of_week)
    ended = Series(series.anchor, series.zone, pattern)
    dates = [ended.due(each) for each in range(1, number + 10)]
    there = [moment for moment in dates if moment]
    assert all(moment.astimezone(series.zone).date() <= end_on for moment in there) or series.zone.key == DAYS_MISSING
    assert dates == there + [None] * (len(dates) - len(there))
    if count is None or count >= number:
        assert dates[number - 1] == last or series.zone.key == DAYS_MISSING


def monthly(anchor: str, **fields: Any) -> Series:
    return Series(datetime.fromisoformat(anchor), ZoneInfo("UTC"), Pattern(Frequency.MONTHLY, **fields))


def test_missed_occurrences_are_counted_up_to_the_next() -> None:
    series = monthly("2024-01-31T09:00Z")
    assert series.following(1, datetime(2024, 5, 15, tzinfo=UTC)) == Step(
        5, datetime(2024, 5, 31, 9, tzinfo=UTC), skipped=3
    )


def test_an_occurrence_at_this_very_moment_is_missed() -> None:
    step = monthly("2024-01-31T09:00Z").following(1, datetime(2024, 2, 29, 9, tzinfo=UTC))
    assert step == Step(3, datetime(2024, 3, 31, 9, tzinfo=UTC), skipped=1)


def test_the_next_one_never_lies_before_the_occurrence_itself() -> None:
    step = monthly("2024-01-31T09:00Z").following(2, datetime(2023, 1, 1, tzinfo=UTC))
    assert step == Step(3, datetime(2024, 3, 31, 9, tzinfo=UTC), skipped=0)


def test_missed_occurrences_are_counted_when_the_series_is_over() -> None:
    series = monthly("2024-01-31T09:00Z", end_on=date(2024, 4, 30))
    assert series.following(1, datetime(2030, 1, 1, tzinfo=UTC)) == Step(5, None, skipped=3)


def test_anchor_moved_in_the_middle_keeps_the_numbers() -> None:
    series = Series(datetime(2024, 4, 5, tzinfo=UTC), ZoneInfo("UTC"), Pattern(Frequency.MONTHLY, count=4), number=3)
    assert series.due(3) == datetime(2024, 4, 5, tzinfo=UTC)
    assert series.following(3) == Step(4, datetime(2024, 5, 5, tzinfo=UTC), skipped=0)
    assert series.following(4).due is None


def test_anchor_in_the_second_hour_of_a_fold_stays_there() -> None:
    second = datetime.fromisoformat("2026-11-01T01:30-05:00").astimezone(UTC)
    series = Series(second, ZoneInfo("America/New_York"), Pattern(Frequency.DAILY))
    assert series.due(1) == second
    assert series.due(2) == datetime.fromisoformat("2026-11-02T01:30-05:00")


def test_first_occurrence_may_lie_on_no_day_of_the_week() -> None:
    pattern = Pattern(Frequency.WEEKLY, days_of_week=(Weekday.MONDAY, Weekday.FRIDAY))
    series = Series(datetime(2026, 1, 7, 9, tzinfo=UTC), ZoneInfo("UTC"), pattern)  # a Wednesday
    assert [str(series.due(number))[:10] for number in (1, 2, 3)] == ["2026-01-07", "2026-01-09", "2026-01-12"]


def test_day_that_a_zone_left_out_counts_once() -> None:
    series = series_of(CASES["daily over Apia's missing day"])
    third = series.following(2)
    assert (third.number, third.due) == (4, series.due(4))


def test_series_ends_where_the_calendar_does() -> None:
    series = Series(datetime(9997, 12, 31, tzinfo=UTC), ZoneInfo("UTC"), Pattern(Frequency.YEARLY, 366))
    assert series.following(1) == Step(2, None, 0)
    long = Series(datetime(2, 1, 1, tzinfo=UTC), ZoneInfo("UTC"), Pattern(Frequency.DAILY))
    assert long.following(1, datetime(2026, 1, 1, tzinfo=UTC)).skipped > 700_000
