"""The list of events at 100,000 of them: each question is answered from an index, with values or without them."""

import json
import time
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from soloist.accounts.unattended import unattended
from soloist.events import jobs, queries
from soloist.events.model import TYPES
from soloist.events.shapes import EventSearch
from soloist.infra.clock import frozen_at
from soloist.infra.db import Database, Tx
from soloist.infra.paging import Cursors
from soloist.infra.validation import check
from tests.databases import clone

pytestmark = pytest.mark.slow

NOW = datetime(2026, 5, 4, 12, tzinfo=UTC)
MANY, FEW = UUID(int=1), UUID(int=2)
RARE = "sync.failed"
MODES = ("force_custom_plan", "force_generic_plan")
MOST_MS = 150
FEW_ROWS = 1000
_ACCOUNT = "insert into accounts (account_id, created_at, updated_at) values ($1, $2, $2)"
_FILL = """
insert into events (account_id, id, type, occurred_at, body, position)
select $1, gen_random_uuid(), t.type, $4::timestamptz - interval '29 days' + make_interval(secs => n * 20),
    '{"type":"' || t.type || '","timestamp":"2026-05-01T00:00:00.000Z","data":{"id":"' || repeat('x', 300) || '"}}',
    nextval('event_positions')
from generate_series(1, $2::int) n
cross join lateral (
    select case when n % 5000 = 0 then 'sync.failed' else ($3::text[])[n % cardinality($3::text[]) + 1] end as type
) t
"""
_MIDDLE = "select id from events where account_id = $1 order by position offset 70000 limit 1"


@pytest.fixture(scope="module")
def url(postgres: str) -> str:
    return clone(postgres)


@pytest.fixture(scope="module")
async def db(url: str) -> AsyncIterator[Database]:
    """An account with 100,000 events of the last 30 days beside one with 1,000."""
    conn = await asyncpg.connect(url)
    for account_id, size in ((MANY, 100_000), (FEW, 1_000)):
        await conn.execute(_ACCOUNT, account_id, NOW)
        await conn.execute(_FILL, account_id, size, [name for name in TYPES if name != RARE], NOW, timeout=120)
    await conn.execute("vacuum (analyze) events", timeout=120)
    await conn.close()
    db = Database(url, size=1, clock=frozen_at(NOW))
    await db.open()
    yield db
    await db.close()


class Explaining:
    """A connection that keeps the plan of the last statement."""

    def __init__(self, conn: Any) -> None:
        self._conn = conn
        self.plan: dict[str, Any] = {}

    async def fetchval(self, sql: str, *args: object) -> Any:
        return await self._conn.fetchval(sql, *args)

    async def fetchrow(self, sql: str, *args: object) -> Any:
        [[text]] = await self._conn.fetch(f"explain (analyze, buffers, format json) {sql}", *args)
        self.plan = json.loads(text)[0]["Plan"]
        return await self._conn.fetchrow(sql, *args)


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for below in plan.get("Plans", ()):
        yield from nodes(below)


async def answer(tx: Tx, **asked: object) -> dict[str, Any]:
    page: dict[str, Any] = json.loads(await queries.search(tx, Cursors(b"k" * 32), check(EventSearch, asked)))
    return page


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", ["all", "deep", "type", "rare", "types", "cursor"])
async def test_page_and_total_are_read_from_an_index(db: Database, name: str, mode: str) -> None:
    async with db.connection() as conn:
        tx = Tx(conn, MANY, unattended(MANY, "UTC", "USD"), NOW)
        await conn.execute(f"set plan_cache_mode = {mode}")
        middle = await conn.fetchval(_MIDDLE, MANY)
        questions: dict[str, dict[str, Any]] = {
            "all": {},
            "deep": {"after": f"evt_{middle}"},
            "type": {"type": ["client.updated"]},
            "rare": {"type": [RARE], "after": f"evt_{middle}"},
            "types": {"type": [RARE, "client.created", "opportunity.won"]},
            "cursor": {"limit": "100"},
        }
        asked = questions[name]
        if name == "cursor":
            asked["cursor"] = (await answer(tx, **asked))["nextCursor"]
        explaining = Explaining(conn)
        tx.conn = explaining  # type: ignore[assignment]
        await answer(tx, **asked)
        tx.conn = conn
        taken = []
        for _ in range(5):
            begin = time.perf_counter()
            await answer(tx, **asked)
            taken.append((time.perf_counter() - begin) * 1000)
        await conn.execute("reset plan_cache_mode")
    pages = [node for node in nodes(explaining.plan) if node["Node Type"] == "Limit"]
    scans = [scan for page in pages for scan in nodes(page) if "Scan" in scan["Node Type"]]
    assert {scan.get("Index Name") for scan in scans} & {"events_position_unique", "events_by_type_position"}
    assert "Seq Scan" not in {scan["Node Type"] for scan in scans}
    # A walk along the order passes over what a type leaves out.
    assert all(scan["Actual Rows"] + scan.get("Rows Removed by Filter", 0) < FEW_ROWS for scan in scans)
    assert min(taken) < MOST_MS


async def test_old_events_are_found_without_reading_the_others(db: Database) -> None:
    async with db.connection() as conn:
        [[text]] = await conn.fetch(f"explain (format json) {jobs._PRUNE}", NOW - queries.KEPT, jobs.BATCH)
    scans = [node for node in nodes(json.loads(text)[0]["Plan"]) if node.get("Relation Name") == "events"]
    assert "events_occurred_at" in [node.get("Index Name") for node in scans]
    assert not [node for node in scans if node["Node Type"] == "Seq Scan"]
