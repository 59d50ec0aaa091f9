"""When a recurring reminder falls due: positions counted from an anchor, in a time zone. Pure: it knows no clock.

Every date comes from the anchor, never from the date before, so that nothing drifts: after the 31st of January
come the 28th or 29th of February and the 31st of March.
"""

from bisect import bisect_right
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from typing import NamedTuple
from zoneinfo import ZoneInfo

from dateutil.relativedelta import relativedelta


class Frequency(StrEnum):
    DAILY = "daily"
    WEEKLY = "weekly"
    MONTHLY = "monthly"
    YEARLY = "yearly"


class Weekday(StrEnum):
    MONDAY = "MONDAY"
    TUESDAY = "TUESDAY"
    WEDNESDAY = "WEDNESDAY"
    THURSDAY = "THURSDAY"
    FRIDAY = "FRIDAY"
    SATURDAY = "SATURDAY"
    SUNDAY = "SUNDAY"


WEEK = tuple(Weekday)  # from Monday, as datetime counts
_LAST_YEAR = 9997  # the wire's last one
_NEVER = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Pattern:
    """Every `interval` days, weeks, months or years; in a week on `days_of_week`, by default the anchor's own.

    It ends after `count` occurrences, the anchor's counted in, or with the day `end_on`, whichever comes first.
    """

    frequency: Frequency
    interval: int = 1
    end_on: date | None = None
    count: int | None = None
    days_of_week: tuple[Weekday, ...] = ()


class Step(NamedTuple):
    """What follows an occurrence: `due` is None when the series is over. `skipped` ones lie between."""

    number: int
    due: datetime | None
    skipped: int


@dataclass(frozen=True, slots=True)
class Series:
    """Occurrences numbered from `number`, the anchor's own.

    Days count in `zone`, and each occurrence keeps the anchor's time of day there: one that a clock change skips
    moves forward by as much, one that comes twice is the first. A day the month lacks becomes its last. Weeks
    begin on Monday; of the anchor's week only the days after it count.
    """

    anchor: datetime
    zone: ZoneInfo
    pattern: Pattern
    number: int = 1

    def due(self, number: int) -> datetime | None:
        """When that occurrence falls due, in UTC; None once the series is over."""
        if self.pattern.count is not None and number > self.pattern.count:
            return None
        steps = number - self.number
        start = self.anchor.astimezone(self.zone).replace(tzinfo=None)
        try:
            wall = start + self._distance(steps, start)
        except (OverflowError, ValueError):
            return None
        if wall.year > _LAST_YEAR or (self.pattern.end_on is not None and wall.date() > self.pattern.end_on):
            return None
        # The first of two equal times of day, and the offset before a gap (PEP 495): that is the shift forward.
        return self.anchor if steps == 0 else wall.replace(tzinfo=self.zone, fold=0).astimezone(UTC)

    def following(self, number: int, after: datetime | None = None) -> Step:
        """What comes after that occurrence; with `after`, the first one later than that.

        Never at the same moment as the occurrence itself: where a whole day is missing (Apia, 30 December 2011),
        two positions fall on one moment and count once.
        """
        own = self.due(number)
        if own is None:
            return Step(number + 1, None, 0)
        bound = own if after is None else max(own, after)
        reach = 1
        while self._due_or_never(number + reach) <= bound:
            reach *= 2
        lowest, highest = number + reach // 2 + 1, number + reach
        found = bisect_right(range(highest), bound, lowest, highest, key=self._due_or_never)
        return Step(found, self.due(found), found - number - 1)

    def _due_or_never(self, number: int) -> datetime:
        return self.due(number) or _NEVER

    def _distance(self, steps: int, start: datetime) -> timedelta | relativedelta:
        by = steps * self.pattern.interval
        match self.pattern.frequency:
            case Frequency.DAILY:
                return timedelta(days=by)
            case Frequency.WEEKLY if self.pattern.days_of_week and steps:
                return timedelta(days=self._days_ahead(steps, start.weekday()))
            case Frequency.WEEKLY:
                return timedelta(weeks=by)
            case Frequency.MONTHLY:
                return relativedelta(months=by)
            case Frequency.YEARLY:
                return relativedelta(years=by)

    def _days_ahead(self, steps: int, today: int) -> int:
        days = sorted(WEEK.index(day) for day in self.pattern.days_of_week)
        left = [day for day in days if day > today]
        if steps <= len(left):
            return left[steps - 1] - today
        weeks, at = divmod(steps - len(left) - 1, len(days))
        return 7 * (weeks + 1) * self.pattern.interval + days[at] - today
