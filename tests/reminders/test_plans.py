"""At 100,000 reminders every list reads an index, and so does what the worker asks each 15 seconds."""

import json
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from soloist.accounts.unattended import unattended
from soloist.infra.clock import frozen_at
from soloist.infra.db import Database, Tx
from soloist.infra.paging import Cursors
from soloist.reminders import notices, queries
from soloist.reminders.shapes import ReminderSearch
from tests.databases import clone
from tests.reminders.tasks import NOW

pytestmark = pytest.mark.slow
ACCOUNT, OTHER = UUID(int=1), UUID(int=2)
CLIENTS = 200
SIZE = 100_000

_ACCOUNT = "insert into accounts (account_id, created_at, updated_at) values ($1, $2, $2)"
_CLIENTS = """
insert into clients (
    account_id, id, client_type, source, status, display_name, sort_name, health_score, search_text, created_at,
    updated_at, status_before_archive, archived_at
)
select $1, lpad(n::text, 32, '0')::uuid, 'COMPANY', 'MANUAL', case when away then 'ARCHIVED' else 'ACTIVE' end,
    'Client ' || n, 'client ' || n, 50, '', $2::timestamptz, $2, case when away then 'ACTIVE' end,
    case when away then $2::timestamptz end
from generate_series(1, $3) as n
cross join lateral (select n % 20 = 0 as away) as x
"""
# Nine of ten are done; the open ones lie from 20 days ago to 2 years ahead, those that have come announced.
_REMINDERS = """
insert into reminders (
    account_id, id, client_id, title, reminder_type, priority, status, due_date, announced, completed_at, created_at,
    updated_at
)
select $1, lpad(n::text, 32, '0')::uuid, lpad((n % $3 + 1)::text, 32, '0')::uuid, 'Call back', 'FOLLOW_UP', 'MEDIUM',
    case when done then 'COMPLETED' else 'PENDING' end, due,
    case when due < $2 - interval '1 day' then 'OVERDUE' when due < $2 then 'DUE' end,
    case when done then due end, $2, $2
from generate_series(1, $4) as n
cross join lateral (select n % 10 > 0 as done) as d
cross join lateral (
    select $2::timestamptz + case when done then -interval '20 days' * (n % 70)
        else make_interval(mins => (n * 7919) % 1080000 - 28800) end as due
) as x
"""


@pytest.fixture(scope="module")
def big_url(postgres: str) -> str:
    return clone(postgres)


@pytest.fixture(scope="module")
async def big(big_url: str) -> AsyncIterator[Database]:
    """A book with 100,000 reminders, 10,000 of them open, beside another."""
    db = Database(big_url, clock=frozen_at(NOW))
    await db.open()
    async with db.connection() as conn:
        await conn.execute("set statement_timeout = 0")
        for account_id, size in ((ACCOUNT, SIZE), (OTHER, SIZE // 5)):
            await conn.execute(_ACCOUNT, account_id, NOW)
            await conn.execute(_CLIENTS, account_id, NOW, CLIENTS)
            await conn.execute(_REMINDERS, account_id, NOW, CLIENTS, size)
        await conn.execute("analyze")
    yield db
    await db.close()


class Noting:
    """A connection that notes what is asked."""

    def __init__(self, conn: Any) -> None:
        self.conn = conn
        self.asked: list[tuple[str, tuple[object, ...]]] = []

    async def fetchrow(self, sql: str, *args: object) -> Any:
        self.asked.append((sql, args))
        return await self.conn.fetchrow(sql, *args)

    async def fetchval(self, sql: str, *args: object) -> Any:
        self.asked.append((sql, args))
        return await self.conn.fetchval(sql, *args)

    async def execute(self, sql: str, *args: object) -> Any:
        return await self.conn.execute(sql, *args)

    async def fetch(self, sql: str, *args: object) -> Any:
        self.asked.append((sql, args))
        return await self.conn.fetch(sql, *args)


async def plans(db: Database, ask: Any) -> list[dict[str, Any]]:
    """How PostgreSQL reads `reminders` for what `ask(tx)` asks: the scans of every statement."""
    actor = unattended(ACCOUNT, "America/New_York", "USD")
    async with db.connection() as conn:
        noting = Noting(conn)
        await ask(Tx(noting, ACCOUNT, actor, NOW))  # type: ignore[arg-type]
        found = []
        for sql, args in noting.asked:
            [[text]] = await conn.fetch(f"explain (format json, analyze, timing off) {sql}", *args)
            found += list(scans(json.loads(text)[0]["Plan"]))
        return found


def scans(plan: dict[str, Any]) -> Any:
    if plan.get("Relation Name") == "reminders" and "Scan" in plan["Node Type"]:
        yield plan
    for below in plan.get("Plans", ()):
        if plan["Node Type"] == "Bitmap Heap Scan":
            below = {**below, "Relation Name": plan.get("Relation Name")}
        yield from scans(below)


LISTS: dict[str, tuple[Any, str]] = {
    "today": (queries.today, "reminders_open_by_date"),
    "overdue": (queries.overdue, "reminders_open_by_date"),
    "upcoming": (lambda tx: queries.upcoming(tx, 7), "reminders_open_by_date"),
}


@pytest.mark.parametrize("name", LISTS)
async def test_open_list_reads_the_index_of_open_reminders(big: Database, name: str) -> None:
    ask, index = LISTS[name]
    read = await plans(big, ask)
    used = {plan.get("Index Name") for plan in read if plan["Node Type"] != "Bitmap Heap Scan"}
    assert used - {"reminders_pkey"} == {index}
    assert not [plan for plan in read if plan["Node Type"] == "Seq Scan"]
    removed = sum(plan.get("Rows Removed by Filter", 0) for plan in read)
    assert removed == 0


CURSORS = Cursors(b"secret")
SEARCHES: dict[str, dict[str, Any]] = {
    "everything": {},
    "a client": {"clientId": str(UUID("00000000-0000-0000-0000-000000000007"))},
    "a period": {"dueAfter": "2026-06-01", "dueBefore": "2026-06-03"},
    "open": {"status": ["PENDING", "SNOOZED"]},
}


@pytest.mark.parametrize("name", SEARCHES)
async def test_search_reads_an_index(big: Database, name: str) -> None:
    asked = ReminderSearch.model_validate(SEARCHES[name])
    read = await plans(big, lambda tx: queries.search(tx, CURSORS, asked))
    assert read
    # The exact total of nearly everything may be counted from the table itself; the page may not.
    page = [plan for plan in read if plan["Actual Rows"] <= 100]
    assert page
    assert not [plan for plan in page if plan["Node Type"] == "Seq Scan"]


async def test_looking_for_what_to_announce_reads_only_what_has_come(big: Database) -> None:
    async with big.connection() as conn:
        sql = notices.ACCOUNTS
        [[text]] = await conn.fetch(f"explain (format json, analyze, timing off) {sql}", NOW, timedelta(hours=24))
        [scan] = scans(json.loads(text)[0]["Plan"])
    assert scan["Node Type"] != "Seq Scan"
    assert scan["Index Name"].startswith("reminders_to_announce")
    # Of 12,000 open reminders only those of the last day, which wait to become overdue, are looked at.
    assert scan["Actual Rows"] + scan.get("Rows Removed by Filter", 0) < 100


async def test_claiming_reads_only_what_has_come(big: Database) -> None:
    actor = unattended(ACCOUNT, "UTC", "USD")
    async with big.connection() as conn:
        transaction = conn.transaction()
        await transaction.start()
        noting = Noting(conn)
        await notices.announce(Tx(noting, ACCOUNT, actor, NOW + timedelta(days=1)), timedelta(hours=24), 500)  # type: ignore[arg-type]
        await transaction.rollback()
        sql, args = noting.asked[0]
        [[text]] = await conn.fetch(f"explain (format json) {sql}", *args)
    indexes = {plan.get("Index Name") for plan in scans(json.loads(text)[0]["Plan"])}
    assert "reminders_to_announce_of_account" in indexes


async def test_plans_hold_for_the_generic_plan_too(big: Database) -> None:
    """After five runs PostgreSQL may plan without looking at the values."""
    async with big.connection() as conn:
        await conn.execute("set plan_cache_mode = force_generic_plan")
        for sql, args in ((queries.OVERDUE, [NOW]), (queries.BETWEEN, [NOW, NOW, NOW + timedelta(days=1)])):
            await conn.execute(f"prepare wanted as {sql}")
            values = ", ".join(f"'{value}'" for value in (ACCOUNT, *args))
            [[text]] = await conn.fetch(f"explain (format json) execute wanted({values})")
            await conn.execute("deallocate wanted")
            indexes = {plan.get("Index Name") for plan in scans(json.loads(text)[0]["Plan"])}
            assert "reminders_open_by_date" in indexes
        await conn.execute("reset plan_cache_mode")
