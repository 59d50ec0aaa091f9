"""What runs unattended: interactions logged ahead whose time has come, and revenue after a change of rates."""

from uuid import UUID

import structlog

from soloist.accounts import actions as accounts
from soloist.accounts.model import Actor
from soloist.accounts.unattended import unattended
from soloist.clients import actions, queries, revenue
from soloist.health import actions as health
from soloist.infra.db import Database
from soloist.infra.statement import crossing
from soloist.opportunities import valuation

log = structlog.get_logger("soloist.clients")
BATCH = 500
START = UUID(int=0)

_ARRIVED = crossing(
    "arrived interactions",
    "finds the clients of all accounts whose planned interaction has come",
    """
    select distinct i.account_id, i.client_id, a.time_zone, a.base_currency
    from interactions i
    join clients c on c.account_id = i.account_id and c.id = i.client_id
    join accounts a on a.account_id = i.account_id
    where i.occurred_at > i.created_at and i.occurred_at <= $1
        and (c.last_interaction_at is null or c.last_interaction_at < i.occurred_at)
    limit 1000
    """,
)
_FLAGGED = crossing(
    "accounts to recalculate",
    "finds the accounts whose rates, base currency or health scale changed",
    """
    select account_id, time_zone, base_currency, recalculating_since from accounts
    where recalculating_since is not null order by recalculating_since limit 100
    """,
)


async def arrivals(db: Database) -> int:
    """Count interactions that lay ahead once their time has come; answers how many clients changed."""
    rows = await db.cross_rows(_ARRIVED, db.clock())
    for row in rows:
        actor = unattended(row["account_id"], row["time_zone"], row["base_currency"])
        async with db.changing(actor) as tx:
            await queries.lock(tx, row["client_id"])
            await actions.interactions_changed(tx, row["client_id"])
    return len(rows)


async def recalculate_flagged(db: Database) -> int:
    """Recompute revenue and health of each account whose rates, currency or scale changed; answers how many."""
    rows = await db.cross_rows(_FLAGGED)
    for row in rows:
        actor = unattended(row["account_id"], row["time_zone"], row["base_currency"])
        await _recalculate(db, actor)
        async with db.changing(actor) as tx:
            await accounts.recalculated(tx, row["recalculating_since"])
        log.info("account recalculated", account=str(actor.account_id))
    return len(rows)


async def _recalculate(db: Database, actor: Actor) -> None:
    async with db.changing(actor) as tx:
        await valuation.wait_for_additions(tx)
    after: UUID | None = START
    while after is not None:
        async with db.changing(actor) as tx:
            after = await valuation.revalue_batch(tx, after, BATCH)
    after = START
    while after is not None:
        async with db.changing(actor) as tx:
            batch = await queries.lock_batch(tx, after, BATCH)
            await revenue.recount(tx, batch)
            after = batch[-1] if batch else None
    after = START
    while after is not None:
        async with db.changing(actor) as tx:
            _, after = await health.refresh_batch(tx, after, BATCH)
