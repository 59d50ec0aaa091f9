"""A server of this folder's own, whose webhooks may reach loopback, a receiver, and workers."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

import hatch_build
from soloist.infra.settings import Settings
from tests.databases import clone
from tests.receiver import Receiver, receiving
from tests.serving import Served, serving, settings_for, working
from tests.webhooks.hooks import LOOPBACK, Book

JS = Path(hatch_build.__file__).parent / "tests/js"


@pytest.fixture(scope="session")
def hook_settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return settings_for(tmp_path_factory.mktemp("hooks"), outbound_allow=LOOPBACK)


@pytest.fixture(scope="session")
def server(postgres: str, hook_settings: Settings) -> Iterator[Served]:
    """Takes the place of the one that all other tests share."""
    with serving(hook_settings, clone(postgres)) as served:
        yield served


@pytest.fixture(scope="session")
def worker(server: Served, hook_settings: Settings) -> Iterator[None]:
    """The server's worker."""
    with working(hook_settings, server):
        yield


@pytest.fixture(scope="session")
def receiver() -> Iterator[Receiver]:
    """One for all tests; each asks for paths of its own."""
    with receiving() as found:
        yield found


@pytest.fixture
def book(server: Served, receiver: Receiver, worker: None) -> Book:
    """A new account whose events go out."""
    return Book(server, receiver)


@pytest.fixture
def quiet(db_url: str, tmp_path: Path) -> Iterator[Served]:
    """A server with a database and a clock of its own, and no worker."""
    with serving(settings_for(tmp_path, outbound_allow=LOOPBACK), db_url) as served:
        yield served


@pytest.fixture(scope="session")
def js_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the JavaScript package, just as our lock file pins it."""
    folder = tmp_path_factory.mktemp("js")
    for name in ("package.json", "package-lock.json", "verify.mjs"):
        shutil.copy(JS / name, folder)
    shutil.copy(Path(hatch_build.__file__).parent / ".npmrc", folder)
    hatch_build.run_npm(folder, "ci", "--ignore-scripts", "--no-audit", "--no-fund")
    return folder
