"""Carries out migration steps by Alembic over asyncpg. Loaded only when a step is missing (migrations.py).

A step's SQL file goes to the server as it is, over the simple protocol.
"""

import asyncio
import re
from pathlib import Path

import asyncpg
from alembic import command, op
from alembic.config import Config
from sqlalchemy import Connection as SyncConnection
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool
from sqlalchemy.util import await_only

from soloist.infra.db import Connection
from soloist.infra.migrations import CONNECT_SECONDS, QUEUE_STEP, MigrationFailed, folder, queue_mark
from soloist.infra.queue import install_tables

NO_TRANSACTION = "-- no-transaction"
LOCK_TIMEOUT = "3s"  # a step that can't get its lock gives way instead of blocking every request behind it
TRIES = 6


async def apply(dsn: str, conn: Connection, names: list[str]) -> None:
    """Apply `names`; `conn` holds the lock that keeps other starts away. Raises MigrationFailed."""
    if names != [QUEUE_STEP]:
        for attempt in range(TRIES):
            try:
                await _run_alembic(dsn)
                break
            except asyncpg.LockNotAvailableError:
                if attempt == TRIES - 1:
                    raise MigrationFailed(
                        "A table that a migration changes stays locked by another session. Nothing of that "
                        "step was changed. End long transactions on this database, then start again."
                    ) from None
                await asyncio.sleep(0.5 * 2**attempt)
            except asyncpg.PostgresError as fault:
                raise MigrationFailed(_explain(fault)) from fault
            except DBAPIError as fault:  # from one of Alembic's own statements
                raise MigrationFailed(_explain(fault.orig and fault.orig.__cause__)) from fault
    if QUEUE_STEP in names:
        await install_tables(conn)
        await conn.execute(f"comment on table pgqueuer is '{queue_mark()}'")


def run_sql_beside(revision_file: str) -> None:
    """For a revision: run the SQL file of the same name, in the revision's transaction.

    A first line `-- no-transaction` runs each of its statements by itself instead, as "create index
    concurrently" needs; such a statement ends with a semicolon at the end of a line.
    """
    sql = Path(revision_file).with_suffix(".sql").read_text(encoding="utf-8")
    if sql.startswith(NO_TRANSACTION):
        with op.get_context().autocommit_block():
            bind = op.get_bind()
            bind.exec_driver_sql("set lock_timeout = 0")  # "concurrently" blocks nobody while it waits
            for statement in re.split(r";[ \t]*(?:\n|$)", sql):
                if re.sub(r"--[^\n]*", "", statement).strip():
                    _execute(bind, statement)
            bind.exec_driver_sql("reset lock_timeout")
    else:
        bind = op.get_bind()
        bind.exec_driver_sql(f"set local lock_timeout = '{LOCK_TIMEOUT}'")  # also begins the transaction
        _execute(bind, sql)


def _execute(bind: SyncConnection, sql: str) -> None:
    """Straight to asyncpg: SQLAlchemy would prepare the text, and one prepared statement is one command."""
    await_only(bind.connection.driver_connection.execute(sql))  # type: ignore[union-attr]


async def _run_alembic(dsn: str) -> None:
    async def connect(*_: object, **__: object) -> asyncpg.Connection:
        # asyncpg reads the address itself: socket folders and several hosts are no business of SQLAlchemy.
        return await asyncpg.connect(
            dsn, timeout=CONNECT_SECONDS, server_settings={"application_name": "soloist migrate"}
        )

    engine = create_async_engine("postgresql+asyncpg://", async_creator=connect, poolclass=NullPool)
    try:
        async with engine.connect() as connection:
            await connection.run_sync(_upgrade)
    finally:
        await engine.dispose()


def _upgrade(connection: SyncConnection) -> None:
    config = Config()
    config.set_main_option("script_location", str(folder()).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def _explain(fault: BaseException | None) -> str:
    text = f"PostgreSQL refused a migration: {fault}."
    if isinstance(fault, asyncpg.InsufficientPrivilegeError):
        text += (
            " Let this database's owner run 'soloist migrate', or have an administrator run: "
            "create extension pg_trgm; create extension unaccent; create extension btree_gin;"
        )
    elif isinstance(fault, asyncpg.FeatureNotSupportedError | asyncpg.UndefinedFileError):
        text += " Install the server's contrib package (pg_trgm, unaccent, btree_gin), then start again."
    return text
