"""Lengths of time as people write them on a command line."""

import re
from datetime import timedelta

from soloist.commands.console import Code, Failure

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
LONGEST = timedelta(days=366)


def duration(text: str) -> timedelta:
    """`90s`, `30m`, `8h` or `7d`; a Failure for anything else, for nothing at all and for more than a year."""
    found = re.fullmatch(r"([1-9][0-9]{0,7})([smhd])", text.strip())
    length = timedelta(**{_UNITS[found[2]]: int(found[1])}) if found else LONGEST * 2
    if length > LONGEST:
        raise Failure(f"{text!r} is no length of time.", "write 90s, 30m, 8h or 7d; at most 366d", Code.USAGE)
    return length
