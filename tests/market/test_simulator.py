"""The simulated Market keeps the contract (docs/reference/market-contract.md): to the letter, and while it changes."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, get_args

import pytest
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]
from openapi_spec_validator import validate

from soloist.market.simulator_data import ListName, freelancer
from soloist.market.wire import MarketClient, MarketContract, MarketItem, MarketMe, MarketPayment, MarketReview
from tests.market.fair import TOKEN, Fair, fair

OTHER = "token-of-somebody-else"
LISTS: tuple[ListName, ...] = get_args(ListName)
MODELS: dict[str, type[MarketItem]] = {
    "clients": MarketClient,
    "contracts": MarketContract,
    "payments": MarketPayment,
    "reviews": MarketReview,
}


@pytest.fixture(scope="module")
def market() -> Iterator[Fair]:
    with fair(120, tokens=(TOKEN, OTHER)) as running:
        yield running


@pytest.fixture(scope="module")
def described(market: Fair) -> dict[str, Any]:
    return dict(market.http.get("/openapi.json").json())


def test_description_is_openapi(described: dict[str, Any]) -> None:
    validate(described)


@pytest.mark.parametrize("path", ["/v1/me", *(f"/v1/{name}" for name in LISTS)])
def test_every_answer_is_as_described(market: Fair, described: dict[str, Any], path: str) -> None:
    answer = market.get(path, limit=200).json()
    schema = described["paths"][path]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
    Draft202012Validator({**schema, "components": described["components"]}).validate(answer)


def test_one_client_is_as_in_the_list(market: Fair) -> None:
    listed = market.all("clients")[7]
    assert market.get(f"/v1/clients/{listed['id']}").json() == listed


@pytest.mark.parametrize("name", LISTS)
@pytest.mark.parametrize("seed", [1, 2, 77])
def test_every_item_keeps_the_contract(name: ListName, seed: int) -> None:
    now = datetime.now(UTC)
    with fair(150, seed=seed) as market:
        items = market.all(name)
    assert items
    for item in items:
        record = MODELS[name].model_validate(item)
        assert record.future(now) is None
        assert record.updated_at <= now


def test_the_freelancer_is_told(market: Fair) -> None:
    assert MarketMe.model_validate(market.get("/v1/me").json()).name


def test_money_adds_up_and_points_at_a_client_and_a_contract(market: Fair) -> None:
    clients = {item["id"] for item in market.all("clients")}
    contracts = {item["id"]: item for item in market.all("contracts")}
    payments = market.all("payments")
    assert payments
    for payment in payments:
        assert payment["clientId"] in clients
        assert contracts[payment["contractId"]]["clientId"] == payment["clientId"]
        assert payment["gross"] - payment["fee"] == payment["net"]
    for review in market.all("reviews"):
        assert contracts[review["contractId"]]["status"] == "COMPLETED"
        assert contracts[review["contractId"]]["clientId"] == review["clientId"]


@pytest.mark.parametrize("now", [datetime(2025, 3, 1, 9, tzinfo=UTC), datetime(2028, 2, 29, 23, tzinfo=UTC)], ids=str)
def test_some_payments_go_back_whatever_the_day(now: datetime) -> None:
    payments = freelancer(1, 0, 400, now).shelves["payments"].items.values()
    refunded = sum(payment["status"] == "REFUNDED" for payment in payments)
    assert 0 < refunded < len(payments) / 10


def test_no_two_clients_share_an_address(market: Fair) -> None:
    addresses = [item["email"] for item in market.all("clients")]
    assert len(set(addresses)) == len(addresses) == 120


@pytest.mark.parametrize("name", LISTS)
@pytest.mark.parametrize("limit", [1, 7, 50, 200])
def test_pages_make_one_list_in_order(market: Fair, name: ListName, limit: int) -> None:
    items = market.all(name, limit=limit)
    keys = [(item["updatedAt"], item["id"]) for item in items]
    assert keys == sorted(set(keys))
    assert len(keys) == market.get(f"/v1/{name}").json()["total"]


def test_updated_since_is_inclusive(market: Fair) -> None:
    items = market.all("clients")
    since = items[40]["updatedAt"]
    page = market.get("/v1/clients", updatedSince=since, limit=200).json()
    assert page["items"] == [item for item in items if item["updatedAt"] >= since]
    assert page["total"] == len(page["items"])


def test_updated_since_means_the_moment_whatever_its_offset(market: Fair) -> None:
    moment = datetime.fromisoformat(market.all("clients")[40]["updatedAt"])
    elsewhere = moment.astimezone(datetime.strptime("+0530", "%z").tzinfo).isoformat()
    asked = [market.get("/v1/clients", updatedSince=text).json()["total"] for text in (moment.isoformat(), elsewhere)]
    assert asked[0] == asked[1] > 0


def test_one_clients_payments_can_be_asked_for(market: Fair) -> None:
    payments = market.all("payments")
    client_id = payments[0]["clientId"]
    page = market.get("/v1/payments", clientId=client_id).json()
    assert [item["id"] for item in page["items"]] == [one["id"] for one in payments if one["clientId"] == client_id]
    assert page["total"] == len(page["items"])


def test_nothing_is_skipped_when_items_change_during_a_walk() -> None:
    with fair(90) as market:
        first = market.get("/v1/clients", limit=30).json()
        before = {item["id"] for item in market.all("clients")}
        for item in first["items"][:10]:
            market.put("clients", item["id"], phone="+49 30 5550999")
        seen, page = [item["id"] for item in first["items"]], first["nextPage"]
        while page:
            answer = market.get("/v1/clients", limit=30, page=page).json()
            seen += [item["id"] for item in answer["items"]]
            page = answer["nextPage"]
    assert set(seen) == before
    assert sorted(one for one in seen if seen.count(one) == 2) == sorted(
        item["id"] for item in first["items"][:10] for _ in range(2)
    )


def test_the_same_seed_gives_the_same_market() -> None:
    now = datetime(2026, 5, 4, 9, 30, tzinfo=UTC)
    told = []
    for _ in range(2):
        with fair(20, seed=5, clock=lambda: now) as market:
            told.append({name: market.all(name) for name in LISTS})
    assert told[0] == told[1]


def test_another_token_is_another_freelancer(market: Fair) -> None:
    mine, theirs = (
        {item["id"] for item in market.get("/v1/clients", token, limit=200).json()["items"]} for token in (TOKEN, OTHER)
    )
    assert len(mine) == len(theirs) == 120
    assert not mine & theirs
    assert market.get(f"/v1/clients/{min(theirs)}").status_code == 404
    assert market.get("/v1/me").json() != market.get("/v1/me", OTHER).json()


@pytest.mark.parametrize("path", ["/v1/me", "/v1/clients", "/v1/clients/x", "/v1/payments", "/admin/faults"])
def test_without_a_known_token_nothing_is_told(market: Fair, path: str) -> None:
    assert market.get(path, "wrong").status_code == 401
    assert market.http.get(path).status_code == 401


@pytest.mark.parametrize(
    "query",
    [{"limit": 0}, {"limit": 201}, {"page": "2"}, {"page": "%%%"}, {"updatedSince": "yesterday"}, {"page": "x" * 501}],
)
def test_a_question_out_of_the_contract_is_refused(market: Fair, query: dict[str, str | int]) -> None:
    assert market.get("/v1/clients", None, **query).status_code in (400, 422)


def test_a_changed_item_moves_to_the_end_and_a_forgotten_one_is_gone() -> None:
    with fair(10) as market:
        first, second = (item["id"] for item in market.all("clients")[:2])
        changed = market.put("clients", first, phone="+49 30 5550123")
        market.drop("clients", second)
        items = market.all("clients")
    assert items[-1] == changed
    assert changed["phone"] == "+49 30 5550123"
    assert datetime.now(UTC) - datetime.fromisoformat(changed["updatedAt"]) < timedelta(minutes=1)
    assert second not in [item["id"] for item in items]


def test_a_fault_strikes_as_often_as_planned(market: Fair) -> None:
    try:
        market.faults(status=503, retryAfter="7", times=2, list="clients")
        assert [market.get("/v1/clients").status_code for _ in range(3)] == [503, 503, 200]
        assert market.get("/v1/payments").status_code == 200
        market.faults(status=500, share=0.25)
        assert [market.get("/v1/me").status_code for _ in range(8)].count(500) == 2
        assert market.asked["struck"] == 2
    finally:
        market.faults()
    assert market.get("/v1/clients").status_code == 200
