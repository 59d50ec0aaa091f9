"""What every test can ask for: a server with alice and bob on it, or a database of its own."""

from collections.abc import Iterator

import pytest

from tests.databases import clone, cluster
from tests.market.fair import Fair, fair
from tests.market.stock import stocked
from tests.people import Member, Person, register
from tests.serving import Served, SettableClock, serving, settings_for, syncing


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """This worker's cluster, as a DSN pattern."""
    with cluster(tmp_path_factory.mktemp("pg")) as pattern:
        yield pattern


@pytest.fixture
def db_url(postgres: str) -> str:
    """A migrated, empty database of this test's own."""
    return clone(postgres)


@pytest.fixture(scope="session")
def market() -> Iterator[Fair]:
    """This worker's Market, to which every account of the server is connected; nobody changes it."""
    with fair(clients=0) as running:
        yield stocked(running)


@pytest.fixture(scope="session")
def server(postgres: str, market: Fair, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """One server for the worker's tests; accounts keep them apart. Of all jobs, only syncs are done."""
    settings = settings_for(tmp_path_factory.mktemp("data"), market_url=market.url, market_token=market.token)
    with serving(settings, clone(postgres)) as served, syncing(settings, served):
        yield served


@pytest.fixture
def clock(server: Served) -> Iterator[SettableClock]:
    """The server's clock, set back afterwards."""
    yield server.clock
    server.clock.reset()


@pytest.fixture
def alice(server: Served) -> Member:
    """The owner of a new, empty book."""
    return register(server.url, "alice")


@pytest.fixture
def bob(server: Served) -> Member:
    """The owner of another one."""
    return register(server.url, "bob")


@pytest.fixture
def stranger(server: Served) -> Person:
    """Somebody without a token."""
    return Person(server.url)
