"""Deals and reminders: the books they are measured in, and what is asked of them."""

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

import asyncpg
import orjson

from bench.load import Plan
from bench.world import Owner, World, headers_of
from soloist.accounts import actions as accounts
from soloist.accounts.unattended import unattended
from soloist.health import actions as health
from soloist.infra.db import Database
from soloist.infra.http import BASE
from soloist.infra.secrets import derived, installation_secret
from soloist.infra.settings import Settings
from soloist.infra.statement import statement

MOVED, WON = "move to another stage", "move to won, of a client"
PIPELINE, LISTED, TODAY = "pipeline of 200 open deals", "list of deals", "today, of 5,000 reminders"
# At most how many times the constant route each may cost. Winning, which also settles the client's revenue, status
# and health, is only told: it happens once to a deal that is moved several times.
BOUNDS = {MOVED: 5.0, WON: None, PIPELINE: 4.0, LISTED: 3.0, TODAY: 3.0}
STATISTICS_MS = 60
MOVES = 600  # of each kind in a round
_STAGES = ("QUALIFIED", "NEGOTIATION", "PROPOSAL")

_CLIENTS = """
insert into clients (
    account_id, id, client_type, source, status, display_name, sort_name, health_score, search_text, created_at,
    updated_at
)
select $1, md5($1::uuid::text || n)::uuid, 'COMPANY', 'MANUAL', 'ACTIVE', 'Client ' || n, 'client ' || n, 50, '', $2, $2
from generate_series(1, 500) as n
"""
# Two of five won, one lost, the rest open in every stage; of all sources, over two years.
_MIXED = """
insert into opportunities (
    account_id, id, client_id, title, source, estimated_value, currency, base_value, expected_close_date, stage,
    status, actual_close_date, closed_at, closed_from_stage, priority, probability, created_at, updated_at
)
select $1, md5('deal' || $1::uuid::text || n)::uuid, md5($1::uuid::text || (n % 500 + 1))::uuid, 'Website, part ' || n,
    (array['REFERRAL', 'OTHER', 'PARTNERSHIP', 'INBOUND_INQUIRY'])[n % 4 + 1], n % 9000, 'USD', n % 9000,
    $2::date + n % 90, d.stage, case when d.stage in ('WON', 'LOST') then d.stage else 'OPEN' end,
    case when d.stage in ('WON', 'LOST') then x.at::date + 20 end,
    case when d.stage in ('WON', 'LOST') then x.at + interval '20 days' end,
    case when d.stage in ('WON', 'LOST') then 'LEAD' end, 'MEDIUM', 50, x.at, x.at
from generate_series(1, $3::int) as n
cross join lateral (select (array['WON', 'LOST', 'WON', 'LEAD', 'QUALIFIED', 'PROPOSAL', 'WON', 'LOST', 'WON',
    'NEGOTIATION'])[n % 10 + 1] as stage) as d
cross join lateral (select $2::timestamptz - make_interval(mins => n % 1000000) as at) as x
"""
_REMINDERS = """
insert into reminders (
    account_id, id, client_id, title, reminder_type, priority, status, due_date, announced, created_at, updated_at
)
select $1, md5('reminder' || $1::uuid::text || n)::uuid, md5($1::uuid::text || (n % 500 + 1))::uuid, 'Call back',
    'FOLLOW_UP', 'MEDIUM', 'PENDING', x.due, case when x.due < $2 then 'OVERDUE' end, $2, $2
from generate_series(1, 5000) as n
cross join lateral (select $2::timestamptz + make_interval(mins => n * 100 - 50000) as due) as x
"""
_NOTHING_EARNED = statement("update clients set total_revenue = 0 where account_id = $1")
_DEALS = """
select o.id from opportunities o
join clients c on c.account_id = o.account_id and c.id = o.client_id and c.status <> 'ARCHIVED'
where o.account_id = $1 and o.status = 'OPEN' order by hashtext(o.id::text) limit $2
"""


@dataclass(frozen=True)
class Records:
    """The owners: of 200 open deals, of 20,000 deals, of 5,000 reminders; and `usual`, whose deals are moved."""

    usual: Owner
    deals: list[UUID]
    pipeline: Owner
    selling: Owner
    reminding: Owner

    def plans(self, port: int, seconds: float, number: int) -> dict[str, Plan]:
        """What is asked in round `number`: each deal is won once, and moved to another stage in each round."""

        def reading(owner: Owner, path: str) -> Plan:
            return Plan(port, [f"{BASE}{path}"], seconds, headers=headers_of(owner))

        def moving(deals: list[UUID], stage: str) -> Plan:
            paths = [f"{BASE}/opportunities/{deal}/stage" for deal in deals]
            body = orjson.dumps({"stage": stage}).decode()
            headers = headers_of(self.usual)
            return Plan(port, paths, 60, method="POST", headers=headers, body=body, once=True)

        return {
            MOVED: moving(self.deals[:MOVES], _STAGES[number % len(_STAGES)]),
            WON: moving(self.deals[MOVES * (number + 1) : MOVES * (number + 2)], "WON"),
            PIPELINE: reading(self.pipeline, "/opportunities/pipeline"),
            LISTED: reading(self.selling, "/opportunities?status=OPEN&limit=20"),
            TODAY: reading(self.reminding, "/reminders/today"),
        }

    def statistics(self, port: int, seconds: float) -> Plan:
        """The statistics of 20,000 deals, one request after the other."""
        paths = [f"{BASE}/opportunities/stats"]
        return Plan(port, paths, seconds, connections=1, headers=headers_of(self.selling))


def settle(at: World, usual: Owner, rounds: int) -> Records:
    """Fill the books, and choose the deals that will be moved."""
    return asyncio.run(_settle(at, usual, rounds))


async def _settle(at: World, usual: Owner, rounds: int) -> Records:
    key = derived(installation_secret(Settings(data_dir=at.folder)), "tokens")
    db = Database(at.dsn, size=2)
    await db.open()
    conn = await asyncpg.connect(at.dsn)
    now = datetime.now(UTC)

    async def owner(name: str, fill: str, *more: object) -> Owner:
        email = f"{name}@example.com"
        account_id = await accounts.create_account(db, email, None)
        await conn.execute(_CLIENTS, account_id, now)
        await conn.execute(fill, account_id, now, *more)
        return Owner(account_id, await accounts.issue_token(db, email, timedelta(days=1), key), [])

    pipeline = await owner("pipeline", _MIXED, 500)  # four of ten are open
    selling = await owner("selling", _MIXED, 20_000)
    reminding = await owner("reminding", _REMINDERS)
    await _reckon(db, usual)
    deals = [row["id"] for row in await conn.fetch(_DEALS, usual.account_id, MOVES * (rounds + 1))]
    await conn.execute("vacuum (analyze)")  # as autovacuum has done on any book in use
    await conn.close()
    await db.close()
    return Records(usual, deals, pipeline, selling, reminding)


async def _reckon(db: Database, owner: Owner) -> None:
    """Make the invented revenues and scores of the book what its facts say: else a won deal would correct them."""
    actor = unattended(owner.account_id, "UTC", "USD")
    async with db.changing(actor) as tx:
        await tx.run(_NOTHING_EARNED)
    after: UUID | None = UUID(int=0)
    while after is not None:
        async with db.changing(actor) as tx:
            _, after = await health.refresh_batch(tx, after, 1000)
