"""Real PostgreSQL for the tests: one cluster a worker process, one migrated template, a clone in 50 ms."""

import asyncio
import os
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import asyncpg

from soloist.infra.migrations import migrate
from soloist.infra.postgres import EmbeddedPostgres, find_binaries

TEMPLATE = "soloist_template"
_numbers = count(1)


@contextmanager
def cluster(folder: Path) -> Iterator[str]:
    """A running cluster with the migrated template; answers a DSN with `{}` in the place of the database.

    SOLOIST_TEST_PG_BIN chooses another PostgreSQL's programs. It need not survive a power cut: fsync is off.
    """
    chosen = os.environ.get("SOLOIST_TEST_PG_BIN")
    with EmbeddedPostgres(folder, find_binaries(Path(chosen) if chosen else None)) as server:
        pattern = server.dsn.replace("/soloist?", "/{}?")
        asyncio.run(_prepare(server.dsn))
        migrate(pattern.format(TEMPLATE))
        yield pattern


async def _prepare(dsn: str) -> None:
    conn = await asyncpg.connect(dsn)
    for setting in ("fsync", "synchronous_commit", "full_page_writes", "autovacuum"):
        await conn.execute(f"alter system set {setting} = off")
    await conn.execute("select pg_reload_conf()")
    await conn.execute(f"create database {TEMPLATE}")
    await conn.close()


def clone(pattern: str) -> str:
    """A fresh database like the template; answers its DSN."""
    name = f"test_{next(_numbers)}"

    async def create() -> None:
        conn = await asyncpg.connect(pattern.format("soloist"))
        await conn.execute(f"create database {name} template {TEMPLATE}")
        await conn.close()

    asyncio.run(create())
    return pattern.format(name)
