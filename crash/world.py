"""The product as it runs in earnest: a server, workers beside it, its database, and owners who speak HTTP."""

import asyncio
import signal
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import asyncpg

from crash.receiver import Receiver, receiver
from soloist.infra.postgres import running_dsn
from tests.cli.programs import Running, serving, until
from tests.people import Member, data, register

SETTINGS = {
    "SOLOIST_OUTBOUND_ALLOW": "127.0.0.0/8",
    "SOLOIST_LOG_FORMAT": "json",
    **{f"SOLOIST_RATE_LIMIT_{name}": "off" for name in ("READ", "WRITE", "SYNC", "ANONYMOUS")},
}
_EMPTY = """
select (select count(*) from pgqueuer where status in ('queued', 'picked'))
    + (select count(*) from webhook_deliveries where state = 'PENDING')
"""
_HEARTS = "select count(*) from worker_heartbeats"
_FAILED = "select count(*) from pgqueuer where status not in ('queued', 'picked')"


class World:
    """One installation; every process that it starts has ended when its stack is closed."""

    def __init__(self, folder: Path, dsn: str, stack: ExitStack, hooks: Receiver) -> None:
        self.folder = folder
        self.dsn = dsn
        self.hooks = hooks
        self._stack = stack

    def worker(self) -> Running:
        """One more `soloist worker`, at work."""
        before = self.ask(_HEARTS)[0][0]
        running = self._stack.enter_context(serving(self.folder, command="worker", DATABASE_URL=self.dsn, **SETTINGS))
        until(lambda: self.ask(_HEARTS)[0][0] > before)
        return running

    def ask(self, sql: str, *args: object) -> list[asyncpg.Record]:
        """What the database answers to a question of ours."""

        async def fetch() -> list[asyncpg.Record]:
            conn = await asyncpg.connect(self.dsn, timeout=5, command_timeout=30)
            try:
                return await conn.fetch(sql, *args)
            finally:
                await conn.close()

        return asyncio.run(fetch())

    def left(self) -> int:
        """How many jobs and deliveries are still to be done."""
        return int(self.ask(_EMPTY)[0][0])

    def failed_jobs(self) -> int:
        """How many jobs were given up."""
        return int(self.ask(_FAILED)[0][0])


@contextmanager
def served(folder: Path, seed: int) -> Iterator[tuple[World, str]]:
    """A world with a running `soloist serve --no-worker` on its own PostgreSQL, and the server's address."""
    with ExitStack() as stack:
        hooks = stack.enter_context(receiver(seed))
        running = stack.enter_context(serving(folder, "--no-worker", **SETTINGS))
        url, dsn = running.url, running_dsn(folder)
        assert dsn
        yield World(folder, dsn, stack, hooks), url


@contextmanager
def scratch() -> Iterator[Path]:
    """A folder that is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="soloist-crash-") as folder:
        yield Path(folder)


def owner(url: str, hooks: Receiver, *manners: str) -> Member:
    """A new account with a webhook for every event at each of the receiver's paths `/<manner>/<account>/<number>`."""
    person = register(url, "owner")
    for number, manner in enumerate(manners):
        where = f"{hooks.url}/{manner}/{person.account['id']}/{number}"
        data(person.post("/webhooks", {"url": where, "events": ["*"]}), 201)
    return person


def kill(running: Running) -> bool:
    """SIGKILL, and the process is gone; False if it had ended before by itself."""
    code = running.end(signal.SIGKILL)
    running.close()
    return code == -signal.SIGKILL
