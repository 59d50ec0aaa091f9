"""Client lists at 100,000 clients: each is read from its index, by values or without them, and within its time."""

import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from soloist.accounts.unattended import unattended
from soloist.clients import queries
from soloist.clients.model import ClientStatus
from soloist.clients.shapes import ClientSearch, ClientSort
from soloist.infra.clock import frozen_at
from soloist.infra.db import Database, Tx
from soloist.infra.paging import Cursors
from soloist.infra.validation import check
from tests.bulk import RARE_TAG, RARE_WORD, TWO_LETTERS, Book, fill
from tests.databases import clone

pytestmark = pytest.mark.slow

NOW = datetime(2026, 5, 4, 12, tzinfo=UTC)
MANY, FEW = UUID(int=1), UUID(int=2)
SIZES = {MANY: 100_000, FEW: 1_000}
CURSORS = Cursors(b"k" * 32)
MODES = {"force_custom_plan": 1, "force_generic_plan": 1, "auto": 7}  # after five runs PostgreSQL weighs the two
# A walk along an index passes over what a filter drops, and a sort may put some matches in order.
FEW_ROWS = 500
# The migrations' own indexes are built when the rows are there: made row by row they take most of a minute.
ROOM = {"maintenance_work_mem": "256MB"}
_INDEXES = """
select indexrelid::regclass::text as name, pg_get_indexdef(indexrelid) as made
from pg_index where indrelid = 'clients'::regclass and not indisunique
"""

_ACCOUNT = """
with account as (insert into accounts (account_id, created_at, updated_at) values ($1, $2, $2) returning account_id)
insert into account_counters (account_id) select account_id from account
"""


@pytest.fixture(scope="module")
def book_url(postgres: str) -> str:
    return clone(postgres)


@pytest.fixture(scope="module")
async def db(book_url: str) -> AsyncIterator[Database]:
    """An account of 100,000 clients beside one of 1,000, vacuumed and analysed as autovacuum would."""
    conn = await asyncpg.connect(book_url, server_settings=ROOM)
    indexes = await conn.fetch(_INDEXES)
    await conn.execute(";".join(f"drop index {index['name']}" for index in indexes))
    for account_id, size in SIZES.items():
        await conn.execute(_ACCOUNT, account_id, NOW)
        await fill(conn, Book(account_id, size, NOW))
    await conn.execute(";".join(index["made"] for index in indexes), timeout=120)
    await conn.execute("vacuum (analyze) clients", timeout=120)
    await conn.close()
    db = Database(book_url, size=1, clock=frozen_at(NOW))
    await db.open()
    yield db
    await db.close()


Asking = Callable[[Tx], Awaitable[Any]]


def listed(**asked: object) -> Asking:
    """The client list, asked for as over HTTP."""
    search = check(ClientSearch, asked)
    return lambda tx: queries.search(tx, CURSORS, search)


def tx_of(conn: Any, account_id: UUID) -> Tx:
    return Tx(conn, account_id, unattended(account_id, "UTC", "USD"), NOW)


class Noting:
    """A connection that notes what is asked."""

    def __init__(self, conn: Any) -> None:
        self._conn = conn
        self.asked: list[tuple[str, tuple[object, ...]]] = []

    async def fetchrow(self, sql: str, *args: object) -> Any:
        self.asked.append((sql, args))
        return await self._conn.fetchrow(sql, *args)

    async def fetch(self, sql: str, *args: object) -> Any:
        self.asked.append((sql, args))
        return await self._conn.fetch(sql, *args)


Node = dict[str, Any]


async def plans(db: Database, ask: Asking) -> dict[str, Node]:
    """The plan of the one statement that `ask` sends, carried out: made for its values, for any, or as PostgreSQL
    prefers it on a connection that has asked often."""
    async with db.connection() as conn:
        noting = Noting(conn)
        await ask(tx_of(noting, MANY))
        [(sql, args)] = noting.asked
        values = ", ".join(literal(value) for value in args)
        await conn.execute(f"prepare noted as {sql}")
        found = {}
        for mode, times in MODES.items():
            await conn.execute(f"set plan_cache_mode = {mode}")
            for _ in range(times):
                [[text]] = await conn.fetch(f"explain (analyze, format json, timing off) execute noted({values})")
            found[mode] = json.loads(text)[0]["Plan"]
        await conn.execute("deallocate noted; reset plan_cache_mode")
        return found


def literal(value: object) -> str:
    if isinstance(value, list):
        return "array[" + ", ".join(literal(part) for part in value) + "]"
    return str(value) if isinstance(value, int) else f"'{value}'"


def nodes(plan: Node) -> Iterator[Node]:
    yield plan
    for below in plan.get("Plans", ()):
        yield from nodes(below)


def scans(plan: Node) -> list[Node]:
    """Where clients are looked for: every scan but that of the page's rows, each by its key."""
    return [node for node in nodes(plan) if _reads_clients(node) and node.get("Index Name") != "clients_pkey"]


def _reads_clients(node: Node) -> bool:
    return node.get("Relation Name") == "clients" or str(node.get("Index Name")).startswith("clients_")


def read(node: Node) -> int:
    """How many rows a scan has looked at."""
    dropped = sum(node.get(f"Rows Removed by {why}", 0) for why in ("Filter", "Index Recheck"))
    return int((node["Actual Rows"] + dropped) * node["Actual Loops"])


def sorted_rows(plan: Node) -> int:
    """The most rows that any one sort was given."""
    given = (node["Plans"][0] for node in nodes(plan) if node["Node Type"] in ("Sort", "Incremental Sort"))
    return max((int(node["Actual Rows"] * node["Actual Loops"]) for node in given), default=0)


def told(plan: Node) -> str:
    """A plan in a line, for a failure's text."""
    parts = [(node["Node Type"], node.get("Index Name", ""), read(node)) for node in nodes(plan)]
    return "; ".join(f"{kind} {index} {rows}" for kind, index, rows in parts if "Scan" in kind or "Sort" in kind)


def check_unread(plan: Node) -> None:
    """No scan goes through the table itself."""
    assert scans(plan), told(plan)
    assert not [scan for scan in scans(plan) if scan["Node Type"] == "Seq Scan"], told(plan)


INDEXES = {
    ClientSort.NAME: "clients_by_name",
    ClientSort.CREATED_AT: "clients_by_created",
    ClientSort.LAST_INTERACTION_AT: "clients_by_contact",
    ClientSort.TOTAL_REVENUE: "clients_by_revenue",
    ClientSort.HEALTH_SCORE: "clients_by_health",
}
ORDERS = ("asc", "desc")


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("sort", INDEXES)
async def test_default_list_is_a_short_walk_along_the_index_of_its_sort(
    db: Database, sort: ClientSort, order: str
) -> None:
    for plan in (await plans(db, listed(sortBy=sort, sortOrder=order))).values():
        [scan] = scans(plan)
        assert (scan["Node Type"], scan["Index Name"]) == ("Index Only Scan", INDEXES[sort]), told(plan)
        assert read(scan) <= FEW_ROWS, told(plan)
        assert sorted_rows(plan) == 0, told(plan)


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("sort", INDEXES)
@pytest.mark.parametrize("status", ClientStatus)
async def test_list_of_a_status_reads_few_keys_in_any_sort(
    db: Database, status: ClientStatus, sort: ClientSort, order: str
) -> None:
    found = await plans(db, listed(status=[status], sortBy=sort, sortOrder=order))
    for mode, plan in found.items():
        [scan] = scans(plan)
        assert scan["Node Type"] == "Index Only Scan", told(plan)
        # A plan for any limit takes it to be a tenth of the book, and may sort a narrow status; PostgreSQL finds
        # that one dearer than a plan for the values, and "auto" shows that it isn't used.
        if mode != "force_generic_plan":
            # 21 clients of a fiftieth of the book are among the first 1,050 or so.
            assert read(scan) <= 2_500, told(plan)
            assert sorted_rows(plan) <= FEW_ROWS, told(plan)


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("sort", INDEXES)
async def test_walk_goes_on_from_a_deep_cursor_without_reading_what_lies_before(
    db: Database, sort: ClientSort, order: str
) -> None:
    asked = {"sortBy": sort, "sortOrder": order, "limit": "100"}
    async with db.connection() as conn:
        deep = json.loads(await listed(**asked, page="100")(tx_of(conn, MANY)))["nextCursor"]
    for plan in (await plans(db, listed(**asked, cursor=deep))).values():
        [scan] = scans(plan)
        assert (scan["Node Type"], scan["Index Name"]) == ("Index Only Scan", INDEXES[sort]), told(plan)
        assert 101 <= read(scan) <= FEW_ROWS, told(plan)
        assert sorted_rows(plan) == 0, told(plan)


# What a search finds has no order of its own: all of it is sorted, so few matches are what is asked for here.
FOUND_BY: dict[str, tuple[dict[str, Any], str]] = {
    "a rare word": ({"query": RARE_WORD}, "clients_search"),
    "three letters": ({"query": RARE_WORD[:3]}, "clients_search"),
    "two words": ({"query": f"{RARE_WORD} example"}, "clients_search"),
    "two letters": ({"query": TWO_LETTERS}, "clients_search"),
    "a word that is nowhere": ({"query": "zzzzzz"}, "clients_search"),
    "a tag": ({"tags": [RARE_TAG]}, "clients_tags"),
    "two tags": ({"tags": ["tag-01", "tag-02"]}, "clients_tags"),
}


@pytest.mark.parametrize("name", FOUND_BY)
async def test_search_reads_only_what_it_finds(db: Database, name: str) -> None:
    asked, index = FOUND_BY[name]
    for plan in (await plans(db, listed(**asked))).values():
        check_unread(plan)
        assert {scan["Index Name"] for scan in scans(plan) if "Index Name" in scan} == {index}, told(plan)
        assert max(map(read, scans(plan))) <= 2 * FEW_ROWS, told(plan)
        assert sorted_rows(plan) <= 2 * FEW_ROWS, told(plan)


# The exact total of these counts every match, which nothing can avoid; it is counted in an index alone.
FILTERS: dict[str, dict[str, Any]] = {
    "source": {"source": ["UPWORK"]},
    "type": {"clientType": ["COMPANY"]},
    "type and source": {"clientType": ["COMPANY"], "source": ["UPWORK", "REFERRAL"]},
    "status and source": {"status": ["LEAD"], "source": ["UPWORK"]},
    "health": {"minHealthScore": "90"},
    "revenue": {"minTotalRevenue": "50000"},
    "last contact": {"lastInteractionBefore": "2025-06-15"},
}


@pytest.mark.parametrize("name", FILTERS)
async def test_filter_is_counted_and_paged_in_indexes_alone(db: Database, name: str) -> None:
    for plan in (await plans(db, listed(**FILTERS[name]))).values():
        assert len(scans(plan)) == 2, told(plan)  # the total and the page
        assert {scan["Node Type"] for scan in scans(plan)} == {"Index Only Scan"}, told(plan)
        assert sum(scan["Heap Fetches"] for scan in scans(plan)) == 0, told(plan)
        assert min(map(read, scans(plan))) <= FEW_ROWS, told(plan)
        assert sorted_rows(plan) <= FEW_ROWS, told(plan)


async def test_needs_attention_stops_at_the_first_that_do(db: Database) -> None:
    for plan in (await plans(db, lambda tx: queries.needs_attention(tx, 10))).values():
        [scan] = scans(plan)
        assert scan["Index Name"] == "clients_by_health", told(plan)
        # Incremental: the clients of the lowest scores only, sorted by last contact within each score.
        assert read(scan) <= 2_500, told(plan)


async def test_client_is_read_by_its_key(db: Database) -> None:
    async with db.connection() as conn:
        client_id = await conn.fetchval("select id from clients where account_id = $1 limit 1", MANY)
    for plan in (await plans(db, lambda tx: queries.get(tx, client_id))).values():
        assert not scans(plan), told(plan)
        [scan] = [node for node in nodes(plan) if node.get("Index Name") == "clients_pkey"]
        assert read(scan) == 1


ROUNDS, RUNS = 8, 20


async def p95(db: Database, account_id: UUID, ask: Asking, share: float = 0.95) -> float:
    """The 95th percentile (or another) of some runs on a connection that knows the statement, in ms.

    What the two processes stood in line for a processor is taken off: others may use the machine.
    """
    taken = []
    async with db.connection() as conn:
        tx = tx_of(conn, account_id)
        processes = ("self", str(conn.get_server_pid()))
        for _ in range(3):
            await ask(tx)
        for _ in range(RUNS):
            waited, started = in_line(processes), time.perf_counter()
            await ask(tx)
            ended = time.perf_counter()
            taken.append((ended - started) * 1000 - (in_line(processes) - waited))
    return sorted(taken)[int(RUNS * share) - 1]


def in_line(processes: Iterable[str]) -> float:
    """How long these have waited for a processor in all, in ms; 0 where the system doesn't tell."""
    files = (Path(f"/proc/{process}/schedstat") for process in processes)
    return sum(int(file.read_text().split()[1]) for file in files if file.exists()) / 1e6


async def best_p95(db: Database, ask: Asking, bound: float) -> float:
    """The best of several rounds, since others may use the machine; no more rounds once the bound is kept."""
    best = await p95(db, MANY, ask)
    for _ in range(ROUNDS - 1):
        if best <= bound:
            break
        best = min(best, await p95(db, MANY, ask))
    return best


@pytest.mark.parametrize("status", ClientStatus)
async def test_list_of_a_status_takes_no_longer_in_a_book_a_hundred_times_the_size(
    db: Database, status: ClientStatus
) -> None:
    """By the medians, which other work on the machine moves less; `make bench` has the 95th percentiles."""
    ask = listed(status=[status])
    pairs = [(await p95(db, MANY, ask, 0.5), await p95(db, FEW, ask, 0.5)) for _ in range(3)]
    many, few = (min(side) for side in zip(*pairs, strict=True))
    assert many <= 2 * few + 0.5


@pytest.mark.parametrize("name", FILTERS)
async def test_filter_with_its_exact_total_is_quick(db: Database, name: str) -> None:
    assert await best_p95(db, listed(**FILTERS[name]), 30) <= 30


@pytest.mark.parametrize("name", FOUND_BY)
async def test_search_of_something_rare_is_quick(db: Database, name: str) -> None:
    bound = 30 if "tag" in name else 50
    assert await best_p95(db, listed(**FOUND_BY[name][0]), bound) <= bound
