"""Times and lengths of time as people write them on a command line."""

import re
from datetime import UTC, datetime, timedelta

from soloist.commands.console import Code, Failure
from soloist.infra.clock import system_clock

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
LONGEST = timedelta(days=366)
FARTHEST = 100 * 366 * 86_400  # seconds


def duration(text: str) -> timedelta:
    """`90s`, `30m`, `8h` or `7d`; a Failure for anything else, for nothing at all and for more than a year."""
    found = re.fullmatch(r"([1-9][0-9]{0,7})([smhd])", text.strip())
    length = timedelta(**{_UNITS[found[2]]: int(found[1])}) if found else LONGEST * 2
    if length > LONGEST:
        raise Failure(f"{text!r} is no length of time.", "write 90s, 30m, 8h or 7d; at most 366d", Code.USAGE)
    return length


def offset(text: str | None) -> int | None:
    """How many seconds ahead of the present a time such as `2024-01-31T09:00Z` is; None for None, else a Failure.

    A time without an offset is taken as UTC.
    """
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text.strip())
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        ahead = round((moment - system_clock()).total_seconds())
    except (ValueError, OverflowError):
        ahead = FARTHEST + 1
    if abs(ahead) > FARTHEST:
        raise Failure(
            f"{text!r} is no time to set the clock to.",
            "write a day or a time within a hundred years of today, such as 2024-01-31 or 2024-01-31T09:00Z",
            Code.USAGE,
        )
    return ahead
