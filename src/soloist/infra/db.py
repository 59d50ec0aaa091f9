"""The way to PostgreSQL: a pool, and transactions that carry whose they are.

`Tx` fills in `$1` with its account's id for every statement; commit happens here and nowhere else.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from socket import gaierror
from typing import Any, Protocol
from uuid import UUID
from zoneinfo import ZoneInfo

import asyncpg

from soloist.infra.clock import Clock, system_clock
from soloist.infra.errors import PreconditionFailed, ServiceUnavailable
from soloist.infra.statement import Crossing, Statement

Connection = asyncpg.pool.PoolConnectionProxy | asyncpg.Connection
STATEMENT_TIMEOUT_MS = 15_000

# Faults that say "the database is not there or can't now", never "the request is wrong".
UNAVAILABLE: tuple[type[Exception], ...] = (
    asyncpg.CannotConnectNowError,
    asyncpg.ConnectionDoesNotExistError,
    asyncpg.ConnectionFailureError,
    asyncpg.DeadlockDetectedError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # what asyncpg makes of a server that was killed in the middle of a conversation
    asyncpg.InsufficientResourcesError,
    asyncpg.OperatorInterventionError,
    asyncpg.SerializationError,
    asyncpg.LockNotAvailableError,
    ConnectionError,
    FileNotFoundError,  # a unix socket that is not there
    TimeoutError,
    gaierror,
)


class Caller(Protocol):
    """Whoever a transaction runs for."""

    @property
    def account_id(self) -> UUID: ...
    @property
    def zone(self) -> ZoneInfo: ...
    @property
    def label(self) -> str: ...


@dataclass(slots=True)
class Tx:
    """One connection at work for one account at one moment.

    `expected_version` is what the caller's If-Match named; the first record that is locked consumes it.
    """

    conn: Connection
    account_id: UUID
    actor: Caller
    now: datetime
    expected_version: int | None = None
    after_commit: list[Any] = field(default_factory=list)
    staged: bool = False  # the clock was set: `now` is not the present

    async def row(self, sql: Statement, *args: object) -> asyncpg.Record | None:
        return await self.conn.fetchrow(sql, self.account_id, *args)

    async def rows(self, sql: Statement, *args: object) -> list[asyncpg.Record]:
        return await self.conn.fetch(sql, self.account_id, *args)

    async def value(self, sql: Statement, *args: object) -> Any:
        return await self.conn.fetchval(sql, self.account_id, *args)

    async def run(self, sql: Statement, *args: object) -> int:
        """Carry out a change; answers how many rows it touched."""
        status = await self.conn.execute(sql, self.account_id, *args)
        return int(status.rpartition(" ")[2] or 0)

    def expect(self, version: int) -> None:
        """Hold the caller's If-Match against the version of the record that is being changed.

        Raises PreconditionFailed if they differ. Only the first record asked about counts: what a change
        causes elsewhere is not what the caller has read.
        """
        if self.expected_version is not None and self.expected_version != version:
            raise PreconditionFailed(version)
        self.expected_version = None


class Database:
    """The pool of one process. `account_id` comes from the caller, the time from the clock."""

    def __init__(self, dsn: str, *, size: int = 10, clock: Clock = system_clock, wait_seconds: float = 1.5) -> None:
        self.dsn = dsn
        self._size = size
        self.clock = clock
        self._staged = clock is not system_clock
        self._wait = wait_seconds
        self._pool: asyncpg.Pool | None = None

    @property
    def pool(self) -> asyncpg.Pool:
        assert self._pool is not None, "the database was not opened"
        return self._pool

    async def open(self) -> None:
        """Make the pool; it connects when first needed, so that a database that is away does not fail the start."""
        self._pool = await asyncpg.create_pool(
            self.dsn,
            min_size=0,
            max_size=self._size,
            max_inactive_connection_lifetime=300,
            timeout=self._wait,
            command_timeout=STATEMENT_TIMEOUT_MS / 1000 + 5,
            statement_cache_size=512,
            max_cached_statement_lifetime=0,
            reset=_keep_session,
            server_settings={
                "application_name": "soloist",
                "timezone": "UTC",
                "jit": "off",
                "statement_timeout": str(STATEMENT_TIMEOUT_MS),
                "lock_timeout": "5000",
                "idle_in_transaction_session_timeout": "30000",
            },
        )

    async def close(self) -> None:
        """Wait for what runs, at most five seconds, then close every connection."""
        try:
            async with asyncio.timeout(5):
                await self.pool.close()
        except TimeoutError:
            self.pool.terminate()

    def now(self) -> datetime:
        """The clock's time in milliseconds, the wire's precision: a bound read from an answer finds its row."""
        moment = self.clock()
        return moment.replace(microsecond=moment.microsecond // 1000 * 1000)

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        """A connection from the pool; raises ServiceUnavailable when none gets free in time."""
        try:
            if self.pool.get_idle_size():
                conn = await self.pool.acquire()
            else:
                async with asyncio.timeout(self._wait):  # asyncpg's own limit makes a task for each wait
                    conn = await self.pool.acquire()
        except TimeoutError:
            raise ServiceUnavailable("All database connections are busy. Try again in a moment.") from None
        try:
            yield conn
        finally:
            await self.pool.release(conn)

    @asynccontextmanager
    async def reading(self, actor: Caller) -> AsyncIterator[Tx]:
        """For reads: one connection, no transaction; each statement sees its own snapshot."""
        async with self.connection() as conn:
            yield Tx(conn, actor.account_id, actor, self.now(), staged=self._staged)

    @asynccontextmanager
    async def changing(self, actor: Caller) -> AsyncIterator[Tx]:
        """For changes: everything inside commits together, or nothing does."""
        async with self.connection() as conn:
            async with conn.transaction():
                tx = Tx(conn, actor.account_id, actor, self.now(), staged=self._staged)
                yield tx
            for hook in tx.after_commit:
                hook()

    async def cross_row(self, sql: Crossing, *args: object) -> asyncpg.Record | None:
        async with self.connection() as conn:
            return await conn.fetchrow(sql, *args)

    async def cross_rows(self, sql: Crossing, *args: object) -> list[asyncpg.Record]:
        async with self.connection() as conn:
            return await conn.fetch(sql, *args)

    async def cross_run(self, sql: Crossing, *args: object) -> int:
        async with self.connection() as conn:
            return int((await conn.execute(sql, *args)).rpartition(" ")[2] or 0)


async def _keep_session(conn: Connection) -> None:
    """No reset between users of a connection: nothing of ours changes a session outside a transaction."""


def json_parts(rows: Sequence[asyncpg.Record], column: str) -> bytes:
    """A JSON array of the texts in `column`, put together without reading them."""
    return ("[" + ",".join(row[column] for row in rows) + "]").encode()
