"""How a reminder looks on the wire, and what a list of reminders can be asked for.

In every statement that reads a `Reminder`, `$2` is the present moment.
"""

from datetime import date, datetime
from typing import Annotated
from uuid import UUID

from pydantic import Field

from soloist.infra.fields import Bound, OneOf, UuidIn
from soloist.infra.paging import Paging, Query, Whole
from soloist.infra.shape import Record, Sql, instant, json_object
from soloist.opportunities.model import Priority
from soloist.reminders.model import ReminderStatus, ReminderType
from soloist.reminders.recurrence import Frequency, Weekday

EFFECTIVE = "coalesce({t}.snoozed_until, {t}.due_date)"
OPEN = "{t}.status in ('PENDING', 'SNOOZED')"
CLIENT_NAME = "(select n.display_name from clients n where n.account_id = $1 and n.id = {t}.client_id)"
EffectiveDate = Annotated[datetime, Sql(instant(EFFECTIVE)), Field(description="snoozedUntil, else dueDate")]


class ReminderLine(Record):
    """An open reminder as a client's record lists it."""

    id: UUID
    title: str
    reminder_type: ReminderType
    priority: Priority
    status: ReminderStatus
    due_date: datetime
    snoozed_until: datetime | None
    effective_date: EffectiveDate
    version: int


class PatternShown(Record):
    """How a reminder recurs."""

    frequency: Frequency
    interval: Annotated[int, Sql("{t}.every")]
    end_date: Annotated[date | None, Sql("{t}.ends_on")]
    count: Annotated[int | None, Sql("{t}.max_count")]
    days_of_week: list[Weekday] | None


class NextOccurrence(Record):
    """The reminder that took the place of a completed one."""

    id: UUID
    occurrence: int
    due_date: datetime


class Reminder(Record):
    """Something to be reminded of; a recurring one is one occurrence of its series."""

    id: UUID
    client_id: UUID | None
    client_name: Annotated[str | None, Sql(CLIENT_NAME)]
    opportunity_id: UUID | None
    interaction_id: UUID | None = Field(description="The interaction whose followUpDate set it")
    title: str
    description: str | None
    reminder_type: ReminderType
    priority: Priority
    status: ReminderStatus
    due_date: datetime
    snoozed_until: datetime | None
    effective_date: EffectiveDate
    is_overdue: Annotated[bool, Sql(f"({OPEN} and {EFFECTIVE} < $2::timestamptz)")] = Field(
        description="Open, and its effective date has passed"
    )
    notify_before: int | None
    is_recurring: Annotated[bool, Sql("({t}.frequency is not null)")]
    recurring_pattern: Annotated[
        PatternShown | None,
        Sql(f"case when {{t}}.frequency is not null then {json_object(PatternShown, '{t}')} end"),
    ]
    time_zone: str | None = Field(description="The zone its days and time of day count in; null if it does not recur")
    series_id: UUID | None
    occurrence: int | None = Field(description="Which one of its series, from 1")
    next_occurrence: Annotated[
        NextOccurrence | None,
        Sql(
            f"""(select {json_object(NextOccurrence, "s")} from reminders s
            where s.account_id = $1 and s.id = {{t}}.next_id)"""
        ),
    ] = Field(description="Of a completed one: what was made in its place; null if the series is over")
    skipped: int = Field(description="Of a completed one: how many missed occurrences lie before the next")
    completed_at: datetime | None
    completion_notes: str | None
    version: int
    created_at: datetime
    updated_at: datetime


class ReminderSearch(Paging):
    """Which reminders to list, by effective date, the earliest first."""

    client_id: UuidIn | None = Field(None, description="Filter by client")
    opportunity_id: UuidIn | None = Field(None, description="Filter by opportunity")
    status: list[Annotated[ReminderStatus, OneOf()]] | None = Field(None, description="Filter by status")
    reminder_type: list[Annotated[ReminderType, OneOf()]] | None = Field(None, description="Filter by type")
    priority: list[Annotated[Priority, OneOf()]] | None = Field(None, description="Filter by priority")
    due_after: Bound | None = Field(None, description="Effective at or after this time, or from this local day")
    due_before: Bound | None = Field(None, description="Effective at or before this time, or through this local day")


class Upcoming(Query):
    """How far to look ahead."""

    days: Annotated[int, Whole(1, 365)] = Field(7, description="Days to look ahead")
