"""Many deals: statistics over 20,000 within their time, and every list's plan on its index at 100,000."""

import asyncio
import re
import statistics
import time
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import parse_qsl
from uuid import UUID

import asyncpg
import pytest

from soloist.accounts.unattended import unattended
from soloist.infra.db import Database, Tx
from soloist.infra.paging import Cursors
from soloist.infra.statement import Statement
from soloist.infra.validation import check
from soloist.opportunities import board, queries
from soloist.opportunities.shapes import OpportunitySearch
from tests import make
from tests.databases import clone
from tests.opportunities.deals import act, deal, move, rates
from tests.people import Member, data, register
from tests.serving import Served, serving, settings_for

pytestmark = pytest.mark.slow
MOST_MS = 60

# Currencies, stages, days and clients of every kind; ids in the order of creation.
_FILL = """
insert into opportunities (
    account_id, id, client_id, title, source, estimated_value, currency, base_value, expected_close_date, stage,
    status, actual_close_date, closed_at, closed_from_stage, priority, probability, created_at, updated_at
)
select $1, (lpad(to_hex(n), 12, '0') || '7000a' || substr(md5(n::text), 1, 15))::uuid, $3,
    'Project number ' || n % 5000, (array['REFERRAL', 'OTHER', 'PARTNERSHIP', 'INBOUND_INQUIRY'])[n % 4 + 1],
    n % 900, case when n % 10 = 0 then 'SEK' else 'USD' end, case when n % 10 > 0 then n % 900 end,
    case when n % 3 > 0 then date '2024-01-01' + n % 700 end, d.stage,
    case when d.stage in ('WON', 'LOST') then d.stage when n % 11 = 0 then 'ON_HOLD' else 'OPEN' end,
    case when d.stage in ('WON', 'LOST') then date '2025-01-01' end,
    case when d.stage in ('WON', 'LOST') then timestamptz '2025-01-01 10:00+00' end,
    case when d.stage in ('WON', 'LOST') then 'LEAD' end,
    (array['LOW', 'MEDIUM', 'HIGH', 'URGENT'])[n % 4 + 1], n % 101,
    timestamptz '2023-01-01' + make_interval(mins => n),
    timestamptz '2024-01-01' + make_interval(mins => n * 7 % 100003)
from generate_series(1, $2::int) as n
cross join lateral (select (array['WON', 'LOST', 'WON', 'LOST', 'WON', 'LOST', 'LEAD', 'QUALIFIED', 'PROPOSAL',
    'NEGOTIATION'])[n % 10 + 1] as stage) as d
"""


class Full:
    """An owner with many deals on a server and database of their own."""

    def __init__(self, served: Served, owner: Member, client_id: str, size: int) -> None:
        self.server, self.owner, self.client_id, self.size = served, owner, client_id, size
        self.account_id = UUID(owner.account["id"])


@pytest.fixture(scope="module")
def served(postgres: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving(settings_for(tmp_path_factory.mktemp("data")), clone(postgres)) as served:
        yield served


def filled(served: Served, size: int) -> Full:
    owner = register(served.url, "full")
    rates(owner, ("EUR", "2024-01-01", 1.1))
    client_id: str = make.client(owner)["id"]
    # What only the rules make: a deal in euros, a held one, a closed one.
    made = deal(owner, estimatedValue=10, currency="EUR", clientId=client_id)
    act(owner, made["id"], "hold")
    move(owner, deal(owner)["id"], "WON")

    async def fill() -> None:
        conn = await asyncpg.connect(served.dsn)
        await conn.execute(_FILL, owner.account["id"], size, client_id, timeout=120)
        await conn.execute("vacuum (analyze)", timeout=120)
        await conn.close()

    asyncio.run(fill())
    return Full(served, owner, client_id, size)


@pytest.fixture(scope="module")
def of_20_000(served: Served) -> Full:
    return filled(served, 20_000)


@pytest.fixture(scope="module")
def of_100_000(served: Served, of_20_000: Full) -> Full:
    """A hundred thousand, beside the twenty thousand of somebody else."""
    return filled(served, 100_000)


async def reading(full: Full, ask: Callable[[Tx], Any]) -> Any:
    """What a query answers on a connection of the product's own kind."""
    db = Database(full.server.dsn, size=1)
    await db.open()
    actor = unattended(full.account_id, "UTC", "USD")
    try:
        async with db.reading(actor) as tx:
            return await ask(tx)
    finally:
        await db.close()


async def timed_inside(tx: Tx) -> list[float]:
    taken = []
    for _ in range(40):
        started = time.perf_counter()
        await board.stats(tx, "USD", None, None)
        taken.append(time.perf_counter() - started)
    return taken


def timed_outside(full: Full, path: str) -> list[float]:
    taken = []
    for _ in range(40):
        started = time.perf_counter()
        data(full.owner.get(path))
        taken.append(time.perf_counter() - started)
    return taken


def test_statistics_over_20_000_deals_are_quick(of_20_000: Full) -> None:
    """Over the driver and over HTTP; the best median of a few rounds, for the machine may have other work.

    `make bench` has the 95th percentile.
    """
    inside = outside = 1000.0
    for _ in range(5):
        inside = min(inside, statistics.median(asyncio.run(reading(of_20_000, timed_inside))) * 1000)
        outside = min(outside, statistics.median(timed_outside(of_20_000, "/opportunities/stats")) * 1000)
        if max(inside, outside) < MOST_MS:
            break
    assert (inside < MOST_MS, outside < MOST_MS) == (True, True), f"{inside:.1f} ms inside, {outside:.1f} ms over HTTP"


def test_period_of_many_deals_is_counted_right(of_20_000: Full) -> None:
    told = data(of_20_000.owner.get("/opportunities/stats?startDate=2023-01-03&endDate=2023-01-12"))
    assert told["total"] == 10 * 1440  # one a minute


class Explaining:
    """A connection that answers each statement and keeps its plan."""

    def __init__(self, conn: Any) -> None:
        self._conn = conn
        self.plans: list[str] = []

    async def fetchrow(self, sql: Statement, *args: object) -> Any:
        rows = await self._conn.fetch(f"explain (analyze, costs off, timing off) {sql}", *args)
        self.plans.append("\n".join(row[0] for row in rows))
        return await self._conn.fetchrow(sql, *args)

    fetchval = fetchrow


def plan_of(full: Full, query: str) -> str:
    asked = check(OpportunitySearch, {**dict(parse_qsl(query))})

    async def explain(tx: Tx) -> str:
        tx.conn = Explaining(tx.conn)  # type: ignore[assignment]
        await queries.search(tx, Cursors(b"k" * 32), asked)
        return str(tx.conn.plans[0])  # type: ignore[union-attr]

    plan: str = asyncio.run(reading(full, explain))
    return plan


INDEXES = {
    "": "opportunities_by_created",
    "sortOrder=asc": "opportunities_by_created",
    "sortBy=updatedAt": "opportunities_by_updated",
    "sortBy=title": "opportunities_by_title",
    "sortBy=title&sortOrder=asc": "opportunities_by_title",
    "sortBy=probability": "opportunities_by_probability",
    "sortBy=estimatedValue": "opportunities_by_value_highest",
    "sortBy=estimatedValue&sortOrder=asc": "opportunities_by_value_lowest",
    "sortBy=expectedCloseDate": "opportunities_by_close_latest",
    "sortBy=expectedCloseDate&sortOrder=asc": "opportunities_by_close_soonest",
}


@pytest.mark.parametrize("query", INDEXES)
def test_page_of_100_000_deals_is_read_from_its_index(of_100_000: Full, query: str) -> None:
    plan = plan_of(of_100_000, query)
    page = plan[plan.index("->  Limit") :]
    page = page[: page.index("SubPlan")] if "SubPlan" in page else page
    assert f"using {INDEXES[query]} on opportunities" in page, plan
    read = re.search(rf"using {INDEXES[query]} on opportunities.*rows=(\d+)", page)
    assert read is not None
    assert float(read[1]) <= 21, plan
    assert "Sort Key" not in page.split(INDEXES[query])[0].split("->  Limit")[1], plan


def test_walk_goes_on_from_the_cursor_without_reading_what_lies_before(of_100_000: Full) -> None:
    owner = of_100_000.owner
    deep = data(owner.get("/opportunities?sortBy=title&limit=100&page=100"))["nextCursor"]
    started = time.perf_counter()
    shown = data(owner.get(f"/opportunities?sortBy=title&limit=100&cursor={deep}"))
    assert len(shown["opportunities"]) == 100
    assert time.perf_counter() - started < 1


def test_deals_of_a_client_are_counted_from_an_index(of_100_000: Full) -> None:
    other: str = make.client(of_100_000.owner, companyName="Small")["id"]
    made = deal(of_100_000.owner, clientId=other)
    plan = plan_of(of_100_000, f"clientId={other}")
    assert plan.count("opportunities_by_client") >= 1, plan
    assert "Seq Scan on opportunities" not in plan, plan
    assert data(of_100_000.owner.get(f"/opportunities?clientId={other}"))["opportunities"] == [made]
