"""What is read of webhooks and their deliveries: one statement each, its result the JSON that goes out."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import asyncpg

from soloist.infra.changes import Found
from soloist.infra.db import Tx
from soloist.infra.listing import Key, Listing
from soloist.infra.paging import Cursors, Paging
from soloist.infra.shape import columns
from soloist.infra.statement import statement
from soloist.webhooks.model import DeliveryNotFound, DeliverySearch, WebhookNotFound
from soloist.webhooks.shapes import Delivery, DeliveryDetail, Webhook

_COLUMNS = columns(Webhook, "w")
_DELIVERY_COLUMNS = columns(Delivery, "d")
_NEWEST = "timestamptz"

_GET = statement(
    f"""
    select w.version, row_to_json(r)::text as raw from webhooks w cross join lateral (select {_COLUMNS}) as r
    where w.account_id = $1 and w.id = $2
    """
)


async def get(tx: Tx, webhook_id: UUID) -> Found:
    """An endpoint; raises WebhookNotFound."""
    row = await tx.row(_GET, webhook_id)
    if row is None:
        raise WebhookNotFound
    return Found(row["version"], row["raw"])


_LOCK = statement("select * from webhooks where account_id = $1 and id = $2 for no key update")


async def lock(tx: Tx, webhook_id: UUID) -> asyncpg.Record:
    """The endpoint's row, kept from other changes; raises WebhookNotFound."""
    row = await find_locked(tx, webhook_id)
    if row is None:
        raise WebhookNotFound
    return row


async def find_locked(tx: Tx, webhook_id: UUID) -> asyncpg.Record | None:
    """The same; None if there is no such endpoint, or no more."""
    return await tx.row(_LOCK, webhook_id)


async def search(tx: Tx, cursors: Cursors, asked: Paging) -> str:
    """A page of endpoints, newest first."""
    window = cursors.window(asked, tx.account_id, ["webhooks"])
    key = Key("w.created_at", _NEWEST)
    return await Listing("webhooks", "webhooks w", _COLUMNS, key, True, ["w.account_id = $1"]).page(tx, cursors, window)


_EXISTS = statement("select true from webhooks where account_id = $1 and id = $2")


async def deliveries(tx: Tx, cursors: Cursors, webhook_id: UUID, asked: DeliverySearch) -> str:
    """A page of what was sent to an endpoint, newest first; raises WebhookNotFound."""
    question = asked.model_dump(exclude={"page", "limit", "cursor"})
    window = cursors.window(asked, tx.account_id, ["deliveries", webhook_id, *sorted(question.items())])
    if not await tx.value(_EXISTS, webhook_id):
        raise WebhookNotFound
    key = Key("d.created_at", _NEWEST)
    listing = Listing("deliveries", "webhook_deliveries d", _DELIVERY_COLUMNS, key, True, ["d.account_id = $1"])
    where, arg = listing.where, listing.arg
    where.append(f"d.webhook_id = {arg(webhook_id)}")
    for column, values in (("state", asked.state), ("event_type", asked.type)):
        if values and len(values) == 1:  # then an index has the rows in the order they are listed in
            where.append(f"d.{column} = {arg(values[0])}")
        elif values:
            where.append(f"d.{column} = any({arg(list(values))}::text[])")
    return await listing.page(tx, cursors, window)


_DELIVERY = statement(
    f"""
    select row_to_json(r)::text as raw
    from webhook_deliveries d cross join lateral (select {columns(DeliveryDetail, "d")}) as r
    where d.account_id = $1 and d.id = $2
    """
)


async def delivery(tx: Tx, delivery_id: UUID) -> Found:
    """A delivery with every attempt; raises DeliveryNotFound."""
    raw = await tx.value(_DELIVERY, delivery_id)
    if raw is None:
        raise DeliveryNotFound
    return Found(None, raw)


_COUNT = statement(
    """
    select count(*) from events e
    where e.account_id = $1 and e.occurred_at between $4 and $5 and ('*' = any($3::text[]) or e.type = any($3::text[]))
        and not exists (
            select from webhook_deliveries d
            where d.account_id = $1 and d.webhook_id = $2 and d.event_id = e.id and d.state = any($6::text[]))
    """
)


async def count_events(tx: Tx, webhook_id: UUID, events: list[str], since: datetime, spared: Sequence[str]) -> int:
    """How many events from `since` on the endpoint asked for, but for those whose delivery is in a `spared` state."""
    found: int = await tx.value(_COUNT, webhook_id, events, since, tx.now, spared)
    return found
