"""A client's revenue: every fact counted once, in the account's base currency, equal at all times to this sum.

The facts: payments received that belong to no deal, the values of won deals, and money synced from the Market.
Unlike currencies are never added: what no rate converts is reported beside the sum.
"""

from collections.abc import Sequence
from uuid import UUID

from soloist.accounts.rates import BASE_DECIMALS, rate
from soloist.clients.model import ClientNotFound
from soloist.health import queries as health
from soloist.health.queries import Subject
from soloist.infra.db import Tx
from soloist.infra.statement import statement


def counting(clients: str, and_also: str = "") -> str:
    """The CTEs that count the revenue of `clients`, an array of ids, into `counted`, and store it, as in `recount`.

    `and_also` selects facts that the statement itself makes: they are not yet to be seen in their tables.
    """
    return f"{_counted(clients, and_also)}, stored as ({_STORE})"


def _counted(clients: str, and_also: str = "") -> str:
    more = f"union all {and_also}" if and_also else ""
    return f"""
    facts as (
        select i.client_id, i.payment_currency as currency, i.payment_amount as amount,
            (i.occurred_at at time zone z.time_zone)::date as day
        from interactions i
        join accounts z on z.account_id = $1
        where i.account_id = $1 and i.client_id = any({clients})
            and i.payment_amount > 0 and i.opportunity_id is null
        union all
        select o.client_id, o.currency, o.estimated_value, o.actual_close_date
        from opportunities o
        where o.account_id = $1 and o.client_id = any({clients}) and o.status = 'WON' and o.estimated_value > 0
        union all
        select p.client_id, p.currency, p.amount, (p.paid_at at time zone z.time_zone)::date
        from market_payments p
        join accounts z on z.account_id = $1
        where p.account_id = $1 and p.client_id = any({clients}) and p.amount > 0
        {more}
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
        from unnest({clients}) as m (client_id)
        left join sums s on s.client_id = m.client_id
        group by m.client_id
    )
    """


_STORE = """
    update clients c set total_revenue = n.total, unconverted = n.unconverted
    from counted n
    where c.account_id = $1 and c.id = n.client_id
        and (c.total_revenue, c.unconverted) is distinct from (n.total, n.unconverted)
"""
_RECOUNT = statement(f"with {_counted('$2::uuid[]')} {_STORE}")
_RECOUNT_ONE = statement(
    f"with {counting('array[$4::uuid]')} {health.subject_with('counted', client='$4', since='$2', now='$3')}"
)


async def recount(tx: Tx, client_ids: Sequence[UUID]) -> int:
    """Set the revenue columns of these clients to the sum of their facts; answers how many changed.

    Their rows must be locked by this transaction. The health scores that depend on them are the caller's to refresh.
    """
    return await tx.run(_RECOUNT, list(client_ids))


async def recount_one(tx: Tx, client_id: UUID) -> Subject:
    """As `recount` for one client; answers what its health is now judged by."""
    row = await tx.row(_RECOUNT_ONE, *health.about(tx, client_id))
    if row is None:
        raise ClientNotFound
    return health.read(row, tx.now)
