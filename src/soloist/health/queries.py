"""What health reads: the facts about clients, and the history of their scores."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

import asyncpg

from soloist.clients.model import ClientNotFound
from soloist.health.model import WINDOW, Facts, Moment, Rating
from soloist.infra.db import Tx
from soloist.infra.statement import statement


class Subject(NamedTuple):
    """A client whose health is asked for: the facts, and what is stored now."""

    client_id: UUID
    name: str
    status: str
    score: int
    currency: str
    facts: Facts


_MOMENTS = """
    left join lateral (
        select array_agg(i.occurred_at order by i.occurred_at, i.id) as at,
            array_agg(i.interaction_type order by i.occurred_at, i.id) as kinds,
            array_agg(i.is_outbound order by i.occurred_at, i.id) as outbound,
            array_agg(case when i.sentiment_source <> 'NONE' then i.sentiment end order by i.occurred_at, i.id) as moods
        from interactions i
        where i.account_id = $1 and i.client_id = c.id and i.occurred_at > {since} and i.occurred_at <= {now}
    ) as m on true
    left join lateral (
        select array_agg(v.reviewed_at order by v.reviewed_at, v.id) as rated_at,
            array_agg(v.rating order by v.reviewed_at, v.id) as ratings
        from market_reviews v
        where v.account_id = $1 and v.client_id = c.id and v.reviewed_at > {since} and v.reviewed_at <= {now}
    ) as v on true
"""


def _subjects(
    which: str, revenue: str = "c.total_revenue", joined: str = "", since: str = "$2", now: str = "$3"
) -> str:
    return f"""
        select c.id, c.display_name, c.status, c.health_score, c.created_at, c.last_interaction_at,
            {revenue} as total_revenue, a.base_currency, a.monetary_scale, m.at, m.kinds, m.outbound, m.moods,
            v.rated_at, v.ratings
        from clients c
        join accounts a on a.account_id = $1
        {joined}
        {_MOMENTS.format(since=since, now=now)}
        where c.account_id = $1 and {which}
    """


_ONE = statement(_subjects("c.id = $4"))
_LOCK = statement(
    """
    select c.id from clients c where c.account_id = $1 and c.id > $2 and c.status <> 'ARCHIVED'
    order by c.id limit $3 for no key update skip locked
    """
)
_SOME = statement(_subjects("c.id = any($4::uuid[])") + " order by c.id")


async def subject(tx: Tx, client_id: UUID) -> Subject:
    """The facts about one client; raises ClientNotFound."""
    row = await tx.row(_ONE, *about(tx, client_id))
    if row is None:
        raise ClientNotFound
    return read(row, tx.now)


def subject_with(counted: str, client: str, since: str, now: str) -> str:
    """The facts about one client as a part of a statement that finds its revenue in the CTE `counted`.

    `counted` has client_id and total; the placeholders stand for the values of `about`.
    """
    joined = f"join {counted} on {counted}.client_id = c.id"
    return _subjects(f"c.id = {client}", f"{counted}.total", joined, since, now)


def about(tx: Tx, client_id: UUID) -> tuple[datetime, datetime, UUID]:
    """The values of a statement about one client: the moments between which interactions count, and its id."""
    return tx.now - WINDOW, tx.now, client_id


async def lock_batch(tx: Tx, after: UUID, size: int) -> list[Subject]:
    """The next clients that are not archived, by id, locked; those that somebody else holds are passed over."""
    locked = [row["id"] for row in await tx.rows(_LOCK, after, size)]
    # A statement of its own: one that began before the locks were held may not see the newest interactions.
    rows = await tx.rows(_SOME, tx.now - WINDOW, tx.now, locked) if locked else []
    return [read(row, tx.now) for row in rows]


def read(row: asyncpg.Record, now: datetime) -> Subject:
    """What such a statement found of a client."""
    moments: Sequence[Moment] = ()
    if row["at"]:
        moments = [Moment(*parts) for parts in zip(row["at"], row["kinds"], row["outbound"], row["moods"], strict=True)]
    ratings: Sequence[Rating] = ()
    if row["ratings"]:
        ratings = [Rating(*parts) for parts in zip(row["rated_at"], row["ratings"], strict=True)]
    facts = Facts(
        now,
        row["created_at"],
        moments[-1].at if moments else row["last_interaction_at"],  # one that lay ahead may have come just now
        row["total_revenue"],
        row["monetary_scale"],
        moments,
        ratings,
    )
    return Subject(row["id"], row["display_name"], row["status"], row["health_score"], row["base_currency"], facts)


_HISTORY = statement(
    """
    select coalesce(json_agg(json_build_object('date', h.day, 'score', h.score) order by h.day), '[]'::json)::text
    from health_history h
    where h.account_id = $1 and h.client_id = $2
    """
)


async def history(tx: Tx, client_id: UUID) -> str:
    """One entry per day on which the score changed, oldest first."""
    raw: Any = await tx.value(_HISTORY, client_id)
    return str(raw)


_WEEK = statement(
    """
    select h.client_id, max(greatest(h.score, h.highest)) as highest, bool_or(h.dropped and h.day = $4) as alarmed
    from health_history h
    where h.account_id = $1 and h.client_id = any($2::uuid[]) and h.changed_at > $3
    group by h.client_id
    """
)


class Week(NamedTuple):
    """The highest score of the last seven days, and whether today had its alarm already."""

    highest: int
    alarmed: bool


async def weeks(tx: Tx, client_ids: Sequence[UUID], since: datetime, today: object) -> dict[UUID, Week]:
    """The last week of each client that has a history in it."""
    rows = await tx.rows(_WEEK, list(client_ids), since, today)
    return {row["client_id"]: Week(row["highest"], row["alarmed"]) for row in rows}
