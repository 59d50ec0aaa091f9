"""Random walks through the API: after whatever happened, every stored sum and score equals one computed from the rows.

The figures are computed here from the raw rows, in exact arithmetic and without the product's formulas.
"""

import json
import random
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from soloist.clients.jobs import arrivals, recalculate_flagged
from soloist.health.jobs import decay
from soloist.infra.db import Database
from soloist.opportunities.jobs import follow_rates, resume_due
from tests.databases import clone
from tests.opportunities.deals import OPEN_STAGES, lasting, unattended
from tests.people import Member, register
from tests.recomputed import FOLDED, Model, rows_of
from tests.serving import Served, serving, settings_for

START = datetime(2024, 3, 10, 12, tzinfo=UTC)
STEPS = 150  # and more until everything has happened
# What is written, and what it must be found by.
CURRENCIES = ("USD", "EUR", "JPY", "CHF")  # nobody gives a rate for CHF
KINDS = ("EMAIL", "EMAIL", "CALL", "MESSAGE", "VIDEO_CALL", "MEETING", "INVOICE_SENT", "PAYMENT_RECEIVED")
TEXTS = ("Great work, thank you", "Very disappointed and angry", "Invoice and schedule", "Qwrt", "Tout va bien")
MOODS = ("POSITIVE", "NEUTRAL", "NEGATIVE")


@pytest.fixture(scope="module")
def house(postgres: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server whose database holds nothing but these walks: the jobs go through all accounts."""
    with serving(settings_for(tmp_path_factory.mktemp("data")), clone(postgres)) as served:
        yield served


class Walk:
    """An owner's random doings; what is refused is refused, but each kind must have gone well some time."""

    def __init__(self, house: Served, seed: int, base: str, zone: str) -> None:
        self.house, self.clock = house, house.clock
        self.draw = random.Random(seed)
        self.base, self.zone = base, ZoneInfo(zone)
        self.owner: Member = lasting(register(house.url, "walker", baseCurrency=base, timeZone=zone))
        self.ids: dict[str, list[str]] = {"clients": [], "contacts": [], "interactions": [], "opportunities": []}
        self.done: Counter[str] = Counter()
        self.doings: list[tuple[int, Callable[[], None]]] = [
            (6, self.create_client), (4, self.patch_client), (3, self.archive), (3, self.restore),
            (4, self.add_contact), (2, self.patch_contact), (2, self.delete_contact),
            (16, self.log), (5, self.correct), (3, self.remove),
            (5, self.add_deal), (6, self.move_deal), (3, self.reopen), (3, self.patch_deal), (2, self.delete_deal),
            (2, self.change_rates), (1, self.change_scale), (5, self.pass_time),
        ]  # fmt: skip

    def step(self) -> str:
        [do] = self.draw.choices([do for _, do in self.doings], [weight for weight, _ in self.doings])
        do()
        return do.__name__

    def send(self, name: str, method: str, path: str, body: Any = None) -> Any:
        answer = self.owner.request(method, path, **({} if body is None else {"json": body}))
        assert answer.status_code < 500, answer.text
        if answer.status_code >= 400:
            assert answer.json()["error"]["code"] in EXPECTED, (name, body, answer.text)
            return None
        self.done[name] += 1
        return answer.json()["data"]

    def some(self, what: str) -> str:
        return self.draw.choice(self.ids[what]) if self.ids[what] else "00000000-0000-0000-0000-000000000000"

    def name(self) -> str:
        return " ".join(self.draw.sample(sorted(FOLDED), self.draw.randint(1, 2)))

    def email(self) -> str:
        return f"{self.draw.choice(('Info', 'kim.lee', 'jo'))}{self.draw.randrange(12)}@example.com"

    def money(self) -> dict[str, Any]:
        currency = self.draw.choice((*CURRENCIES, self.base))
        whole = self.draw.choice((0, 999, 10**4, 10**5, self.draw.randrange(10**6)))
        return {"amount": whole if currency == "JPY" else whole / 100 * self.draw.choice((1, 20)), "currency": currency}

    def moment(self) -> str:
        hours = self.draw.choice((self.draw.uniform(-200 * 24, 20), self.draw.uniform(-100, 20), 0))
        return (self.clock() + timedelta(hours=round(hours, 2))).isoformat(timespec="seconds")

    def create_client(self) -> None:
        body: dict[str, Any] = {"clientType": "COMPANY", "source": "MANUAL", "companyName": self.name()}
        if self.draw.random() < 0.4:
            body = {"clientType": "INDIVIDUAL", "source": "REFERRAL", "firstName": self.name(), "lastName": self.name()}
        if self.draw.random() < 0.6:
            body["email"] = self.email()
        body["status"] = self.draw.choice(("LEAD", "PROSPECT", "ACTIVE", "INACTIVE"))
        made = self.send("create_client", "POST", "/clients", body)
        if made:
            self.ids["clients"].append(made["id"])
            if self.draw.random() < 0.5:
                self.add_contact()

    def patch_client(self) -> None:
        change = self.draw.choice(
            (
                {"companyName": self.name()},
                {"firstName": self.name(), "lastName": None},
                {"email": self.draw.choice((None, self.email()))},
                {"status": self.draw.choice(("LEAD", "PROSPECT", "ACTIVE", "INACTIVE"))},
            )
        )
        self.send("patch_client", "PATCH", f"/clients/{self.some('clients')}", change)

    def archive(self) -> None:
        self.send("archive", "POST", f"/clients/{self.some('clients')}/archive")

    def restore(self) -> None:
        self.send("restore", "POST", f"/clients/{self.some('clients')}/restore")

    def add_contact(self) -> None:
        client_id = self.some("clients")
        body = {"firstName": self.name(), "lastName": self.draw.choice((None, self.name()))}
        if made := self.send("add_contact", "POST", f"/clients/{client_id}/contacts", body):
            self.ids["contacts"].append(f"{client_id}/contacts/{made['id']}")

    def patch_contact(self) -> None:
        self.send("patch_contact", "PATCH", f"/clients/{self.some('contacts')}", {"firstName": self.name()})

    def delete_contact(self) -> None:
        self.send("delete_contact", "DELETE", f"/clients/{self.some('contacts')}")

    def log(self) -> None:
        body: dict[str, Any] = {
            "interactionType": self.draw.choice(KINDS),
            "subject": self.draw.choice(TEXTS),
            "isOutbound": self.draw.random() < 0.6,
            "occurredAt": self.moment(),
        }
        if self.draw.random() < 0.3:
            body["sentiment"] = self.draw.choice(MOODS)
        if body["interactionType"] == "PAYMENT_RECEIVED" and self.draw.random() < 0.9:
            body["metadata"] = self.money()
        client_id = self.some("clients")
        if self.draw.random() < 0.3:
            body["opportunityId"] = self.deal_of(client_id)
        if made := self.send("log", "POST", f"/clients/{client_id}/interactions", body):
            self.ids["interactions"].append(made["id"])
            self.done["log with money"] += "metadata" in body
            self.done["log with a deal"] += body.get("opportunityId") is not None

    def deal_of(self, client_id: str) -> str | None:
        found = self.owner.get("/opportunities", params={"clientId": client_id}).json()["data"]["opportunities"]
        return self.draw.choice(found)["id"] if found else None

    def correct(self) -> None:
        change: dict[str, Any] = self.draw.choice(
            (
                {"occurredAt": self.moment()},
                {"sentiment": self.draw.choice((*MOODS, None))},
                {"subject": self.draw.choice(TEXTS)},
                {"isOutbound": self.draw.random() < 0.5},
                {"metadata": self.draw.choice((None, self.money()))},
                {"interactionType": self.draw.choice(KINDS)},
                {"opportunityId": None},
            )
        )
        self.send("correct", "PATCH", f"/interactions/{self.some('interactions')}", change)

    def remove(self) -> None:
        self.send("remove", "DELETE", f"/interactions/{self.some('interactions')}")

    def add_deal(self) -> None:
        money = self.money()
        body = {"title": "A deal", "source": "REFERRAL", "estimatedValue": money["amount"]} | {
            "currency": money["currency"],
            "stage": self.draw.choice(OPEN_STAGES),
            "clientId": self.draw.choice((None, *[self.some("clients")] * 8)),
        }
        if made := self.send("add_deal", "POST", "/opportunities", body):
            self.ids["opportunities"].append(made["id"])

    def move_deal(self) -> None:
        stage = self.draw.choice(("WON", "WON", "WON", "LOST", "LOST", *OPEN_STAGES))
        if self.send("move_deal", "POST", f"/opportunities/{self.some('opportunities')}/stage", {"stage": stage}):
            self.done[stage] += 1

    def reopen(self) -> None:
        self.send("reopen", "POST", f"/opportunities/{self.some('opportunities')}/reopen")

    def patch_deal(self) -> None:
        money = self.money()
        change = self.draw.choice(
            (
                {"estimatedValue": money["amount"], "currency": money["currency"]},
                {"clientId": self.draw.choice((None, self.some("clients")))},
            )
        )
        self.send("patch_deal", "PATCH", f"/opportunities/{self.some('opportunities')}", change)

    def delete_deal(self) -> None:
        self.send("delete_deal", "DELETE", f"/opportunities/{self.some('opportunities')}")

    def change_rates(self) -> None:
        """New rates, for days past and to come; sometimes none for a currency that had some."""
        today = self.clock().date()
        named = [code for code in ("USD", "EUR", "JPY") if code != self.base]
        days = {
            (code, today + timedelta(days=self.draw.randint(-200, 3)))
            for code in self.draw.sample(named, self.draw.randint(1, len(named)))
            for _ in range(self.draw.randint(1, 4))
        }
        entries = [
            {"currency": code, "date": day.isoformat(), "rate": self.draw.randrange(1, 30_000) / 10_000}
            for code, day in sorted(days)
        ]
        if self.send("change_rates", "PUT", "/me/exchange-rates", {"rates": entries}) is not None:
            unattended(self.house, recalculate_flagged)

    def change_scale(self) -> None:
        steps = sorted(self.draw.sample(range(1, 30_000), 5))
        if self.send("change_scale", "PATCH", "/me", {"monetaryScale": steps}) is not None:
            unattended(self.house, recalculate_flagged)

    def pass_time(self) -> None:
        """Hours or days go by, and the worker does what it does each hour, and each day."""
        hours = self.draw.choice((1, 5, 19, 24, 24 * self.draw.randint(2, 12)))

        async def hourly(db: Database) -> int:
            left = hours
            while left > 0:
                self.clock.advance(hours=min(left, 24))
                left -= 24
                await follow_rates(db)
            await resume_due(db)
            await arrivals(db)
            return await decay(db)

        unattended(self.house, hourly)
        self.done["pass_time"] += 1


EXPECTED = frozenset(
    {
        "CLIENT_ALREADY_EXISTS", "CLIENT_ARCHIVED", "CLIENT_NOT_FOUND", "CONTACT_NOT_FOUND", "INTERACTION_NOT_FOUND",
        "OPPORTUNITY_NOT_FOUND", "OPPORTUNITY_CLOSED", "INVALID_STAGE_TRANSITION", "VALIDATION_ERROR",
    }
)  # fmt: skip
MUST_HAPPEN = (
    "create_client", "patch_client", "archive", "restore", "add_contact", "patch_contact", "delete_contact", "log",
    "log with money", "log with a deal", "correct", "remove", "add_deal", "move_deal", "WON", "LOST", "reopen",
    "patch_deal", "delete_deal", "change_rates", "pass_time",
)  # fmt: skip


def compare(walk: Walk, context: str) -> None:
    """Every derived column of the account against the model; an archived client's score rests as it was."""
    rows = rows_of(walk.house, walk.owner)
    model = Model(rows, walk.clock())
    [counted] = rows.account_counters
    assert {name: counted[name] for name in model.counters()} == model.counters(), context
    for client in rows.clients:
        where = f"{context}, client {client['id']}"
        left = json.loads(client["unconverted"], parse_float=Decimal)
        stored = (Fraction(client["total_revenue"]), {one["currency"]: Fraction(one["amount"]) for one in left})
        assert stored == model.revenue(client["id"]), where
        assert [one["currency"] for one in left] == sorted(stored[1]), where
        assert client["last_interaction_at"] == model.last_contact(client["id"]), where
        assert client["search_text"][0] == " ", where
        assert sorted(client["search_text"].split()) == model.searched(client), where
        if client["status"] != "ARCHIVED":
            assert client["health_score"] == model.health(client), where
    for deal in rows.opportunities:
        value = deal["base_value"]
        where = f"{context}, deal {deal['id']}"
        assert (None if value is None else Fraction(value)) == model.base_value(deal), where


@pytest.mark.parametrize(
    ("seed", "base", "zone"),
    [(1, "USD", "UTC"), (2, "EUR", "Pacific/Auckland"), (3, "JPY", "America/St_Johns"), (4, "USD", "Asia/Kathmandu")],
)
def test_every_derived_column_is_true_whatever_happened(house: Served, seed: int, base: str, zone: str) -> None:
    house.clock.freeze(START)
    walk = Walk(house, seed, base, zone)
    for _ in range(4):
        walk.create_client()
    recent = [""] * 6
    for number in range(3 * STEPS):
        missing = [name for name in MUST_HAPPEN if not walk.done[name]]
        if number >= STEPS and not missing:
            break
        recent = [*recent[1:], walk.step()]
        if number % 5 == 4:
            compare(walk, f"seed {seed}, step {number}, after {', '.join(recent)}")
    assert not missing, f"seed {seed}: the walk never came to {missing}"
