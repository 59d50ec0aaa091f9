"""What a run has fetched, kept in the database while it is compared and written: the only writer of `market_staged`.

So a run needs no more memory for 100,000 clients than for ten, and goes on where it was after its worker died.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple
from uuid import UUID

import orjson

from soloist.clients.model import display_name, email_key
from soloist.infra.db import Tx
from soloist.infra.statement import crossing, statement
from soloist.market.model import ItemKind
from soloist.market.provenance import fields_of
from soloist.market.wire import (
    ContractStatus,
    MarketClient,
    MarketContract,
    MarketItem,
    MarketPayment,
    MarketReview,
    PaymentStatus,
)


class Staged(NamedTuple):
    """An item as it is kept."""

    id: str
    market_client_id: str
    updated_at: datetime
    name: str | None = None
    email_key: str | None = None
    fields: str | None = None
    amount: Decimal | None = None
    currency: str | None = None
    rating: int | None = None
    title: str | None = None
    happened_at: datetime | None = None


def staged(item: MarketItem) -> tuple[ItemKind, Staged | None]:
    """How an item is kept; None for one that changes nothing, such as a contract that is not completed."""
    return _STAGED[type(item)](item)


def _client(item: MarketClient) -> tuple[ItemKind, Staged]:
    name = display_name(item.company_name, item.first_name, item.last_name)
    fields = orjson.dumps(fields_of(item)).decode()
    return ItemKind.CLIENT, Staged(item.id, item.id, item.updated_at, name, email_key(item.email), fields)


def _contract(item: MarketContract) -> tuple[ItemKind, Staged | None]:
    if item.status is not ContractStatus.COMPLETED:
        return ItemKind.CONTRACT, None
    kept = Staged(item.id, item.client_id, item.updated_at, title=item.title, happened_at=item.completed_at)
    return ItemKind.CONTRACT, kept


def _payment(item: MarketPayment) -> tuple[ItemKind, Staged]:
    net = item.net if item.status is PaymentStatus.PAID else None
    kept = Staged(
        item.id, item.client_id, item.updated_at, amount=net, currency=item.currency, happened_at=item.paid_at
    )
    return ItemKind.PAYMENT, kept


def _review(item: MarketReview) -> tuple[ItemKind, Staged]:
    kept = Staged(item.id, item.client_id, item.updated_at, rating=item.rating, happened_at=item.reviewed_at)
    return ItemKind.REVIEW, kept


_STAGED: dict[type[MarketItem], Callable[[Any], tuple[ItemKind, Staged | None]]] = {
    MarketClient: _client,
    MarketContract: _contract,
    MarketPayment: _payment,
    MarketReview: _review,
}
_TYPES = ("text", "text", "timestamptz", "text", "text", "jsonb", "numeric", "text", "smallint", "text", "timestamptz")
_COLUMNS = ", ".join(Staged._fields)
_ARRAYS = ", ".join(f"${index}::{kind}[]" for index, kind in enumerate(_TYPES, 4))
_KEEP = statement(
    f"""
    insert into market_staged as s (account_id, run_id, kind, {_COLUMNS})
    select $1, $2, $3, {", ".join(f"t.{name}" for name in Staged._fields)}
    from (
        select distinct on (id) * from unnest({_ARRAYS}) as u ({_COLUMNS}) order by id, updated_at desc
    ) as t
    on conflict (account_id, run_id, kind, id) do update
        set {", ".join(f"{name} = excluded.{name}" for name in Staged._fields if name != "id")}
        where s.updated_at < excluded.updated_at
    """
)


async def keep(tx: Tx, run_id: UUID, kind: ItemKind, items: Sequence[Staged]) -> None:
    """Keep these; of two with one id, the one that changed last counts."""
    if items:
        await tx.run(_KEEP, run_id, kind, *(list(column) for column in zip(*items, strict=True)))


_DROP = statement(
    """
    delete from market_staged where account_id = $1 and ctid = any(array(
        select s.ctid from market_staged s where s.account_id = $1 and s.run_id = $2 limit $3))
    """
)
CHUNK = 20_000


async def drop(tx: Tx, run_id: UUID) -> bool:
    """Forget a part of what a run has fetched; answers whether there may be more."""
    return await tx.run(_DROP, run_id, CHUNK) == CHUNK


LEFT_BEHIND = crossing(
    "staged items of ended runs",
    "a sweep over all accounts, of what runs have fetched that ended without clearing it away",
    """
    delete from market_staged where ctid = any(array(
        select s.ctid from market_staged s
        where not exists (
            select from market_runs r
            where r.account_id = s.account_id and r.id = s.run_id and r.state in ('QUEUED', 'RUNNING'))
        limit $1))
    """,
)
