"""What is read of reminders. In each statement `$2` is the present moment, by which a reminder is overdue or not."""

from datetime import datetime, timedelta
from uuid import UUID

import asyncpg

from soloist.infra.changes import Found
from soloist.infra.clock import day_bounds, first_moment, last_moment, local_day
from soloist.infra.db import Tx
from soloist.infra.errors import one_fault
from soloist.infra.listing import Key, Listing
from soloist.infra.paging import Cursors
from soloist.infra.shape import columns
from soloist.infra.statement import Statement, statement
from soloist.reminders.model import ReminderNotFound
from soloist.reminders.shapes import EFFECTIVE, OPEN, Reminder, ReminderSearch

_COLUMNS = columns(Reminder, "m")
_EFFECTIVE = EFFECTIVE.replace("{t}", "m")
_GET = statement(
    f"""
    select m.version, row_to_json(r)::text as raw from reminders m cross join lateral (select {_COLUMNS}) as r
    where m.account_id = $1 and m.id = $3
    """
)


async def get(tx: Tx, reminder_id: UUID) -> Found:
    """A reminder; raises ReminderNotFound."""
    row = await tx.row(_GET, tx.now, reminder_id)
    if row is None:
        raise ReminderNotFound
    return Found(row["version"], row["raw"])


_CLIENT = statement("select client_id from reminders where account_id = $1 and id = $2")


async def client_of(tx: Tx, reminder_id: UUID) -> UUID | None:
    """The client of a reminder, if it has one; raises ReminderNotFound."""
    row = await tx.row(_CLIENT, reminder_id)
    if row is None:
        raise ReminderNotFound
    found: UUID | None = row["client_id"]
    return found


_LOCK = statement("select * from reminders where account_id = $1 and id = $2 for no key update")


async def lock(tx: Tx, reminder_id: UUID) -> asyncpg.Record:
    """The reminder's row, locked; raises ReminderNotFound."""
    row = await tx.row(_LOCK, reminder_id)
    if row is None:
        raise ReminderNotFound
    return row


_LOCK_FOLLOW_UP = statement(
    """
    select * from reminders
    where account_id = $1 and interaction_id = $2 and status in ('PENDING', 'SNOOZED')
    for no key update
    """
)


async def lock_follow_up(tx: Tx, interaction_id: UUID) -> asyncpg.Record | None:
    """The open reminder that an interaction's followUpDate set, locked, if there is one."""
    return await tx.row(_LOCK_FOLLOW_UP, interaction_id)


async def search(tx: Tx, cursors: Cursors, asked: ReminderSearch) -> str:
    """A page of reminders with the exact total, by effective date, the earliest first."""
    question = asked.model_dump(exclude={"page", "limit", "cursor"})
    window = cursors.window(asked, tx.account_id, ["reminders", *sorted(question.items())])
    key = Key(_EFFECTIVE, "timestamptz")
    listing = Listing("reminders", "reminders m", _COLUMNS, key, False, ["m.account_id = $1"], [tx.now])
    where, arg = listing.where, listing.arg
    if asked.client_id is not None:
        where.append(f"m.client_id = {arg(asked.client_id)}")
    if asked.opportunity_id is not None:
        where.append(f"m.opportunity_id = {arg(asked.opportunity_id)}")
    for name in ("status", "reminder_type", "priority"):
        values = getattr(asked, name)
        if values:
            where.append(f"m.{name} = any({arg(list(values))}::text[])")
    after = None if asked.due_after is None else first_moment(tx.actor.zone, asked.due_after)
    before = None if asked.due_before is None else last_moment(tx.actor.zone, asked.due_before)
    if after is not None and before is not None and after > before:
        message = f"dueAfter ({asked.due_after}) must not be later than dueBefore ({asked.due_before})"
        raise one_fault("dueAfter", "bounds", message)
    if after is not None:
        where.append(f"{_EFFECTIVE} >= {arg(after)}")
    if before is not None:
        where.append(f"{_EFFECTIVE} <= {arg(before)}")
    return await listing.page(tx, cursors, window)


def _open_list(bounds: str) -> Statement:
    """The open reminders whose effective date lies in `bounds`, but those of archived clients, which are silent."""
    return statement(
        f"""
        select coalesce(json_agg(row_to_json(r)), '[]')::text
        from (
            select m.* from reminders m
            left join clients c on c.account_id = $1 and c.id = m.client_id
            where m.account_id = $1 and {OPEN.replace("{t}", "m")} and {_EFFECTIVE} {bounds}
                and c.status is distinct from 'ARCHIVED'
            order by {_EFFECTIVE}, m.id
        ) as m
        cross join lateral (select {_COLUMNS}) as r
        """
    )


OVERDUE = _open_list("< $2::timestamptz")
BETWEEN = _open_list("between $3 and $4")


async def overdue(tx: Tx) -> str:
    """The open reminders whose effective date has passed."""
    return str(await tx.value(OVERDUE, tx.now))


async def today(tx: Tx) -> str:
    """The open reminders from midnight to midnight of the account's local day, those that have passed included."""
    first, after = day_bounds(tx.actor.zone, local_day(tx.actor.zone, tx.now))
    return await _between(tx, first, after)


async def upcoming(tx: Tx, days: int) -> str:
    """The open reminders from now to the end of the local day `days` ahead."""
    last = local_day(tx.actor.zone, tx.now) + timedelta(days=days)
    return await _between(tx, tx.now, day_bounds(tx.actor.zone, last)[1])


async def _between(tx: Tx, first: datetime, after: datetime) -> str:
    return str(await tx.value(BETWEEN, tx.now, first, after - timedelta(microseconds=1)))
