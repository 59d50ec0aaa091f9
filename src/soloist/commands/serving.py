"""Everything that `soloist serve` keeps up: the database, the server processes, the worker; down in reverse order."""

import contextlib
import errno
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import structlog

from soloist import __version__
from soloist.commands.console import Code, Failure, say
from soloist.infra import migrations
from soloist.infra.children import Child, ChildFailed, Children
from soloist.infra.postgres import AlreadyRunning, EmbeddedPostgres, PostgresUnavailable, find_binaries
from soloist.infra.settings import Settings

log = structlog.get_logger("soloist.serve")

WATCH_SECONDS = 1.0
BACKLOG = 2048


def serve_until_stopped(settings: Settings, *, with_worker: bool) -> None:
    """Bring everything up, say where it is, and take it down in order when asked to stop.

    Raises Failure where a port or a child is the reason, else what the part raises that could not start.
    """
    postgres = None if settings.database_url else EmbeddedPostgres(settings.data_dir, find_binaries(settings.pg_bin))
    try:
        with ThreadPoolExecutor(1, "start") as beside:
            database = beside.submit(_bring_up, settings, postgres)
            try:
                listener = listen(settings.host, settings.port)
            except Failure:
                if isinstance(reason := database.exception(), AlreadyRunning):
                    raise reason from None  # a second start on one folder: the port is only its second trouble
                raise
            if settings.workers == 1:
                from soloist.commands import process  # takes most of a second: meanwhile the database starts
            dsn = database.result()
        _check_clock(settings, dsn)
        announce = partial(_announce, settings, listener.getsockname()[1])
        with listener, _watched(postgres):
            if settings.workers == 1:
                announce = partial(announce, is_new=not process.has_accounts(dsn))
                process.run_server(
                    settings, dsn, listener, announce, with_worker=with_worker, alone=postgres is not None
                )
            else:
                _run_children(settings, dsn, listener, announce, with_worker=with_worker)
    finally:
        if postgres:
            postgres.stop()
    log.info("stopped")


def _bring_up(settings: Settings, postgres: EmbeddedPostgres | None) -> str:
    if postgres:
        dsn = postgres.start()
    else:
        assert settings.database_url
        dsn = settings.database_url.get_secret_value()
    applied = migrations.migrate(dsn)
    if applied:
        log.info("migrated", applied=applied)
    return dsn


def _check_clock(settings: Settings, dsn: str) -> None:
    """A clock that was set is for demo data only: real books would get times that never were."""
    if not settings.clock_offset:
        return
    from soloist.commands import process

    if process.has_real_accounts(dsn):
        raise Failure(
            "This database holds accounts that are no demo data, so the clock can't be set.",
            "start without --now, or set it on an empty folder: soloist serve --now TIME --data-dir demo",
            Code.USAGE,
        )
    log.warning("the clock is set", now=settings.clock()().isoformat(timespec="seconds"))


def listen(host: str, port: int) -> socket.socket:
    """A socket bound to the address; it takes connections only when the server is up."""
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        listener = socket.socket(family, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
    except OSError as fault:
        hints = {
            errno.EADDRINUSE: "stop what runs there, or take another with --port (0 takes any free one)",
            errno.EACCES: "ports below 1024 need rights: take a higher one with --port",
        }
        hint = hints.get(fault.errno or 0, "name an address of this machine with --host")
        code = Code.TEMPORARY if fault.errno == errno.EADDRINUSE else Code.FAILED
        raise Failure(f"Can't listen on {host}, port {port}: {fault.strerror}.", hint, code) from None
    return listener


@contextlib.contextmanager
def _watched(postgres: EmbeddedPostgres | None) -> Iterator[None]:
    """Start the database again whenever it dies during the block."""
    if postgres is None:
        yield
        return
    ended = threading.Event()

    def watch(server: EmbeddedPostgres) -> None:
        while not ended.wait(WATCH_SECONDS):
            try:
                if server.ensure_running():
                    log.warning("PostgreSQL had ended and was started again")
            except (PostgresUnavailable, OSError) as fault:
                log.error("PostgreSQL has ended and does not start", reason=str(fault))

    watcher = threading.Thread(target=watch, args=(postgres,), name="postgres-watch", daemon=True)
    watcher.start()
    try:
        yield
    finally:
        ended.set()
        watcher.join()


def _run_children(
    settings: Settings, dsn: str, listener: socket.socket, announce: Callable[[], None], *, with_worker: bool
) -> None:
    command = [sys.executable, "-m", "soloist.commands.child"]
    listener.listen(BACKLOG)
    servers = [
        Child(f"server {n}", [*command, "server", str(listener.fileno())]) for n in range(1, settings.workers + 1)
    ]
    workers = [Child("worker", [*command, "worker"])] if with_worker else []
    environment = {name: value for name, value in os.environ.items() if name != "SOLOIST_DATABASE_URL"}
    environment |= {
        "DATABASE_URL": dsn,
        "SOLOIST_DATA_DIR": str(settings.data_dir.resolve()),
        "SOLOIST_WORKERS": str(settings.workers),
        "SOLOIST_CLOCK_OFFSET": str(settings.clock_offset),
    }
    children = Children([*servers, *workers], environment, (listener.fileno(),))

    def ask(*_: object) -> None:
        (children.forced if children.stopping.is_set() else children.stopping).set()

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        children.run(announce)
    except ChildFailed as fault:
        raise Failure(str(fault), "the lines above say why") from None
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _announce(settings: Settings, port: int, *, is_new: bool = False) -> None:
    """Say where Soloist is: to a person in words, to a log collector in a line like all others."""
    from soloist.infra.http import BASE  # loads the web framework: the database is to start before that

    host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(settings.host, settings.host)  # noqa: S104  # reads, binds not
    url = f"http://{host}:{port}"
    if settings.log_format != "text" and not (settings.log_format == "auto" and sys.stdout.isatty()):
        log.info("ready", url=url, docs=f"{url}{BASE}/docs", version=__version__)
        return
    say(f"\nSoloist {__version__} is ready: {url}\n  API     {url}{BASE}\n  manual  {url}{BASE}/docs")
    if is_new:
        say("  first   register with POST /auth/register as the manual shows, or: soloist user add you@example.com")
        say("          or look at a demo book: soloist seed")
    say("  stop    Ctrl-C\n")
