"""A PostgreSQL cluster made once, copied for each test that may break it."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from soloist.infra.postgres import EmbeddedPostgres
from tests.infra.holding import copied


@pytest.fixture(scope="session")
def made_cluster(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory with a cluster in it, stopped."""
    data_dir = tmp_path_factory.mktemp("made")
    with EmbeddedPostgres(data_dir):
        pass
    return data_dir


@pytest.fixture
def data_dir(made_cluster: Path, tmp_path: Path) -> Path:
    return copied(made_cluster, tmp_path / "data")


@pytest.fixture
def open_dir() -> Iterator[Path]:
    """A folder every account can enter, unlike pytest's own."""
    folder = Path(tempfile.mkdtemp(prefix="soloist-test-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)
