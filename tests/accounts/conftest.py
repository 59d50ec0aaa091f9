"""Servers with settings of their own, where a test needs other than the usual ones."""

from collections.abc import Iterator
from itertools import count

import pytest

from tests.databases import clone
from tests.serving import Served, serving, settings_for

_addresses = count(1)


@pytest.fixture(scope="module")
def behind_proxy(postgres: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server that believes X-Forwarded-For, so that each test can come from addresses of its own."""
    settings = settings_for(tmp_path_factory.mktemp("data"), trusted_proxies="127.0.0.1/32")
    with serving(settings, clone(postgres)) as served:
        yield served


@pytest.fixture
def address() -> str:
    """An address that nobody else comes from."""
    number = next(_addresses)
    return f"10.{number // 65536}.{number // 256 % 256}.{number % 256}"
