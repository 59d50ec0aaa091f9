"""A house of the Market tests' own: a server whose accounts are connected to a Market that tests may change."""

from collections.abc import Iterator

import pytest

from tests.databases import clone
from tests.market.fair import Fair, fair
from tests.market.houses import House, hurried, worker
from tests.people import Member, register
from tests.serving import serving, settings_for


@pytest.fixture(scope="module")
def house(postgres: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A server, its Market without clients, and a worker for its syncs."""
    with fair(clients=0) as market:
        settings = settings_for(
            tmp_path_factory.mktemp("market"),
            market_url=market.url,
            market_token=market.token,
            outbound_allow="127.0.0.0/8",
        )
        with serving(settings, clone(postgres)) as served, worker(settings, served):
            served.app.state.doors = hurried(settings, served)
            yield House(served, market, settings)


@pytest.fixture
def fair_market(house: House) -> Iterator[Fair]:
    """The Market, empty and well behaved."""
    house.clear()
    yield house.market
    house.clear()


@pytest.fixture
def owner(house: House, fair_market: Fair) -> Member:
    """The owner of an empty book that is connected to the Market."""
    return register(house.served.url, "market")
