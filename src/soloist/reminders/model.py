"""What is true of a reminder: its fields and their limits, how it may recur, and the refusals about it."""

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Annotated, Any, ClassVar
from zoneinfo import ZoneInfo

from dateutil.relativedelta import relativedelta
from pydantic import Field
from pydantic_core import PydanticCustomError

from soloist.infra.errors import Fault, Problem, one_fault
from soloist.infra.fields import (
    NOTHING_TO_CHANGE,
    UNSENT,
    DayIn,
    Input,
    InstantIn,
    Line,
    OneOf,
    Text,
    UuidIn,
    parse_day,
    parse_instant,
)
from soloist.infra.times import wire
from soloist.opportunities.model import Priority
from soloist.reminders.recurrence import WEEK, Frequency, Pattern, Weekday

LONGEST_SNOOZE = relativedelta(years=5)
MOST_MINUTES_BEFORE = 366 * 24 * 60
MOST_OCCURRENCES = 10_000


class ReminderType(StrEnum):
    FOLLOW_UP = "FOLLOW_UP"
    MEETING = "MEETING"
    DEADLINE = "DEADLINE"
    CHECK_IN = "CHECK_IN"
    BIRTHDAY = "BIRTHDAY"
    RENEWAL = "RENEWAL"
    CUSTOM = "CUSTOM"


class ReminderStatus(StrEnum):
    PENDING = "PENDING"
    SNOOZED = "SNOOZED"
    COMPLETED = "COMPLETED"
    CANCELLED = "CANCELLED"


class ReminderNotFound(Problem):
    code, status = "REMINDER_NOT_FOUND", 404
    text = "There is no reminder with this id."


class ReminderAlreadyCompleted(Problem):
    code, status = "REMINDER_ALREADY_COMPLETED", 400
    text = "The reminder is completed already. Reopen it first (POST /reminders/:id/reopen)."


class InvalidRecurringPattern(Problem):
    code, status = "INVALID_RECURRING_PATTERN", 400
    text = "The recurring pattern is not valid; details names every fault."


PATTERN = "recurringPattern"
Cross = tuple[str, str, str]  # field, code, message


class RecurringPattern(Input):
    """How a reminder recurs, counted from its due date in the account's time zone.

    It ends after `count` occurrences or with the day `endDate`, whichever comes first; without them, never.
    """

    frequency: Annotated[Frequency, OneOf()]
    interval: Annotated[int, Field(ge=1, le=366)] = Field(1, description="Every so many days, weeks, months or years")
    end_date: DayIn | None = Field(None, description="The last day on which it may fall due")
    count: Annotated[int, Field(ge=1, le=MOST_OCCURRENCES)] | None = Field(
        None, description="How many occurrences there are, the first one counted in"
    )
    days_of_week: list[Annotated[Weekday, OneOf()]] | None = Field(
        None, description="Of a weekly one; default: the due date's own day"
    )

    @classmethod
    def cross_faults(cls, raw: Mapping[str, object]) -> list[Cross]:
        days, frequency = raw.get("daysOfWeek"), raw.get("frequency")
        if days == []:
            return [("daysOfWeek", "too_short", "must name at least one day; leave it out for the due date's own")]
        if days is not None and frequency in set(Frequency) - {Frequency.WEEKLY}:
            return [("daysOfWeek", "only_weekly", f"goes with the frequency weekly, not {frequency}; leave it out")]
        return []

    def pattern(self) -> Pattern:
        """The same, to reckon with."""
        days = tuple(day for day in WEEK if day in (self.days_of_week or ()))
        return Pattern(self.frequency, self.interval, self.end_date, self.count, days)


class ReminderFields(Input):
    """What a caller may say of a reminder, on create and on change."""

    read_only: ClassVar[frozenset[str]] = frozenset(
        {
            "id",
            "accountId",
            "clientName",
            "interactionId",
            "effectiveDate",
            "isOverdue",
            "timeZone",
            "seriesId",
            "occurrence",
            "nextOccurrence",
            "skipped",
            "version",
            "createdAt",
            "updatedAt",
        }
    )
    advice: ClassVar[Mapping[str, str]] = {
        "status": "is changed by POST /reminders/:id/complete (or /snooze, /cancel, /reopen); leave it out here",
        "snoozedUntil": "is set by POST /reminders/:id/snooze; leave it out here",
        "completedAt": "is set by POST /reminders/:id/complete; leave it out here",
        "completionNotes": "are given to POST /reminders/:id/complete as notes; leave them out here",
    }
    own_refusals: ClassVar[Mapping[str, type[Problem]]] = {PATTERN: InvalidRecurringPattern}

    client_id: UuidIn | None = Field(None, description="Default: the opportunity's client, if one is named")
    opportunity_id: UuidIn | None = Field(None, description="A deal of the same client")
    description: Annotated[str, Text(5000)] | None = None
    notify_before: Annotated[int, Field(ge=0, le=MOST_MINUTES_BEFORE)] | None = Field(
        None, description="Announce it so many minutes ahead"
    )
    recurring_pattern: RecurringPattern | None = Field(None, description="Goes together with isRecurring")


class NewReminder(ReminderFields):
    """A reminder to set; one without a client is the freelancer's own."""

    title: Annotated[str, Line(255)]
    reminder_type: Annotated[ReminderType, OneOf()]
    priority: Annotated[Priority, OneOf()] = Field(Priority.MEDIUM)
    due_date: InstantIn
    is_recurring: bool = False

    @classmethod
    def cross_faults(cls, raw: Mapping[str, object]) -> list[Cross]:
        return [*_together(raw.get("isRecurring", False), raw.get(PATTERN)), *_order_faults(raw)]


class ReminderChange(ReminderFields):
    """The fields of an open reminder to change; what is left out stays, null clears.

    A new due date ends a snooze. With a new due date, frequency, interval or days of the week a recurring one
    counts from there; `isRecurring: false` ends its series with this occurrence.
    """

    title: Annotated[str, Line(255)] = UNSENT
    reminder_type: Annotated[ReminderType, OneOf()] = UNSENT
    priority: Annotated[Priority, OneOf()] = UNSENT
    due_date: InstantIn = UNSENT
    is_recurring: bool = UNSENT

    @classmethod
    def cross_faults(cls, raw: Mapping[str, object]) -> list[Cross]:
        if not raw:
            return [NOTHING_TO_CHANGE]
        together = _together(raw["isRecurring"], raw[PATTERN]) if raw.keys() >= {"isRecurring", PATTERN} else []
        return [*together, *_order_faults(raw)]


class Completion(Input):
    """What there is to say of a reminder that is done."""

    notes: Annotated[str, Text(5000)] | None = None


class Snooze(Input):
    """A later time to be reminded, at most five years ahead."""

    snooze_until: InstantIn


MISSING = (
    PATTERN,
    "pattern_missing",
    'isRecurring is true: say how it recurs, such as {"frequency": "monthly", "interval": 1}',
)
NOT_RECURRING = (
    PATTERN,
    "not_recurring",
    'is given, but isRecurring is not true: send "isRecurring": true with it, or leave the pattern out',
)


def _together(recurring: object, pattern: object) -> list[Cross]:
    if recurring is True and pattern is None:
        return [MISSING]
    return [NOT_RECURRING] if recurring is False and pattern is not None else []


def _order_faults(raw: Mapping[str, Any]) -> list[Cross]:
    """An end before the due date in every time zone; the closer cases need the account's (`check_ends`)."""
    try:
        due, end_on = parse_instant(raw["dueDate"]), parse_day(raw[PATTERN]["endDate"])
    except (KeyError, TypeError, PydanticCustomError):
        return []  # not there, or a fault of the field itself
    return _end_faults(due, end_on, ZoneInfo("Etc/GMT+12"))


def _end_faults(due: datetime, end_on: date | None, zone: ZoneInfo) -> list[Cross]:
    if end_on is None or end_on >= due.astimezone(zone).date():
        return []
    return [(f"{PATTERN}.endDate", "bounds", f"endDate ({end_on}) must not be before the day of dueDate ({wire(due)})")]


def check_ends(due: datetime, occurrence: int, pattern: Pattern, zone: ZoneInfo) -> None:
    """A series does not end before the occurrence at hand; raises InvalidRecurringPattern."""
    faults = _end_faults(due, pattern.end_on, zone)
    if pattern.count is not None and pattern.count < occurrence:
        message = f"count ({pattern.count}) must not be lower than the number of this occurrence ({occurrence})"
        faults.append((f"{PATTERN}.count", "bounds", message))
    if faults:
        raise pattern_refused(*faults)


def pattern_refused(*faults: Cross) -> InvalidRecurringPattern:
    """The refusal for faults of a pattern."""
    found = [Fault(field=field, code=code, message=text) for field, code, text in faults]
    return InvalidRecurringPattern(f"{found[0]['field']}: {found[0]['message']}", details=found)


def check_open(status: ReminderStatus, completed_at: datetime | None, verb: str) -> None:
    """Raises ReminderAlreadyCompleted for a completed one, ValidationFailed for a cancelled one, naming `verb`."""
    if status is ReminderStatus.COMPLETED:
        done = wire(completed_at) if completed_at else None
        raise ReminderAlreadyCompleted(
            f"The reminder was completed on {done}. Reopen it first (POST /reminders/:id/reopen).",
            details={"completedAt": done},
        )
    if status is ReminderStatus.CANCELLED:
        message = f"The reminder was cancelled and can't be {verb}. Reopen it first (POST /reminders/:id/reopen)."
        raise one_fault("status", "cancelled", message)


def check_snooze(until: datetime, now: datetime) -> None:
    """A snooze ends later than now, within five years; raises ValidationFailed."""
    if not now < until <= now + LONGEST_SNOOZE:
        message = f"must be later than now ({wire(now)}) and at most five years ahead; it is {wire(until)}"
        raise one_fault("snoozeUntil", "out_of_range", message)


def notice_at(due: datetime, snoozed_until: datetime | None, minutes: int | None, now: datetime) -> datetime | None:
    """When it is to be announced, None for at its due date: `minutes` before it takes effect.

    A snooze shorter than that is announced when it ends, not as soon as it begins.
    """
    takes_effect = snoozed_until or due
    ahead = takes_effect - timedelta(minutes=minutes or 0)
    if snoozed_until is not None and ahead <= now:
        return takes_effect
    return None if ahead == due else ahead
