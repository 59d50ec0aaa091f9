"""Whoever goes on from the last event seen misses none, however changes overtake each other."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from uuid import UUID

import asyncpg
import pytest

from soloist.accounts.unattended import unattended
from soloist.events import log, queries
from soloist.events.model import ClientArchived
from soloist.events.shapes import EventSearch
from soloist.infra.db import Database, Tx
from soloist.infra.paging import Cursors
from soloist.infra.validation import check

ALICE, BOB = unattended(UUID(int=1), "UTC", "USD"), unattended(UUID(int=2), "UTC", "USD")
CURSORS = Cursors(b"k" * 32)
WRAP = 2**32


@pytest.fixture
async def db(db_url: str) -> AsyncIterator[Database]:
    database = Database(db_url, size=12)
    await database.open()
    async with database.connection() as conn:
        now = datetime.now(UTC)
        for actor in (ALICE, BOB):
            await conn.execute(
                "insert into accounts (account_id, created_at, updated_at) values ($1, $2, $2)", actor.account_id, now
            )
    yield database
    await database.close()


async def shown(db: Database, actor: object = ALICE, after: str | None = None) -> list[str]:
    """The ids that a poller of this account gets in its next call."""
    asked = check(EventSearch, {"limit": "100"} | ({"after": after} if after else {}))
    async with db.reading(actor) as tx:  # type: ignore[arg-type]
        page = await queries.search(tx, CURSORS, asked)
    return [event["id"] for event in json.loads(page)["events"]]


@asynccontextmanager
async def recording(db: Database, actor: object = ALICE) -> AsyncIterator[Tx]:
    """A change that has recorded its event and is not committed until the block ends."""
    async with db.changing(actor) as tx:  # type: ignore[arg-type]
        await log.record(tx, ClientArchived.sample())
        yield tx


async def test_event_is_shown_as_soon_as_it_is_committed(db: Database) -> None:
    for count in range(1, 4):
        async with recording(db):
            assert len(await shown(db)) == count - 1
        assert len(await shown(db)) == count


async def test_event_waits_for_an_earlier_one_that_commits_later(db: Database) -> None:
    async with recording(db):
        before = await shown(db)
        async with recording(db):
            pass
        assert await shown(db) == before == []
    both = await shown(db)
    assert len(both) == 2
    async with recording(db):
        pass
    assert len(await shown(db, after=both[-1])) == 1


async def test_event_does_not_wait_for_one_that_is_given_up(db: Database) -> None:
    async def give_up() -> None:
        async with recording(db):
            async with recording(db):
                pass
            assert await shown(db) == []
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await give_up()
    assert len(await shown(db)) == 1


async def test_change_of_another_account_or_without_events_holds_up_nothing(db: Database) -> None:
    async with recording(db, BOB), db.changing(ALICE) as idle:
        await idle.conn.execute("update accounts set name = 'busy' where account_id = $1", ALICE.account_id)
        async with recording(db):
            pass
        assert len(await shown(db)) == 1
    assert len(await shown(db, BOB)) == 1


async def test_one_change_with_many_events_holds_one_lock(db: Database) -> None:
    async with db.changing(ALICE) as tx:
        for _ in range(3):
            await log.record(tx, *[ClientArchived.sample()] * 50)
        held = await tx.conn.fetchval(
            "select count(*) from pg_locks where locktype = 'advisory' and pid = pg_backend_pid()"
        )
    assert held == 1
    assert len(await shown(db)) == 100


@pytest.mark.parametrize("near", [WRAP // 2, WRAP, 3 * WRAP])
async def test_places_beyond_what_a_lock_can_hold_keep_the_order(db: Database, near: int) -> None:
    async with db.connection() as conn:
        await conn.execute(f"select setval('event_positions', {near - 2})")
    async with recording(db):
        for _ in range(4):
            async with recording(db):
                pass
        assert await shown(db) == []
    assert len(await shown(db)) == 5


async def test_poller_sees_every_event_once_while_many_write(db: Database) -> None:
    """Ten writers, whose transactions overlap at random, and one reader who goes on from the last event it saw."""
    writing = True
    seen: list[str] = []

    async def write(number: int) -> None:
        for turn in range(12):
            async with recording(db) as tx:
                if (number + turn) % 3 == 0:
                    await tx.conn.execute("select pg_sleep(0.01)")

    async def poll() -> None:
        while writing or await shown(db, after=seen[-1] if seen else None):
            seen.extend(await shown(db, after=seen[-1] if seen else None))

    polling = asyncio.create_task(poll())
    await asyncio.gather(*(write(number) for number in range(10)))
    writing = False
    await polling
    async with db.connection() as conn:
        rows: list[asyncpg.Record] = await conn.fetch("select id from events order by position")
    assert seen == [f"evt_{row['id']}" for row in rows]
    assert len(seen) == 120
