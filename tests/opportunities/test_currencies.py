"""Several currencies: converted by the account's rates, never added unlike, reported where no rate is known."""

import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any
from uuid import uuid4

import pytest

from soloist.clients.jobs import recalculate_flagged
from soloist.opportunities.jobs import follow_rates
from tests import make
from tests.book import locked
from tests.opportunities.deals import (
    OPEN_STAGES,
    act,
    client_of,
    deal,
    lasting,
    move,
    payment,
    rates,
    seen,
    told,
    unattended,
    until_somebody_waits,
)
from tests.people import Member, Person, data, register
from tests.serving import Served, SettableClock

START = datetime(2024, 3, 10, 12, tzinfo=UTC)


@pytest.fixture
def owner(server: Served, clock: SettableClock) -> Member:
    """An owner on 10 March 2024."""
    clock.freeze(START)
    return lasting(register(server.url, "currencies"))


def recalculated(server: Served, owner: Person) -> None:
    assert data(owner.get("/opportunities/stats"))["recalculating"] is True
    assert unattended(server, recalculate_flagged) >= 1
    assert data(owner.get("/opportunities/stats"))["recalculating"] is False


def test_amounts_are_converted_and_those_without_a_rate_reported(owner: Member) -> None:
    rates(owner, ("EUR", "2024-03-01", 1.1), ("GBP", "2024-03-01", 1.25))
    client = make.client(owner)
    for currency, value in (("USD", 1000), ("EUR", 1000), ("GBP", 200), ("CHF", 70), ("CHF", 0.5), ("NOK", 9)):
        deal(owner, estimatedValue=value, currency=currency, clientId=client["id"], expectedCloseDate="2024-05-05")
    left = [{"currency": "CHF", "amount": 70.5}, {"currency": "NOK", "amount": 9}]
    shown = data(owner.get("/opportunities/pipeline"))
    for sums in (shown["stages"][0], shown["summary"]):
        assert (sums["totalValue"], sums["weightedValue"], sums["unconverted"]) == (2350, 235, left)
    assert shown["summary"]["totalOpportunities"] == 6
    assert shown["summary"]["avgDealSize"] == 783.33  # of the three that count
    assert shown["stages"][1]["unconverted"] == []
    [month] = data(owner.get("/opportunities/forecast"))["months"]
    assert (month["totalValue"], month["weightedValue"], month["unconverted"]) == (2350, 235, left)
    told = data(owner.get("/opportunities/stats"))
    assert (told["totalOpenValue"], told["unconverted"]) == (2350, left)


def test_won_without_a_rate_is_left_out_of_the_average_and_reported_at_the_client(owner: Member) -> None:
    rates(owner, ("EUR", "2024-03-01", 1.1))
    client = make.client(owner)
    for currency in ("USD", "EUR", "CHF"):
        made = deal(owner, estimatedValue=1000, currency=currency, clientId=client["id"])
        move(owner, made["id"], "WON")
    told = data(owner.get("/opportunities/stats"))
    assert (told["totalWonValue"], told["avgDealSize"], told["won"]) == (2100, 1050, 3)
    assert told["unconverted"] == [{"currency": "CHF", "amount": 1000}]
    after = client_of(owner, client["id"])
    assert (after["totalRevenue"], after["unconverted"]) == (2100, [{"currency": "CHF", "amount": 1000}])
    assert data(owner.get("/clients/stats"))["unconverted"] == [{"currency": "CHF", "amount": 1000}]


def test_nothing_is_nothing_in_any_currency(owner: Member) -> None:
    client = make.client(owner)
    made = deal(owner, currency="CHF", clientId=client["id"])
    deal(owner, estimatedValue=100)
    assert made["baseValue"] == 0
    summary = data(owner.get("/opportunities/pipeline"))["summary"]
    assert (summary["totalValue"], summary["avgDealSize"], summary["unconverted"]) == (100, 50, [])
    move(owner, made["id"], "WON")
    payment(owner, client["id"], 0, "CHF")
    assert client_of(owner, client["id"])["unconverted"] == []


CLOSED_ON = {
    # the rates known → the rate that counts for a deal closed on 10 March
    "the day's own": ([("2024-03-09", 1), ("2024-03-10", 2), ("2024-03-11", 3)], 2),
    "the newest not later": ([("2024-01-01", 4), ("2024-03-09", 5), ("2024-03-11", 6)], 5),
    "the newest, if all are later": ([("2024-03-11", 7), ("2024-06-01", 8), ("2024-05-01", 9)], 8),
    "the only one, long before": ([("1999-01-01", 10)], 10),
}


@pytest.mark.parametrize(("known", "rate"), CLOSED_ON.values(), ids=CLOSED_ON)
def test_rate_of_the_day_the_deal_closed_counts(
    clock: SettableClock, owner: Member, known: list[tuple[str, int]], rate: int
) -> None:
    client = make.client(owner)
    made = deal(owner, estimatedValue=100, currency="EUR", clientId=client["id"])
    rates(owner, *(("EUR", day, value) for day, value in known))
    won = move(owner, made["id"], "WON")
    assert won["baseValue"] == 100 * rate
    clock.freeze(START + timedelta(days=200))
    assert client_of(owner, client["id"])["totalRevenue"] == 100 * rate
    assert data(owner.get("/opportunities/stats"))["totalWonValue"] == 100 * rate


def test_payment_counts_by_the_rate_of_its_local_day(server: Served, clock: SettableClock) -> None:
    clock.freeze(START)
    owner = register(server.url, "payer", timeZone="Pacific/Auckland")
    rates(owner, ("EUR", "2024-03-04", 2), ("EUR", "2024-03-05", 3))
    client = make.client(owner)
    payment(owner, client["id"], 1, "EUR", occurredAt="2024-03-04T10:59:59Z")  # still the 4th in Auckland
    payment(owner, client["id"], 100, "EUR", occurredAt="2024-03-04T11:00:00Z")
    assert client_of(owner, client["id"])["totalRevenue"] == 302


def test_open_deal_is_valued_by_the_newest_rate_of_its_last_change(clock: SettableClock, owner: Member) -> None:
    rates(owner, ("EUR", "2024-03-01", 1), ("EUR", "2024-03-12", 2))
    made = deal(owner, estimatedValue=100, currency="EUR")
    assert made["baseValue"] == 100
    clock.freeze(START + timedelta(days=2))
    after = data(owner.patch(f"/opportunities/{made['id']}", {"estimatedValue": 150}))
    assert after["baseValue"] == 300


def test_rate_given_ahead_counts_for_open_deals_once_its_day_has_begun(server: Served, clock: SettableClock) -> None:
    clock.freeze(START)
    east = lasting(register(server.url, "east", timeZone="Pacific/Auckland"))
    west = lasting(register(server.url, "west", timeZone="America/New_York"))
    made, closed = {}, {}
    for one in (east, west):
        rates(one, ("EUR", "2024-03-01", 1), ("EUR", "2024-03-11", 2))
        unattended(server, recalculate_flagged)
        made[one] = act(one, deal(one, estimatedValue=100, currency="EUR")["id"], "hold")
        closed[one] = move(one, deal(one, estimatedValue=100, currency="EUR")["id"], "WON" if one is west else "LOST")
    assert closed[east]["actualCloseDate"] == "2024-03-11"
    assert (closed[east]["baseValue"], closed[west]["baseValue"]) == (200, 100)
    clock.freeze(datetime(2024, 3, 10, 23, tzinfo=UTC))  # the 11th in Auckland, the 10th in New York
    unattended(server, follow_rates)
    assert [seen(one, made[one]["id"])["baseValue"] for one in (east, west)] == [200, 100]
    clock.freeze(datetime(2024, 3, 11, 12, tzinfo=UTC))
    unattended(server, follow_rates)
    assert seen(west, made[west]["id"]) == {**made[west], "baseValue": 200}
    assert seen(west, closed[west]["id"]) == closed[west]


# --- a change of rates or of the base currency ---


def test_new_rates_recalculate_deals_and_revenue(server: Served, owner: Member) -> None:
    rates(owner, ("EUR", "2024-03-01", 2))
    recalculated(server, owner)
    client, archived = make.client(owner), make.client(owner, companyName="Put away")
    live = deal(owner, estimatedValue=10, currency="EUR")
    for one in (client, archived):
        move(owner, deal(owner, estimatedValue=100, currency="EUR", clientId=one["id"])["id"], "WON")
        payment(owner, one["id"], 1, "EUR")
    data(owner.post(f"/clients/{archived['id']}/archive"))
    versions = [client_of(owner, one["id"])["version"] for one in (client, archived)]
    rates(owner, ("EUR", "2024-03-01", 3))
    since = len(told(server, owner))
    recalculated(server, owner)
    assert seen(owner, live["id"]) == {**live, "baseValue": 30}
    for one, version in zip((client, archived), versions, strict=True):
        after = client_of(owner, one["id"])
        assert (after["totalRevenue"], after["unconverted"], after["version"]) == (303, [], version)
    assert told(server, owner, since) == []
    rates(owner)
    recalculated(server, owner)
    assert seen(owner, live["id"])["baseValue"] is None
    after = client_of(owner, client["id"])
    assert (after["totalRevenue"], after["unconverted"]) == (0, [{"currency": "EUR", "amount": 101}])


@pytest.mark.parametrize(("base", "places"), [("JPY", 0), ("USD", 2), ("KWD", 3)])
def test_sums_have_the_base_currencys_decimals(server: Served, owner: Member, base: str, places: int) -> None:
    data(owner.patch("/me", {"baseCurrency": base}))
    rates(owner, ("EUR", "2024-03-01", 0.33337))
    recalculated(server, owner)
    client = make.client(owner)
    made = deal(owner, estimatedValue=10.01, currency="EUR", clientId=client["id"])
    other = deal(owner, estimatedValue=10.01, currency="EUR", clientId=client["id"], probability=99)

    def rounded(value: Decimal) -> Decimal:
        return value.quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP)

    one = Decimal("10.01") * Decimal("0.33337")
    assert Decimal(str(made["baseValue"])) == rounded(one)
    summary = data(owner.get("/opportunities/pipeline"))["summary"]
    assert Decimal(str(summary["totalValue"])) == rounded(2 * one)
    assert Decimal(str(summary["weightedValue"])) == rounded(one * Decimal("1.09"))
    assert Decimal(str(summary["avgDealSize"])) == rounded(one)
    assert summary["currency"] == base
    for each in (made, other):
        move(owner, each["id"], "WON")
    assert Decimal(str(client_of(owner, client["id"])["totalRevenue"])) == rounded(2 * one)
    assert Decimal(str(data(owner.get("/opportunities/stats"))["totalWonValue"])) == rounded(2 * one)


def test_new_base_currency_values_everything_in_it(server: Served, owner: Member) -> None:
    client = make.client(owner)
    dollars = deal(owner, estimatedValue=100, clientId=client["id"])
    euros = deal(owner, estimatedValue=100, currency="EUR", clientId=client["id"])
    assert (dollars["baseValue"], euros["baseValue"]) == (100, None)
    move(owner, dollars["id"], "WON")
    data(owner.patch("/me", {"baseCurrency": "EUR"}))
    recalculated(server, owner)
    assert [seen(owner, one["id"])["baseValue"] for one in (dollars, euros)] == [None, 100]
    assert data(owner.get("/opportunities/pipeline"))["summary"]["currency"] == "EUR"
    assert client_of(owner, client["id"])["unconverted"] == [{"currency": "USD", "amount": 100}]
    assert deal(owner)["currency"] == "EUR"


def test_random_book_equals_a_plain_conversion(server: Served, clock: SettableClock, owner: Member) -> None:
    draw = random.Random(5)
    table = {
        (currency, date(2024, 3, 1) + timedelta(days=draw.randrange(20))): Decimal(draw.randrange(1, 30_000)) / 10_000
        for currency in ("EUR", "JPY", "GBP")
        for _ in range(4)
    }
    rates(owner, *((currency, day.isoformat(), float(rate)) for (currency, day), rate in table.items()))

    def convert(one: dict[str, Any]) -> Decimal | None:
        amount, currency = Decimal(str(one["estimatedValue"])), one["currency"]
        if currency == "USD" or not amount:
            return amount
        day = date.fromisoformat(one["actualCloseDate"] or clock().date().isoformat())
        known = {at: rate for (code, at), rate in table.items() if code == currency}
        fitting = [at for at in known if at <= day] or list(known)
        return amount * known[max(fitting)] if known else None

    made = []
    for _ in range(40):
        currency = draw.choice(("USD", "EUR", "JPY", "GBP", "SEK"))
        value = draw.randrange(5) and draw.randrange(10**6) / (1 if currency == "JPY" else 100)
        clock.freeze(START + timedelta(days=draw.randrange(-9, 9)))
        one = deal(owner, stage=draw.choice(OPEN_STAGES), estimatedValue=value, currency=currency)
        made.append(move(owner, one["id"], "WON") if draw.random() < 0.5 else one)
    clock.freeze(START)
    recalculated(server, owner)
    won = [one for one in made if one["status"] == "WON"]
    live = [one for one in made if one["status"] == "OPEN"]

    def total(deals: list[dict[str, Any]], share: bool = False) -> Decimal:
        parts = [(convert(one), one["probability"] if share else 100) for one in deals]
        exact = sum((value * weight / 100 for value, weight in parts if value is not None), Decimal(0))
        return exact.quantize(Decimal("0.01"), ROUND_HALF_UP)

    told = data(owner.get("/opportunities/stats"))
    assert Decimal(str(told["totalWonValue"])) == total(won)
    assert Decimal(str(told["totalOpenValue"])) == total(live)
    [left] = told["unconverted"]
    assert left["currency"] == "SEK"
    assert Decimal(str(left["amount"])) == sum(
        Decimal(str(one["estimatedValue"])) for one in made if one["currency"] == "SEK"
    )
    for column in data(owner.get("/opportunities/pipeline"))["stages"]:
        own = [one for one in live if one["stage"] == column["stage"]]
        assert Decimal(str(column["totalValue"])) == total(own)
        assert Decimal(str(column["weightedValue"])) == total(own, share=True)


# --- at the same moment ---


@contextmanager
def adding(server: Served, owner: Member, rate: int) -> Iterator[str]:
    """A deal of 100 EUR that another connection is adding, valued by `rate`; committed when the block ends."""
    made = str(uuid4())
    insert = """insert into opportunities (account_id, id, title, source, estimated_value, currency, base_value, stage,
        status, priority, probability, created_at, updated_at)
        values ($1, $2, 'A', 'OTHER', 100, 'EUR', 100 * $3::int, 'LEAD', 'OPEN', 'LOW', 10, now(), now())"""
    with locked(server, insert, owner.account["id"], made, rate):
        yield made


def test_deal_being_added_with_the_old_rate_is_valued_anew(server: Served, owner: Member) -> None:
    rates(owner, ("EUR", "2024-03-01", 2))
    recalculated(server, owner)

    worker = threading.Thread(target=unattended, args=(server, recalculate_flagged))
    with adding(server, owner, rate=2) as made:
        rates(owner, ("EUR", "2024-03-01", 3))
        worker.start()
        until_somebody_waits(server)
        assert worker.is_alive()
    worker.join(20)
    assert seen(owner, made)["baseValue"] == 300
    assert data(owner.get("/opportunities/stats"))["recalculating"] is False
