"""What runs unattended: deals on hold are resumed on their day, open deals follow rates given ahead."""

from soloist.accounts.unattended import unattended
from soloist.infra.clock import local_day
from soloist.infra.db import Database
from soloist.infra.fields import zone
from soloist.infra.statement import crossing
from soloist.opportunities import moves, valuation
from soloist.opportunities.model import OpportunityNotFound

# A day begins up to 14 hours before UTC's; which have really begun is asked with the account's zone.
_DUE = crossing(
    "deals to resume",
    "finds the held deals of all accounts whose day has come",
    """
    select o.account_id, o.id, o.resume_on, a.time_zone, a.base_currency
    from opportunities o
    join accounts a on a.account_id = o.account_id
    left join clients c on c.account_id = o.account_id and c.id = o.client_id
    where o.status = 'ON_HOLD' and o.resume_on <= $1::date + 1 and c.status is distinct from 'ARCHIVED'
    order by o.resume_on, o.id limit 1000
    """,
)
_RATED = crossing(
    "accounts with rates of today",
    "finds the accounts that have given a rate for a day that is today somewhere",
    """
    select a.account_id, a.time_zone, a.base_currency from accounts a
    where exists (
        select 1 from exchange_rates x
        where x.account_id = a.account_id and x.rate_on between $1::date - 1 and $1::date + 1)
    """,
)


async def resume_due(db: Database) -> int:
    """Resume the held deals whose day has begun in their account's zone; answers how many. Safe to run twice."""
    resumed = 0
    for row in await db.cross_rows(_DUE, db.clock().date()):
        if row["resume_on"] > local_day(zone(row["time_zone"]), db.clock()):
            continue
        actor = unattended(row["account_id"], row["time_zone"], row["base_currency"])
        try:
            async with db.changing(actor) as tx:
                resumed += await moves.resume_if_due(tx, row["id"])
        except OpportunityNotFound:  # deleted since it was found
            continue
    return resumed


async def follow_rates(db: Database) -> int:
    """Value open deals by a rate that was given ahead, once its day has begun; answers how many changed."""
    changed = 0
    for row in await db.cross_rows(_RATED, db.clock().date()):
        actor = unattended(row["account_id"], row["time_zone"], row["base_currency"])
        async with db.changing(actor) as tx:
            changed += await valuation.revalue_open(tx)
    return changed
