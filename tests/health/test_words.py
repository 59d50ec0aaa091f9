"""A health score in words: each piece of advice where it belongs and nowhere else, praise, and the explanation."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from soloist.health.model import DEFAULT_SCALE, Facts, Health, Moment, assess
from soloist.health.words import explanation, hours, recommendations

NOW = datetime(2024, 6, 30, 12, tzinfo=UTC)
GOOD_ORDER = "All five components are in good order: keep the rhythm."


def said(days_ago: float, *, outbound: bool = True, mood: str | None = None) -> Moment:
    return Moment(NOW - timedelta(days=days_ago), "EMAIL", outbound, mood)


def asked(days_ago: float, hours_later: float) -> list[Moment]:
    return [said(days_ago), said(days_ago - hours_later / 24, outbound=False)]


def client(*moments: Moment, age: int = 400, last: float | None = None, revenue: str = "12000") -> Health:
    in_order = sorted(moments, key=lambda moment: moment.at)
    newest = in_order[-1].at if in_order else None
    contact = newest if last is None else NOW - timedelta(days=last)
    return assess(Facts(NOW, NOW - timedelta(days=age), contact, Decimal(revenue), DEFAULT_SCALE, in_order))


def advice(*moments: Moment, age: int = 400, last: float | None = None, revenue: str = "12000") -> list[str]:
    return recommendations(client(*moments, age=age, last=last, revenue=revenue))


STEADY = [*asked(40, 2), *asked(20, 2), *asked(5, 2)]


def test_nothing_to_do_is_said_too() -> None:
    assert advice(*STEADY) == [GOOD_ORDER]


def test_a_client_never_contacted_is_to_be_introduced_to() -> None:
    assert advice() == ["No contact yet: introduce yourself or schedule a first call."]


@pytest.mark.parametrize(("days", "told"), [(14, False), (15, True), (41, True)])
def test_a_contact_of_more_than_14_days_ago_asks_for_a_follow_up(days: int, told: bool) -> None:
    found = advice(*[said(days, outbound=False)] * 3)
    assert found == ([f"Last contact was {days} days ago: schedule a follow-up."] if told else [GOOD_ORDER])


def test_replies_that_became_faster_are_praised() -> None:
    found = advice(*asked(120, 26), *asked(110, 26), *asked(30, 6), *asked(10, 6))
    assert found == ["Replies came in 6 h at the median, faster than the 26 h before."]


@pytest.mark.parametrize(("before", "recent"), [(6, 26), (6, 6), (6.2, 6.1)])
def test_replies_that_are_as_slow_as_before_are_not_praised(before: float, recent: float) -> None:
    assert advice(*asked(120, before), *asked(30, recent), *asked(10, recent)) == [GOOD_ORDER]


@pytest.mark.parametrize(("later", "told"), [(72, None), (73, "3 days"), (120, "5 days")])
def test_replies_that_take_more_than_three_days_ask_for_another_channel(later: int, told: str | None) -> None:
    found = advice(*asked(60, later), *asked(30, later), *asked(8, later))
    assert found == ([f"Replies take {told} at the median: try another channel, or call."] if told else [GOOD_ORDER])


def test_an_unhappy_client_is_to_be_asked() -> None:
    found = advice(*STEADY, said(4, mood="NEGATIVE"), said(3, mood="NEUTRAL", outbound=False))
    assert found == ["Recent notes sound unhappy: ask what is wrong and agree on a next step."]


@pytest.mark.parametrize(("happy", "told"), [(2, False), (3, True)])
def test_a_happy_client_is_asked_for_a_referral_once_three_moods_say_so(happy: int, told: bool) -> None:
    found = advice(*STEADY, *[said(1, mood="POSITIVE", outbound=False)] * happy)
    line = "The client is happy: a good moment to ask for a referral or a testimonial."
    assert found == ([line] if told else [GOOD_ORDER])


@pytest.mark.parametrize(("count", "noun"), [(1, "1 interaction"), (2, "2 interactions")])
def test_few_contacts_ask_for_a_monthly_one(count: int, noun: str) -> None:
    assert advice(*[said(2, outbound=False)] * count) == [f"Only {noun} in 90 days: plan a monthly check-in."]


@pytest.mark.parametrize(("age", "revenue", "told"), [(29, "0", False), (30, "0", True), (30, "0.01", False)])
def test_a_client_of_a_month_without_revenue_is_offered_a_project(age: int, revenue: str, told: bool) -> None:
    line = "No revenue is booked yet: propose a first project, or log the payments you received."
    assert advice(*STEADY, age=age, revenue=revenue) == ([line] if told else [GOOD_ORDER])


def test_a_neglected_client_gets_all_that_would_help() -> None:
    assert advice(*asked(100, 120), said(50, mood="NEGATIVE"), revenue="0") == [
        "Last contact was 50 days ago: schedule a follow-up.",
        "Replies take 28 days at the median: try another channel, or call.",
        "Recent notes sound unhappy: ask what is wrong and agree on a next step.",
        "Only 1 interaction in 90 days: plan a monthly check-in.",
        "No revenue is booked yet: propose a first project, or log the payments you received.",
    ]


def test_each_component_is_explained_in_one_sentence() -> None:
    happy = [said(41, mood="POSITIVE", outbound=False)]
    assert explanation(client(*asked(60, 10), *happy), "EUR") == {
        "recency": "Last contact was 41 days ago: 66 of 100, a quarter of the score.",
        "frequency": "3 interactions in the last 90 days: 40 of 100.",
        "monetary": "Total revenue is 12000 EUR: 77 of 100.",
        "satisfaction": "The mood of 1 interaction, newer ones weighing more: 100 of 100.",
        "responsiveness": "Replies took 10 h at the median: 89 of 100.",
    }


def test_what_is_not_known_is_explained_as_the_middle() -> None:
    assert explanation(client(age=3, revenue="0"), "USD") == {
        "recency": "There was no contact yet: 50 of 100, a quarter of the score.",
        "frequency": "0 interactions in the last 90 days: 0 of 100.",
        "monetary": "Total revenue is 0 USD: 0 of 100.",
        "satisfaction": "No mood is known from the last 180 days: 50 of 100 as the middle.",
        "responsiveness": "No question was asked in the last 180 days: 50 of 100 as the middle.",
    }


@pytest.mark.parametrize(("days", "text"), [(0.5, "today"), (1, "1 day ago"), (2.9, "2 days ago")])
def test_recency_in_words(days: float, text: str) -> None:
    shown = explanation(client(said(days)), "USD")["recency"]
    assert shown.startswith(f"Last contact was {text}: 100 of 100")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "1 min"), (59, "1 min"), (120, "2 min"), (3599, "59 min"), (3600, "1 h"), (5399, "1 h"), (5400, "2 h"),
        (26 * 3600, "26 h"), (71 * 3600, "71 h"), (72 * 3600, "3 days"), (84 * 3600, "4 days"), (120 * 3600, "5 days"),
    ],
)  # fmt: skip
def test_durations_in_words(seconds: int, text: str) -> None:
    assert hours(seconds) == text
