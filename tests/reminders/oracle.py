"""The same recurrence asked of another implementation: an iCalendar event with the equal rule (RFC 5545)."""

from datetime import UTC, datetime, time, timedelta
from itertools import islice
from zoneinfo import ZoneInfo

import icalendar
import recurring_ical_events  # type: ignore[import-untyped]

from soloist.reminders.recurrence import Frequency, Pattern


def occurrences(anchor: datetime, zone: ZoneInfo, pattern: Pattern, most: int) -> list[datetime]:
    """The first occurrences, at most so many, in UTC. An anchor on no day of `days_of_week` is not one of them."""
    start = anchor.astimezone(zone)
    event = icalendar.Event()
    event.add("uid", "1")
    event.add("dtstart", start)
    event.add("rrule", icalendar.vRecur.from_ical(rule(start, pattern)))
    calendar = icalendar.Calendar()
    calendar.add_component(event)
    if pattern.count is not None:
        most = min(most, pattern.count)  # a rule can't have both ends (RFC 5545), ours can
    found = recurring_ical_events.of(calendar).after(start - timedelta(days=1))
    return [one.DTSTART.astimezone(UTC) for one in islice(found, most)]


def rule(start: datetime, pattern: Pattern) -> str:
    """The RRULE; a day that a month may lack is written as the last of the days up to it that the month has."""
    parts = [f"FREQ={pattern.frequency.upper()}", f"INTERVAL={pattern.interval}", "WKST=MO"]
    days = ",".join(str(day) for day in range(28, start.day + 1))
    if pattern.frequency is Frequency.MONTHLY:
        parts.append(f"BYMONTHDAY={days};BYSETPOS=-1" if days else f"BYMONTHDAY={start.day}")
    if pattern.frequency is Frequency.YEARLY and (start.month, start.day) == (2, 29):
        parts.append("BYMONTH=2;BYMONTHDAY=28,29;BYSETPOS=-1")
    if pattern.days_of_week:
        parts.append("BYDAY=" + ",".join(day[:2] for day in pattern.days_of_week))
    if pattern.count is not None and pattern.end_on is None:
        parts.append(f"COUNT={pattern.count}")
    if pattern.end_on is not None:
        last = datetime.combine(pattern.end_on, time.max, start.tzinfo).astimezone(UTC)
        parts.append(f"UNTIL={last:%Y%m%dT%H%M%SZ}")
    return ";".join(parts)
