"""The one place that knows what time it is.

Everything else gets the time as `tx.now` or asks a `Clock` it was given, so that a test or a demo can
set it.
"""

from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

Clock = Callable[[], datetime]


def system_clock() -> datetime:
    """The present, aware and in UTC."""
    return datetime.now(UTC)


def shifted(ahead: timedelta) -> Clock:
    """A clock that runs `ahead` of the present, or behind it; by nothing, the system's own."""
    return (lambda: system_clock() + ahead) if ahead else system_clock


def frozen_at(moment: datetime) -> Clock:
    """A clock that always answers `moment`."""
    return lambda: moment


def local_day(zone: ZoneInfo, moment: datetime) -> date:
    """The calendar day it is in `zone` at `moment`."""
    return moment.astimezone(zone).date()


def day_bounds(zone: ZoneInfo, day: date) -> tuple[datetime, datetime]:
    """The first moment of `day` in `zone` and the first moment of the next day, both in UTC.

    A day may be 23 or 25 hours long; a midnight that a clock change skips becomes the moment of the change.
    """
    return _midnight(zone, day), _midnight(zone, day + timedelta(days=1))


def first_moment(zone: ZoneInfo, bound: datetime | date) -> datetime:
    """A lower bound as a moment: a time is itself, a day its start in `zone`."""
    return bound if isinstance(bound, datetime) else day_bounds(zone, bound)[0]


def last_moment(zone: ZoneInfo, bound: datetime | date) -> datetime:
    """An upper bound that counts in, as a moment: a time is itself, a day its end in `zone`."""
    if isinstance(bound, datetime):
        return bound
    return day_bounds(zone, bound)[1] - timedelta(microseconds=1)


def _midnight(zone: ZoneInfo, day: date) -> datetime:
    return datetime.combine(day, time.min, tzinfo=zone).astimezone(UTC)
