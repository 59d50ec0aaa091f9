"""What is read of interactions."""

from uuid import UUID

import asyncpg

from soloist.clients import queries as clients
from soloist.infra.changes import Found
from soloist.infra.clock import first_moment, last_moment
from soloist.infra.db import Tx
from soloist.infra.errors import one_fault
from soloist.infra.listing import Key, Listing
from soloist.infra.paging import Cursors
from soloist.infra.shape import columns
from soloist.infra.statement import statement
from soloist.interactions.model import Interaction, InteractionNotFound, InteractionSearch

_COLUMNS = columns(Interaction, "i")
_GET = statement(
    f"""
    select i.version, row_to_json(r)::text as raw from interactions i cross join lateral (select {_COLUMNS}) as r
    where i.account_id = $1 and i.id = $2
    """
)


async def get(tx: Tx, interaction_id: UUID) -> Found:
    """An interaction; raises InteractionNotFound."""
    row = await tx.row(_GET, interaction_id)
    if row is None:
        raise InteractionNotFound
    return Found(row["version"], row["raw"])


_FIND = statement("select * from interactions where account_id = $1 and id = $2")


async def find(tx: Tx, interaction_id: UUID) -> asyncpg.Record:
    """The interaction's row as it is now; raises InteractionNotFound."""
    row = await tx.row(_FIND, interaction_id)
    if row is None:
        raise InteractionNotFound
    return row


async def search(tx: Tx, cursors: Cursors, client_id: UUID, asked: InteractionSearch) -> str:
    """A client's interactions, newest first; raises ClientNotFound."""
    await clients.check_exists(tx, client_id)
    question = asked.model_dump(exclude={"page", "limit", "cursor"})
    window = cursors.window(asked, tx.account_id, ["interactions", client_id, *sorted(question.items())])
    key = Key("i.occurred_at", "timestamptz")
    listing = Listing("interactions", "interactions i", _COLUMNS, key, True, ["i.account_id = $1"])
    where, arg = listing.where, listing.arg
    where.append(f"i.client_id = {arg(client_id)}")
    if asked.type:
        where.append(f"i.interaction_type = any({arg(list(asked.type))}::text[])")
    start = None if asked.from_ is None else first_moment(tx.actor.zone, asked.from_)
    end = None if asked.to is None else last_moment(tx.actor.zone, asked.to)
    if start is not None and end is not None and start > end:
        raise one_fault("from", "bounds", f"from ({asked.from_}) must not be later than to ({asked.to})")
    if start is not None:
        where.append(f"i.occurred_at >= {arg(start)}")
    if end is not None:
        where.append(f"i.occurred_at <= {arg(end)}")
    return await listing.page(tx, cursors, window)
