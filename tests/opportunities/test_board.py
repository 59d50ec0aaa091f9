"""Pipeline, statistics and forecast: each number against a plain sum in Python."""

import random
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import pytest

from tests import make
from tests.opportunities.deals import OPEN_STAGES, act, deal, lasting, move
from tests.people import Member, Person, data, register
from tests.serving import Served, SettableClock

Deal = dict[str, Any]
NOTHING = {"totalValue": 0, "weightedValue": 0, "unconverted": []}


def cents(amount: Decimal, places: int = 2) -> Decimal:
    return amount.quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP)


def total(deals: list[Deal]) -> Decimal:
    return sum((Decimal(str(one["estimatedValue"])) for one in deals), Decimal(0))


def weighted(deals: list[Deal]) -> Decimal:
    return sum((Decimal(str(one["estimatedValue"])) * one["probability"] / 100 for one in deals), Decimal(0))


def number(value: float) -> Decimal:
    return Decimal(str(value))


def pipeline(person: Person) -> dict[str, Any]:
    shown: dict[str, Any] = data(person.get("/opportunities/pipeline"))
    return shown


def stats(person: Person, query: str = "") -> dict[str, Any]:
    shown: dict[str, Any] = data(person.get(f"/opportunities/stats{query}"))
    return shown


def forecast(person: Person) -> dict[str, Any]:
    shown: dict[str, Any] = data(person.get("/opportunities/forecast"))
    return shown


def test_nothing_to_show_is_four_empty_stages_and_zeros(alice: Member) -> None:
    assert pipeline(alice) == {
        "stages": [{"stage": stage, "opportunities": [], "count": 0, **NOTHING} for stage in OPEN_STAGES],
        "summary": {"totalOpportunities": 0, **NOTHING, "avgDealSize": 0, "currency": "USD"},
    }
    assert stats(alice) == {
        "total": 0, "open": 0, "won": 0, "lost": 0, "winRate": 0, "totalWonValue": 0, "totalLostValue": 0,
        "totalOpenValue": 0, "avgDealSize": 0, "avgTimeToClose": 0, "bySource": {},
        "byStage": dict.fromkeys(OPEN_STAGES, 0), "currency": "USD", "unconverted": [], "recalculating": False,
    }  # fmt: skip
    assert forecast(alice) == {"months": [], "currency": "USD"}


def test_board_shows_each_deal_whole_in_its_stage_newest_first(alice: Member) -> None:
    made = [deal(alice, stage=stage) for stage in (*OPEN_STAGES, *OPEN_STAGES)]
    for column, stage in zip(pipeline(alice)["stages"], OPEN_STAGES, strict=True):
        assert column["stage"] == stage
        assert column["opportunities"] == [one for one in reversed(made) if one["stage"] == stage]
        assert column["count"] == 2


def test_held_deals_are_on_the_board_and_closed_ones_are_not(alice: Member) -> None:
    held, won, lost = (deal(alice, stage="PROPOSAL", estimatedValue=100) for _ in range(3))
    act(alice, held["id"], "hold")
    move(alice, won["id"], "WON")
    move(alice, lost["id"], "LOST")
    shown = pipeline(alice)
    assert [one["id"] for one in shown["stages"][2]["opportunities"]] == [held["id"]]
    assert shown["summary"]["totalOpportunities"] == 1
    assert forecast(alice)["months"][0]["count"] == 1


def test_weight_is_the_deals_own_probability(alice: Member) -> None:
    deal(alice, estimatedValue=1000, probability=33)
    deal(alice, estimatedValue=1000)
    assert pipeline(alice)["stages"][0]["weightedValue"] == 430


@pytest.mark.parametrize("base", ["USD", "JPY", "KWD"])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_board_and_forecast_equal_a_plain_sum_over_random_deals(server: Served, base: str, seed: int) -> None:
    places = {"USD": 2, "JPY": 0, "KWD": 3}[base]
    owner = register(server.url, "board", baseCurrency=base)
    draw = random.Random(seed)
    made = []
    for _ in range(40):
        value = float(cents(Decimal(draw.randrange(10**7)) / 1000, places))
        day = (None, (date(2024, 1, 1) + timedelta(days=draw.randrange(120))).isoformat())[draw.random() < 0.8]
        made.append(
            deal(
                owner,
                stage=draw.choice(OPEN_STAGES),
                estimatedValue=value,
                probability=draw.choice((None, 1, 33, 99)),
                expectedCloseDate=day,
            )
        )
    shown = pipeline(owner)
    for column in shown["stages"]:
        own = [one for one in made if one["stage"] == column["stage"]]
        assert column["count"] == len(own)
        assert number(column["totalValue"]) == total(own)
        assert number(column["weightedValue"]) == cents(weighted(own), places)
    summary = shown["summary"]
    assert summary["totalOpportunities"] == 40
    assert number(summary["totalValue"]) == total(made)
    assert number(summary["weightedValue"]) == cents(weighted(made), places)
    assert number(summary["avgDealSize"]) == cents(total(made) / 40, places)
    assert summary["currency"] == base
    months = sorted({(one["expectedCloseDate"] or "9999-12")[:7] for one in made})
    told = forecast(owner)["months"]
    assert [one["month"] or "9999-12" for one in told] == months
    for one in told:
        own = [other for other in made if (other["expectedCloseDate"] or "")[:7] == (one["month"] or "")]
        assert one["count"] == len(own)
        assert number(one["totalValue"]) == total(own)
        assert number(one["weightedValue"]) == cents(weighted(own), places)


def test_half_a_cent_is_rounded_up(alice: Member) -> None:
    deal(alice, estimatedValue=0.05)
    assert pipeline(alice)["stages"][0]["weightedValue"] == 0.01
    deal(alice, estimatedValue=0.02, stage="QUALIFIED")
    shown = pipeline(alice)
    assert shown["stages"][1]["weightedValue"] == 0.01
    assert shown["summary"]["weightedValue"] == 0.01
    assert shown["summary"]["avgDealSize"] == 0.04


def test_deals_of_archived_clients_leave_board_and_forecast_but_not_the_statistics(alice: Member) -> None:
    client = make.client(alice)
    inside = deal(alice, clientId=client["id"], estimatedValue=700, expectedCloseDate="2024-05-01")
    held = deal(alice, clientId=client["id"], estimatedValue=50)
    won = deal(alice, clientId=client["id"], estimatedValue=40)
    outside = deal(alice, estimatedValue=7)
    act(alice, held["id"], "hold")
    move(alice, won["id"], "WON")
    before_board, before_stats, before_forecast = pipeline(alice), stats(alice), forecast(alice)
    assert before_board["summary"]["totalValue"] == 757
    data(alice.post(f"/clients/{client['id']}/archive"))
    after = pipeline(alice)
    assert [one["id"] for one in after["stages"][0]["opportunities"]] == [outside["id"]]
    assert (after["summary"]["totalOpportunities"], after["summary"]["totalValue"]) == (1, 7)
    assert forecast(alice)["months"] == [
        {"month": None, "count": 1, "totalValue": 7, "weightedValue": 0.7, "unconverted": []}
    ]
    assert stats(alice) == before_stats
    assert before_stats["totalOpenValue"] == 757
    data(alice.post(f"/clients/{client['id']}/restore"))
    restored = {one["id"] for one in pipeline(alice)["stages"][0]["opportunities"]}
    assert restored == {inside["id"], held["id"], outside["id"]}
    assert forecast(alice) == before_forecast


# --- statistics ---


def oracle(deals: list[Deal]) -> dict[str, Any]:
    """The statistics of these deals, by the formulas in words."""
    won = [one for one in deals if one["status"] == "WON"]
    lost = [one for one in deals if one["status"] == "LOST"]
    live = [one for one in deals if one["status"] in ("OPEN", "ON_HOLD")]
    seconds = sum(
        (datetime.fromisoformat(one["closedAt"]) - datetime.fromisoformat(one["createdAt"])).total_seconds()
        for one in won
    )
    days = Decimal(round(seconds * 1000)) / (len(won) * 86_400_000) if won else Decimal(0)
    rate = Decimal(100 * len(won)) / (len(won) + len(lost)) if won or lost else Decimal(0)
    return {
        "total": len(deals),
        "open": len(live),
        "won": len(won),
        "lost": len(lost),
        "winRate": int(cents(rate, 0)),
        "totalWonValue": total(won),
        "totalLostValue": total(lost),
        "totalOpenValue": total(live),
        "avgDealSize": cents(total(won) / len(won)) if won else 0,
        "avgTimeToClose": int(cents(days, 0)),
        "bySource": dict(Counter(one["source"] for one in deals)),
        "byStage": {stage: sum(one["stage"] == stage for one in live) for stage in OPEN_STAGES},
        "currency": "USD",
        "unconverted": [],
        "recalculating": False,
    }


def exact(shown: dict[str, Any]) -> dict[str, Any]:
    return {name: number(value) if isinstance(value, float) else value for name, value in shown.items()}


@pytest.mark.parametrize("seed", [11, 12, 13])
def test_statistics_equal_a_plain_count_over_random_deals(server: Served, clock: SettableClock, seed: int) -> None:
    draw = random.Random(seed)
    start = datetime(2024, 1, 1, tzinfo=UTC)
    clock.freeze(start)
    owner = lasting(register(server.url, "stats"))
    made = []
    for _ in range(30):
        clock.freeze(start + timedelta(seconds=draw.randrange(86_400 * 10)))
        made.append(
            deal(owner, source=draw.choice(("REFERRAL", "OTHER", "PARTNERSHIP")), stage=draw.choice(OPEN_STAGES),
                 estimatedValue=draw.randrange(10**6) / 100)
        )  # fmt: skip
    for index, one in enumerate(made):
        clock.freeze(start + timedelta(days=11, seconds=draw.randrange(86_400 * 3)))
        what = draw.choice(("WON", "WON", "LOST", "hold", None))
        if what == "hold":
            made[index] = act(owner, one["id"], "hold")
        elif what:
            made[index] = move(owner, one["id"], what)
    assert exact(stats(owner)) == oracle(made)
    for _ in range(5):
        low, high = sorted(draw.sample(range(11), 2))
        first, last = (start + timedelta(days=low)).date(), (start + timedelta(days=high)).date()
        inside = [one for one in made if first.isoformat() <= one["createdAt"][:10] <= last.isoformat()]
        assert exact(stats(owner, f"?startDate={first}&endDate={last}")) == oracle(inside)


@pytest.mark.parametrize(
    ("won", "lost", "rate"), [(1, 0, 100), (0, 1, 0), (1, 1, 50), (1, 2, 33), (2, 1, 67), (5, 3, 63), (1, 7, 13)]
)
def test_win_rate_is_the_whole_percent_of_won_among_closed_half_up(
    alice: Member, won: int, lost: int, rate: int
) -> None:
    deal(alice)
    for end in ["WON"] * won + ["LOST"] * lost:
        move(alice, deal(alice)["id"], end)
    assert stats(alice)["winRate"] == rate


@pytest.mark.parametrize(
    ("hours", "days"),
    [([0], 0), ([11], 0), ([12], 1), ([36], 2), ([35], 1), ([24, 48], 2), ([24, 24, 60], 2), ([0, 1, 107], 2),
     ([12, 12, 11], 0), ([21 * 24], 21)],
)  # fmt: skip
def test_time_to_close_is_the_mean_in_whole_days_half_up(
    clock: SettableClock, alice: Member, hours: list[int], days: int
) -> None:
    owner, start = lasting(alice), clock.freeze()
    made = [deal(owner) for _ in hours]
    move(owner, deal(owner)["id"], "LOST")
    for one, spent in zip(made, hours, strict=True):
        clock.freeze(start + timedelta(hours=spent))
        move(owner, one["id"], "WON")
    assert stats(owner)["avgTimeToClose"] == days


def test_reopened_deal_counts_as_open_again(alice: Member) -> None:
    made = deal(alice, estimatedValue=100)
    move(alice, made["id"], "WON")
    act(alice, made["id"], "reopen")
    shown = stats(alice)
    assert (shown["open"], shown["won"], shown["totalOpenValue"], shown["totalWonValue"]) == (1, 0, 100, 0)


def test_period_is_of_creation_in_whole_local_days(server: Served, clock: SettableClock) -> None:
    clock.freeze(datetime(2024, 3, 9, 12, tzinfo=UTC))
    owner = lasting(register(server.url, "period", timeZone="America/New_York"))
    # New York's 10 March 2024 has 23 hours: from 05:00 to 04:00 UTC.
    for moment in ("10T04:59:59.999", "10T05:00:00", "11T03:59:59.999", "11T04:00:00"):
        clock.freeze(datetime.fromisoformat(f"2024-03-{moment}+00:00"))
        deal(owner)
    queries = {
        "?startDate=2024-03-10&endDate=2024-03-10": 2,
        "?startDate=2024-03-10": 3,
        "?endDate=2024-03-10": 3,
        "?endDate=2024-03-09": 1,
        "?startDate=2024-03-11": 1,
        "?startDate=2024-03-10T05:00:00Z&endDate=2024-03-11T03:59:59.999Z": 2,
        "?startDate=2024-03-10T05:00:00.001Z": 2,
        "?startDate=1900-01-01&endDate=2400-01-01": 4,
        "?startDate=2024-03-12": 0,
    }
    for query, expected in queries.items():
        assert stats(owner, query)["total"] == expected, query


def test_sources_stand_most_frequent_first(alice: Member) -> None:
    for source in ("OTHER", "REFERRAL", "REFERRAL", "PARTNERSHIP"):
        deal(alice, source=source)
    assert list(stats(alice)["bySource"].items()) == [("REFERRAL", 2), ("OTHER", 1), ("PARTNERSHIP", 1)]
