"""At 100,000 deliveries the lists, the claim and the rescue each read an index, however long another's queue is."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from soloist.accounts.unattended import unattended
from soloist.infra.clock import frozen_at
from soloist.infra.db import Connection, Database, Tx
from soloist.infra.paging import Cursors
from soloist.infra.validation import check
from soloist.webhooks import deliveries, jobs, queries
from soloist.webhooks.deliveries import Claimant
from soloist.webhooks.model import DeliverySearch
from tests.databases import clone
from tests.reminders.test_plans import Noting

pytestmark = pytest.mark.slow
NOW = datetime(2026, 5, 4, 12, tzinfo=UTC)
ACCOUNT, OTHER = UUID(int=1), UUID(int=2)
STUCK, SWIFT = UUID(int=1), UUID(int=2)  # webhooks of each account
SIZE = 100_000
CURSORS = Cursors(b"k" * 32)

_ACCOUNT = "insert into accounts (account_id, created_at, updated_at) values ($1, $2, $2)"
_WEBHOOKS = """
insert into webhooks (account_id, id, url, events, created_at, updated_at)
select $1, lpad(n::text, 32, '0')::uuid, 'https://x.com/' || n, array['*'], $2, $2 from generate_series(1, 2) as n
"""
# The stuck webhook has half of all, a fifth of them waiting since long; the swift one has them delivered but for
# one in a thousand. One of 500 is of a rare type.
_DELIVERIES = """
insert into webhook_deliveries (
    account_id, id, webhook_id, event_id, event_type, state, next_attempt_at, created_at, finished_at
)
select $1, lpad(n::text, 32, '0')::uuid, lpad((n % 2 + 1)::text, 32, '0')::uuid, lpad((n / 2)::text, 32, '0')::uuid,
    case when n % 500 < 2 then 'health.dropped' else 'client.created' end,
    case when waits then 'PENDING' else 'DELIVERED' end,
    case when waits then $2::timestamptz - make_interval(secs => n) end,
    $2::timestamptz - make_interval(secs => n), case when not waits then $2::timestamptz end
from generate_series(1, $3) as n
cross join lateral (select case when n % 2 = 0 then n % 10 = 0 else n % 1000 = 1 end as waits) as w
"""


@pytest.fixture(scope="module")
def big_url(postgres: str) -> str:
    return clone(postgres)


@pytest.fixture(scope="module")
async def big(big_url: str) -> AsyncIterator[Database]:
    """A long log beside another account's."""
    db = Database(big_url, clock=frozen_at(NOW))
    await db.open()
    async with db.connection() as conn:
        await conn.execute("set statement_timeout = 0")
        for account_id, size in ((ACCOUNT, SIZE), (OTHER, SIZE // 5)):
            await conn.execute(_ACCOUNT, account_id, NOW)
            await conn.execute(_WEBHOOKS, account_id, NOW)
            await conn.execute(_DELIVERIES, account_id, NOW, size, timeout=120)
        await conn.execute("vacuum (analyze)", timeout=120)
    yield db
    await db.close()


def scans(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    if plan.get("Relation Name") == "webhook_deliveries" and "Scan" in plan["Node Type"]:
        yield plan
    for below in plan.get("Plans", ()):
        yield from scans(below)


def rows_read(plan: dict[str, Any]) -> float:
    passed = plan.get("Rows Removed by Filter", 0) + plan.get("Rows Removed by Index Recheck", 0)
    return float((plan["Actual Rows"] + passed) * plan["Actual Loops"])


async def plans(db: Database, ask: Callable[[Tx], Awaitable[object]]) -> list[dict[str, Any]]:
    """How `webhook_deliveries` is read for what `ask` asks; what it changes is taken back."""
    async with db.connection() as conn, taken_back(conn):
        noting = Noting(conn)
        await ask(Tx(noting, ACCOUNT, unattended(ACCOUNT, "UTC", "USD"), NOW))  # type: ignore[arg-type]
        return [plan for sql, args in noting.asked for plan in await explained(conn, sql, *args)]


async def explained(conn: Connection, sql: str, *args: object) -> list[dict[str, Any]]:
    [[text]] = await conn.fetch(f"explain (format json, analyze, timing off) {sql}", *args)
    return list(scans(json.loads(text)[0]["Plan"]))


@asynccontextmanager
async def taken_back(conn: Connection) -> AsyncIterator[None]:
    transaction = conn.transaction()
    await transaction.start()
    try:
        yield
    finally:
        await transaction.rollback()


@pytest.mark.parametrize("webhook_id", [STUCK, SWIFT])
async def test_a_claim_reads_what_it_takes(big: Database, webhook_id: UUID) -> None:
    claimant = Claimant(UUID(int=9), timedelta(seconds=8))
    read = await plans(big, lambda tx: deliveries.claim(tx, webhook_id, claimant, 8, ()))
    assert read
    assert not [plan for plan in read if plan["Node Type"] == "Seq Scan"]
    assert max(map(rows_read, read)) <= 20


async def test_the_rescue_goes_from_endpoint_to_endpoint(big: Database) -> None:
    async with big.connection() as conn:
        read = await explained(conn, jobs.FORGOTTEN, NOW, UUID(int=9), timedelta(seconds=8))
    assert not [plan for plan in read if plan["Node Type"] == "Seq Scan"]
    assert sum(map(rows_read, read)) <= 50


SEARCHES: dict[str, tuple[UUID, dict[str, Any]]] = {
    "waiting": (SWIFT, {"state": ["PENDING"]}),
    "a rare type": (SWIFT, {"type": ["health.dropped"]}),
    "a rare type and state": (STUCK, {"type": ["health.dropped"], "state": ["FAILED"]}),
}


@pytest.mark.parametrize("name", SEARCHES)
async def test_a_narrowed_log_reads_little_more_than_it_finds(big: Database, name: str) -> None:
    webhook_id, asked = SEARCHES[name]
    search = check(DeliverySearch, asked)
    read = await plans(big, lambda tx: queries.deliveries(tx, CURSORS, webhook_id, search))
    assert read
    assert not [plan for plan in read if plan["Node Type"] == "Seq Scan"]
    assert max(map(rows_read, read)) <= 500


async def test_a_page_of_the_log_reads_a_page(big: Database) -> None:
    read = await plans(big, lambda tx: queries.deliveries(tx, CURSORS, SWIFT, DeliverySearch()))
    pages = [plan for plan in read if plan["Actual Rows"] <= 21]
    # How half of the table is counted for the exact total, the planner may choose.
    assert "webhook_deliveries_by_created" in [plan.get("Index Name") for plan in pages]
