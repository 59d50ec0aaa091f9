"""Brings a database's schema up to this code: which steps are missing, and carrying them out.

The check is two small queries; Alembic, which takes half a second to load, is loaded only when a step is
missing. Steps are `migrations/versions/NNNN_name.sql`, in one line, never edited after a release.
"""

import asyncio
from collections.abc import Coroutine
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeVar

import asyncpg

from soloist import __version__
from soloist.infra.db import Connection

OLDEST_SERVER = 15
QUEUE_STEP = "the tables of the job queue"
CONNECT_SECONDS = 10.0
WAIT_SECONDS = 600.0  # for another start that is migrating: a step may rewrite a big table
_LOCK = 0x536F6C6F69737401  # "Soloist", 1: no other program's advisory lock

_PACKAGE = Path(__file__).resolve().parent.parent
_PLACES = (_PACKAGE / "migrations", _PACKAGE.parent.parent / "migrations")  # installed; in a checkout

Result = TypeVar("Result")


class MigrationFailed(Exception):
    """The schema could not be brought up to date; the text says which step failed and why."""


class SchemaTooNew(MigrationFailed):
    """The database was migrated by a newer Soloist."""


class ServerTooOld(MigrationFailed):
    """The PostgreSQL server is older than the oldest one supported."""


def migrate(dsn: str) -> list[str]:
    """Apply the missing steps, each in its own transaction; answers their names, in order.

    Several starts at once are safe: one works, the others wait for it. Raises SchemaTooNew, ServerTooOld, or
    MigrationFailed with what failed; the steps before it stay applied, and the next call goes on there.
    """
    return _run(_migrate(dsn))


def pending(dsn: str) -> list[str]:
    """The names of the missing steps, in order; changes nothing. Raises as `migrate` does."""
    return _run(_pending(dsn))


async def missing(conn: Connection) -> list[str]:
    """The names of the steps that this database lacks; two small queries."""
    [row] = await conn.fetch(
        """
        select to_regclass('alembic_version') is not null as versioned,
               obj_description(to_regclass('pgqueuer'), 'pg_class') as queue,
               current_setting('server_version_num')::int / 10000 as server
        """
    )
    if row["server"] < OLDEST_SERVER:
        raise ServerTooOld(
            f"The server is PostgreSQL {row['server']}; Soloist needs {OLDEST_SERVER} or newer. Upgrade the "
            "server, or leave DATABASE_URL unset to use the PostgreSQL that comes with Soloist."
        )
    at = await conn.fetchval("select max(version_num) from alembic_version") if row["versioned"] else None
    names = list(steps())
    if at is not None and at not in (name.partition("_")[0] for name in names):
        raise SchemaTooNew(
            f"The database's schema is at step {at}, and Soloist {__version__} knows steps up to "
            f"{names[-1]}. Start the newer Soloist that migrated it, or restore a backup made before."
        )
    left = [name for name in names if at is None or name.partition("_")[0] > at]
    return left if row["queue"] == queue_mark() else [*left, QUEUE_STEP]


def steps() -> dict[str, Path]:
    """Every step this code knows, oldest first: its name and its SQL file."""
    files = sorted((folder() / "versions").glob("[0-9][0-9][0-9][0-9]_*.sql"))
    return {file.stem: file for file in files}


def folder() -> Path:
    """Where the migrations lie, in a checkout or inside the installed package."""
    for place in _PLACES:
        if (place / "env.py").is_file():
            return place
    raise MigrationFailed(
        f"The migrations are missing: neither {_PLACES[0]} nor {_PLACES[1]} has them. Install Soloist anew."
    )


def queue_mark() -> str:
    """What the queue's table is marked with once its own tables are those of the installed PgQueuer."""
    return f"PgQueuer {version('pgqueuer')}"


async def _pending(dsn: str) -> list[str]:
    conn = await asyncpg.connect(dsn, timeout=CONNECT_SECONDS)
    try:
        return await missing(conn)
    finally:
        await conn.close()


async def _migrate(dsn: str) -> list[str]:
    conn = await asyncpg.connect(dsn, timeout=CONNECT_SECONDS)
    try:
        if not await missing(conn):
            return []
        await _take_lock(conn)
        names = await missing(conn)
        if names:
            # Only here: a start that has nothing to migrate must not pay for loading Alembic and SQLAlchemy.
            from soloist.infra import upgrade

            await upgrade.apply(dsn, conn, names)
        return names
    finally:
        await conn.close()  # frees the lock, too


async def _take_lock(conn: Connection) -> None:
    # Asked again and again instead of waited for: a waiting statement would hold a snapshot, and "create
    # index concurrently" in the process that has the lock waits for every older snapshot.
    try:
        async with asyncio.timeout(WAIT_SECONDS):
            while not await conn.fetchval("select pg_try_advisory_lock($1)", _LOCK):  # noqa: ASYNC110
                await asyncio.sleep(0.1)
    except TimeoutError:
        raise MigrationFailed(
            f"Another process has been migrating this database for {WAIT_SECONDS:.0f} s. "
            "Wait for it to end, then start again."
        ) from None


def _run(work: Coroutine[Any, Any, Result]) -> Result:
    return asyncio.run(work)
