"""Payments, reviews and contracts of the Market: revenue, satisfaction and interactions, each counted once."""

from datetime import UTC, datetime, timedelta
from typing import Any

from tests import make
from tests.book import events
from tests.market.fair import Fair
from tests.market.houses import House, company, contract, counts, imported, payment, review, rows_of, run_of, sync
from tests.people import Member, data

YESTERDAY = (datetime.now(UTC) - timedelta(days=1)).strftime("%Y-%m-%dT%H:%M:%SZ")


def health(owner: Member, client: dict[str, Any]) -> dict[str, Any]:
    report: dict[str, Any] = data(owner.get(f"/clients/{client['id']}/health-score"))
    assert report["overallScore"] == client["healthScore"]
    return report


def test_net_of_payments_is_revenue_once(fair_market: Fair, owner: Member) -> None:
    company(fair_market, "m1")
    payment(fair_market, "p1", "m1", 900)
    payment(fair_market, "p2", "m1", 99.5)
    payment(fair_market, "p3", "m1", 50, status="REFUNDED")
    result = sync(owner)
    client = imported(owner, "m1")
    assert client["totalRevenue"] == 999.5
    (line,) = run_of(owner, result)["createdClients"]
    assert (line["payments"], line["reviews"], line["completedContracts"]) == (2, 0, 0)
    sync(owner)
    assert imported(owner, "m1")["totalRevenue"] == 999.5
    assert health(owner, client)["inputs"]["totalRevenue"] == 999.5


def test_refund_takes_the_revenue_back(fair_market: Fair, owner: Member) -> None:
    company(fair_market, "m1")
    payment(fair_market, "p1", "m1", 900)
    payment(fair_market, "p2", "m1", 100)
    sync(owner)
    before = imported(owner, "m1")
    fair_market.put("payments", "p1", status="REFUNDED")
    assert counts(sync(owner)) == (0, 1, 0)
    after = imported(owner, "m1")
    assert (after["totalRevenue"], after["version"]) == (100, before["version"])
    assert counts(sync(owner)) == (0, 0, 0)


def test_money_of_the_market_adds_to_other_revenue(fair_market: Fair, owner: Member) -> None:
    company(fair_market, "m1")
    payment(fair_market, "p1", "m1", 900)
    payment(fair_market, "p2", "m1", 70, currency="EUR")
    sync(owner)
    client = imported(owner, "m1")
    paid = {"amount": 100, "currency": "USD"}
    make.interaction(owner, client["id"], interactionType="PAYMENT_RECEIVED", metadata=paid)
    shown = imported(owner, "m1")
    assert shown["totalRevenue"] == 1000
    assert shown["unconverted"] == [{"currency": "EUR", "amount": 70}]


def test_payment_is_never_booked_for_two_clients(fair_market: Fair, owner: Member) -> None:
    company(fair_market, "m1")
    company(fair_market, "m2")
    payment(fair_market, "p1", "m1", 900)
    sync(owner)
    fair_market.put("payments", "p1", clientId="m2")
    result = sync(owner)
    assert counts(result) == (0, 0, 1)
    assert (result["errors"][0]["kind"], result["errors"][0]["itemId"]) == ("PAYMENT", "p1")
    assert (imported(owner, "m1")["totalRevenue"], imported(owner, "m2")["totalRevenue"]) == (900, 0)


def test_ratings_count_in_satisfaction(fair_market: Fair, owner: Member) -> None:
    company(fair_market, "m1")
    review(fair_market, "v1", "m1", 5, reviewedAt=YESTERDAY)
    sync(owner)
    first = health(owner, imported(owner, "m1"))
    assert first["components"]["satisfaction"] == 100
    assert (first["inputs"]["marketRatings"], first["inputs"]["ratedInteractions"]) == (1, 0)
    assert "1 rating on the Market" in first["explanation"]["satisfaction"]
    review(fair_market, "v2", "m1", 2, reviewedAt=YESTERDAY)
    assert counts(sync(owner)) == (0, 1, 0)
    # 100 and 25 weigh the same: 62.5, which is 63
    assert health(owner, imported(owner, "m1"))["components"]["satisfaction"] == 63
    fair_market.put("reviews", "v2", rating=1)
    assert counts(sync(owner)) == (0, 1, 0)
    assert health(owner, imported(owner, "m1"))["components"]["satisfaction"] == 50


def test_completed_contract_is_an_interaction_once(house: House, fair_market: Fair, owner: Member) -> None:
    company(fair_market, "m1")
    contract(fair_market, "c1", "m1", title="New website", completedAt=YESTERDAY)
    contract(fair_market, "c2", "m1", status="ACTIVE", completedAt=None)
    sync(owner)
    client = imported(owner, "m1")
    (logged,) = client["recentInteractions"]
    assert (logged["interactionType"], logged["subject"]) == ("PROJECT_COMPLETED", "Project completed: New website")
    assert (logged["sentimentSource"], logged["metadata"]) == ("NONE", {"platformContractId": "c1"})
    assert logged["occurredAt"][:19] + "Z" == YESTERDAY
    assert client["lastInteractionAt"] == logged["occurredAt"]
    assert len(events(house.served, owner, "interaction.created")) == 1
    assert counts(sync(owner)) == (0, 0, 0)
    data(owner.delete(f"/interactions/{logged['id']}"))
    sync(owner)
    assert imported(owner, "m1")["recentInteractions"] == []
    fair_market.put("contracts", "c2", status="COMPLETED", completedAt=YESTERDAY)
    assert counts(sync(owner)) == (0, 1, 0)
    assert len(imported(owner, "m1")["recentInteractions"]) == 1


def test_facts_of_a_client_that_the_market_does_not_list_are_told(fair_market: Fair, owner: Member) -> None:
    company(fair_market, "m1")
    payment(fair_market, "p1", "nobody", 900)
    result = sync(owner)
    assert counts(result) == (1, 0, 1)
    assert (result["errors"][0]["itemId"], result["errors"][0]["code"]) == ("nobody", "PLATFORM_CLIENT_NOT_FOUND")


def test_changes_of_facts_touch_no_record(house: House, fair_market: Fair, owner: Member) -> None:
    company(fair_market, "m1")
    sync(owner)
    before = imported(owner, "m1")
    payment(fair_market, "p1", "m1", 900)
    sync(owner)
    after = imported(owner, "m1")
    assert (after["version"], after["updatedAt"]) == (before["version"], before["updatedAt"])
    assert events(house.served, owner, "client.updated") == []
    assert len(rows_of(house.served, owner, "market_payments")["market_payments"]) == 1
