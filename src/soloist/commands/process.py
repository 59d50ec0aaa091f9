"""One process of the running product: web server, background worker, or both, in one event loop.

It stops in order: no new requests, running ones finish, then the worker finishes. Asked twice, it hurries.
"""

import asyncio
import contextlib
import gc
import signal
import socket
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import asyncpg
import uvicorn
import uvloop
from fastapi import FastAPI

from soloist.accounts.queries import any_account, any_real_account
from soloist.app import create_app
from soloist.commands.console import Failure
from soloist.infra.children import when_parent_ends
from soloist.infra.queue_worker import Worker
from soloist.infra.settings import Settings
from soloist.worker import create_worker

GRACE_SECONDS = 10  # for running requests
IDLE_SECONDS = 30  # an idle connection is kept; longer than that, a proxy opens a new one


class Stops:
    """What asks a process to end: a signal, or its parent's end. The first asks, the second urges."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()
        self.urged = asyncio.Event()

    def ask(self) -> None:
        """Ask, or urge if asked before."""
        (self.urged if self.asked.is_set() else self.asked).set()


class _Server(uvicorn.Server):
    """Uvicorn without its own signals, which would end the process before the worker and the database."""

    def __init__(self, config: uvicorn.Config, on_started: Callable[[], object]) -> None:
        super().__init__(config)
        self._on_started = on_started

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        try:
            await super().startup(sockets)
        except SystemExit:
            raise Failure("The application could not start; the lines above say why.") from None
        self._on_started()


def has_accounts(dsn: str) -> bool:
    """Whether anybody has registered yet."""
    return _asked(dsn, any_account)


def has_real_accounts(dsn: str) -> bool:
    """Whether there is an account that is not demo data: one opened at its real time, and not seeded."""
    return _asked(dsn, any_real_account)


def _asked(dsn: str, question: Callable[[asyncpg.Connection], Coroutine[Any, Any, bool]]) -> bool:
    async def ask() -> bool:
        conn = await asyncpg.connect(dsn)
        try:
            return await question(conn)
        finally:
            await conn.close()

    return asyncio.run(ask())


def run_server(
    settings: Settings,
    dsn: str,
    listener: socket.socket,
    on_started: Callable[[], object],
    *,
    with_worker: bool = False,
    alone: bool = False,
    parent: int | None = None,
) -> None:
    """Answer requests until asked to stop, with the worker beside if wanted.

    `on_started` is called when requests are answered; end of file on `parent` asks to stop, too. Raises Failure
    when the application does not start.
    """
    clock = settings.clock()
    app = create_app(settings, dsn, clock, alone=alone)
    worker = create_worker(settings, dsn, clock) if with_worker else None
    run_app(app, listener, on_started, worker=worker, parent=parent)


def run_app(
    app: FastAPI,
    listener: socket.socket,
    on_started: Callable[[], object],
    *,
    worker: Worker | None = None,
    parent: int | None = None,
) -> None:
    """Answer requests by `app` in the way and with the server settings of the product, until asked to stop."""
    _run(lambda stops: _serve(app, listener, worker, stops, on_started), parent)


def run_worker(settings: Settings, dsn: str, on_started: Callable[[], object], *, parent: int | None = None) -> None:
    """Run the worker alone until asked to stop."""
    _run(lambda stops: _work(create_worker(settings, dsn, settings.clock()), stops, on_started), parent)


def _run(main: Callable[[Stops], Coroutine[Any, Any, None]], parent: int | None) -> None:
    async def whole() -> None:
        stops, loop = Stops(), asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stops.ask)
        if parent is not None:
            when_parent_ends(parent, lambda: loop.call_soon_threadsafe(stops.ask))
        await main(stops)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(whole())


async def _serve(
    app: FastAPI, listener: socket.socket, worker: Worker | None, stops: Stops, on_started: Callable[[], object]
) -> None:
    server = _Server(_config(app), on_started)
    gc.collect()
    gc.freeze()  # what is loaded now stays: later collections need not look at it
    serving = asyncio.create_task(server.serve([listener]))
    working = asyncio.create_task(worker.run()) if worker else None
    asked = asyncio.create_task(stops.asked.wait())
    hurrying = asyncio.create_task(_hurry(stops, server, working))
    try:
        await asyncio.wait({serving, asked}, return_when=asyncio.FIRST_COMPLETED)
        server.should_exit = True
        await serving
    finally:
        if worker and working:
            worker.stop()
            await asyncio.wait({working})
        asked.cancel()
        hurrying.cancel()


async def _work(worker: Worker, stops: Stops, on_started: Callable[[], object]) -> None:
    working = asyncio.create_task(worker.run())
    hurrying = asyncio.create_task(_hurry(stops, None, working))
    on_started()
    await stops.asked.wait()
    worker.stop()
    await asyncio.wait({working})
    hurrying.cancel()


async def _hurry(stops: Stops, server: uvicorn.Server | None, working: "asyncio.Task[None] | None") -> None:
    await stops.urged.wait()
    if server:
        server.should_exit = server.force_exit = True
    if working:
        working.cancel()


def _config(app: FastAPI) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http="httptools",
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,  # the application writes a line for each request
        server_header=False,
        proxy_headers=False,  # the application reads them, and believes only the proxies it was told of
        timeout_keep_alive=IDLE_SECONDS,
        timeout_graceful_shutdown=GRACE_SECONDS,
        # No limit of connections: uvicorn would refuse outside the API's envelope. The database pool is the
        # limit, and whoever waits too long for it is answered 503 by the application.
        limit_concurrency=None,
    )
