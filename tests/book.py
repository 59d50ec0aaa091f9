"""Looks into the database past the API: what is really stored for an account."""

import asyncio
import json
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any

import asyncpg

from soloist.infra.db import Database
from soloist.infra.statement import ACCOUNT_TABLES
from tests.people import Member
from tests.serving import Served


def select(server: Served, sql: str, *args: object) -> list[asyncpg.Record]:
    """The rows of any statement."""

    async def fetch() -> list[asyncpg.Record]:
        conn = await asyncpg.connect(server.dsn)
        try:
            return await conn.fetch(sql, *args)
        finally:
            await conn.close()

    return asyncio.run(fetch())


def run(server: Served, sql: str, *args: object) -> None:
    """Change the database behind the API's back."""
    select(server, sql, *args)


def work(server: Served, job: Callable[[Database], Awaitable[int]]) -> int:
    """Run an unattended job of the worker's once, by the server's clock; answers what it answers."""

    async def once() -> int:
        db = Database(server.dsn, clock=server.clock)
        await db.open()
        try:
            return await job(db)
        finally:
            await db.close()

    return asyncio.run(once())


@contextmanager
def locked(server: Served, sql: str, *args: object) -> Iterator[None]:
    """Carry out `sql` in a transaction of a connection of its own, and hold its locks until the block ends."""
    begun, done = threading.Event(), threading.Event()

    async def hold() -> None:
        conn = await asyncpg.connect(server.dsn)
        async with conn.transaction():
            await conn.fetch(sql, *args)
            begun.set()
            await asyncio.to_thread(done.wait)
        await conn.close()

    thread = threading.Thread(target=lambda: asyncio.run(hold()))
    thread.start()
    assert begun.wait(10)
    try:
        yield
    finally:
        done.set()
        thread.join()


def until(holds: Callable[[], object], seconds: float = 10) -> None:
    """Wait until it holds; fails if it does not in time."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "did not come true in time"
        time.sleep(0.01)


def snapshot(server: Served, owner: Member) -> dict[str, str]:
    """A print of everything an account has, table by table."""
    parts = [
        f"""select '{table}' as name, count(*) || ' ' || md5(coalesce(string_agg(t::text, ' ' order by t::text), ''))
            as print from {table} t where t.account_id = $1"""
        for table in sorted(ACCOUNT_TABLES)
    ]
    return {row["name"]: row["print"] for row in select(server, " union all ".join(parts), owner.account["id"])}


def events(server: Served, owner: Member, *types: str) -> list[dict[str, Any]]:
    """The account's events in order, those of `types` if any are named, each as its parsed body."""
    rows = select(
        server,
        """select body from events
        where account_id = $1 and (cardinality($2::text[]) = 0 or type = any($2::text[])) order by occurred_at, id""",
        owner.account["id"],
        list(types),
    )
    return [json.loads(row["body"]) for row in rows]
