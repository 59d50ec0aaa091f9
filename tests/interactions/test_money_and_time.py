"""What interactions do to their client: last contact and revenue, always equal to what can be recomputed."""

import random
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from soloist.clients.jobs import arrivals
from tests import make
from tests.book import select, work
from tests.people import Member, Person, data, register
from tests.serving import Served, SettableClock
from tests.wire import refused


@pytest.fixture
def client_id(alice: Member) -> str:
    made: str = make.client(alice)["id"]
    return made


def last(owner: Person, client_id: str) -> str | None:
    moment: str | None = data(owner.get(f"/clients/{client_id}"))["lastInteractionAt"]
    return moment


# --- last contact ---


def test_old_interaction_never_moves_the_last_contact_back(alice: Member, client_id: str) -> None:
    assert last(alice, client_id) is None
    newest = make.interaction(alice, client_id)
    make.interaction(alice, client_id, occurredAt="2020-01-01T00:00:00Z")
    assert last(alice, client_id) == newest["occurredAt"]


def test_deleting_the_newest_moves_it_back_to_the_one_before(alice: Member, client_id: str) -> None:
    ids = [make.interaction(alice, client_id, occurredAt=f"2024-0{month}-01T00:00:00Z")["id"] for month in (1, 3, 2)]
    assert last(alice, client_id) == "2024-03-01T00:00:00.000Z"
    data(alice.delete(f"/interactions/{ids[0]}"))
    assert last(alice, client_id) == "2024-03-01T00:00:00.000Z"
    data(alice.delete(f"/interactions/{ids[1]}"))
    assert last(alice, client_id) == "2024-02-01T00:00:00.000Z"
    data(alice.delete(f"/interactions/{ids[2]}"))
    assert last(alice, client_id) is None


def test_correcting_the_time_moves_it_either_way(alice: Member, client_id: str) -> None:
    make.interaction(alice, client_id, occurredAt="2024-01-01T00:00:00Z")
    made = make.interaction(alice, client_id, occurredAt="2024-02-01T00:00:00Z")
    data(alice.patch(f"/interactions/{made['id']}", {"occurredAt": "2023-01-01T00:00:00Z"}))
    assert last(alice, client_id) == "2024-01-01T00:00:00.000Z"
    data(alice.patch(f"/interactions/{made['id']}", {"occurredAt": "2024-05-01T00:00:00Z"}))
    assert last(alice, client_id) == "2024-05-01T00:00:00.000Z"


def test_planned_interaction_counts_when_its_time_comes(server: Served, clock: SettableClock) -> None:
    now = clock.freeze(clock().replace(microsecond=0))
    owner = register(server.url)
    client = make.client(owner)
    before = make.interaction(owner, client["id"])
    planned = (now + timedelta(hours=20)).isoformat().replace("+00:00", "Z")
    make.interaction(owner, client["id"], occurredAt=planned)
    assert last(owner, client["id"]) == before["occurredAt"]
    report = data(owner.get(f"/clients/{client['id']}/health-score"))
    assert report["inputs"]["interactionsLast90Days"] == 1
    clock.advance(hours=20, seconds=-1)
    work(server, arrivals)
    assert stored(server, client["id"]) == now.isoformat().replace("+00:00", "Z")
    clock.advance(seconds=1)
    assert work(server, arrivals) >= 1
    assert stored(server, client["id"]) == planned
    [row] = select(server, "select version, health_score from clients where id = $1", client["id"])
    assert row["version"] == 1
    assert row["health_score"] > client["healthScore"]
    assert work(server, arrivals) == 0


def stored(server: Served, client_id: str) -> str:
    [row] = select(server, "select last_interaction_at as moment from clients where id = $1", client_id)
    text: str = row["moment"].isoformat().replace("+00:00", "Z")
    return text


# --- revenue ---


def pay(owner: Person, client_id: str, amount: Any, currency: Any = "USD", **fields: Any) -> dict[str, Any]:
    metadata = {"amount": amount, "currency": currency, "invoice": "2024-7"}
    return make.interaction(owner, client_id, interactionType="PAYMENT_RECEIVED", metadata=metadata, **fields)


def revenue(owner: Person, client_id: str) -> tuple[float, list[tuple[str, float]]]:
    shown = data(owner.get(f"/clients/{client_id}"))
    left_out = [(one["currency"], one["amount"]) for one in shown["unconverted"]]
    [listed] = [c for c in data(owner.get("/clients?limit=100"))["clients"] if c["id"] == client_id]
    assert listed["totalRevenue"] == shown["totalRevenue"]
    return shown["totalRevenue"], left_out


def test_payments_received_are_revenue(alice: Member, client_id: str) -> None:
    pay(alice, client_id, 1000)
    pay(alice, client_id, 0.1, "usd")
    pay(alice, client_id, 0.2)
    assert revenue(alice, client_id) == (1000.3, [])


@pytest.mark.parametrize(
    "fields",
    [
        {"interactionType": "INVOICE_SENT", "metadata": {"amount": 5, "currency": "USD"}},
        {"interactionType": "PAYMENT_RECEIVED"},
        {"interactionType": "PAYMENT_RECEIVED", "metadata": {}},
        {"interactionType": "PAYMENT_RECEIVED", "metadata": {"amount": None, "currency": "USD"}},
        {"interactionType": "PAYMENT_RECEIVED", "metadata": {"currency": "USD"}},
        {"interactionType": "PAYMENT_RECEIVED", "metadata": {"total": 5}},
        {"interactionType": "PAYMENT_RECEIVED", "metadata": {"amount": 0, "currency": "USD"}},
    ],
)
def test_what_names_no_money_received_is_no_revenue(alice: Member, client_id: str, fields: dict[str, Any]) -> None:
    make.interaction(alice, client_id, **fields)
    assert revenue(alice, client_id) == (0, [])


@pytest.mark.parametrize(
    ("metadata", "field", "says"),
    [
        ({"amount": 5}, "metadata.currency", "ISO 4217"),
        ({"amount": 5, "currency": "XXX"}, "metadata.currency", "ISO 4217"),
        ({"amount": 5, "currency": "BTC"}, "metadata.currency", "ISO 4217"),
        ({"amount": 5, "currency": None}, "metadata.currency", "ISO 4217"),
        ({"amount": "5", "currency": "USD"}, "metadata.amount", "not in quotes"),
        ({"amount": -5, "currency": "USD"}, "metadata.amount", "from 0 to"),
        ({"amount": 1e15, "currency": "USD"}, "metadata.amount", "from 0 to"),
        ({"amount": 0.001, "currency": "USD"}, "metadata.amount", "2 decimals"),
        ({"amount": 0.5, "currency": "JPY"}, "metadata.amount", "0 decimals"),
        ({"amount": 0.0001, "currency": "KWD"}, "metadata.amount", "3 decimals"),
        ({"amount": True, "currency": "USD"}, "metadata.amount", "number"),
        ({"amount": {"value": 5}, "currency": "USD"}, "metadata.amount", "number"),
    ],
)
def test_payment_that_is_no_money_is_refused_rather_than_guessed(
    alice: Member, client_id: str, metadata: dict[str, Any], field: str, says: str
) -> None:
    body = {"interactionType": "PAYMENT_RECEIVED", "subject": "x", "metadata": metadata}
    error = refused(alice.post(f"/clients/{client_id}/interactions", body), 400, "VALIDATION_ERROR", says)
    assert [fault["field"] for fault in error["details"]] == [field]
    assert revenue(alice, client_id) == (0, [])
    other = make.interaction(alice, client_id, metadata=metadata)
    refused(
        alice.patch(f"/interactions/{other['id']}", {"interactionType": "PAYMENT_RECEIVED"}), 400, "VALIDATION_ERROR"
    )


def test_both_faults_of_a_payment_are_told_at_once(alice: Member, client_id: str) -> None:
    body = {"interactionType": "PAYMENT_RECEIVED", "subject": "x", "metadata": {"amount": -1.23456789, "currency": "?"}}
    error = refused(alice.post(f"/clients/{client_id}/interactions", body), 400, "VALIDATION_ERROR")
    assert {fault["field"] for fault in error["details"]} == {"metadata.amount", "metadata.currency"}
    assert "None" not in str(error)


def test_correcting_or_deleting_a_payment_corrects_the_revenue(alice: Member, client_id: str) -> None:
    made = pay(alice, client_id, 100)
    path = f"/interactions/{made['id']}"
    for change, total in (
        ({"metadata": {"amount": 50, "currency": "USD"}}, 50),
        ({"notes": "x"}, 50),
        ({"interactionType": "OTHER"}, 0),
        ({"interactionType": "PAYMENT_RECEIVED"}, 50),
        ({"metadata": None}, 0),
        ({"metadata": {"amount": 7.5, "currency": "USD"}}, 7.5),
    ):
        data(alice.patch(path, change))
        assert revenue(alice, client_id) == (total, [])
    data(alice.delete(path))
    assert revenue(alice, client_id) == (0, [])


def test_payment_linked_to_a_deal_is_not_counted_beside_the_deal(server: Served, alice: Member, client_id: str) -> None:
    deal = {"clientId": client_id, "title": "x", "source": "OTHER", "estimatedValue": 100, "currency": "USD"}
    deal_id = data(alice.post("/opportunities", deal), 201)["id"]
    linked = pay(alice, client_id, 100, opportunityId=deal_id)
    assert revenue(alice, client_id) == (0, [])
    data(alice.patch(f"/interactions/{linked['id']}", {"opportunityId": None}))
    assert revenue(alice, client_id) == (100, [])
    data(alice.patch(f"/interactions/{linked['id']}", {"opportunityId": deal_id}))
    assert revenue(alice, client_id) == (0, [])
    data(alice.post(f"/opportunities/{deal_id}/stage", {"stage": "WON"}))
    assert revenue(alice, client_id) == (100, [])


def test_currencies_without_a_rate_are_left_out_and_told(alice: Member, client_id: str) -> None:
    pay(alice, client_id, 10)
    pay(alice, client_id, 500, "JPY")
    pay(alice, client_id, 5.25, "EUR")
    pay(alice, client_id, 1.125, "KWD")
    made = pay(alice, client_id, 2, "EUR")
    assert revenue(alice, client_id) == (10, [("EUR", 7.25), ("JPY", 500), ("KWD", 1.125)])
    data(alice.delete(f"/interactions/{made['id']}"))
    assert revenue(alice, client_id) == (10, [("EUR", 5.25), ("JPY", 500), ("KWD", 1.125)])


def test_rate_of_the_day_converts_else_the_newest_before_else_the_newest(alice: Member, client_id: str) -> None:
    rates = [("2024-01-10", 1.1), ("2024-01-20", 1.2), ("2024-01-30", 1.3)]
    entries = [{"currency": "EUR", "date": day, "rate": rate} for day, rate in rates]
    data(alice.put("/me/exchange-rates", {"rates": entries}))
    total = Decimal(0)
    for day, rate in (("10", "1.1"), ("19", "1.1"), ("20", "1.2"), ("29", "1.2"), ("31", "1.3"), ("05", "1.3")):
        pay(alice, client_id, 100, "EUR", occurredAt=f"2024-01-{day}T12:00:00Z")
        total += 100 * Decimal(rate)
        assert revenue(alice, client_id) == (float(total), [])


def test_rate_is_that_of_the_accounts_local_day(server: Served) -> None:
    owner = register(server.url, timeZone="Asia/Tokyo", baseCurrency="JPY")
    entries = [
        {"currency": "USD", "date": f"2024-01-{day}", "rate": rate} for day, rate in (("01", 140), ("02", 150.5))
    ]
    data(owner.put("/me/exchange-rates", {"rates": entries}))
    client = make.client(owner)["id"]
    pay(owner, client, 1, occurredAt="2024-01-01T14:59:59Z")
    assert revenue(owner, client) == (140, [])
    pay(owner, client, 1, occurredAt="2024-01-01T15:00:00Z")
    assert revenue(owner, client) == (291, [])  # 290.5 yen, rounded half-up


def test_revenue_is_rounded_once_at_the_end(server: Served) -> None:
    owner = register(server.url)
    data(owner.put("/me/exchange-rates", {"rates": [{"currency": "EUR", "date": "2024-01-01", "rate": 1.005}]}))
    client = make.client(owner)["id"]
    for _ in range(3):
        pay(owner, client, 1, "EUR")
    assert revenue(owner, client) == (3.02, [])  # 3.015, not three times 1.01


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_columns_equal_the_recomputed_ones_after_anything(alice: Member, seed: int) -> None:
    chance = random.Random(seed)
    clients = [make.client(alice)["id"] for _ in range(2)]
    model: dict[str, tuple[str, str, dict[str, Any]]] = {}  # id → client, moment, metadata
    for _ in range(40):
        moment = f"2024-01-{chance.randrange(1, 29):02}T00:00:00.000Z"
        metadata = {"amount": chance.choice([0.1, 1, 99.99]), "currency": chance.choice(["USD", "EUR"])}
        match chance.randrange(4):
            case 0 | 1:
                client = chance.choice(clients)
                made = make.interaction(
                    alice, client, interactionType="PAYMENT_RECEIVED", occurredAt=moment, metadata=metadata
                )
                model[made["id"]] = (client, moment, metadata)
            case 2 if model:
                one = chance.choice(list(model))
                data(alice.patch(f"/interactions/{one}", {"occurredAt": moment, "metadata": metadata}))
                model[one] = (model[one][0], moment, metadata)
            case 3 if model:
                one = chance.choice(list(model))
                data(alice.delete(f"/interactions/{one}"))
                del model[one]
    for client in clients:
        mine = [(moment, metadata) for owner, moment, metadata in model.values() if owner == client]
        sums = {"USD": Decimal(0), "EUR": Decimal(0)}
        for _, metadata in mine:
            sums[str(metadata["currency"])] += Decimal(str(metadata["amount"]))
        left_out = [("EUR", float(sums["EUR"]))] if any(m["currency"] == "EUR" for _, m in mine) else []
        assert revenue(alice, client) == (float(sums["USD"]), left_out)
        assert last(alice, client) == max((moment for moment, _ in mine), default=None)
        report = data(alice.get(f"/clients/{client}/health-score"))
        assert data(alice.get(f"/clients/{client}"))["healthScore"] == report["overallScore"]
