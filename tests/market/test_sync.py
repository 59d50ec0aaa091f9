"""POST /clients/sync: what comes into the book, what stays, what is told; over HTTP, against a Market over HTTP."""

from tests import make
from tests.book import events
from tests.market.fair import Fair
from tests.market.houses import (
    House,
    company,
    contract,
    counts,
    imported,
    payment,
    review,
    rows_of,
    run_of,
    sync,
)
from tests.people import Member, data


def test_clients_of_the_market_come_into_the_book(fair_market: Fair, owner: Member) -> None:
    company(
        fair_market,
        "m1",
        companyName="Acme Corporation",
        email="contact@acme.com",
        phone="+1234567890",
        website="https://acme.com",
        industry="Technology",
        companySize="MEDIUM",
        timezone="America/New_York",
        address={"city": "New York", "postalCode": "10001"},
    )
    fair_market.put("clients", "m2", type="INDIVIDUAL", firstName="Jane", lastName="Smith")
    assert counts(sync(owner)) == (2, 0, 0)
    acme, jane = imported(owner, "m1"), imported(owner, "m2")
    shown = {
        "source": "MARKET_IMPORT",
        "status": "ACTIVE",
        "clientType": "COMPANY",
        "companyName": "Acme Corporation",
        "email": "contact@acme.com",
        "phone": "+1234567890",
        "website": "https://acme.com",
        "industry": "Technology",
        "companySize": "MEDIUM",
        "timezone": "America/New_York",
        "address": {"city": "New York", "postalCode": "10001"},
        "version": 1,
    }
    assert {name: acme[name] for name in shown} == shown
    assert (jane["clientType"], jane["displayName"]) == ("INDIVIDUAL", "Jane Smith")
    assert data(owner.get("/clients/stats"))["bySource"] == {"MARKET_IMPORT": 2}


def test_second_sync_updates_nothing_and_writes_nothing(house: House, fair_market: Fair, owner: Member) -> None:
    for number in range(5):
        company(fair_market, f"m{number}", email=f"m{number}@example.com", address={"city": "Wien"})
        payment(fair_market, f"p{number}", f"m{number}", 100.5)
        payment(fair_market, f"r{number}", f"m{number}", 50, status="REFUNDED")
        contract(fair_market, f"c{number}", f"m{number}")
        review(fair_market, f"v{number}", f"m{number}", 4)
    assert counts(sync(owner)) == (5, 0, 0)
    before, told = rows_of(house.served, owner), len(events(house.served, owner))
    result = sync(owner)
    assert counts(result) == (0, 0, 0)
    assert rows_of(house.served, owner) == before
    assert len(events(house.served, owner)) == told + 1
    assert run_of(owner, result)["unchanged"] == 5


def test_change_on_the_market_follows_field_by_field(house: House, fair_market: Fair, owner: Member) -> None:
    company(fair_market, "m1", phone="+111", industry="Tea")
    sync(owner)
    before = imported(owner, "m1")
    fair_market.put("clients", "m1", phone="+222", website="https://tea.example")
    result = sync(owner)
    after = imported(owner, "m1")
    assert counts(result) == (0, 1, 0)
    assert (after["phone"], after["website"], after["industry"]) == ("+222", "https://tea.example", "Tea")
    assert after["version"] == before["version"] + 1
    (line,) = run_of(owner, result)["updatedClients"]
    assert (line["clientId"], line["platformClientId"], line["name"]) == (after["id"], "m1", "Company m1")
    assert line["changes"] == [
        {"field": "phone", "from": "+111", "to": "+222"},
        {"field": "website", "from": None, "to": "https://tea.example"},
    ]
    (told,) = events(house.served, owner, "client.updated")
    assert told["data"]["changed"] == ["phone", "website"]


def test_archived_client_and_edited_phone_both_survive(fair_market: Fair, owner: Member) -> None:
    company(fair_market, "m1", phone="+111")
    company(fair_market, "m2", phone="+111", industry="Tea")
    sync(owner)
    put_away, edited = imported(owner, "m1"), imported(owner, "m2")
    data(owner.post(f"/clients/{put_away['id']}/archive"))
    data(owner.patch(f"/clients/{edited['id']}", {"phone": "+999"}))
    for market_id in ("m1", "m2"):
        fair_market.put("clients", market_id, phone="+222", industry="Coffee")
        payment(fair_market, f"p-{market_id}", market_id, 100)
    result = sync(owner)
    assert counts(result) == (0, 1, 0)
    archived, kept = imported(owner, "m1"), imported(owner, "m2")
    assert (archived["status"], archived["phone"], archived["totalRevenue"]) == ("ARCHIVED", "+111", 0)
    assert (kept["phone"], kept["industry"], kept["totalRevenue"]) == ("+999", "Coffee", 100)
    lines = {line["platformClientId"]: line["fields"] for line in run_of(owner, result)["keptClients"]}
    assert lines["m2"] == [{"field": "phone", "yours": "+999", "market": "+222", "reason": "EDITED_BY_HAND"}]
    assert {field["reason"] for field in lines["m1"]} == {"ARCHIVED"}
    data(owner.post(f"/clients/{put_away['id']}/restore"))
    assert counts(sync(owner)) == (0, 1, 0)
    assert (imported(owner, "m1")["phone"], imported(owner, "m1")["totalRevenue"]) == ("+222", 100)


def test_same_address_links_a_client_of_the_book(fair_market: Fair, owner: Member) -> None:
    mine = make.client(owner, companyName="My Acme", email="Contact@Acme.com", source="REFERRAL", phone="+999")
    company(fair_market, "m1", companyName="Acme Corporation", email="contact@acme.com", phone="+111", industry="Tea")
    result = sync(owner)
    assert counts(result) == (0, 1, 0)
    linked = imported(owner, "m1")
    assert (linked["id"], linked["source"], linked["companyName"]) == (mine["id"], "REFERRAL", "My Acme")
    assert (linked["phone"], linked["industry"]) == ("+999", "Tea")
    assert data(owner.get("/clients"))["total"] == 1
    assert counts(sync(owner)) == (0, 0, 0)
