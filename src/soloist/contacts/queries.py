"""What is read of contacts."""

from uuid import UUID

import asyncpg

from soloist.clients import queries as clients
from soloist.contacts.model import Contact, ContactNotFound
from soloist.infra.changes import Found
from soloist.infra.db import Tx
from soloist.infra.listing import Key, Listing
from soloist.infra.paging import Cursors, Paging
from soloist.infra.shape import columns
from soloist.infra.statement import statement

_COLUMNS = columns(Contact, "k")
_GET = statement(
    f"""
    select k.version, row_to_json(r)::text as raw from contacts k cross join lateral (select {_COLUMNS}) as r
    where k.account_id = $1 and k.client_id = $2 and k.id = $3
    """
)


async def get(tx: Tx, client_id: UUID, contact_id: UUID) -> Found:
    """A contact of that client; raises ClientNotFound or ContactNotFound."""
    row = await tx.row(_GET, client_id, contact_id)
    if row is None:
        await clients.check_exists(tx, client_id)
        raise ContactNotFound
    return Found(row["version"], row["raw"])


_LOCK = statement("select * from contacts where account_id = $1 and client_id = $2 and id = $3 for update")


async def lock(tx: Tx, client_id: UUID, contact_id: UUID) -> asyncpg.Record:
    """The contact's row, locked; raises ContactNotFound."""
    row = await tx.row(_LOCK, client_id, contact_id)
    if row is None:
        raise ContactNotFound
    return row


async def list_page(tx: Tx, cursors: Cursors, client_id: UUID, paging: Paging) -> str:
    """A client's contacts, the primary one first, then as they were added; raises ClientNotFound."""
    await clients.check_exists(tx, client_id)
    window = cursors.window(paging, tx.account_id, ["contacts", client_id])
    # One sortable text: the primary one before all others, then by when they were added.
    key = Key(
        "(case when k.is_primary then '0' else '1' end || to_char(k.created_at, 'YYYYMMDDHH24MISSUS'))",
        "text",
    )
    listing = Listing("contacts", "contacts k", _COLUMNS, key, False, ["k.account_id = $1"])
    listing.where.append(f"k.client_id = {listing.arg(client_id)}")
    return await listing.page(tx, cursors, window)
