"""What is read of the Market's side of the book: the connection, the runs, and how the book compares with a run."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import asyncpg

from soloist.infra.changes import Found
from soloist.infra.db import Tx
from soloist.infra.listing import Key, Listing
from soloist.infra.paging import Cursors
from soloist.infra.shape import columns, json_object
from soloist.infra.statement import statement
from soloist.market.model import RunSearch, SyncRunNotFound
from soloist.market.provenance import FOLLOWED
from soloist.market.shapes import MarketConnection, SyncResult, SyncRun, SyncRunDetail

_CONNECTION = statement(
    f"""
    select coalesce(c.version, 0) as version, {json_object(MarketConnection, "c")}::text as raw
    from accounts a left join market_connections c on c.account_id = $1
    where a.account_id = $1
    """
)


async def connection(tx: Tx, has_default: bool) -> Found:
    """The account's connection; `has_default` says whether the installation has one for those without."""
    row = await tx.row(_CONNECTION, has_default)
    assert row is not None
    return Found(row["version"], row["raw"])


_DOOR = statement("select base_url, sealed_token, version from market_connections where account_id = $1")


async def door(tx: Tx) -> asyncpg.Record | None:
    """The address and the sealed token of the account's own connection."""
    return await tx.row(_DOOR)


async def search_runs(tx: Tx, cursors: Cursors, asked: RunSearch) -> str:
    """A page of runs, newest first."""
    window = cursors.window(asked, tx.account_id, ["sync runs", sorted(asked.state or [])])
    key = Key("n.created_at", "timestamptz")
    listing = Listing("runs", "market_runs n", columns(SyncRun, "n"), key, True, ["n.account_id = $1"])
    if asked.state:
        listing.where.append(f"n.state = any({listing.arg(list(asked.state))}::text[])")
    return await listing.page(tx, cursors, window)


_RUN = statement(
    f"select {json_object(SyncRunDetail, 'r')}::text as raw from market_runs r where r.account_id = $1 and r.id = $2"
)


async def run(tx: Tx, run_id: UUID) -> Found:
    """A run with what it did; raises SyncRunNotFound."""
    raw = await tx.value(_RUN, run_id)
    if raw is None:
        raise SyncRunNotFound
    return Found(None, raw)


_STATE = statement(
    f"""
    select r.state, r.failure, r.created_at,
        case when r.state = 'COMPLETED' then {json_object(SyncResult, "r")}::text end as raw
    from market_runs r where r.account_id = $1 and r.id = $2
    """
)


async def outcome(tx: Tx, run_id: UUID) -> asyncpg.Record:
    """How far a run is: `state`, `failure`, and once it is complete what it did, as `raw`; raises SyncRunNotFound."""
    row = await tx.row(_STATE, run_id)
    if row is None:
        raise SyncRunNotFound
    return row


_IMPORTED = statement("select id from clients where account_id = $1 and platform_client_id = $2")


async def find_imported(tx: Tx, market_id: str) -> UUID | None:
    """The client of the book that is this one of the Market."""
    found: UUID | None = await tx.value(_IMPORTED, market_id)
    return found


_KNOWN = statement(
    """
    select c.id, c.platform_client_id, c.email_key from clients c
    where c.account_id = $1 and (c.platform_client_id = any($2::text[]) or c.email_key = any($3::text[]))
    """
)


async def known(tx: Tx, market_ids: Sequence[str], email_keys: Sequence[str]) -> list[asyncpg.Record]:
    """The clients of the book with one of these ids on the Market, or one of these e-mail addresses."""
    return await tx.rows(_KNOWN, list(market_ids), list(email_keys))


_INTACT = statement(
    """
    select exists (select from market_staged where account_id = $1 and run_id = $2)
        or not exists (select from market_run_entries e
            where e.account_id = $1 and e.run_id = $2 and e.state = 'PLANNED')
    """
)


async def still_staged(tx: Tx, run_id: UUID) -> bool:
    """Whether what the run has fetched is still there; a crash of the database loses it."""
    return bool(await tx.value(_INTACT, run_id))


_NEXT = statement(
    """
    select distinct s.market_client_id from market_staged s
    where s.account_id = $1 and s.run_id = $2 and s.market_client_id > $3
    order by s.market_client_id limit $4
    """
)
_OF_BOOK = ("id", "status", "display_name", "platform_client_id", "set_by_hand", *FOLLOWED)
_BOOK = ", ".join(f"b.{name}" for name in _OF_BOOK)
_COMPARED = statement(
    f"""
    select r.ref as market_id, s.id is not null as came, s.name, s.fields::text as offered, {_BOOK},
        s.email_key is not null and exists (
            select from market_staged o
            where o.account_id = $1 and o.run_id = $2 and o.kind = 'CLIENT'
                and o.email_key = s.email_key and o.id < s.id
        ) as has_rival,
        exists (
            select from market_staged p
            left join market_payments m on m.account_id = $1 and m.id = p.id
            where p.account_id = $1 and p.run_id = $2 and p.kind = 'PAYMENT' and p.market_client_id = r.ref
                and case when m.id is null then p.amount is not null
                    else m.client_id = b.id
                        and (p.amount, p.currency, p.happened_at) is distinct from (m.amount, m.currency, m.paid_at) end
        ) or exists (
            select from market_staged v
            left join market_reviews m on m.account_id = $1 and m.id = v.id
            where v.account_id = $1 and v.run_id = $2 and v.kind = 'REVIEW' and v.market_client_id = r.ref
                and (m.id is null or m.client_id = b.id
                    and (v.rating, v.happened_at) is distinct from (m.rating, m.reviewed_at))
        ) or exists (
            select from market_staged d
            left join market_contracts m on m.account_id = $1 and m.id = d.id
            where d.account_id = $1 and d.run_id = $2 and d.kind = 'CONTRACT' and d.market_client_id = r.ref
                and m.id is null
        ) as has_news,
        (
            select array_agg(p.id order by p.id) from market_staged p
            join market_payments m on m.account_id = $1 and m.id = p.id
            where p.account_id = $1 and p.run_id = $2 and p.kind = 'PAYMENT' and p.market_client_id = r.ref
                and m.client_id is distinct from b.id
        ) as foreign_payments
    from unnest($3::text[]) as r (ref)
    left join market_staged s on s.account_id = $1 and s.run_id = $2 and s.kind = 'CLIENT' and s.id = r.ref
    left join lateral (
        select * from clients c
        where c.account_id = $1 and (c.platform_client_id = r.ref or c.email_key = s.email_key)
        order by (c.platform_client_id is not distinct from r.ref) desc limit 1
    ) as b on true
    """
)


async def compare(tx: Tx, run_id: UUID, after: str, size: int) -> list[asyncpg.Record]:
    """The next clients by their Market id that a run has fetched something of, each beside the book's client."""
    refs = [row["market_client_id"] for row in await tx.rows(_NEXT, run_id, after, size)]
    place = {ref: index for index, ref in enumerate(refs)}
    rows = await tx.rows(_COMPARED, run_id, refs) if refs else []
    return sorted(rows, key=lambda row: place[row["market_id"]])


def _facts(kind: str, parts: str) -> str:
    return f"""(select coalesce(json_agg(json_build_array({parts}) order by f.id), '[]')::text from market_staged f
        where f.account_id = $1 and f.run_id = $2 and f.kind = '{kind}' and f.market_client_id = e.item_id)"""


_PLANNED = statement(
    f"""
    select e.item_id as market_id, s.fields::text as offered,
        {_facts("PAYMENT", "f.id, f.amount::text, f.currency, f.happened_at")} as payments,
        {_facts("REVIEW", "f.id, f.rating, f.happened_at")} as reviews,
        {_facts("CONTRACT", "f.id, f.title, f.happened_at")} as contracts
    from market_run_entries e
    left join market_staged s on s.account_id = $1 and s.run_id = $2 and s.kind = 'CLIENT' and s.id = e.item_id
    where e.account_id = $1 and e.run_id = $2 and e.kind = 'CLIENT' and e.state = 'PLANNED' and e.item_id > $3
    order by e.item_id limit $4
    """
)


async def planned(tx: Tx, run_id: UUID, after: str, size: int) -> list[Any]:
    """The next clients of a run's plan that are not done, each with all that the Market says of it."""
    return await tx.rows(_PLANNED, run_id, after, size)
