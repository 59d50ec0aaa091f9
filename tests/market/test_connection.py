"""GET, PUT and DELETE /me/market: whose Market an account reads, and that its token stays a secret."""

from collections.abc import Iterator

import pytest

from tests.book import run, select
from tests.databases import clone
from tests.market.fair import Fair, fair
from tests.market.houses import House, company, counts, failed, imported, sync, worker
from tests.people import Member, data, faults, register
from tests.serving import Served, serving, settings_for
from tests.wire import refused


@pytest.fixture(scope="module")
def unconnected(postgres: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server that knows no Market; accounts may name one in this machine."""
    settings = settings_for(tmp_path_factory.mktemp("none"), outbound_allow="127.0.0.0/8")
    with serving(settings, clone(postgres)) as served, worker(settings, served):
        yield served


@pytest.fixture
def loner(unconnected: Served) -> Member:
    return register(unconnected.url, "loner")


def test_without_a_market_nothing_is_synchronised(loner: Member) -> None:
    shown = data(loner.get("/me/market"))
    assert (shown["connected"], shown["isDefault"], shown["baseUrl"], shown["lastRun"]) == (False, False, None, None)
    failed(loner.post("/clients/sync"), "PUT /me/market")
    failed(loner.post("/clients/import", {"platformClientId": "m1"}), "PUT /me/market")
    failed(loner.get("/clients/market"), "PUT /me/market")
    assert data(loner.get("/clients/sync-runs"))["total"] == 0


def test_account_connects_to_a_market_of_its_own(unconnected: Served, fair_market: Fair, loner: Member) -> None:
    company(fair_market, "m1")
    put = loner.put("/me/market", {"baseUrl": fair_market.url, "token": fair_market.token})
    shown = data(put)
    assert (shown["connected"], shown["isDefault"], shown["baseUrl"]) == (True, False, fair_market.url)
    assert (shown["version"], put.headers["etag"]) == (1, '"1"')
    result = sync(loner)
    assert counts(result) == (1, 0, 0)
    answer = loner.get("/me/market")
    assert data(answer)["lastRun"]["id"] == result["runId"]
    stored = select(unconnected, "select c::text as line from market_connections c")
    for text in (put.text, answer.text, *(row["line"] for row in stored)):
        assert fair_market.token not in text
    data(loner.delete("/me/market"))
    assert data(loner.get("/me/market"))["connected"] is False
    failed(loner.post("/clients/sync"), "not connected")
    assert imported(loner, "m1")["displayName"] == "Company m1"


def test_token_that_can_not_be_read_any_more_is_told(unconnected: Served, fair_market: Fair, loner: Member) -> None:
    """As after the installation's secret was replaced."""
    company(fair_market, "m1")
    data(loner.put("/me/market", {"baseUrl": fair_market.url, "token": fair_market.token}))
    sealed = "update market_connections set sealed_token = $2 where account_id = $1"
    run(unconnected, sealed, loner.account["id"], "sealed.by.another.installation.once")
    assert data(loner.get("/me/market"))["connected"] is True
    failed(loner.post("/clients/sync"), "can't be read any more")
    failed(loner.post("/clients/import", {"platformClientId": "m1"}), "can't be read any more")
    failed(loner.get("/clients/market"), "can't be read any more")
    data(loner.put("/me/market", {"baseUrl": fair_market.url, "token": fair_market.token}))
    assert counts(sync(loner)) == (1, 0, 0)


def test_another_freelancers_token_brings_other_clients(loner: Member) -> None:
    with fair(clients=3, tokens=("one", "two")) as market:
        data(loner.put("/me/market", {"baseUrl": market.url, "token": "one"}))
        data(loner.put("/me/market", {"baseUrl": market.url, "token": "two"}, headers={"If-Match": '"1"'}))
        first = {one["platformClientId"] for one in data(loner.get("/clients/market"))["candidates"]}
        assert first == {one["id"] for one in market.http.get("/v1/clients", headers=two()).json()["items"]}
        late = loner.put("/me/market", {"baseUrl": market.url, "token": "one"}, headers={"If-Match": '"1"'})
        refused(late, 412, "PRECONDITION_FAILED")


def two() -> dict[str, str]:
    return {"Authorization": "Bearer two"}


def test_default_is_used_until_an_account_says_otherwise(house: House, owner: Member, fair_market: Fair) -> None:
    shown = data(owner.get("/me/market"))
    assert (shown["connected"], shown["isDefault"], shown["baseUrl"]) == (True, True, None)
    data(owner.put("/me/market", {"token": "of-nobody"}))
    assert data(owner.get("/me/market"))["isDefault"] is False
    failed(owner.post("/clients/sync"), "token")
    data(owner.delete("/me/market"))
    assert counts(sync(owner)) == (0, 0, 0)


BAD_ADDRESSES = (
    "http://10.0.0.1", "https://10.0.0.1", "http://169.254.169.254/latest", "ftp://127.0.0.1", "http://user@127.0.0.1",
    "http://[::1]", "http://127.0.0.1/?x=1", "http://127.0.0.1/#x", "", "x", "http://127.0.0.1:25",
)  # fmt: skip


@pytest.mark.parametrize("address", BAD_ADDRESSES)
def test_address_is_judged_when_it_is_saved(unconnected: Served, loner: Member, address: str) -> None:
    assert "baseUrl" in faults(loner.put("/me/market", {"baseUrl": address, "token": "x"}))
    assert data(loner.get("/me/market"))["connected"] is False


def test_address_is_needed_where_there_is_no_default(loner: Member) -> None:
    assert "baseUrl" in faults(loner.put("/me/market", {"token": "x"}))


@pytest.mark.parametrize("token", ["", " ", "two words", "ü", "line\nbreak", "x" * 4097, 1, None])
def test_token_is_visible_ascii(loner: Member, token: object) -> None:
    assert "token" in faults(loner.put("/me/market", {"baseUrl": "https://example.com", "token": token}))
