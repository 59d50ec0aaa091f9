"""The formula of the health score: every documented point, what lies between, and an oracle in exact fractions."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import product

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from soloist.health.model import (
    DEFAULT_SCALE,
    NEW_CLIENT_SCORE,
    Facts,
    Health,
    Moment,
    Rating,
    assess,
    is_drop,
    overall_score,
    reply_gaps,
    satisfaction_of,
)
from tests.health import oracle
from tests.health.oracle import Said

NOW = datetime(2024, 6, 30, 12, tzinfo=UTC)
LONG_AGO = NOW - timedelta(days=400)
TENTHS = tuple(map(Decimal, ("0.1", "0.2", "0.3", "0.4", "0.5")))


def ago(**by: float) -> datetime:
    return NOW - timedelta(**by)


def said(hours_ago: float, kind: str = "CALL", *, outbound: bool = True, mood: str | None = None) -> Moment:
    return Moment(ago(hours=hours_ago), kind, outbound, mood)


def client(
    *moments: Moment,
    last: datetime | None = None,
    since: datetime = LONG_AGO,
    revenue: str = "0",
    scale: Sequence[Decimal] = DEFAULT_SCALE,
) -> Health:
    return assess(Facts(NOW, since, last, Decimal(revenue), scale, moments))


@pytest.mark.parametrize(
    ("days", "score"),
    [
        (0, 100), (1, 100), (7, 100), (8, 99), (10, 96), (14, 90), (15, 89), (22, 83), (30, 75), (31, 74), (41, 66),
        (45, 63), (60, 50), (61, 49), (75, 38), (90, 25), (91, 25), (92, 24), (108, 20), (135, 13), (179, 0),
        (180, 0), (5000, 0),
    ],
)  # fmt: skip
def test_recency_by_whole_days(days: int, score: int) -> None:
    assert client(last=ago(days=days)).recency == score
    assert client(last=ago(days=days, hours=23, minutes=59)).recency == score


def test_a_contact_that_is_to_come_counts_as_today() -> None:
    assert client(last=ago(hours=-5)).recency == 100


@pytest.mark.parametrize(
    ("age", "score"),
    [
        (timedelta(0), 50),
        (timedelta(days=13, hours=23, minutes=59), 50),
        (timedelta(days=14), 0),
        (timedelta(days=400), 0),
    ],
)
def test_never_contacted_is_50_in_a_clients_first_14_days_only(age: timedelta, score: int) -> None:
    assert client(since=NOW - age).recency == score


@pytest.mark.parametrize(
    ("count", "score"),
    [
        (0, 0), (1, 13), (2, 27), (3, 40), (4, 47), (5, 53), (6, 60), (7, 64), (8, 68), (9, 73), (10, 77), (11, 81),
        (12, 85), (13, 88), (14, 90), (15, 93), (16, 95), (17, 98), (18, 100), (19, 100), (500, 100),
    ],
)  # fmt: skip
def test_frequency_by_interactions_in_90_days(count: int, score: int) -> None:
    assert client(*[said(1)] * count).frequency == score


def test_frequency_leaves_out_what_is_90_days_old() -> None:
    health = client(said(90 * 24), said(90 * 24 - 0.001))
    assert health.inputs.interactions_90_days == 1


@pytest.mark.parametrize(
    ("revenue", "score"),
    [
        ("0", 0), ("0.01", 0), ("19.99", 0), ("20", 1), ("500", 13), ("1000", 25), ("1079.99", 25), ("1080", 26),
        ("3000", 38), ("5000", 50), ("7500", 63), ("10000", 75), ("10500", 76), ("12000", 77), ("25000", 90),
        ("27499.99", 91), ("37500", 95), ("49000", 100), ("50000", 100), ("999999999999.99", 100),
    ],
)  # fmt: skip
def test_monetary_by_total_revenue(revenue: str, score: int) -> None:
    assert client(revenue=revenue).monetary == score


@pytest.mark.parametrize(
    ("revenue", "score"), [("0", 0), ("0.05", 13), ("0.1", 25), ("0.34", 81), ("0.5", 100), ("1", 100)]
)
def test_monetary_by_a_scale_of_ones_own(revenue: str, score: int) -> None:
    assert client(revenue=revenue, scale=TENTHS).monetary == score


@pytest.mark.parametrize(
    ("hours", "score"),
    [
        (0.01, 100), (4, 100), (8, 93), (10, 89), (12, 85), (18, 78), (24, 70), (48, 58), (72, 45), (120, 33),
        (168, 20), (252, 10), (336, 0), (2000, 0),
    ],
)  # fmt: skip
def test_responsiveness_by_median_hours(hours: float, score: int) -> None:
    answered = client(said(hours + 1), said(1, outbound=False))
    assert answered.responsiveness == score
    assert answered.inputs.median_reply_seconds == round(hours * 3600)


def test_what_is_not_known_is_50() -> None:
    health = client()
    assert (health.satisfaction, health.responsiveness) == (50, 50)
    assert (health.inputs.satisfaction, health.inputs.median_reply_seconds, health.inputs.replies) == (None, None, 0)


def test_the_documents_example_is_85() -> None:
    assert overall_score(90, 80, 85, 90, 75) == 85


@pytest.mark.parametrize(
    ("parts", "score"),
    [
        ((0, 0, 0, 0, 0), 0), ((100, 100, 100, 100, 100), 100), ((2, 0, 0, 0, 0), 1), ((1, 0, 0, 0, 0), 0),
        ((0, 0, 0, 0, 3), 0), ((0, 0, 0, 0, 4), 1), ((0, 2, 0, 0, 0), 0), ((0, 1, 1, 1, 0), 1), ((0, 0, 0, 0, 10), 2),
        ((66, 40, 77, 100, 89), 73),
    ],
)  # fmt: skip
def test_overall_is_the_weighted_sum_rounded_half_up(parts: tuple[int, int, int, int, int], score: int) -> None:
    assert overall_score(*parts) == score


def test_a_new_client_starts_with_what_it_is_assessed_at() -> None:
    assert client(since=NOW).overall == NEW_CLIENT_SCORE == 30


def hours_of(*moments: Moment) -> list[float]:
    return [seconds / 3600 for _, seconds in reply_gaps(moments, NOW)]


@pytest.mark.parametrize("kind", ["EMAIL", "MESSAGE", "CALL", "VIDEO_CALL"])
def test_what_asks(kind: str) -> None:
    assert hours_of(said(50, kind), said(20, outbound=False)) == [30]


@pytest.mark.parametrize("kind", ["MEETING", "INVOICE_SENT", "PROPOSAL_SENT", "PAYMENT_RECEIVED", "OTHER"])
def test_what_does_not_ask(kind: str) -> None:
    assert hours_of(said(500, kind), said(20, outbound=False)) == []
    assert hours_of(said(500, kind)) == []
    assert hours_of(said(500, kind), said(30, "EMAIL"), said(20, outbound=False)) == [10]


@pytest.mark.parametrize(
    "kind", ["EMAIL", "MEETING", "PAYMENT_RECEIVED", "CONTRACT_SIGNED", "FEEDBACK_RECEIVED", "OTHER"]
)
def test_any_sign_of_life_answers(kind: str) -> None:
    assert hours_of(said(50), said(20, kind, outbound=False)) == [30]


def test_several_in_a_row_count_from_the_first() -> None:
    assert hours_of(said(90), said(60, "EMAIL"), said(50, "MEETING"), said(20, outbound=False)) == [70]


def test_a_question_is_answered_once() -> None:
    replies = (said(20, outbound=False), said(10, outbound=False))
    assert hours_of(said(50), *replies) == [30]
    assert hours_of(*replies) == []


@pytest.mark.parametrize(("hours", "gaps"), [(1, []), (72, []), (72.01, [72.01]), (1000, [1000])])
def test_unanswered_counts_with_its_age_once_older_than_three_days(hours: float, gaps: list[float]) -> None:
    assert hours_of(said(hours)) == gaps


def test_unanswered_counts_from_the_first_in_a_row_beside_the_answered() -> None:
    assert hours_of(said(200), said(190, outbound=False), said(100), said(2)) == [10, 100]


def test_the_median_of_an_even_number_is_the_mean_of_the_two_in_the_middle() -> None:
    moments = [said(300), said(298, outbound=False), said(200), said(190, outbound=False)]
    assert client(*moments).inputs.median_reply_seconds == 6 * 3600


def test_a_mood_of_60_days_ago_weighs_half() -> None:
    moments = (said(61 * 24, mood="NEGATIVE"), said(24, mood="POSITIVE"))
    assert satisfaction_of(moments) == pytest.approx(200 / 3)
    assert client(*moments).inputs.rated == 2
    assert client(*moments).satisfaction == 67


@pytest.mark.parametrize(("stars", "value"), [(1, 0), (2, 25), (3, 50), (4, 75), (5, 100)])
def test_a_rating_on_the_market_counts_as_a_mood_of_its_age(stars: int, value: int) -> None:
    fresh, old = NOW - timedelta(days=1), NOW - timedelta(days=61)
    assert satisfaction_of([], [Rating(fresh, stars)]) == value
    assert satisfaction_of([said(61 * 24, mood="POSITIVE")], [Rating(fresh, stars)]) == pytest.approx(
        (100 + 2 * value) / 3
    )
    assert satisfaction_of([said(24, mood="NEGATIVE")], [Rating(old, stars)]) == pytest.approx(value / 3)


@pytest.mark.parametrize(
    ("moods", "score"),
    [
        (["POSITIVE"], 100), (["NEUTRAL"], 50), (["NEGATIVE"], 0), ([None], 50), (["POSITIVE", None, None], 100),
        (["POSITIVE", "NEGATIVE"], 50), (["POSITIVE"] * 7 + ["NEGATIVE"], 88), (["NEGATIVE"] * 7 + ["POSITIVE"], 13),
        (["POSITIVE", "POSITIVE", "NEUTRAL"], 83),
    ],
)  # fmt: skip
@pytest.mark.parametrize("hours", [0, 5, 1000, 4319])
def test_moods_of_one_moment_weigh_alike(moods: list[str | None], score: int, hours: int) -> None:
    assert client(*[said(hours, mood=mood) for mood in moods]).satisfaction == score


@pytest.mark.parametrize("apart", [1, 7.5, 31, 100.25])
def test_ties_of_moods_are_rounded_up_whatever_their_age(apart: float) -> None:
    """87.5 on each of two days is 87.5 together, whatever the second day weighs."""
    older = [said(24 * apart, mood=mood) for mood in ["POSITIVE"] * 7 + ["NEGATIVE"]]
    newer = [said(0, mood=mood) for mood in ["POSITIVE"] * 7 + ["NEGATIVE"]]
    assert client(*older, *newer).satisfaction == 88


@pytest.mark.parametrize(
    ("score", "previous", "highest", "drop"),
    [
        (70, 80, 80, True), (71, 80, 80, False), (70, 75, 80, True), (49, 50, 50, True), (49, 51, 51, True),
        (48, 49, 49, False), (39, 49, 49, True), (50, 51, 51, False), (70, 70, 90, False), (70, 60, 90, False),
    ],
)  # fmt: skip
def test_a_drop_is_ten_points_within_the_week_or_a_fall_below_50(
    score: int, previous: int, highest: int, drop: bool
) -> None:
    assert is_drop(score, previous, highest) is drop


KINDS = ("EMAIL", "CALL", "MEETING", "VIDEO_CALL", "MESSAGE", "INVOICE_SENT", "PAYMENT_RECEIVED", "OTHER")
WINDOW_SECONDS = 180 * 86_400 - 1
# Half of the ages are whole days: there the windows and the half-lives end.
ages = st.integers(0, 359).map(lambda day: timedelta(days=day) if day < 180 else None)
WAYS = tuple(product(KINDS, (True, False), (None, "POSITIVE", "NEUTRAL", "NEGATIVE")))
interactions = st.builds(
    lambda day, second, way: Said(NOW - (day or timedelta(seconds=second)), *way),
    ages,
    st.integers(0, WINDOW_SECONDS),
    st.sampled_from(WAYS),
)
books = st.lists(interactions, max_size=9).map(lambda found: sorted(found, key=lambda one: one.at))
amounts = st.one_of(st.integers(0, 6_000_000), st.integers(0, 50).map(lambda thousand: thousand * 100_000))
scales = st.one_of(
    st.just(DEFAULT_SCALE),
    st.lists(st.integers(1, 10**7), min_size=5, max_size=5, unique=True).map(
        lambda steps: tuple(Decimal(step).scaleb(-2) for step in sorted(steps))
    ),
)


@settings(max_examples=2000, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
@given(
    books,
    amounts,
    scales,
    st.integers(0, 400 * 86_400),
    st.one_of(st.none(), st.integers(180, 900).map(lambda days: NOW - timedelta(days=days))),
)
@example([], 0, DEFAULT_SCALE, 14 * 86_400, None)
def test_the_score_equals_exact_arithmetic_done_another_way(
    book: list[Said], cents: int, scale: tuple[Decimal, ...], age: int, long_before: datetime | None
) -> None:
    since, revenue = NOW - timedelta(seconds=age), Decimal(cents).scaleb(-2)
    last = book[-1].at if book else long_before
    found = assess(Facts(NOW, since, last, revenue, scale, [Moment(*one) for one in book]))
    expected = oracle.health(NOW, since, last, revenue, scale, book)
    assert (
        found.overall, found.recency, found.frequency, found.monetary, found.satisfaction, found.responsiveness,
    ) == expected  # fmt: skip
