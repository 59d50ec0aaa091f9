"""What may be done about a reminder: complete, snooze, cancel, reopen it, or skip one occurrence of a series.

The row is locked, so of many that complete one at the same moment, one succeeds and one next occurrence is made.
"""

from datetime import datetime
from uuid import UUID

import asyncpg

from soloist.events import log
from soloist.events.model import ReminderCompleted
from soloist.infra.db import Tx
from soloist.infra.errors import one_fault
from soloist.infra.ids import new_id
from soloist.infra.times import wire
from soloist.reminders import rows
from soloist.reminders.actions import add, lock_reminder, tell_cancelled
from soloist.reminders.model import ReminderStatus, check_open, check_snooze, notice_at
from soloist.reminders.recurrence import Step

_INHERITED = (
    "client_id", "opportunity_id", "title", "description", "reminder_type", "priority", "notify_before",
    *rows.SERIES_COLUMNS,
)  # fmt: skip
_NONE = Step(0, None, 0)


async def complete(tx: Tx, reminder_id: UUID, notes: str | None = None) -> None:
    """Mark a reminder as done. A recurring one gets its next occurrence, the first that lies after now.

    Those missed in between are left out; their number stays with the completed one as `skipped`. Raises
    ReminderAlreadyCompleted, ValidationFailed for a cancelled one, ClientArchived.
    """
    row = await _lock_open(tx, reminder_id, "completed")
    series = rows.series_of(row)
    step = series.following(row["occurrence"], tx.now) if series else _NONE
    next_id = new_id() if step.due else None
    done = {"status": ReminderStatus.COMPLETED, "completed_at": tx.now, "completion_notes": notes}
    await rows.write(tx, reminder_id, {**done, "next_id": next_id, "skipped": step.skipped})
    event = ReminderCompleted(
        id=reminder_id,
        client_id=row["client_id"],
        title=row["title"],
        completed_at=wire(tx.now),
        next_id=next_id,
        skipped=step.skipped,
        version=row["version"] + 1,
    )
    await log.record(tx, event)
    if next_id is not None:
        inherited = {name: row[name] for name in _INHERITED}
        await add(tx, next_id, {**inherited, "occurrence": step.number, "due_date": step.due})


async def snooze(tx: Tx, reminder_id: UUID, until: datetime) -> None:
    """Be reminded again at that time, which never shifts the series.

    Raises ValidationFailed for a time not ahead or more than five years ahead and for a cancelled reminder,
    ReminderAlreadyCompleted, ClientArchived.
    """
    row = await _lock_open(tx, reminder_id, "snoozed")
    check_snooze(until, tx.now)
    values = {
        "status": ReminderStatus.SNOOZED,
        "snoozed_until": until,
        "announced": None,
        "notify_at": notice_at(row["due_date"], until, row["notify_before"], tx.now),
    }
    await rows.write(tx, reminder_id, values)


async def cancel(tx: Tx, reminder_id: UUID) -> None:
    """Call a reminder off, and with it its series; a cancelled one stays as it is, without a second event.

    Raises ReminderAlreadyCompleted, ClientArchived.
    """
    row = await _lock(tx, reminder_id)
    if row["status"] == ReminderStatus.CANCELLED:
        return
    check_open(ReminderStatus(row["status"]), row["completed_at"], "cancelled")
    await rows.write(tx, reminder_id, {"status": ReminderStatus.CANCELLED})
    await tell_cancelled(tx, row, row["version"] + 1)


async def reopen(tx: Tx, reminder_id: UUID) -> None:
    """Bring a completed or cancelled reminder back as it was; an open one stays as it is.

    The next occurrence that a completion made is removed. Raises ValidationFailed when that one was changed,
    done or deleted since: the series has gone on. Raises ClientArchived.
    """
    row = await _lock(tx, reminder_id)
    if row["status"] in (ReminderStatus.PENDING, ReminderStatus.SNOOZED):
        return
    if row["next_id"] is not None:
        await _remove_next(tx, row["next_id"])
    values = {
        "status": ReminderStatus.SNOOZED if row["snoozed_until"] is not None else ReminderStatus.PENDING,
        "completed_at": None,
        "completion_notes": None,
        "next_id": None,
        "skipped": 0,
    }
    await rows.write(tx, reminder_id, values)


async def skip(tx: Tx, reminder_id: UUID) -> None:
    """Leave one occurrence out: the reminder moves on to the next date of its series.

    Raises ValidationFailed for one that does not recur, for the last of its series and for a cancelled one,
    ReminderAlreadyCompleted, ClientArchived.
    """
    row = await _lock_open(tx, reminder_id, "skipped")
    series = rows.series_of(row)
    if series is None:
        raise one_fault("isRecurring", "not_recurring", "only a recurring reminder has an occurrence to skip")
    step = series.following(row["occurrence"])
    if step.due is None:
        message = "this is the last occurrence of the series; complete or cancel it instead"
        raise one_fault("occurrence", "last_occurrence", message)
    values = {
        "occurrence": step.number,
        "due_date": step.due,
        "status": ReminderStatus.PENDING,
        "snoozed_until": None,
        "announced": None,
        "notify_at": notice_at(step.due, None, row["notify_before"], tx.now),
    }
    await rows.write(tx, reminder_id, values)


async def _lock(tx: Tx, reminder_id: UUID) -> asyncpg.Record:
    row = await lock_reminder(tx, reminder_id)
    tx.expect(row["version"])
    return row


async def _lock_open(tx: Tx, reminder_id: UUID, verb: str) -> asyncpg.Record:
    row = await _lock(tx, reminder_id)
    check_open(ReminderStatus(row["status"]), row["completed_at"], verb)
    return row


async def _remove_next(tx: Tx, next_id: UUID) -> None:
    removed = await rows.delete_untouched(tx, next_id)
    if removed is None:
        message = "the next occurrence of its series was changed, done or deleted since; this one stays as it is"
        raise one_fault("nextOccurrence", "went_on", message)
    await tell_cancelled(tx, removed, 1)
