"""The document's "Import Client from Market" and "Sync Clients from Market", its blocks as they stand there."""

from collections.abc import Iterator

import pytest

from tests import make
from tests.contract import blocks
from tests.contract.matching import holds, parsed
from tests.databases import clone
from tests.market.fair import Fair, fair
from tests.market.houses import company, worker
from tests.people import Member, data, register
from tests.serving import serving, settings_for


@pytest.fixture
def own_market() -> Iterator[Fair]:
    """A Market of this test's own."""
    with fair(clients=0) as running:
        yield running


@pytest.fixture
def owner(own_market: Fair, postgres: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Member]:
    """Somebody whose account is connected to it."""
    folder = tmp_path_factory.mktemp("market")
    settings = settings_for(folder, market_url=own_market.url, market_token=own_market.token)
    with serving(settings, clone(postgres)) as served, worker(settings, served):
        yield register(served.url, "market")


def test_import_client_from_market(own_market: Fair, owner: Member) -> None:
    company(own_market, "uuid-of-market-client")
    headers = {"Content-Type": "application/json"}
    answer = owner.request("POST", "/clients/import", content=blocks.IMPORT_CLIENT.encode(), headers=headers)
    assert answer.status_code == 201
    holds(answer.json(), parsed(blocks.IMPORTED_CLIENT))


def test_sync_clients_from_market(own_market: Fair, owner: Member) -> None:
    """Twelve clients that are in the book already, and three that are not."""
    for number in range(15):
        address = f"m{number}@example.com"
        company(own_market, f"m{number}", email=address)
        if number < 12:
            make.client(owner, email=address)
    answer = owner.request("POST", "/clients/sync")
    assert answer.status_code == 200
    holds(answer.json(), parsed(blocks.SYNCED_CLIENTS))
    assert data(answer)["errors"] == []
    assert data(owner.get("/clients"))["total"] == 15
