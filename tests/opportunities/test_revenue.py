"""A client's revenue equals, after whatever happened, a plain sum over what the API shows."""

import random
from collections import defaultdict
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from soloist.clients.jobs import recalculate_flagged
from tests import make
from tests.opportunities.deals import OPEN_STAGES, client_of, deal, lasting, payment, rates, unattended
from tests.people import Member, data, register
from tests.serving import Served, SettableClock

START = datetime(2024, 3, 10, 12, tzinfo=UTC)
CURRENCIES = ("USD", "USD", "EUR", "GBP", "JPY", "CHF")
Rates = dict[tuple[str, date], Decimal]


class Life:
    """An owner's random doings with three clients, their deals and their payments."""

    def __init__(self, owner: Member, server: Served, clock: SettableClock, seed: int) -> None:
        self.owner, self.server, self.clock = owner, server, clock
        self.draw = random.Random(seed)
        self.rates: Rates = {}
        self.zone = "UTC"
        self.clients = [make.client(owner, companyName=name)["id"] for name in "ABC"]
        self.deals: list[str] = []
        self.payments: list[str] = []

    def step(self) -> None:
        """Do one thing; a refusal is fine, for closed deals are drawn, too."""
        self.clock.advance(hours=self.draw.randrange(30))
        doings: list[tuple[int, Callable[[], object]]] = [
            (3, self.add_deal), (6, self.move), (2, self.reopen), (2, self.patch), (1, self.delete), (1, self.hold),
            (4, self.pay), (2, self.correct_payment), (1, self.delete_payment), (1, self.change_rates),
            (1, self.travel),
        ]  # fmt: skip
        self.draw.choices([do for _, do in doings], [weight for weight, _ in doings])[0]()

    def money(self) -> tuple[float, str]:
        currency = self.draw.choice(CURRENCIES)
        return self.draw.randrange(10**6) / (1 if currency == "JPY" else 100), currency

    def add_deal(self) -> None:
        value, currency = self.money()
        client_id = self.draw.choice([*self.clients, None])
        stage = self.draw.choice(OPEN_STAGES)
        self.deals.append(
            deal(self.owner, clientId=client_id, estimatedValue=value, currency=currency, stage=stage)["id"]
        )

    def some_deal(self) -> str:
        if not self.deals:
            self.add_deal()
        return self.draw.choice(self.deals)

    def move(self) -> None:
        stage = self.draw.choice(("WON", "WON", "LOST", *OPEN_STAGES))
        self.owner.post(f"/opportunities/{self.some_deal()}/stage", {"stage": stage})

    def reopen(self) -> None:
        self.owner.post(f"/opportunities/{self.some_deal()}/reopen")

    def hold(self) -> None:
        self.owner.post(f"/opportunities/{self.some_deal()}/hold")

    def patch(self) -> None:
        value, currency = self.money()
        change = self.draw.choice(
            ({"estimatedValue": value, "currency": currency}, {"clientId": self.draw.choice([*self.clients, None])})
        )
        self.owner.patch(f"/opportunities/{self.some_deal()}", change)

    def delete(self) -> None:
        gone = self.some_deal()
        if self.owner.delete(f"/opportunities/{gone}").status_code == 200:
            self.deals.remove(gone)

    def linkable(self, client_id: str) -> str | None:
        own = data(self.owner.get(f"/opportunities?clientId={client_id}"))["opportunities"]
        found: str | None = self.draw.choice([None, *(one["id"] for one in own)])
        return found

    def pay(self) -> None:
        client_id = self.draw.choice(self.clients)
        value, currency = self.money()
        at = (self.clock() - timedelta(days=self.draw.randrange(20))).isoformat()
        made = payment(self.owner, client_id, value, currency, occurredAt=at, opportunityId=self.linkable(client_id))
        self.payments.append(made["id"])

    def correct_payment(self) -> None:
        if not self.payments:
            return
        one = data(self.owner.get(f"/interactions/{self.draw.choice(self.payments)}"))
        value, currency = self.money()
        change = self.draw.choice(
            (
                {"metadata": {"amount": value, "currency": currency}},
                {"opportunityId": self.linkable(one["clientId"])},
                {"interactionType": self.draw.choice(("OTHER", "PAYMENT_RECEIVED"))},
                {"occurredAt": (self.clock() - timedelta(days=self.draw.randrange(40))).isoformat()},
            )
        )
        data(self.owner.patch(f"/interactions/{one['id']}", change))

    def delete_payment(self) -> None:
        if self.payments:
            data(self.owner.delete(f"/interactions/{self.payments.pop(self.draw.randrange(len(self.payments)))}"))

    def change_rates(self) -> None:
        day = START.date()
        self.rates = {
            (currency, day + timedelta(days=self.draw.randrange(-30, 60))): Decimal(self.draw.randrange(1, 30_000))
            / 10_000
            for currency in self.draw.sample(("EUR", "GBP", "JPY", "CHF"), 3)
            for _ in range(3)
        }
        rates(self.owner, *((code, at.isoformat(), float(rate)) for (code, at), rate in self.rates.items()))
        unattended(self.server, recalculate_flagged)

    def travel(self) -> None:
        """Payments count by the rate of their local day, wherever that is now."""
        self.zone = self.draw.choice(("UTC", "Pacific/Kiritimati", "Pacific/Pago_Pago"))
        data(self.owner.patch("/me", {"timeZone": self.zone}))
        unattended(self.server, recalculate_flagged)


def plain_sum(owner: Member, client_id: str, known: Rates, zone: str) -> tuple[Decimal, dict[str, Decimal]]:
    """A client's revenue and what no rate converts, from the lists the API answers."""
    facts: list[tuple[Decimal, str, date]] = []
    for one in data(owner.get(f"/opportunities?clientId={client_id}&status=WON&limit=100"))["opportunities"]:
        facts.append((Decimal(str(one["estimatedValue"])), one["currency"], date.fromisoformat(one["actualCloseDate"])))
    for one in data(owner.get(f"/clients/{client_id}/interactions?type=PAYMENT_RECEIVED&limit=100"))["interactions"]:
        if one["opportunityId"] is None:
            money, at = one["metadata"], datetime.fromisoformat(one["occurredAt"])
            day = at.astimezone(ZoneInfo(zone)).date()
            facts.append((Decimal(str(money["amount"])), money["currency"], day))
    total = Decimal(0)
    left: dict[str, Decimal] = defaultdict(Decimal)
    for amount, currency, day in facts:
        days = [at for code, at in known if code == currency]
        if currency == "USD":
            total += amount
        elif days:
            total += amount * known[currency, max([at for at in days if at <= day] or days)]
        elif amount:
            left[currency] += amount
    return total.quantize(Decimal("0.01"), ROUND_HALF_UP), dict(left)


def shown(client: dict[str, Any]) -> tuple[Decimal, dict[str, Decimal]]:
    left = {one["currency"]: Decimal(str(one["amount"])) for one in client["unconverted"]}
    return Decimal(str(client["totalRevenue"])), left


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in (1, 2, 3))])
def test_revenue_equals_a_plain_sum_whatever_happened(server: Served, clock: SettableClock, seed: int) -> None:
    clock.freeze(START)
    life = Life(lasting(register(server.url, "life")), server, clock, seed)
    seen_revenue = False
    for number in range(120):
        life.step()
        if number % 4:
            continue
        for client_id in life.clients:
            client = client_of(life.owner, client_id)
            assert shown(client) == plain_sum(life.owner, client_id, life.rates, life.zone), f"after step {number}"
            health = data(life.owner.get(f"/clients/{client_id}/health-score"))
            assert health["inputs"]["totalRevenue"] == client["totalRevenue"]
            seen_revenue = seen_revenue or client["totalRevenue"] > 0
    assert seen_revenue
