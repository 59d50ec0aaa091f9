"""A client's revenue: every fact counted once, in the account's base currency, equal at all times to this sum.

The facts: payments received that belong to no deal, and the values of won deals. Unlike currencies are never
added: what no rate converts is reported beside the sum.
"""

from collections.abc import Sequence
from uuid import UUID

from soloist.accounts.rates import BASE_DECIMALS, rate
from soloist.infra.db import Tx
from soloist.infra.statement import statement

_RECOUNT = statement(
    f"""
    with facts as (
        select i.client_id, i.payment_currency as currency, i.payment_amount as amount,
            (i.occurred_at at time zone z.time_zone)::date as day
        from interactions i
        join accounts z on z.account_id = $1
        where i.account_id = $1 and i.client_id = any($2::uuid[])
            and i.payment_amount > 0 and i.opportunity_id is null
        union all
        select o.client_id, o.currency, o.estimated_value, o.actual_close_date
        from opportunities o
        where o.account_id = $1 and o.client_id = any($2::uuid[]) and o.status = 'WON' and o.estimated_value > 0
    ),
    -- A currency has a rate or has none: within one, all amounts are converted or none is.
    sums as (
        select f.client_id, f.currency, sum(f.amount) as amount, sum(f.amount * {rate("f.currency", "f.day")}) as value
        from facts f
        group by f.client_id, f.currency
    ),
    counted as (
        select m.client_id, round(coalesce(sum(s.value), 0), {BASE_DECIMALS}) as total,
            coalesce(jsonb_agg(jsonb_build_object('currency', s.currency, 'amount', trim_scale(s.amount))
                order by s.currency) filter (where s.currency is not null and s.value is null), '[]') as unconverted
        from unnest($2::uuid[]) as m (client_id)
        left join sums s on s.client_id = m.client_id
        group by m.client_id
    )
    update clients c set total_revenue = n.total, unconverted = n.unconverted
    from counted n
    where c.account_id = $1 and c.id = n.client_id
        and (c.total_revenue, c.unconverted) is distinct from (n.total, n.unconverted)
    """
)


async def recount(tx: Tx, client_ids: Sequence[UUID]) -> int:
    """Set the revenue columns of these clients to the sum of their facts; answers how many changed.

    Their rows must be locked by this transaction. The health scores that depend on them are the caller's to refresh.
    """
    return await tx.run(_RECOUNT, list(client_ids))
