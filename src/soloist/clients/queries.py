"""What is read of clients: one statement each, its result the JSON that goes out."""

from collections.abc import Mapping
from math import ceil
from typing import Any, NamedTuple
from uuid import UUID

import asyncpg

from soloist.clients.attention import NEEDS, REASONS, bounds
from soloist.clients.model import LIVING, ClientArchived, ClientNotFound, ClientStatus
from soloist.clients.shapes import (
    BASE_CURRENCY,
    ClientDetail,
    ClientInNeed,
    ClientSearch,
    ClientSort,
    ClientSummary,
)
from soloist.infra.changes import Found
from soloist.infra.clock import last_moment
from soloist.infra.db import Tx
from soloist.infra.fields import SortOrder
from soloist.infra.listing import Key, Listing, Way, json_list
from soloist.infra.paging import Cursors
from soloist.infra.shape import columns
from soloist.infra.statement import statement


def whole(source: str) -> str:
    """The select that renders the clients in `source` with all that stands around them."""
    return f"""
        select c.version, row_to_json(r)::text as raw
        from {source} c
        cross join lateral (select {columns(ClientDetail, "c")}) as r
    """


_GET = statement(f"{whole('clients')} where c.account_id = $1 and c.id = $2")


async def get(tx: Tx, client_id: UUID) -> Found:
    """A client with all that stands around it; raises ClientNotFound."""
    row = await tx.row(_GET, client_id)
    if row is None:
        raise ClientNotFound
    return Found(row["version"], row["raw"])


class Locked(NamedTuple):
    """A client's own fields, or those of them that were asked for, locked until the transaction ends."""

    row: asyncpg.Record | Mapping[str, Any]

    @property
    def id(self) -> UUID:
        return self.row["id"]  # type: ignore[no-any-return]

    @property
    def name(self) -> str:
        return str(self.row["display_name"])

    @property
    def version(self) -> int:
        return int(self.row["version"])

    @property
    def status(self) -> ClientStatus:
        return ClientStatus(self.row["status"])


_LOCK = statement("select * from clients where account_id = $1 and id = $2 for no key update")


async def lock(tx: Tx, client_id: UUID) -> Locked:
    """The client, locked against other changes; raises ClientNotFound."""
    row = await tx.row(_LOCK, client_id)
    if row is None:
        raise ClientNotFound
    return Locked(row)


async def lock_living(tx: Tx, client_id: UUID) -> Locked:
    """As `lock`, but raises ClientArchived for an archived client."""
    client = await lock(tx, client_id)
    if client.status is ClientStatus.ARCHIVED:
        raise ClientArchived(details={"clientId": str(client_id)})
    return client


_LOCK_BATCH = statement(
    "select id from clients where account_id = $1 and id > $2 order by id limit $3 for no key update"
)


async def lock_batch(tx: Tx, after: UUID, size: int) -> list[UUID]:
    """The next clients by id, archived ones included, locked in that order."""
    return [row["id"] for row in await tx.rows(_LOCK_BATCH, after, size)]


_EXISTS = statement("select 1 from clients where account_id = $1 and id = $2")


async def check_exists(tx: Tx, client_id: UUID) -> None:
    """Raises ClientNotFound if the account has no such client."""
    if await tx.value(_EXISTS, client_id) is None:
        raise ClientNotFound


_BY_EMAIL = statement("select id, status, display_name from clients where account_id = $1 and email_key = $2")


async def find_by_email(tx: Tx, email_key: str) -> asyncpg.Record | None:
    """The client with that address, archived or not."""
    return await tx.row(_BY_EMAIL, email_key)


# "Never contacted" sorts as the longest ago.
KEYS = {
    ClientSort.NAME: Key("c.sort_name", "text"),
    ClientSort.CREATED_AT: Key("c.created_at", "timestamptz"),
    ClientSort.LAST_INTERACTION_AT: Key("coalesce(c.last_interaction_at, '-infinity')", "timestamptz"),
    ClientSort.TOTAL_REVENUE: Key("c.total_revenue", "numeric"),
    ClientSort.HEALTH_SCORE: Key("c.health_score", "smallint"),
}
_SUMMARY = columns(ClientSummary, "c")


async def search(tx: Tx, cursors: Cursors, asked: ClientSearch) -> str:
    """A page of clients with the exact total, and facets if asked for."""
    question = asked.model_dump(exclude={"page", "limit", "cursor", "facets"})
    window = cursors.window(asked, tx.account_id, ["clients", *sorted(question.items())])
    listing = Listing("clients", "clients c", _SUMMARY, KEYS[asked.sort_by], asked.sort_order is SortOrder.DESC, [])
    shown = list(dict.fromkeys(asked.status or LIVING))
    # As words of the statement, not values: how many clients have a status decides which index is best.
    named = ", ".join(f"'{status}'" for status in shown)
    # One comparison for each client that is counted, where nearly all of them pass.
    wanted = f"c.status in ({named})" if asked.status else "c.status <> 'ARCHIVED'"
    listing.where += ["c.account_id = $1", wanted]
    _narrow(listing, asked, tx)
    listing.way = Way.MATCHES if asked.query or asked.tags or asked.facets else Way.KEYS
    if len(listing.where) == 2:  # status alone: the counters know
        counted = " + ".join(f"n.{status.lower()}" for status in shown)
        listing.total = f"(select {counted} from account_counters n where n.account_id = $1)"
    if asked.facets:
        listing.facets, listing.kept = _FACETS, ("status", "source", "tags")
    return await listing.page(tx, cursors, window)


def _narrow(listing: Listing, asked: ClientSearch, tx: Tx) -> None:
    where, arg = listing.where, listing.arg
    for word in (asked.query or "").split():
        # In a subselect the pattern is made once, not for each row that is looked at.
        where.append(f"c.search_text like (select search_pattern({arg(word)}))")
    if asked.source:
        where.append(f"c.source = any({arg(list(asked.source))}::text[])")
    if asked.client_type:
        where.append(f"c.client_type = any({arg(list(asked.client_type))}::text[])")
    if asked.tags:
        where.append(f"c.tags @> {arg(asked.tags)}::text[]")
    if asked.min_total_revenue is not None:
        where.append(f"c.total_revenue >= {arg(asked.min_total_revenue)}")
    if asked.min_health_score is not None:
        where.append(f"c.health_score >= {arg(ceil(asked.min_health_score))}::smallint")
    if asked.last_interaction_before is not None:
        moment = last_moment(tx.actor.zone, asked.last_interaction_before)
        where.append(f"{KEYS[ClientSort.LAST_INTERACTION_AT].expression} <= {arg(moment)}")


def _counted(column: str) -> str:
    return f"""(select coalesce(json_object_agg(f.value, f.n order by f.n desc, f.value), '{{}}'::json)
        from (select m.{column} as value, count(*) as n from matches m group by m.{column}) as f)"""


_TAGS_COUNTED = """(select coalesce(json_object_agg(f.value, f.n order by f.n desc, f.value), '{}'::json)
    from (select tag as value, count(*) as n from matches m cross join lateral unnest(m.tags) as tag
        group by tag order by n desc, tag limit 20) as f)"""
_FACETS = (
    f"json_build_object('status', {_counted('status')}, 'source', {_counted('source')}, 'tags', {_TAGS_COUNTED})::text"
)


_NEEDS_ATTENTION = statement(
    f"""
    select row_to_json(r)::text as raw
    from (
        select * from clients c
        where c.account_id = $1 and {NEEDS}
        order by c.health_score, coalesce(c.last_interaction_at, '-infinity'), c.id
        limit $5
    ) as c
    cross join lateral (select {REASONS} as reasons) as needs
    cross join lateral (select {columns(ClientInNeed, "c")}) as r
    """
)


async def needs_attention(tx: Tx, limit: int) -> str:
    """The clients that need attention, worst first, each with its reasons."""
    rows = await tx.rows(_NEEDS_ATTENTION, *bounds(tx.now), limit)
    return json_list([row["raw"] for row in rows])


_STATS = statement(
    f"""
    select json_build_object(
        'totalClients', count(*),
        'activeClients', count(*) filter (where c.status = 'ACTIVE'),
        'leads', count(*) filter (where c.status = 'LEAD'),
        'prospects', count(*) filter (where c.status = 'PROSPECT'),
        'inactiveClients', count(*) filter (where c.status = 'INACTIVE'),
        'totalRevenue', trim_scale(coalesce(sum(c.total_revenue), 0)),
        'currency', {BASE_CURRENCY},
        'averageClientValue', trim_scale(coalesce(
            round(sum(c.total_revenue) / nullif(count(*) filter (where c.status = 'ACTIVE'), 0), 2), 0)),
        'averageHealthScore', coalesce(round(avg(c.health_score)), 0),
        'clientsNeedingAttention', count(*) filter (where {NEEDS}),
        'bySource', (
            select coalesce(json_object_agg(f.source, f.n order by f.n desc, f.source), '{{}}'::json)
            from (select s.source, count(*) as n from clients s
                where s.account_id = $1 and s.status <> 'ARCHIVED' group by s.source) as f),
        'unconverted', (
            select coalesce(json_agg(json_build_object('currency', f.currency, 'amount', trim_scale(f.amount))
                order by f.currency), '[]'::json)
            from (select u.currency, sum(u.amount) as amount
                from clients l cross join lateral jsonb_to_recordset(l.unconverted) as u (currency text, amount numeric)
                where l.account_id = $1 and l.status <> 'ARCHIVED' and l.unconverted <> '[]' group by u.currency) as f),
        'recalculating', (select a.recalculating_since is not null from accounts a where a.account_id = $1)
    )::text as raw
    from clients c
    where c.account_id = $1 and c.status <> 'ARCHIVED'
    """
)


async def stats(tx: Tx) -> str:
    """The book in numbers (document "Get Client Statistics")."""
    raw: Any = await tx.value(_STATS, *bounds(tx.now)[:2])
    return str(raw)
