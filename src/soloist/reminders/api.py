"""The JSON contract of reminders (document "Reminders")."""

from typing import Annotated
from uuid import UUID

from fastapi import Depends, Request, Response
from pydantic import BeforeValidator

from soloist.accounts.actor import Reader, Writer
from soloist.clients.model import ClientArchived, ClientNotFound
from soloist.infra import routing
from soloist.infra.changes import Deleted, change, deleted, reading, shown
from soloist.infra.http import BASE, enveloped
from soloist.opportunities.model import OpportunityNotFound
from soloist.reminders import actions, moves, queries
from soloist.reminders.model import (
    Completion,
    InvalidRecurringPattern,
    NewReminder,
    ReminderAlreadyCompleted,
    ReminderChange,
    ReminderNotFound,
    Snooze,
)
from soloist.reminders.shapes import Reminder, ReminderSearch, Upcoming

router = routing.router("Reminders")
ReminderId = Annotated[UUID, BeforeValidator(routing.record_id(ReminderNotFound))]


@router.post("/reminders", status_code=201)
@routing.answers(Reminder, InvalidRecurringPattern, ClientNotFound, ClientArchived, OpportunityNotFound)
async def create_reminder(body: NewReminder, request: Request, actor: Writer) -> Response:
    """Create a reminder"""
    async with change(request, actor) as tx:
        reminder_id = await actions.create(tx, body)
        return await tx.answer(201, await queries.get(tx, reminder_id), f"{BASE}/reminders/{reminder_id}")


@router.get("/reminders")
@routing.answers(routing.Page("reminders", Reminder))
async def search_reminders(
    asked: Annotated[ReminderSearch, Depends(routing.query(ReminderSearch))], request: Request, actor: Reader
) -> Response:
    """Search and filter reminders, the earliest first"""
    async with reading(request, actor) as tx:
        return enveloped(await queries.search(tx, request.app.state.cursors, asked))


@router.get("/reminders/upcoming")
@routing.answers(list[Reminder])
async def get_upcoming_reminders(
    asked: Annotated[Upcoming, Depends(routing.query(Upcoming))], request: Request, actor: Reader
) -> Response:
    """Get the open reminders from now to the end of the day so many days ahead"""
    async with reading(request, actor) as tx:
        return enveloped(await queries.upcoming(tx, asked.days))


@router.get("/reminders/overdue")
@routing.answers(list[Reminder])
async def get_overdue_reminders(request: Request, actor: Reader) -> Response:
    """Get the open reminders whose time has passed"""
    async with reading(request, actor) as tx:
        return enveloped(await queries.overdue(tx))


@router.get("/reminders/today")
@routing.answers(list[Reminder])
async def get_todays_reminders(request: Request, actor: Reader) -> Response:
    """Get the open reminders of the account's day, midnight to midnight"""
    async with reading(request, actor) as tx:
        return enveloped(await queries.today(tx))


@router.get("/reminders/{reminder_id}")
@routing.answers(Reminder)
async def get_reminder(reminder_id: ReminderId, request: Request, actor: Reader) -> Response:
    """Get a reminder"""
    async with reading(request, actor) as tx:
        return shown(await queries.get(tx, reminder_id))


@router.patch("/reminders/{reminder_id}")
@routing.answers(
    Reminder, ReminderAlreadyCompleted, InvalidRecurringPattern, ClientNotFound, ClientArchived, OpportunityNotFound
)
async def update_reminder(reminder_id: ReminderId, body: ReminderChange, request: Request, actor: Writer) -> Response:
    """Change the fields that are sent"""
    async with change(request, actor) as tx:
        await actions.update(tx, reminder_id, body)
        return await tx.answer(200, await queries.get(tx, reminder_id))


@router.delete("/reminders/{reminder_id}")
@routing.answers(Deleted, ClientArchived)
async def delete_reminder(reminder_id: ReminderId, request: Request, actor: Writer) -> Response:
    """Remove a reminder; an open recurring one ends its series"""
    async with change(request, actor) as tx:
        await actions.delete(tx, reminder_id)
        return await tx.answer(200, deleted(reminder_id))


@router.post("/reminders/{reminder_id}/complete")
@routing.answers(Reminder, ReminderAlreadyCompleted, ClientArchived)
async def complete_reminder(
    reminder_id: ReminderId, request: Request, actor: Writer, body: Completion | None = None
) -> Response:
    """Mark a reminder as complete

    A recurring one gets its next occurrence, the first that lies after now: the answer names it as
    `nextOccurrence`, and says how many missed ones before it were `skipped`.
    """
    async with change(request, actor) as tx:
        await moves.complete(tx, reminder_id, body.notes if body else None)
        return await tx.answer(200, await queries.get(tx, reminder_id))


@router.post("/reminders/{reminder_id}/snooze")
@routing.answers(Reminder, ReminderAlreadyCompleted, ClientArchived)
async def snooze_reminder(reminder_id: ReminderId, body: Snooze, request: Request, actor: Writer) -> Response:
    """Snooze a reminder to a later time"""
    async with change(request, actor) as tx:
        await moves.snooze(tx, reminder_id, body.snooze_until)
        return await tx.answer(200, await queries.get(tx, reminder_id))


@router.post("/reminders/{reminder_id}/cancel")
@routing.answers(Reminder, ReminderAlreadyCompleted, ClientArchived)
async def cancel_reminder(reminder_id: ReminderId, request: Request, actor: Writer) -> Response:
    """Cancel a reminder, and with it its series"""
    async with change(request, actor) as tx:
        await moves.cancel(tx, reminder_id)
        return await tx.answer(200, await queries.get(tx, reminder_id))


@router.post("/reminders/{reminder_id}/reopen")
@routing.answers(Reminder, ClientArchived)
async def reopen_reminder(reminder_id: ReminderId, request: Request, actor: Writer) -> Response:
    """Bring a completed or cancelled reminder back

    The next occurrence of a series is then removed, and must be as it was made.
    """
    async with change(request, actor) as tx:
        await moves.reopen(tx, reminder_id)
        return await tx.answer(200, await queries.get(tx, reminder_id))


@router.post("/reminders/{reminder_id}/skip")
@routing.answers(Reminder, ReminderAlreadyCompleted, ClientArchived)
async def skip_reminder(reminder_id: ReminderId, request: Request, actor: Writer) -> Response:
    """Leave out one occurrence of a recurring reminder

    The reminder moves on to the next date of its series.
    """
    async with change(request, actor) as tx:
        await moves.skip(tx, reminder_id)
        return await tx.answer(200, await queries.get(tx, reminder_id))
