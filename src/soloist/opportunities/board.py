"""The pipeline in numbers: the board, the statistics of a period, and the forecast; one statement each.

Amounts are summed in the base currency; what no rate converts is listed beside each (docs/reference/rules.md). `$2` is
how many decimals the base currency has.
"""

from datetime import datetime
from typing import Any

from soloist.infra.db import Tx
from soloist.infra.money import decimals
from soloist.infra.shape import columns
from soloist.infra.statement import statement
from soloist.opportunities.shapes import Opportunity

BASE_CURRENCY = "(select a.base_currency from accounts a where a.account_id = $1)"


def _sum(expression: str, condition: str = "") -> str:
    only = f" filter (where {condition})" if condition else ""
    return f"trim_scale(coalesce(round(sum({expression}){only}, $2::int), 0))"


def _left_out(rows: str) -> str:
    """The unconverted amounts of `rows` (a relation with currency, estimated_value, base_value)."""
    return f"""(select coalesce(json_agg(json_build_object('currency', u.currency, 'amount', trim_scale(u.amount))
        order by u.currency), '[]'::json)
        from (select q.currency, sum(q.estimated_value) as amount from {rows}
            where q.base_value is null and q.estimated_value > 0 group by q.currency) as u)"""


_WEIGHTED = "base_value * probability * 0.01"  # exact, as a division would not be
_STAGES = "(values ('LEAD', 1), ('QUALIFIED', 2), ('PROPOSAL', 3), ('NEGOTIATION', 4)) as s (stage, at)"
# Open and held deals, but not those of archived clients.
_LIVE = """
    select o.* from opportunities o
    left join clients c on c.account_id = $1 and c.id = o.client_id
    where o.account_id = $1 and o.status in ('OPEN', 'ON_HOLD') and c.status is distinct from 'ARCHIVED'
"""
_PIPELINE = statement(
    f"""
    with live as materialized ({_LIVE}),
    stages as (
        select json_build_object(
            'stage', s.stage,
            'opportunities', coalesce((select json_agg(row_to_json(r) order by o.created_at desc, o.id desc)
                from live o cross join lateral (select {columns(Opportunity, "o")}) as r
                where o.stage = s.stage), '[]'::json),
            'count', (select count(*) from live o where o.stage = s.stage),
            'totalValue', (select {_sum("base_value")} from live o where o.stage = s.stage),
            'weightedValue', (select {_sum(_WEIGHTED)} from live o where o.stage = s.stage),
            'unconverted', {_left_out("(select * from live l where l.stage = s.stage) as q")}
        ) as line, s.at
        from {_STAGES}
    )
    select json_build_object(
        'stages', (select json_agg(line order by at) from stages),
        'summary', (select json_build_object(
            'totalOpportunities', count(*),
            'totalValue', {_sum("base_value")},
            'weightedValue', {_sum(_WEIGHTED)},
            'avgDealSize', trim_scale(coalesce(round(avg(base_value), $2::int), 0)),
            'currency', {BASE_CURRENCY},
            'unconverted', {_left_out("live q")}
        ) from live)
    )::text
    """
)


async def pipeline(tx: Tx, base_currency: str) -> str:
    """The board: all four open stages in order, each with its deals and sums (document "Get Pipeline View")."""
    return await _text(tx.value(_PIPELINE, decimals()[base_currency]))


# One pass over the deals makes a few groups; everything is then told from these.
_STATS = statement(
    f"""
    with dealt as materialized (
        select o.status, o.stage, o.source, o.currency, o.base_value is null as unrated, count(*) as n,
            sum(o.base_value) as base_value, sum(o.estimated_value) as estimated_value,
            sum(o.closed_at - o.created_at) as taken
        from opportunities o
        where o.account_id = $1 and ($3::timestamptz is null or o.created_at >= $3)
            and ($4::timestamptz is null or o.created_at <= $4)
        group by o.status, o.stage, o.source, o.currency, unrated
    ),
    numbers as (
        select coalesce(sum(n), 0) as total,
            coalesce(sum(n) filter (where status in ('OPEN', 'ON_HOLD')), 0) as open,
            coalesce(sum(n) filter (where status = 'WON'), 0) as won,
            coalesce(sum(n) filter (where status = 'LOST'), 0) as lost,
            sum(n) filter (where status = 'WON' and not unrated) as won_and_rated,
            sum(base_value) filter (where status = 'WON') as won_value,
            extract(epoch from sum(taken) filter (where status = 'WON')) as won_seconds
        from dealt
    )
    select json_build_object(
        'total', total,
        'open', open,
        'won', won,
        'lost', lost,
        'winRate', coalesce(round(100.0 * won / nullif(won + lost, 0)), 0),
        'totalWonValue', trim_scale(coalesce(round(won_value, $2::int), 0)),
        'totalLostValue', (select {_sum("base_value", "status = 'LOST'")} from dealt),
        'totalOpenValue', (select {_sum("base_value", "status in ('OPEN', 'ON_HOLD')")} from dealt),
        'avgDealSize', trim_scale(coalesce(round(won_value / won_and_rated, $2::int), 0)),
        'avgTimeToClose', coalesce(round(won_seconds / nullif(won * 86400, 0)), 0),
        'bySource', (select coalesce(json_object_agg(f.source, f.n order by f.n desc, f.source), '{{}}'::json)
            from (select source, sum(n) as n from dealt group by source) as f),
        'byStage', (select json_object_agg(s.stage, coalesce(f.n, 0) order by s.at)
            from {_STAGES}
            left join (select stage, sum(n) as n from dealt group by stage) as f on f.stage = s.stage),
        'currency', {BASE_CURRENCY},
        'unconverted', {_left_out("dealt q")},
        'recalculating', (select a.recalculating_since is not null from accounts a where a.account_id = $1)
    )::text
    from numbers
    """
)


async def stats(tx: Tx, base_currency: str, first: datetime | None, last: datetime | None) -> str:
    """How the deals created in a period went; nothing to divide by is 0 (document "Get Opportunity Statistics")."""
    return await _text(tx.value(_STATS, decimals()[base_currency], first, last))


_FORECAST = statement(
    f"""
    with live as materialized (
        select l.*, to_char(l.expected_close_date, 'YYYY-MM') as month from ({_LIVE}) as l
    )
    select json_build_object(
        'months', (select coalesce(json_agg(json_build_object(
            'month', m.month, 'count', m.n, 'totalValue', m.total, 'weightedValue', m.weighted,
            'unconverted', {_left_out("(select * from live l where l.month is not distinct from m.month) as q")}
        ) order by m.month nulls last), '[]'::json)
        from (
            select month, count(*) as n, {_sum("base_value")} as total, {_sum(_WEIGHTED)} as weighted
            from live group by month
        ) as m),
        'currency', {BASE_CURRENCY}
    )::text
    """
)


async def forecast(tx: Tx, base_currency: str) -> str:
    """Plain and weighted value of the open deals by the month they are expected to close in."""
    return await _text(tx.value(_FORECAST, decimals()[base_currency]))


async def _text(value: Any) -> str:
    return str(await value)
