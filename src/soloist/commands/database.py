"""How a command comes to the database: the one of DATABASE_URL, else the data directory's own."""

import asyncio
import sys
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from soloist.commands.console import Code, Failure
from soloist.infra import logs, migrations
from soloist.infra.db import Database
from soloist.infra.postgres import connect_or_start, find_binaries
from soloist.infra.settings import Settings

Result = TypeVar("Result")


@contextmanager
def reached(settings: Settings, *, create: bool) -> Iterator[str]:
    """The DSN of the settings' database, running or started for the length of the block.

    Without `create`, a data directory that holds no database yet is a Failure, and nothing is made. Log lines go
    to standard error from here on: standard output is for the command's result.
    """
    logs.configure(settings.log_format, "warning", sys.stderr)
    if settings.database_url is not None:
        yield settings.database_url.get_secret_value()
        return
    if not create and not (settings.data_dir / "postgres" / "data").exists():
        raise Failure(
            f"There is no database in {settings.data_dir} yet.",
            "start 'soloist serve' there first, or name the folder by SOLOIST_DATA_DIR",
            Code.NOT_FOUND,
        )
    with connect_or_start(settings.data_dir, find_binaries(settings.pg_bin)) as dsn:
        yield dsn


@contextmanager
def migrated(settings: Settings, *, create: bool) -> Iterator[str]:
    """As `reached`, with a schema that is up to date: a new database is migrated, an older one is not touched."""
    with reached(settings, create=create) as dsn:
        left = migrations.pending(dsn)
        if left and left == [*migrations.steps(), migrations.QUEUE_STEP] and create:
            migrations.migrate(dsn)
        elif left:
            raise Failure(f"The database lacks migrations: {', '.join(left)}.", "run: soloist migrate", Code.TEMPORARY)
        yield dsn


def working(settings: Settings, dsn: str, work: Callable[[Database], Coroutine[Any, Any, Result]]) -> Result:
    """Run `work` on an open database, by the settings' clock."""

    async def run() -> Result:
        db = Database(dsn, size=4, clock=settings.clock(), wait_seconds=10)
        await db.open()
        try:
            return await work(db)
        finally:
            await db.close()

    return asyncio.run(run())
