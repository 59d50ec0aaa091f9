"""The pure rules: when an attempt is repeated, what a receiver may ask for, what has failed for too long."""

from datetime import UTC, datetime, timedelta

import pytest

from soloist.webhooks.model import GAPS, asked_delay, gap_after, has_failed_too_long

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
SCHEDULE = [0, 5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400]  # seconds


def test_the_schedule_is_ten_attempts_over_three_days() -> None:
    assert [gap.total_seconds() for gap in GAPS] == SCHEDULE
    assert sum(SCHEDULE) / 3600 == pytest.approx(75.6, abs=0.03)


@pytest.mark.parametrize("chance", [-1.0, -0.3, 0.0, 0.7, 1.0])
def test_each_gap_is_within_a_fifth_and_the_tenth_attempt_is_the_last(chance: float) -> None:
    at, attempts = NOW, 1
    while (gap := gap_after(attempts, chance)) is not None:
        assert 0.8 * SCHEDULE[attempts] <= gap.total_seconds() <= 1.2 * SCHEDULE[attempts]
        assert gap.total_seconds() == pytest.approx(SCHEDULE[attempts] * (1 + 0.2 * chance), rel=1e-6)
        at += gap
        attempts += 1
    assert attempts == 10
    assert 60.4 <= (at - NOW).total_seconds() / 3600 <= 90.8


@pytest.mark.parametrize(
    ("tries", "asked", "waits"),
    [
        (1, None, 5),
        (1, 1, 5),  # never sooner than the schedule
        (1, 7, 7),
        (1, 3600, 10),  # never later than twice the gap
        (2, 400, 400),
        (9, 86_400 * 7, 172_800),
    ],
)
def test_retry_after_counts_between_the_gap_and_its_double(tries: int, asked: int | None, waits: int) -> None:
    wanted = None if asked is None else timedelta(seconds=asked)
    assert gap_after(tries, 0, wanted) == timedelta(seconds=waits)


@pytest.mark.parametrize(
    ("status", "header", "seconds"),
    [
        (429, "120", 120),
        (502, " 7 ", 7),
        (503, "Sun, 01 Mar 2026 12:05:00 GMT", 300),
        (504, "Sun, 01 Mar 2026 11:00:00 GMT", 0),
        (503, "99999999999999999999", 10**8),
        (500, "120", None),  # not one that asks to slow down
        (200, "120", None),
        (429, None, None),
        (429, "", None),
        (429, "-5", None),
        (429, "soon", None),
        (429, "٣", None),
        (429, "Sun, 99 Foo 2026 99:99:99 GMT", None),
        (429, "1.5", None),
    ],
)
def test_what_a_receiver_asks_for(status: int, header: str | None, seconds: int | None) -> None:
    wanted = None if seconds is None else timedelta(seconds=seconds)
    assert asked_delay(status, header, NOW) == wanted


@pytest.mark.parametrize(
    ("since", "too_long"),
    [
        (None, False),
        (timedelta(days=5), True),
        (timedelta(days=5) - timedelta(milliseconds=1), False),
        (timedelta(days=40), True),
    ],
)
def test_five_days_without_a_success_are_too_long(since: timedelta | None, too_long: bool) -> None:
    assert has_failed_too_long(None if since is None else NOW - since, NOW) is too_long
