"""POST /clients/import and GET /clients/market: one client at a time, and what there is to choose from."""

from concurrent.futures import ThreadPoolExecutor

from tests import make
from tests.book import events
from tests.market.fair import Fair
from tests.market.houses import House, company, contract, counts, failed, imported, payment, review, sync
from tests.people import Member, data
from tests.wire import refused


def test_import_makes_the_client_with_all_that_was_paid(house: House, fair_market: Fair, owner: Member) -> None:
    company(fair_market, "m1", email="a@example.com", address={"city": "Wien"})
    company(fair_market, "m2")
    for client_id in ("m1", "m2"):
        payment(fair_market, f"p-{client_id}", client_id, 900)
        review(fair_market, f"v-{client_id}", client_id, 5)
        contract(fair_market, f"c-{client_id}", client_id)
    answer = owner.post("/clients/import", {"platformClientId": "m1"})
    client = data(answer, 201)
    assert answer.headers["location"] == f"/api/cockpit/clients/{client['id']}"
    assert (client["source"], client["platformClientId"], client["status"]) == ("MARKET_IMPORT", "m1", "ACTIVE")
    assert (client["totalRevenue"], client["address"]) == (900, {"city": "Wien"})
    assert [one["interactionType"] for one in client["recentInteractions"]] == ["PROJECT_COMPLETED"]
    assert data(owner.get("/clients"))["total"] == 1
    assert len(events(house.served, owner, "client.created")) == 1
    assert counts(sync(owner)) == (1, 0, 0)


def test_second_import_answers_the_present_client(fair_market: Fair, owner: Member) -> None:
    company(fair_market, "m1")
    first = data(owner.post("/clients/import", {"platformClientId": "m1"}), 201)
    data(owner.patch(f"/clients/{first['id']}", {"phone": "+999"}))
    fair_market.faults(status=500)
    again = owner.post("/clients/import", {"platformClientId": "m1"})
    assert (data(again)["id"], data(again)["phone"]) == (first["id"], "+999")
    assert "location" not in again.headers


def test_unknown_client_is_not_found(fair_market: Fair, owner: Member) -> None:
    company(fair_market, "m1")
    for unknown in ("nobody", "..", ".", "a/b", "m1/../m1", "ü", "%00", "m1?x=1"):
        refused(owner.post("/clients/import", {"platformClientId": unknown}), 404, "PLATFORM_CLIENT_NOT_FOUND")
    assert data(owner.get("/clients"))["total"] == 0


def test_import_links_a_client_with_the_same_address(fair_market: Fair, owner: Member) -> None:
    mine = make.client(owner, companyName="Mine", email="a@example.com", source="REFERRAL", notes="my words")
    company(fair_market, "m1", companyName="Theirs", email="A@Example.com", phone="+111")
    client = data(owner.post("/clients/import", {"platformClientId": "m1"}), 201)
    assert (client["id"], client["source"], client["platformClientId"]) == (mine["id"], "REFERRAL", "m1")
    assert (client["companyName"], client["notes"], client["phone"]) == ("Mine", "my words", "+111")
    assert data(owner.get("/clients"))["total"] == 1


def test_import_of_an_archived_client_links_and_leaves_it_there(fair_market: Fair, owner: Member) -> None:
    mine = make.client(owner, email="a@example.com")
    data(owner.post(f"/clients/{mine['id']}/archive"))
    company(fair_market, "m1", email="a@example.com", phone="+111")
    client = data(owner.post("/clients/import", {"platformClientId": "m1"}), 201)
    assert (client["id"], client["status"], client["phone"]) == (mine["id"], "ARCHIVED", None)


def test_two_clients_of_the_market_with_one_address_are_not_mixed(fair_market: Fair, owner: Member) -> None:
    company(fair_market, "m1", email="a@example.com")
    company(fair_market, "m2", email="A@example.com")
    first = data(owner.post("/clients/import", {"platformClientId": "m1"}), 201)
    error = refused(owner.post("/clients/import", {"platformClientId": "m2"}), 409, "CLIENT_ALREADY_EXISTS")
    assert error["details"] == {"clientId": first["id"], "archived": False}
    result = sync(owner)
    assert counts(result) == (0, 0, 1)
    assert (result["errors"][0]["itemId"], result["errors"][0]["code"]) == ("m2", "CLIENT_ALREADY_EXISTS")


def test_market_that_fails_imports_nothing(fair_market: Fair, owner: Member) -> None:
    company(fair_market, "m1")
    fair_market.faults(status=403)
    failed(owner.post("/clients/import", {"platformClientId": "m1"}), "token")
    fair_market.faults(status=403, list="payments")
    failed(owner.post("/clients/import", {"platformClientId": "m1"}), "token")
    assert data(owner.get("/clients"))["total"] == 0


def test_simultaneous_imports_make_one_client(fair_market: Fair, owner: Member) -> None:
    """Each of the five times; only one of the eight is told that it made it."""
    for number in range(1, 6):
        company(fair_market, f"m{number}", email=f"a{number}@example.com")
        payment(fair_market, f"p{number}", f"m{number}", 900)
        wanted = {"platformClientId": f"m{number}"}
        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(lambda _, wanted=wanted: owner.post("/clients/import", wanted), range(8)))
        assert sorted(answer.status_code for answer in answers) == [200] * 7 + [201]
        assert data(owner.get("/clients"))["total"] == number
        assert imported(owner, f"m{number}")["totalRevenue"] == 900


def test_repeated_request_is_answered_without_the_market(fair_market: Fair, owner: Member) -> None:
    company(fair_market, "m1")
    keyed = {"headers": {"Idempotency-Key": "once"}}
    first = owner.post("/clients/import", {"platformClientId": "m1"}, **keyed)
    fair_market.faults(status=500)
    again = owner.post("/clients/import", {"platformClientId": "m1"}, **keyed)
    assert (first.status_code, again.status_code, again.content) == (201, 201, first.content)


def test_candidates_are_those_not_in_the_book(fair_market: Fair, owner: Member) -> None:
    mine = make.client(owner, email="c@example.com")
    for name in "abc":
        company(fair_market, name, email=f"{name}@example.com")
    data(owner.post("/clients/import", {"platformClientId": "a"}), 201)
    page = data(owner.get("/clients/market"))
    assert [one["platformClientId"] for one in page["candidates"]] == ["b", "c"]
    assert (page["total"], page["page"], page["limit"], page["nextCursor"]) == (2, 1, 20, None)
    assert [one["matchingClientId"] for one in page["candidates"]] == [None, mine["id"]]
    assert page["candidates"][0]["displayName"] == "Company b"


def test_candidates_are_paged_by_number_and_by_cursor(fair_market: Fair, owner: Member) -> None:
    for number in range(250):
        company(fair_market, f"m{number:03}", updatedAt="2024-01-02T09:00:00Z")
    every = [f"m{number:03}" for number in range(250)]
    second = data(owner.get("/clients/market?page=2&limit=100"))
    assert ([one["platformClientId"] for one in second["candidates"]], second["total"]) == (every[100:200], 250)
    found, cursor = [], ""
    while cursor is not None:
        page = data(owner.get(f"/clients/market?limit=90{cursor and f'&cursor={cursor}'}"))
        found += [one["platformClientId"] for one in page["candidates"]]
        assert page["total"] == 250
        cursor = page["nextCursor"]
    assert found == every
