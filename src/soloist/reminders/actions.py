"""What may happen to a reminder's fields: set, change, delete, and the follow-ups of interactions.

Locks are taken client first, then reminder, so that no two changes can wait for each other.
"""

from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg

from soloist.clients import queries as clients
from soloist.events import log
from soloist.events.model import ReminderCancelled, ReminderCreated
from soloist.infra.db import Tx
from soloist.infra.ids import new_id
from soloist.infra.times import wire
from soloist.opportunities import queries as opportunities
from soloist.opportunities.model import Priority
from soloist.reminders import queries, rows
from soloist.reminders.model import (
    MISSING,
    NOT_RECURRING,
    NewReminder,
    ReminderChange,
    ReminderStatus,
    ReminderType,
    check_ends,
    check_open,
    notice_at,
    pattern_refused,
)
from soloist.reminders.recurrence import Pattern, Series
from soloist.reminders.rows import Values


async def create(tx: Tx, new: NewReminder) -> UUID:
    """Set a reminder and answer its id; a recurring one keeps the zone that the account has now.

    Raises ClientNotFound, ClientArchived, OpportunityNotFound, ValidationFailed for a deal of another client, and
    InvalidRecurringPattern for a series that ends before it begins.
    """
    client_id = new.client_id
    if client_id is None and new.opportunity_id is not None:
        client_id = await opportunities.client_of(tx, new.opportunity_id)
    if client_id is not None:
        await clients.lock_living(tx, client_id)
    if new.opportunity_id is not None:
        await opportunities.check_belongs(tx, new.opportunity_id, client_id)
    values: dict[str, Any] = {
        "client_id": client_id,
        "opportunity_id": new.opportunity_id,
        "title": new.title,
        "description": new.description,
        "reminder_type": new.reminder_type,
        "priority": new.priority,
        "due_date": new.due_date,
        "notify_before": new.notify_before,
    }
    if new.recurring_pattern is not None:
        series = Series(new.due_date, tx.actor.zone, new.recurring_pattern.pattern())
        check_ends(new.due_date, series.number, series.pattern, series.zone)
        values |= rows.columns_of(series, new_id(), series.number)
    reminder_id = new_id()
    await add(tx, reminder_id, values)
    return reminder_id


async def add(tx: Tx, reminder_id: UUID, values: Values) -> None:
    """Put in an open reminder with these columns, and tell of it."""
    notify_at = notice_at(values["due_date"], None, values["notify_before"], tx.now)
    await rows.insert(tx, reminder_id, {**values, "notify_at": notify_at})
    event = ReminderCreated(
        id=reminder_id,
        client_id=values["client_id"],
        title=values["title"],
        reminder_type=values["reminder_type"],
        due_date=wire(values["due_date"]),
        version=1,
    )
    await log.record(tx, event)


async def update(tx: Tx, reminder_id: UUID, change: ReminderChange) -> None:
    """Change the fields that were sent; equal values change nothing. A new due date ends a snooze.

    With a new due date, frequency, interval or days of the week a recurring one counts from there, in the zone
    that the account has now. Raises ReminderAlreadyCompleted, ValidationFailed for a cancelled one,
    InvalidRecurringPattern, and what `create` raises for client and deal.
    """
    sent = change.sent()
    brought = change.client_id
    if "client_id" not in sent and change.opportunity_id is not None:
        brought = await opportunities.client_of(tx, change.opportunity_id)
    row = await lock_reminder(tx, reminder_id, brought)
    tx.expect(row["version"])
    check_open(ReminderStatus(row["status"]), row["completed_at"], "changed")
    if "client_id" not in sent and row["client_id"] is None:
        sent["client_id"] = brought
    after = {**dict(row), **{name: value for name, value in sent.items() if name in row}}
    if after["due_date"] != row["due_date"]:
        after |= _AWAKE
    if sent.keys() & {"due_date", "notify_before"}:
        after["notify_at"] = notice_at(after["due_date"], after["snoozed_until"], after["notify_before"], tx.now)
    if sent.keys() & {"due_date", "is_recurring", "recurring_pattern"}:
        after |= _series_after(tx, row, change, after["due_date"])
    changed = {name: value for name, value in after.items() if value != row[name]}
    if not changed:
        return
    if changed.get("client_id") is not None:
        await clients.lock_living(tx, changed["client_id"])
    if changed.keys() & {"client_id", "opportunity_id"} and after["opportunity_id"] is not None:
        await opportunities.check_belongs(tx, after["opportunity_id"], after["client_id"])
    await rows.write(tx, reminder_id, changed)


async def delete(tx: Tx, reminder_id: UUID) -> None:
    """Remove a reminder. An open one is thereby called off, and with it its series; one that is done is forgotten.

    Raises ClientArchived.
    """
    row = await lock_reminder(tx, reminder_id)
    tx.expect(row["version"])
    await rows.delete(tx, reminder_id)
    if row["status"] in (ReminderStatus.PENDING, ReminderStatus.SNOOZED):
        await tell_cancelled(tx, row, row["version"])


async def follow_up(tx: Tx, interaction_id: UUID, client_id: UUID, title: str, due: datetime) -> None:
    """Set a FOLLOW_UP reminder for an interaction; one that is still open is moved instead of doubled.

    The client's row must be locked by this transaction.
    """
    row = await queries.lock_follow_up(tx, interaction_id)
    if row is not None:
        await _move(tx, row, title, due)
        return
    values = {
        "client_id": client_id,
        "interaction_id": interaction_id,
        "title": title,
        "reminder_type": ReminderType.FOLLOW_UP,
        "priority": Priority.MEDIUM,
        "due_date": due,
        "notify_before": None,
    }
    await add(tx, new_id(), values)


async def drop_follow_up(tx: Tx, interaction_id: UUID) -> None:
    """Cancel the open reminder of an interaction, if there is one."""
    row = await queries.lock_follow_up(tx, interaction_id)
    if row is not None:
        await rows.write(tx, row["id"], {"status": ReminderStatus.CANCELLED})
        await tell_cancelled(tx, row, row["version"] + 1)


async def lock_reminder(tx: Tx, reminder_id: UUID, also: UUID | None = None) -> asyncpg.Record:
    """The reminder, locked after its client and the client `also`.

    Raises ClientArchived for a reminder of an archived client, ClientNotFound for an unknown `also`. One that
    changes its client in between is looked at again.
    """
    while True:
        client_id = await queries.client_of(tx, reminder_id)
        for each in sorted({each for each in (client_id, also) if each is not None}):
            await (clients.lock_living if each == client_id else clients.lock)(tx, each)
        row = await queries.lock(tx, reminder_id)
        if row["client_id"] == client_id:
            return row


async def tell_cancelled(tx: Tx, row: asyncpg.Record, version: int) -> None:
    """Record that an open reminder is called off."""
    await log.record(
        tx, ReminderCancelled(id=row["id"], client_id=row["client_id"], title=row["title"], version=version)
    )


# What a new due date undoes: the snooze, and what was announced of the old one.
_AWAKE: Values = {"snoozed_until": None, "status": ReminderStatus.PENDING, "announced": None}


async def _move(tx: Tx, row: asyncpg.Record, title: str, due: datetime) -> None:
    after = {**dict(row), "title": title, "due_date": due}
    if due != row["due_date"]:
        after |= {**_AWAKE, "notify_at": notice_at(due, None, row["notify_before"], tx.now)}
        series = rows.series_of(row)
        if series is not None:
            moved = Series(due, tx.actor.zone, series.pattern, row["occurrence"])
            after |= rows.columns_of(moved, row["series_id"], row["occurrence"])
    changed = {name: value for name, value in after.items() if value != row[name]}
    if changed:
        await rows.write(tx, row["id"], changed)


def _series_after(tx: Tx, row: asyncpg.Record, change: ReminderChange, due: datetime) -> Values:
    before = rows.series_of(row)
    pattern = _pattern_after(before.pattern if before else None, change)
    if pattern is None:
        return rows.NO_SERIES
    number = row["occurrence"] or 1
    if before is not None and due == row["due_date"] and _same_rhythm(before.pattern, pattern):
        series = replace(before, pattern=pattern)
    else:
        series = Series(due, tx.actor.zone, pattern, number)
    check_ends(due, number, pattern, series.zone)
    return rows.columns_of(series, row["series_id"] or new_id(), number)


def _pattern_after(before: Pattern | None, change: ReminderChange) -> Pattern | None:
    """Raises InvalidRecurringPattern where the pattern and `isRecurring` would not go together."""
    sent = change.model_fields_set
    recurring = change.is_recurring if "is_recurring" in sent else before is not None
    given = change.recurring_pattern
    if not recurring:
        if given is not None:
            raise pattern_refused(NOT_RECURRING)
        return None
    if given is None and ("recurring_pattern" in sent or before is None):
        raise pattern_refused(MISSING)
    return given.pattern() if given is not None else before


def _same_rhythm(one: Pattern, other: Pattern) -> bool:
    return (one.frequency, one.interval, one.days_of_week) == (other.frequency, other.interval, other.days_of_week)
