"""At 100,000 documents every list reads an index, and so do the sweep and the look-up of an upload."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from soloist.accounts.unattended import unattended
from soloist.documents import jobs, queries
from soloist.documents.model import DocumentSearch
from soloist.infra.clock import frozen_at
from soloist.infra.db import Database, Tx
from soloist.infra.paging import Cursors
from soloist.infra.validation import check
from tests.databases import clone
from tests.reminders.test_plans import Noting

pytestmark = pytest.mark.slow
NOW = datetime(2026, 5, 4, 12, tzinfo=UTC)
ACCOUNT, OTHER = UUID(int=1), UUID(int=2)
SIZE = 100_000
CURSORS = Cursors(b"k" * 32)

_ACCOUNT = "insert into accounts (account_id, created_at, updated_at) values ($1, $2, $2)"
_CLIENTS = """
insert into clients (
    account_id, id, client_type, source, status, display_name, sort_name, health_score, search_text, created_at,
    updated_at
)
select $1, lpad(n::text, 32, '0')::uuid, 'COMPANY', 'MANUAL', 'ACTIVE', 'Client ' || n, 'client ' || n, 50, '',
    $2::timestamptz, $2
from generate_series(1, 200) as n
"""
_DEALS = """
insert into opportunities (
    account_id, id, client_id, title, source, estimated_value, currency, stage, status, priority, probability,
    created_at, updated_at
)
select $1, lpad(n::text, 32, '0')::uuid, lpad(n::text, 32, '0')::uuid, 'Deal', 'OTHER', 0, 'USD', 'LEAD', 'OPEN',
    'MEDIUM', 10, $2::timestamptz, $2
from generate_series(1, 200) as n
"""
# One of 500 is of a rare type, has a rare tag and a rare word; half belong to deals, all but a tenth have files.
_DOCUMENTS = """
insert into documents (
    account_id, id, client_id, opportunity_id, document_type, file_name, file_url, storage_key, file_size, mime_type,
    tags, created_at, updated_at
)
select $1::uuid, lpad(n::text, 32, '0')::uuid, lpad((n % 200 + 1)::text, 32, '0')::uuid,
    case when n % 2 = 0 then lpad((n % 200 + 1)::text, 32, '0')::uuid end,
    case when n % 500 = 0 then 'FEEDBACK' else 'CONTRACT' end,
    case when n % 500 = 0 then 'quixotry ' else 'contract ' end || n || '.pdf', 'https://x.com/' || n,
    case when n % 10 > 0 then 'crm/' || $1::uuid || '/' || n || '.pdf' end, n, 'application/pdf',
    case when n % 500 = 0 then array['rare', 'all'] else array['all'] end,
    $2::timestamptz - make_interval(mins => n), $2
from generate_series(1, $3) as n
"""


@pytest.fixture(scope="module")
def big_url(postgres: str) -> str:
    return clone(postgres)


@pytest.fixture(scope="module")
async def big(big_url: str) -> AsyncIterator[Database]:
    """A book with 100,000 documents, beside another."""
    db = Database(big_url, clock=frozen_at(NOW))
    await db.open()
    async with db.connection() as conn:
        await conn.execute("set statement_timeout = 0")
        for account_id, size in ((ACCOUNT, SIZE), (OTHER, SIZE // 5)):
            await conn.execute(_ACCOUNT, account_id, NOW)
            await conn.execute(_CLIENTS, account_id, NOW)
            await conn.execute(_DEALS, account_id, NOW)
            await conn.execute(_DOCUMENTS, account_id, NOW, size, timeout=120)
        await conn.execute("vacuum (analyze)", timeout=120)
    yield db
    await db.close()


def scans(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    if plan.get("Relation Name") == "documents" and "Scan" in plan["Node Type"]:
        yield plan
    for below in plan.get("Plans", ()):
        yield from scans(below)


def rows_read(plan: dict[str, Any]) -> int:
    passed = plan.get("Rows Removed by Filter", 0) + plan.get("Rows Removed by Index Recheck", 0)
    return int(plan["Actual Rows"] * plan["Actual Loops"] + passed)


async def plans(db: Database, ask: Callable[[Tx], Awaitable[object]]) -> list[dict[str, Any]]:
    """How `documents` is read for what `ask` asks."""
    async with db.connection() as conn:
        noting = Noting(conn)
        await ask(Tx(noting, ACCOUNT, unattended(ACCOUNT, "UTC", "USD"), NOW))  # type: ignore[arg-type]
        found = []
        for sql, args in noting.asked:
            [[text]] = await conn.fetch(f"explain (format json, analyze, timing off) {sql}", *args)
            found += list(scans(json.loads(text)[0]["Plan"]))
        return found


SEARCHES: dict[str, dict[str, Any]] = {
    "a client": {"clientId": str(UUID("00000000-0000-0000-0000-000000000007"))},
    "an opportunity": {"opportunityId": str(UUID("00000000-0000-0000-0000-000000000007"))},
    "a rare type": {"documentType": ["FEEDBACK"]},
    "a rare tag": {"tags": ["rare", "all"]},
    "a rare word": {"query": "quixotry"},
    "a rare word and a type": {"query": "quixotry", "documentType": ["FEEDBACK"]},
}


@pytest.mark.parametrize("name", SEARCHES)
async def test_search_reads_little_more_than_it_finds(big: Database, name: str) -> None:
    asked = check(DocumentSearch, SEARCHES[name])
    read = await plans(big, lambda tx: queries.search(tx, CURSORS, asked))
    assert read
    assert not [plan for plan in read if plan["Node Type"] == "Seq Scan"]
    assert max(map(rows_read, read)) <= 1500


async def test_page_of_everything_reads_a_page(big: Database) -> None:
    read = await plans(big, lambda tx: queries.search(tx, CURSORS, DocumentSearch()))
    assert [plan.get("Index Name") for plan in read if plan["Actual Rows"] <= 21] == ["documents_by_created"]


async def test_recent_reads_as_many_as_it_shows(big: Database) -> None:
    [plan] = await plans(big, lambda tx: queries.recent(tx, 10))
    assert plan["Index Name"] == "documents_by_created"
    assert rows_read(plan) == 10


async def test_sweep_looks_up_its_files(big: Database) -> None:
    keys = [f"crm/{ACCOUNT}/{n}.pdf" for n in range(1, 5000, 10)]
    async with big.connection() as conn:
        [[text]] = await conn.fetch(f"explain (format json, analyze, timing off) {jobs.RECORDED}", keys)
    [plan] = scans(json.loads(text)[0]["Plan"])
    assert plan["Index Name"] == "documents_files"
