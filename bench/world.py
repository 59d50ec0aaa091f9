"""What is measured on: a private PostgreSQL with three books of different size, and the server processes."""

import asyncio
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import asyncpg

from soloist.accounts import actions as accounts
from soloist.infra.db import Database
from soloist.infra.migrations import migrate
from soloist.infra.postgres import EmbeddedPostgres, find_binaries
from soloist.infra.secrets import derived, installation_secret
from soloist.infra.settings import Settings
from tests.bulk import Book, fill, surround

HIGH = "999999999/minute"  # counted like any other limit, and never reached
RATES = {f"SOLOIST_RATE_LIMIT_{name}": HIGH for name in ("READ", "WRITE", "SYNC", "ANONYMOUS")}
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Owner:
    """An account with a book, its token, and some of its clients."""

    account_id: UUID
    token: str
    client_ids: list[UUID]


@dataclass(frozen=True)
class World:
    """The database, and the owner of each book by how many clients it has."""

    dsn: str
    folder: Path
    owners: dict[int, Owner]


@contextmanager
def world(folder: Path, usual: int, small: int, large: int) -> Iterator[World]:
    """A database with three books: two with everything around each client, `large` with interactions only."""
    settings = Settings(data_dir=folder)
    with EmbeddedPostgres(folder, find_binaries()) as postgres:
        migrate(postgres.dsn)
        owners = asyncio.run(_settle(postgres.dsn, settings, (usual, small), large))
        yield World(postgres.dsn, folder, owners)


_SOME = """
select id from clients where account_id = $1 and status <> 'ARCHIVED' order by hashtext(id::text) limit 500
"""


def headers_of(owner: Owner) -> dict[str, str]:
    """The headers of a request of theirs, as a plain HTTP client sends them."""
    return {"Authorization": f"Bearer {owner.token}", "User-Agent": "bench", "Accept": "*/*"}


async def _settle(dsn: str, settings: Settings, whole: tuple[int, ...], large: int) -> dict[int, Owner]:
    key = derived(installation_secret(settings), "tokens")
    db = Database(dsn, size=2)
    await db.open()
    conn = await asyncpg.connect(dsn)
    owners = {}
    now = datetime.now(UTC)
    for size in {*whole, large}:
        email = f"owner.of.{size}@example.com"
        account_id = await accounts.create_account(db, email, None)
        await fill(conn, Book(account_id, size, now, children=10))
        if size in whole:
            await surround(conn, account_id, now)
        token = await accounts.issue_token(db, email, timedelta(days=1), key)
        some = await conn.fetch(_SOME, account_id)
        owners[size] = Owner(account_id, token, [row["id"] for row in some])
    await conn.close()
    await db.close()
    return owners


class Process:
    """A running server process, and what it has cost so far."""

    def __init__(self, pid: int, port: int) -> None:
        self.pid = pid
        self.port = port

    def cpu_seconds(self) -> float:
        """User and system time of all its threads."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS

    def memory_mb(self) -> float:
        """Its resident set."""
        for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) / 1024
        raise ValueError("the process has ended")


@contextmanager
def server(kind: str, at: World) -> Iterator[Process]:
    """A `bench.server` of that kind, answering, until the block ends. Its log goes to /dev/null."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        given = {"DATABASE_URL": at.dsn, "SOLOIST_DATA_DIR": str(at.folder), "SOLOIST_LOG_FORMAT": "json"}
        started = subprocess.Popen(
            [sys.executable, "-m", "bench.server", kind, str(listener.fileno())],
            env=environment({**RATES, **given}),
            pass_fds=(listener.fileno(),),
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
        )
        port = listener.getsockname()[1]
        try:
            wait_for(lambda: _connects(port), 20, f"the {kind} server did not start")
            yield Process(started.pid, port)
        finally:
            assert started.stdin is not None
            started.stdin.close()
            started.wait(30)


def environment(given: Mapping[str, str]) -> dict[str, str]:
    """Ours without any setting of the product, and what is given."""
    ours = {name: value for name, value in os.environ.items() if not name.startswith(("SOLOIST_", "DATABASE_URL"))}
    return {**ours, **given}


def _connects(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def wait_for(true: Callable[[], bool], seconds: float, otherwise: str) -> None:
    """Wait until `true()`; raises TimeoutError that says what did not happen."""
    end = time.monotonic() + seconds
    while not true():
        if time.monotonic() > end:
            raise TimeoutError(otherwise)
        time.sleep(0.02)
