"""What a daily digest tells of: one statement for each part, the first few rows of it and how many there are."""

from datetime import date, datetime
from typing import NamedTuple

import asyncpg

from soloist.clients.attention import NEEDS, REASONS, bounds
from soloist.infra.db import Tx
from soloist.infra.statement import Statement, statement
from soloist.reminders.shapes import EFFECTIVE, OPEN

MOST_SHOWN = 15


class Part(NamedTuple):
    """The first rows of a part of the digest, and how many there are in all."""

    rows: list[asyncpg.Record]
    total: int


def _open_reminders(bounds: str) -> Statement:
    effective = EFFECTIVE.replace("{t}", "m")
    return statement(
        f"""
        select m.id, m.title, m.client_id, c.display_name as client_name, {effective} as effective_at,
            count(*) over () as total
        from reminders m
        left join clients c on c.account_id = $1 and c.id = m.client_id
        where m.account_id = $1 and {OPEN.replace("{t}", "m")} and {effective} {bounds}
            and c.status is distinct from 'ARCHIVED'
        order by {effective}, m.id
        limit {MOST_SHOWN}
        """
    )


_TODAY = _open_reminders(">= $2 and coalesce(m.snoozed_until, m.due_date) < $3")
_OVERDUE = _open_reminders("< $2")


async def today(tx: Tx, first: datetime, after: datetime) -> Part:
    """The open reminders of the day that lasts from `first` to before `after`, those that have passed included."""
    return await _part(tx, _TODAY, first, after)


async def overdue(tx: Tx, first: datetime) -> Part:
    """The open reminders left over from before the day."""
    return await _part(tx, _OVERDUE, first)


# The same rule as that of GET /clients/needs-attention.
_ATTENTION = statement(
    f"""
    select c.id as client_id, c.display_name as client_name, {REASONS} as reasons, count(*) over () as total
    from clients c
    where c.account_id = $1 and {NEEDS}
    order by c.health_score, coalesce(c.last_interaction_at, '-infinity'), c.id
    limit {MOST_SHOWN}
    """
)


async def needing_attention(tx: Tx) -> Part:
    """The clients that need attention, worst first, with the reasons."""
    return await _part(tx, _ATTENTION, *bounds(tx.now))


# As on the board: open and held deals, but not those of archived clients.
_CLOSING = statement(
    f"""
    select o.id, o.title, o.stage, o.status, o.expected_close_date, o.estimated_value as value, o.currency,
        c.display_name as client_name, count(*) over () as total
    from opportunities o
    left join clients c on c.account_id = $1 and c.id = o.client_id
    where o.account_id = $1 and o.status in ('OPEN', 'ON_HOLD') and c.status is distinct from 'ARCHIVED'
        and o.expected_close_date between $2 and $3
    order by o.expected_close_date, o.id
    limit {MOST_SHOWN}
    """
)


async def closing(tx: Tx, first: date, last: date) -> Part:
    """The deals expected to close from `first` through `last`."""
    return await _part(tx, _CLOSING, first, last)


_WEEK_START = statement("select week_start from accounts where account_id = $1")


async def week_start(tx: Tx) -> str:
    """The day on which the account's week begins."""
    return str(await tx.value(_WEEK_START))


async def _part(tx: Tx, sql: Statement, *args: object) -> Part:
    rows = await tx.rows(sql, *args)
    return Part(rows, rows[0]["total"] if rows else 0)
