"""A client's health by the book (docs/explanation/health.md), in exact fractions and another way than the product."""

import math
from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal, localcontext
from fractions import Fraction
from itertools import pairwise
from typing import NamedTuple

DAY = timedelta(days=1)
MICROSECOND = timedelta(microseconds=1)
ASKED_BY = ("EMAIL", "MESSAGE", "CALL", "VIDEO_CALL")

Curve = Sequence[tuple[Fraction | int, int]]
RECENCY: Curve = ((7, 100), (14, 90), (30, 75), (60, 50), (90, 25), (180, 0))  # days
FREQUENCY: Curve = ((0, 0), (1, 40), (2, 60), (4, 85), (6, 100))  # a month
RESPONSIVENESS: Curve = ((4, 100), (12, 85), (24, 70), (72, 45), (168, 20), (336, 0))  # hours


class Said(NamedTuple):
    """One interaction, as far as health goes."""

    at: datetime
    kind: str
    is_outbound: bool
    mood: str | None


class Score(NamedTuple):
    overall: int
    recency: int
    frequency: int
    monetary: int
    satisfaction: int
    responsiveness: int


def health(
    now: datetime,
    since: datetime,
    last: datetime | None,
    revenue: Decimal,
    scale: Sequence[Decimal],
    said: Sequence[Said],
) -> Score:
    """The score at `now`; `said` is in the order of time, and may hold what is too old or still to come."""
    past = [one for one in said if now - 180 * DAY < one.at <= now]
    never = 50 if now - since < 14 * DAY else 0
    recency = never if last is None else on(RECENCY, max(0, (now - last) // DAY))
    frequency = on(FREQUENCY, Fraction(sum(now - one.at < 90 * DAY for one in past), 3))
    steps = [Fraction(0), *map(Fraction, scale)]
    monetary = on(list(zip(steps, (0, 25, 50, 75, 90, 100), strict=True)), Fraction(revenue))
    mood = mean_mood(past)
    hours = median_hours(past, now)
    satisfaction = 50 if mood is None else half_up(mood)
    responsiveness = 50 if hours is None else on(RESPONSIVENESS, hours)
    parts = (recency, frequency, monetary, satisfaction, responsiveness)
    shares = (Fraction(1, 4), Fraction(1, 5), Fraction(1, 5), Fraction(1, 5), Fraction(3, 20))
    overall = half_up(sum((share * part for share, part in zip(shares, parts, strict=True)), Fraction(0)))
    return Score(overall, *parts)


def half_up(value: Fraction) -> int:
    return math.floor(value + Fraction(1, 2))


def on(curve: Curve, x: Fraction | int) -> int:
    """Where `x` is on the curve: the average of the two points around it, each weighing as the other's distance."""
    left = max((point for point in curve if point[0] <= x), default=curve[0])
    right = min((point for point in curve if point[0] >= x), default=curve[-1])
    if left[0] >= right[0]:
        return left[1]
    width = Fraction(right[0] - left[0])
    return half_up(left[1] * (right[0] - x) / width + right[1] * (x - left[0]) / width)


def mean_mood(past: Sequence[Said]) -> Fraction | None:
    """The mean of the known moods; 60 days older is worth half. Exact but for 60 digits of a root of two."""
    points = {"POSITIVE": 100, "NEUTRAL": 50, "NEGATIVE": 0}
    known = [one for one in past if one.mood is not None]
    if not known:
        return None
    oldest = min(one.at for one in known)
    with localcontext(prec=60):
        weights = [Fraction(Decimal(2) ** ((one.at - oldest) // MICROSECOND / _HALVING)) for one in known]
    values = (weight * points[str(one.mood)] for weight, one in zip(weights, known, strict=True))
    return sum(values, Fraction(0)) / sum(weights)


_HALVING = Decimal(60 * DAY // MICROSECOND)


def median_hours(past: Sequence[Said], now: datetime) -> Fraction | None:
    """The median time to an answer, in whole seconds given as hours."""
    answers = [index for index, one in enumerate(past) if not one.is_outbound]
    waits = []
    for before, answer in pairwise([-1, *answers]):
        asked = [one.at for one in past[before + 1 : answer] if one.kind in ASKED_BY]
        if asked:
            waits.append(past[answer].at - asked[0])
    rest = past[answers[-1] + 1 :] if answers else past
    waiting = [now - one.at for one in rest if one.kind in ASKED_BY]
    if waiting and waiting[0] > 3 * DAY:
        waits.append(waiting[0])
    if not waits:
        return None
    seconds = sorted(wait // timedelta(seconds=1) for wait in waits)
    middle = seconds[(len(seconds) - 1) // 2] + seconds[len(seconds) // 2]
    return Fraction(middle // 2, 3600)
