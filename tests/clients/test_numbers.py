"""The book in numbers, and the clients that need attention: both by the rules of the API document."""

import random
from datetime import timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import pytest

from tests import make
from tests.book import run
from tests.people import Member, Person, data, register
from tests.serving import Served, SettableClock


def put(server: Served, owner: Member, client_id: str, **columns: Any) -> None:
    """Set a client's derived columns."""
    sets = ", ".join(f"{name} = ${number}" for number, name in enumerate(columns, 3))
    run(server, f"update clients set {sets} where account_id = $1 and id = $2", owner.account["id"], client_id,
        *columns.values())  # fmt: skip


def test_empty_book_is_all_zeros(alice: Member) -> None:
    assert data(alice.get("/clients/stats")) == {
        "totalClients": 0,
        "activeClients": 0,
        "leads": 0,
        "prospects": 0,
        "inactiveClients": 0,
        "totalRevenue": 0,
        "currency": "USD",
        "averageClientValue": 0,
        "averageHealthScore": 0,
        "clientsNeedingAttention": 0,
        "bySource": {},
        "unconverted": [],
        "recalculating": False,
    }
    assert data(alice.get("/clients/needs-attention")) == []


def test_documents_example_comes_out(server: Served, alice: Member) -> None:
    """50 clients, 35 of them active, with 250,000 in all: 7142.86 on average."""
    statuses = ["ACTIVE"] * 35 + ["LEAD"] * 10 + ["PROSPECT"] * 5
    sources = ["MANUAL"] * 20 + ["WEBSITE"] * 25 + ["REFERRAL"] * 5
    for status, source in zip(statuses, sources, strict=True):
        client = make.client(alice, status=status, source=source)
        put(server, alice, client["id"], total_revenue=Decimal(5000), health_score=72)
    stats = data(alice.get("/clients/stats"))
    document = {
        "totalClients": 50,
        "activeClients": 35,
        "leads": 10,
        "prospects": 5,
        "totalRevenue": 250000,
        "averageClientValue": 7142.86,
        "averageHealthScore": 72,
        "bySource": {"WEBSITE": 25, "MANUAL": 20, "REFERRAL": 5},
    }
    assert {name: stats[name] for name in document} == document
    assert list(stats["bySource"]) == ["WEBSITE", "MANUAL", "REFERRAL"]


@pytest.mark.parametrize(
    ("revenues", "active", "average"),
    [
        (["100", "0.01"], 2, 50.01),  # 50.005 rounds up
        (["100", "0.03"], 2, 50.02),  # 50.015 too
        (["10", "0", "0"], 3, 3.33),
        (["20", "0", "0"], 3, 6.67),
        (["500", "500"], 1, 1000),  # the revenue of others counts, divided among the active ones
        (["500"], 0, 0),
        (["999999999999.99"], 1, 999999999999.99),
    ],
)
def test_average_is_revenue_by_active_clients(
    server: Served, alice: Member, revenues: list[str], active: int, average: float
) -> None:
    for number, revenue in enumerate(revenues):
        client = make.client(alice, status="ACTIVE" if number < active else "LEAD")
        put(server, alice, client["id"], total_revenue=Decimal(revenue))
    assert data(alice.get("/clients/stats"))["averageClientValue"] == average


@pytest.mark.parametrize(("scores", "average"), [([50, 51], 51), ([50, 50, 51], 50), ([0, 100, 100], 67), ([0], 0)])
def test_average_health_is_rounded_half_up(server: Served, alice: Member, scores: list[int], average: int) -> None:
    for score in scores:
        put(server, alice, make.client(alice)["id"], health_score=score)
    assert data(alice.get("/clients/stats"))["averageHealthScore"] == average


def test_archived_clients_are_in_no_number(server: Served, alice: Member) -> None:
    kept, gone = make.client(alice, source="REFERRAL"), make.client(alice)
    for client in (kept, gone):
        put(server, alice, client["id"], total_revenue=Decimal(100), health_score=40)
    run(server, """update clients set unconverted = '[{"currency": "EUR", "amount": 5}]' where id = $1""", gone["id"])
    data(alice.post(f"/clients/{gone['id']}/archive"))
    stats = data(alice.get("/clients/stats"))
    assert (stats["totalClients"], stats["totalRevenue"], stats["averageClientValue"]) == (1, 100, 100)
    assert (stats["bySource"], stats["unconverted"], stats["averageHealthScore"]) == ({"REFERRAL": 1}, [], 40)


def test_amounts_without_a_rate_are_summed_by_currency_beside_the_total(alice: Member) -> None:
    for currency, amount in (("EUR", 10), ("EUR", 5.5), ("JPY", 700), ("USD", 20)):
        client = make.client(alice)
        metadata = {"amount": amount, "currency": currency}
        make.interaction(alice, client["id"], interactionType="PAYMENT_RECEIVED", metadata=metadata)
    stats = data(alice.get("/clients/stats"))
    assert (stats["totalRevenue"], stats["averageClientValue"]) == (20, 5)
    assert stats["unconverted"] == [{"currency": "EUR", "amount": 15.5}, {"currency": "JPY", "amount": 700}]


# --- attention ---


def signed_in(person: Member) -> Person:
    """The same owner with a fresh token, for a clock that was moved."""
    login = Person(person.url).post("/auth/login", {"email": person.email, "password": "correct horse battery staple"})
    return Person(person.url, data(login)["accessToken"])


DAY = timedelta(days=1)
CASES: dict[str, tuple[str, timedelta, int, timedelta | None, list[str]]] = {
    # status, age, score, since the last contact → reasons
    "healthy and in touch": ("ACTIVE", 60 * DAY, 80, 5 * DAY, []),
    "score of 50": ("ACTIVE", 60 * DAY, 50, 5 * DAY, []),
    "score of 49": ("ACTIVE", 60 * DAY, 49, 5 * DAY, ["Health score is 49, below 50"]),
    "30 days": ("ACTIVE", 60 * DAY, 80, 30 * DAY, []),
    "over 30 days": ("ACTIVE", 60 * DAY, 80, 30 * DAY + timedelta(seconds=1), ["Last contact was 30 days ago"]),
    "41 days": ("LEAD", 60 * DAY, 80, 41 * DAY, ["Last contact was 41 days ago"]),
    "both": ("PROSPECT", 60 * DAY, 0, 400 * DAY, ["Health score is 0, below 50", "Last contact was 400 days ago"]),
    "never": ("ACTIVE", 15 * DAY, 80, None, ["Never contacted"]),
    "never and unhealthy": ("ACTIVE", 15 * DAY, 10, None, ["Health score is 10, below 50", "Never contacted"]),
    "new": ("ACTIVE", 14 * DAY, 10, None, []),
    "just not new": ("ACTIVE", 14 * DAY + timedelta(seconds=1), 10, None, ["Health score is 10", "Never contacted"]),
    "inactive": ("INACTIVE", 60 * DAY, 0, None, []),
    "archived": ("ARCHIVED", 60 * DAY, 0, None, []),
}


@pytest.mark.parametrize(("status", "age", "score", "contact", "reasons"), CASES.values(), ids=CASES)
def test_rule_of_attention(
    server: Served, clock: SettableClock, status: str, age: timedelta, score: int, contact: timedelta | None,
    reasons: list[str],
) -> None:  # fmt: skip
    now = clock.freeze(clock().replace(microsecond=0))
    owner = register(server.url, "attention")
    client = make.client(owner, status="ACTIVE" if status == "ARCHIVED" else status)
    if status == "ARCHIVED":
        data(owner.post(f"/clients/{client['id']}/archive"))
    last = None if contact is None else now - contact
    put(server, owner, client["id"], created_at=now - age, health_score=score, last_interaction_at=last)
    found = data(owner.get("/clients/needs-attention"))
    assert data(owner.get("/clients/stats"))["clientsNeedingAttention"] == len(found) == bool(reasons)
    for one in found:
        assert one["id"] == client["id"]
        assert len(one["reasons"]) == len(reasons)
        for told, words in zip(one["reasons"], reasons, strict=True):
            assert told.startswith(words)


def test_worst_come_first_and_the_number_agrees_with_the_list(server: Served, clock: SettableClock) -> None:
    chance = random.Random(3)
    now = clock.freeze()
    owner = register(server.url, "attention")
    for _ in range(40):
        client = make.client(owner, status=chance.choice(["LEAD", "PROSPECT", "ACTIVE", "INACTIVE"]))
        last = chance.choice([None, now - chance.randrange(60) * DAY])
        put(server, owner, client["id"], created_at=now - chance.randrange(30) * DAY,
            health_score=chance.choice([10, 10, 49, 50, 90]), last_interaction_at=last)  # fmt: skip
    found = data(owner.get("/clients/needs-attention?limit=100"))
    assert data(owner.get("/clients/stats"))["clientsNeedingAttention"] == len(found) > 10
    keys = [(one["healthScore"], one["lastInteractionAt"] or "", one["id"]) for one in found]
    assert keys == sorted(keys)
    assert data(owner.get("/clients/needs-attention")) == found[:10]
    assert data(owner.get("/clients/needs-attention?limit=3")) == found[:3]


def test_client_comes_to_need_attention_by_mere_time(server: Served, clock: SettableClock) -> None:
    clock.freeze()
    owner = register(server.url, "attention")
    client = make.client(owner)
    for _ in range(20):
        make.interaction(owner, client["id"], sentiment="POSITIVE", isOutbound=False)
    clock.advance(days=29)
    assert data(signed_in(owner).get("/clients/needs-attention")) == []
    clock.advance(days=2)
    [one] = data(signed_in(owner).get("/clients/needs-attention"))
    assert one["reasons"] == ["Last contact was 31 days ago"]


def test_average_is_exact_over_many_cents(server: Served, alice: Member) -> None:
    amounts = [Decimal("0.10"), Decimal("0.20"), Decimal("0.30"), Decimal("1.11")]
    for amount in amounts:
        put(server, alice, make.client(alice)["id"], total_revenue=amount)
    stats = data(alice.get("/clients/stats"))
    assert Decimal(str(stats["totalRevenue"])) == sum(amounts)
    average = (sum(amounts, Decimal(0)) / 4).quantize(Decimal("0.01"), ROUND_HALF_UP)
    assert Decimal(str(stats["averageClientValue"])) == average
