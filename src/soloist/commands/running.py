"""`soloist serve` and `soloist worker`."""

import contextlib
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from soloist.commands.console import Code, Failure


def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on.", show_default="127.0.0.1")] = None,
    port: Annotated[
        int | None, typer.Option(help="Port to listen on; 0 takes any free one.", show_default="8600")
    ] = None,
    data_dir: Annotated[
        Path | None,
        typer.Option(help="Folder for the database, secrets and documents.", show_default="soloist-data"),
    ] = None,
    workers: Annotated[int | None, typer.Option(help="Server processes.", show_default="1")] = None,
    no_worker: Annotated[
        bool, typer.Option("--no-worker", help="No background worker here: 'soloist worker' runs elsewhere.")
    ] = False,
    now: Annotated[
        str | None,
        typer.Option(help="The time at which the clock starts, such as 2024-01-31T09:00Z; for demo data only."),
    ] = None,
) -> None:
    """Start Soloist: its database, the migrations that are missing, the server and the background worker.

    The database is a private PostgreSQL in the data directory, or the one that DATABASE_URL names. Either is
    migrated first; several starts at once take turns. Ctrl-C stops everything in order; twice, at once.

    With --now the clock starts at that time and runs on. It needs an empty database, or one whose accounts were
    all made by 'soloist seed' or under a clock that was set.
    """
    from soloist.commands.serving import serve_until_stopped
    from soloist.commands.times import offset
    from soloist.infra import logs, settings

    found = settings.load(host=host, port=port, data_dir=data_dir, workers=workers, clock_offset=offset(now))
    logs.configure(found.log_format, found.log_level, sys.stdout)
    with stoppable():
        serve_until_stopped(found, with_worker=not no_worker)


def worker() -> None:
    """Run the background worker alone, beside servers that were started with --no-worker, or one more.

    It works on the database that DATABASE_URL names, else on the one that a server has running in the data
    directory.
    """
    from soloist.commands import process
    from soloist.infra import logs, migrations, settings
    from soloist.infra.postgres import running_dsn

    found = settings.load()
    logs.configure(found.log_format, found.log_level, sys.stdout)
    dsn = found.database_url.get_secret_value() if found.database_url else running_dsn(found.data_dir)
    if dsn is None:
        raise Failure(
            f"No server runs on the data directory {found.data_dir}.",
            "start 'soloist serve --no-worker' first, or set DATABASE_URL",
            Code.TEMPORARY,
        )
    with stoppable():
        migrations.migrate(dsn)
        process.run_worker(found, dsn, lambda: None)


@contextlib.contextmanager
def stoppable() -> Iterator[None]:
    """SIGTERM and Ctrl-C end the block in order, also before and after the event loop that handles them itself."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with contextlib.suppress(KeyboardInterrupt):
        yield
