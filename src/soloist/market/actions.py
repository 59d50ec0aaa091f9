"""Taking over what the Market says of one client, in one transaction: the only writer of payments, reviews, contracts.

Doing it again with the same changes nothing, not even a version.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import asyncpg

from soloist.clients import actions as clients
from soloist.clients.model import (
    ClientAlreadyExists,
    ClientSource,
    ClientStatus,
    MarketLink,
    NewClient,
    display_name,
    email_key,
)
from soloist.clients.queries import Locked
from soloist.health import actions as health
from soloist.infra.db import Tx
from soloist.infra.statement import statement
from soloist.interactions import actions as interactions
from soloist.interactions.actions import Completed
from soloist.market import provenance
from soloist.market.model import EntryState, Relation
from soloist.market.provenance import FOLLOWED, Kept, Merge


@dataclass(slots=True)
class Taken:
    """What became of a client: `changes` are (field, before, after)."""

    client_id: UUID
    name: str
    state: EntryState | None = None  # None: nothing to tell
    changes: list[tuple[str, Any, Any]] = field(default_factory=list)
    kept: list[Kept] = field(default_factory=list)
    payments: int = 0
    reviews: int = 0
    contracts: int = 0


_LOCK = statement(
    """
    select * from clients where account_id = $1 and (platform_client_id = $2 or email_key = $3)
    order by (platform_client_id is not distinct from $2) desc
    for no key update
    """
)


async def take_over(tx: Tx, relation: Relation) -> Taken | None:
    """Create the client, or link and update the one of this Market id or e-mail address, with all that was paid.

    What was set by hand stays (provenance.py), an archived client stays as it is. None where only facts came of a
    client that the book does not have. Raises ClientAlreadyExists when the e-mail address belongs to another client
    of the Market.
    """
    offered = relation.fields or {}
    rows = await tx.rows(_LOCK, relation.market_id, email_key(offered.get("email")))
    own = next((row for row in rows if row["platform_client_id"] == relation.market_id), None)
    found = own or (rows[0] if rows else None)
    if found is None:
        if relation.fields is None:
            return None
        return await _create(tx, relation, relation.fields)
    if own is None and found["platform_client_id"] is not None:
        raise ClientAlreadyExists(
            f"{found['display_name']} has this e-mail address and is another client of the Market.",
            details={"clientId": str(found["id"]), "archived": found["status"] == ClientStatus.ARCHIVED},
        )
    book = dict(found)
    merge = provenance.merge(book, offered)
    if "email" in merge.changes and any(row["id"] != found["id"] for row in rows):
        merge = merge.without_email(book)
    return await _follow(tx, relation, Locked(book), merge)


async def _create(tx: Tx, relation: Relation, offered: Mapping[str, Any]) -> Taken:
    # Not validated again: the wire's own types have the limits of the book.
    said = provenance.columns_of(offered)
    new = NewClient.model_construct(source=ClientSource.MARKET_IMPORT, status=ClientStatus.ACTIVE, tags=[], **said)
    client_id = await clients.create_from_market(tx, new, relation.market_id)
    taken = Taken(client_id, display_name(new.company_name, new.first_name, new.last_name), EntryState.CREATED)
    await _add_facts(tx, taken, relation)
    await clients.count_in(tx, new.status)
    return taken


async def _follow(tx: Tx, relation: Relation, client: Locked, merge: Merge) -> Taken:
    book = dict(client.row)
    taken = Taken(client.id, client.name, EntryState.KEPT if merge.kept else None, kept=merge.kept)
    links = book["platform_client_id"] is None
    if merge.changes or links:
        link = MarketLink(relation.market_id, sorted(provenance.by_hand(book))) if links else None
        await clients.follow_market(tx, client, provenance.columns_of(merge.changes), link)
        before = [(name, provenance.shown(book, name)) for name in FOLLOWED if name in merge.changes]
        taken.changes = [(name, value, merge.changes[name]) for name, value in before]
        taken.changes += [("platform_client_id", None, relation.market_id)] if links else []
        taken.state = EntryState.UPDATED
    if client.status is not ClientStatus.ARCHIVED and await _add_facts(tx, taken, relation):
        taken.state = EntryState.UPDATED
    return taken


_FACTS = statement(
    """
    with p as (
        select * from unnest($3::text[], $4::numeric[], $5::text[], $6::timestamptz[]) as t (id, amount, currency, at)
    ), paid as (
        insert into market_payments as m (account_id, id, client_id, amount, currency, paid_at)
        select $1, p.id, $2, p.amount, p.currency, p.at from p where p.amount is not null
        on conflict (account_id, id) do update
            set amount = excluded.amount, currency = excluded.currency, paid_at = excluded.paid_at
            where m.client_id = excluded.client_id
                and (m.amount, m.currency, m.paid_at)
                    is distinct from (excluded.amount, excluded.currency, excluded.paid_at)
        returning m.id
    ), refunded as (
        delete from market_payments m using p
        where m.account_id = $1 and m.id = p.id and m.client_id = $2 and p.amount is null
        returning m.id
    ), rated as (
        insert into market_reviews as m (account_id, id, client_id, rating, reviewed_at)
        select $1, r.id, $2, r.rating, r.at
        from unnest($7::text[], $8::smallint[], $9::timestamptz[]) as r (id, rating, at)
        on conflict (account_id, id) do update set rating = excluded.rating, reviewed_at = excluded.reviewed_at
            where m.client_id = excluded.client_id
                and (m.rating, m.reviewed_at) is distinct from (excluded.rating, excluded.reviewed_at)
        returning m.id
    ), completed as (
        insert into market_contracts (account_id, id, client_id)
        select $1, d.id, $2 from unnest($10::text[]) as d (id)
        on conflict (account_id, id) do nothing
        returning id
    )
    select (select count(*) from paid) + (select count(*) from refunded) as payments,
        (select count(*) from rated) as reviews,
        (select coalesce(array_agg(c.id), '{}') from completed c) as contracts
    """
)


async def _add_facts(tx: Tx, taken: Taken, relation: Relation) -> bool:
    """Book what is new of payments, reviews and completed contracts; answers whether anything was."""
    payments, reviews, contracts = relation.payments, relation.reviews, relation.contracts
    if not (payments or reviews or contracts):
        return False
    row = await tx.row(
        _FACTS, taken.client_id,
        [one.id for one in payments], [one.amount for one in payments], [one.currency for one in payments],
        [one.at for one in payments], [one.id for one in reviews], [one.rating for one in reviews],
        [one.at for one in reviews], [one.id for one in contracts],
    )  # fmt: skip
    assert row is not None
    taken.payments, taken.reviews, new = row["payments"], row["reviews"], set(row["contracts"])
    taken.contracts = len(new)
    if new:
        projects = [Completed(one.title, one.at, one.id) for one in contracts if one.id in new]
        await interactions.log_completed(tx, taken.client_id, taken.name, projects)
    if taken.payments:
        await clients.revenue_changed(tx, taken.client_id)
    elif taken.reviews or new:
        await health.refresh(tx, taken.client_id)
    return bool(taken.payments or taken.reviews or new)


_RACE = ("clients_platform_unique", "clients_email_unique")


def lost_a_race(fault: Exception) -> bool:
    """Whether somebody may have made or linked the same client at the same moment: doing it again finds it then."""
    if isinstance(fault, asyncpg.UniqueViolationError):
        return fault.constraint_name in _RACE
    return isinstance(fault, ClientAlreadyExists)
