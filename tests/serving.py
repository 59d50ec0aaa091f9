"""The real server for the tests: uvicorn on a free port, in a thread of its own."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import uvicorn
from fastapi import FastAPI

from soloist.app import create_app
from soloist.infra.db import Database
from soloist.infra.logs import configure
from soloist.infra.queue import Job
from soloist.infra.secrets import installation_secret
from soloist.infra.settings import Settings
from soloist.market.connection import doors_of
from soloist.market.jobs import Syncing, carry_out
from soloist.market.runs import SYNC
from soloist.worker import create_worker

UNLIMITED = {f"rate_limit_{name}": "off" for name in ("read", "write", "sync", "anonymous")}
QUICK_HASHING = {"password_memory_kib": 8, "password_passes": 1}


class SettableClock:
    """A clock that runs like any other until a test sets it."""

    def __init__(self) -> None:
        self._fixed: datetime | None = None
        self._offset = timedelta(0)

    def __call__(self) -> datetime:
        return self._fixed or datetime.now(UTC) + self._offset

    def freeze(self, moment: datetime | None = None) -> datetime:
        self._fixed = moment or self()
        return self._fixed

    def advance(self, **by: float) -> datetime:
        step = timedelta(**by)
        if self._fixed is None:
            self._offset += step
        else:
            self._fixed += step
        return self()

    def reset(self) -> None:
        self._fixed, self._offset = None, timedelta(0)


class Served:
    """A running server: its address, its application, its clock, its database."""

    def __init__(self, app: FastAPI, clock: SettableClock, dsn: str, port: int) -> None:
        self.app = app
        self.clock = clock
        self.dsn = dsn
        self.url = f"http://127.0.0.1:{port}"


def settings_for(folder: Path, **given: Any) -> Settings:
    """Settings for tests: open registration, no rate limits, quick password hashes, unless given otherwise."""
    values = {
        "data_dir": folder,
        "registration": "open",
        "log_level": "error",
        **UNLIMITED,
        **QUICK_HASHING,
        **given,
    }
    return Settings.model_validate(values)


@contextmanager
def serving(settings: Settings, dsn: str, *, alone: bool = True) -> Iterator[Served]:
    """Serve the application on a free port until the block ends."""
    configure(level=settings.log_level)
    clock = SettableClock()
    app = create_app(settings, dsn, clock, alone=alone)
    server = uvicorn.Server(
        uvicorn.Config(
            app,
            port=0,
            log_config=None,
            access_log=False,
            lifespan="on",
            timeout_graceful_shutdown=2,
            proxy_headers=False,
        )
    )
    thread = threading.Thread(target=lambda: asyncio.run(server.serve()), daemon=True)
    thread.start()
    deadline = threading.Event()
    while not server.started:
        if not thread.is_alive():
            raise RuntimeError("the server did not start")
        deadline.wait(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield Served(app, clock, dsn, port)
    finally:
        server.should_exit = True
        thread.join(10)


@contextmanager
def syncing(settings: Settings, served: Served) -> Iterator[None]:
    """Carry out the syncs that are asked for, in a thread of its own, and nothing else, until the block ends.

    A worker would draw random numbers all the time, which tests by Hypothesis can't bear in their process.
    """
    ended = threading.Event()

    async def carry_out_all() -> None:
        db = Database(served.dsn, size=5, clock=served.clock)
        await db.open()
        shared = Syncing(doors_of(settings, installation_secret(settings), served.clock))
        while not ended.is_set():
            for row in await db.pool.fetch("select account_id, id from market_runs where state = 'QUEUED'"):
                await carry_out(shared, db, Job(SYNC, row["account_id"], {"run": str(row["id"])}, 1, row["id"]))
            await asyncio.sleep(0.02)
        await shared.end()
        await db.close()

    thread = threading.Thread(target=lambda: asyncio.run(carry_out_all()), daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join(30)
        assert not thread.is_alive()


@contextmanager
def working(settings: Settings, served: Served) -> Iterator[None]:
    """A worker with the server's clock, in a thread of its own, until the block ends."""
    worker = create_worker(settings, served.dsn, served.clock)
    thread = threading.Thread(target=lambda: asyncio.run(worker.run()), daemon=True)
    thread.start()
    try:
        yield
    finally:
        worker.stop()
        thread.join(30)
        assert not thread.is_alive()
