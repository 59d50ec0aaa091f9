"""How server processes hear that what they know of an account's callers is out of date.

The change announces it in its own transaction; PostgreSQL tells every process that listens, upon the commit.
"""

import asyncio
import random
from collections.abc import Callable
from uuid import UUID

import asyncpg
import structlog

from soloist.infra.db import Tx
from soloist.infra.statement import statement

log = structlog.get_logger("soloist.accounts")

CHANNEL = "soloist_actors"  # the payload is the account's id
_ANNOUNCE = statement(f"select pg_notify('{CHANNEL}', $1::uuid::text)")

CONNECT_SECONDS, CHECK_SECONDS = 5.0, 5.0
SHORTEST_PAUSE, LONGEST_PAUSE = 0.1, 10.0
_LOST = (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)


async def announce(tx: Tx) -> None:
    """Have every server process forget what it knows of the account's callers, once this commits."""
    await tx.value(_ANNOUNCE)


class Listener:
    """Listens on one connection of its own and replaces it when it breaks, for as long as `run` runs.

    `heard` is called for each announced account; `hearing` with True once announcements arrive, and with
    False when they may be missed.
    """

    def __init__(self, dsn: str, heard: Callable[[UUID], None], hearing: Callable[[bool], None]) -> None:
        self._dsn = dsn
        self._heard = heard
        self._hearing = hearing

    async def run(self) -> None:
        """Listen until cancelled; a database that is away is asked again and again, at most every ten seconds."""
        pause = SHORTEST_PAUSE
        while True:
            try:
                conn = await asyncpg.connect(
                    self._dsn, timeout=CONNECT_SECONDS, server_settings={"application_name": "soloist revocations"}
                )
            except _LOST as fault:
                log.warning("revocations can't be heard", reason=type(fault).__name__)
                await asyncio.sleep(pause * random.uniform(0.8, 1.2))  # noqa: S311 - spreads processes, no secret
                pause = min(pause * 2, LONGEST_PAUSE)
                continue
            pause = SHORTEST_PAUSE
            try:
                await self._listen(conn)
            except _LOST as fault:
                log.warning("revocations are not heard", reason=type(fault).__name__)
            finally:
                self._hearing(False)
                conn.terminate()

    async def _listen(self, conn: asyncpg.Connection) -> None:
        broken = asyncio.Event()
        conn.add_termination_listener(lambda _: broken.set())
        await conn.add_listener(CHANNEL, self._notified)
        self._hearing(True)
        while not broken.is_set():
            try:
                async with asyncio.timeout(CHECK_SECONDS):
                    await broken.wait()
            except TimeoutError:
                await conn.execute("select", timeout=CONNECT_SECONDS)  # a connection can die without a sign

    def _notified(self, _conn: object, _pid: int, _channel: str, payload: object) -> None:
        try:
            self._heard(UUID(str(payload)))
        except ValueError:
            log.warning("unreadable revocation")
