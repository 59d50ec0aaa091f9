"""What is read of opportunities: the record, the list, and its activities."""

from datetime import date, datetime
from uuid import UUID

import asyncpg

from soloist.clients.queries import Locked
from soloist.infra.changes import Found
from soloist.infra.clock import first_moment, last_moment, local_day
from soloist.infra.db import Tx
from soloist.infra.errors import one_fault
from soloist.infra.fields import SortOrder
from soloist.infra.listing import Key, Listing
from soloist.infra.paging import Cursors, Paging
from soloist.infra.shape import columns
from soloist.infra.statement import statement
from soloist.opportunities.model import OpportunityNotFound
from soloist.opportunities.shapes import BASE_VALUE, Activity, Opportunity, OpportunitySearch, OpportunitySort

_COLUMNS = columns(Opportunity, "o")
_SHOWN_VALUE = BASE_VALUE.replace("{t}", "o")


def whole(source: str) -> str:
    """The select that renders the deals in `source`."""
    return f"select o.version, row_to_json(r)::text as raw from {source} o cross join lateral (select {_COLUMNS}) as r"


_GET = statement(f"{whole('opportunities')} where o.account_id = $1 and o.id = $2")


async def get(tx: Tx, opportunity_id: UUID) -> Found:
    """A deal; raises OpportunityNotFound."""
    row = await tx.row(_GET, opportunity_id)
    if row is None:
        raise OpportunityNotFound
    return Found(row["version"], row["raw"])


_FIND = statement("select client_id from opportunities where account_id = $1 and id = $2")


async def client_of(tx: Tx, opportunity_id: UUID) -> UUID | None:
    """The client of a deal, if it has one; raises OpportunityNotFound."""
    row = await tx.row(_FIND, opportunity_id)
    if row is None:
        raise OpportunityNotFound
    found: UUID | None = row["client_id"]
    return found


async def check_belongs(tx: Tx, opportunity_id: UUID, client_id: UUID | None) -> None:
    """Raises OpportunityNotFound if there is no such deal, ValidationFailed if it is another client's."""
    if await client_of(tx, opportunity_id) != client_id:
        raise one_fault("opportunityId", "other_client", "belongs to another client")


_LOCK = statement(
    """
    select o.*, c.status as client_status
    from opportunities o
    left join clients c on c.account_id = $1 and c.id = o.client_id
    where o.account_id = $1 and o.id = $2
    for no key update of o
    """
)


async def lock(tx: Tx, opportunity_id: UUID) -> asyncpg.Record:
    """The deal's row with its client's status, locked; raises OpportunityNotFound."""
    row = await tx.row(_LOCK, opportunity_id)
    if row is None:
        raise OpportunityNotFound
    return row


# The client is found, and so locked, before the deal is: as in every other transaction.
_LOCK_BOTH = statement(
    """
    with client as materialized (
        select c.id, c.display_name, c.status, c.version from clients c
        where c.account_id = $1
            and c.id = (select o.client_id from opportunities o where o.account_id = $1 and o.id = $2)
        for no key update of c
    )
    select o.*, k.status as client_status, k.id as locked_id, k.display_name as locked_name,
        k.version as locked_version
    from (select count(*) from client) as first
    left join client k on true
    join opportunities o on o.account_id = $1 and o.id = $2
    for no key update of o
    """
)


async def lock_with_client(tx: Tx, opportunity_id: UUID) -> tuple[asyncpg.Record, Locked | None]:
    """The deal, locked after its client, and the client if it has one; raises OpportunityNotFound.

    A deal that changes its client in between is looked at again.
    """
    while True:
        row = await tx.row(_LOCK_BOTH, opportunity_id)
        if row is None:
            raise OpportunityNotFound
        if row["client_id"] == row["locked_id"]:
            return row, _client_of(row) if row["locked_id"] else None


def _client_of(row: asyncpg.Record) -> Locked:
    return Locked(
        {
            "id": row["locked_id"],
            "display_name": row["locked_name"],
            "status": row["client_status"],
            "version": row["locked_version"],
        }
    )


_KEYS = {
    OpportunitySort.CREATED_AT: Key("o.created_at", "timestamptz"),
    OpportunitySort.PROBABILITY: Key("o.probability", "smallint"),
    # Folding can make a text longer (one letter into eighteen): index entries and cursors must not grow with it.
    OpportunitySort.TITLE: Key("left(fold(o.title), 255)", "text"),
    OpportunitySort.UPDATED_AT: Key("o.updated_at", "timestamptz"),
}
_MAY_BE_NULL = {
    OpportunitySort.EXPECTED_CLOSE_DATE: ("expected_close_date", "date"),
    OpportunitySort.ESTIMATED_VALUE: ("base_value", "numeric"),
}


def _key(asked: OpportunitySearch) -> Key:
    """What has no expected day or no base value comes last, whichever way the list runs."""
    if asked.sort_by in _KEYS:
        return _KEYS[asked.sort_by]
    column, kind = _MAY_BE_NULL[asked.sort_by]
    last = "infinity" if asked.sort_order is SortOrder.ASC else "-infinity"
    return Key(f"coalesce(o.{column}, '{last}')", kind)


async def search(tx: Tx, cursors: Cursors, asked: OpportunitySearch) -> str:
    """A page of deals with the exact total."""
    question = asked.model_dump(exclude={"page", "limit", "cursor"})
    window = cursors.window(asked, tx.account_id, ["opportunities", *sorted(question.items())])
    descending = asked.sort_order is SortOrder.DESC
    listing = Listing("opportunities", "opportunities o", _COLUMNS, _key(asked), descending, ["o.account_id = $1"])
    where, arg = listing.where, listing.arg
    if asked.client_id is not None:
        where.append(f"o.client_id = {arg(asked.client_id)}")
    for name in ("source", "stage", "status", "priority"):
        values = getattr(asked, name)
        if values:
            where.append(f"o.{name} = any({arg(list(values))}::text[])")
    if asked.min_value is not None:
        where.append(f"{_SHOWN_VALUE} >= {arg(asked.min_value)}")
    if asked.max_value is not None:
        where.append(f"{_SHOWN_VALUE} <= {arg(asked.max_value)}")
    after = None if asked.expected_close_after is None else _day(asked.expected_close_after, tx)
    before = None if asked.expected_close_before is None else _day(asked.expected_close_before, tx)
    if after is not None and before is not None and after > before:
        raise one_fault(
            "expectedCloseAfter",
            "bounds",
            f"expectedCloseAfter ({after}) must not be later than expectedCloseBefore ({before})",
        )
    if after is not None:
        where.append(f"o.expected_close_date >= {arg(after)}")
    if before is not None:
        where.append(f"o.expected_close_date <= {arg(before)}")
    return await listing.page(tx, cursors, window)


def _day(bound: datetime | date, tx: Tx) -> date:
    """A bound as the account's local day: the column is a day, not a moment."""
    return local_day(tx.actor.zone, bound) if isinstance(bound, datetime) else bound


async def activities(tx: Tx, cursors: Cursors, opportunity_id: UUID, paging: Paging) -> str:
    """What happened with a deal, newest first; raises OpportunityNotFound."""
    await client_of(tx, opportunity_id)
    window = cursors.window(paging, tx.account_id, ["activities", opportunity_id])
    key = Key("v.created_at", "timestamptz")
    source = "opportunity_activities v"
    listing = Listing("activities", source, columns(Activity, "v"), key, True, ["v.account_id = $1"])
    listing.where.append(f"v.opportunity_id = {listing.arg(opportunity_id)}")
    return await listing.page(tx, cursors, window)


def period(
    start: datetime | date | None, end: datetime | date | None, tx: Tx
) -> tuple[datetime | None, datetime | None]:
    """The first and last moment of a period; raises ValidationFailed when it ends before it starts."""
    first = None if start is None else first_moment(tx.actor.zone, start)
    last = None if end is None else last_moment(tx.actor.zone, end)
    if first is not None and last is not None and first > last:
        raise one_fault("startDate", "bounds", f"startDate ({start}) must not be later than endDate ({end})")
    return first, last
