"""What is read of events: the list of the last 30 days, for those who ask instead of being called."""

from datetime import timedelta
from uuid import UUID

from soloist.events.shapes import EventLine, EventSearch
from soloist.infra.db import Tx
from soloist.infra.errors import one_fault
from soloist.infra.listing import Key, Listing
from soloist.infra.paging import Cursors
from soloist.infra.shape import columns
from soloist.infra.statement import statement

KEPT = timedelta(days=30)

_TYPE_OF = statement("select type from events where account_id = $1 and id = $2")


async def find_type(tx: Tx, event_id: UUID) -> str | None:
    """The type of an event; None if there is no such event, or no more."""
    found: str | None = await tx.value(_TYPE_OF, event_id)
    return found


_HORIZON = statement("select event_horizon($1)")
_PLACE = statement("select position from events where account_id = $1 and id = $2 and occurred_at > $3")


async def search(tx: Tx, cursors: Cursors, asked: EventSearch) -> str:
    """A page of events, oldest first, with the exact total.

    Shown are events before which no other can appear any more: whoever goes on from the last one misses none, even
    if one that began to be recorded earlier was committed later. Raises ValidationFailed if there is no event
    `after`, or it is over 30 days old.
    """
    question = asked.model_dump(exclude={"page", "limit", "cursor"})
    window = cursors.window(asked, tx.account_id, ["events", *sorted(question.items())])
    oldest = tx.now - KEPT
    horizon = await tx.value(_HORIZON)  # first: what is settled by then is seen by the statement below
    listing = Listing(
        "events", "events e", columns(EventLine, "e"), Key("e.position", "bigint"), False, ["e.account_id = $1"]
    )
    where, arg = listing.where, listing.arg
    where.append(f"e.position <= {arg(horizon)} and e.occurred_at > {arg(oldest)}")
    if asked.type:
        where.append(f"e.type = any({arg(asked.type)}::text[])")
    if asked.after is not None:
        place = await tx.value(_PLACE, asked.after, oldest)
        if place is None:
            raise one_fault(
                "after",
                "unknown_event",
                "there is no event with this id in the last 30 days; start again without after, and know that older "
                "events may have been missed",
            )
        where.append(f"e.position > {arg(place)}")
    return await listing.page(tx, cursors, window)
