"""The health score: pure arithmetic from inputs that the API shows (docs/explanation/health.md).

A weighted RFM model: recency 25 %, frequency 20 %, monetary 20 %, satisfaction 20 %, responsiveness 15 %.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from statistics import median
from typing import NamedTuple

WEIGHTS = {"recency": 25, "frequency": 20, "monetary": 20, "satisfaction": 20, "responsiveness": 15}
LOW_SCORE = 50
NEW_CLIENT = timedelta(days=14)
QUIET = timedelta(days=30)
WINDOW = timedelta(days=180)
FREQUENCY_WINDOW = timedelta(days=90)
HALF_LIFE = timedelta(days=60)
UNANSWERED_AFTER = timedelta(days=3)
ASKING = frozenset({"EMAIL", "MESSAGE", "CALL", "VIDEO_CALL"})
MOODS = {"POSITIVE": 100, "NEUTRAL": 50, "NEGATIVE": 0}
DEFAULT_SCALE = (Decimal(1000), Decimal(5000), Decimal(10000), Decimal(25000), Decimal(50000))

Points = Sequence[tuple[int | Decimal, int]]
RECENCY: Points = ((0, 100), (7, 100), (14, 90), (30, 75), (60, 50), (90, 25), (180, 0))  # days
FREQUENCY: Points = (
    (0, 0),
    (3, 40),
    (6, 60),
    (12, 85),
    (18, 100),
)  # interactions in 90 days: three times a month's
RESPONSIVENESS: Points = (  # seconds
    (0, 100),
    (4 * 3600, 100),
    (12 * 3600, 85),
    (24 * 3600, 70),
    (72 * 3600, 45),
    (168 * 3600, 20),
    (336 * 3600, 0),
)


class Moment(NamedTuple):
    """What health reads of one interaction."""

    at: datetime
    kind: str
    is_outbound: bool
    mood: str | None  # None: the text was not analysed


class Rating(NamedTuple):
    """A client's rating on the Market, 1 to 5."""

    at: datetime
    stars: int


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything that goes into a score.

    `moments` and `ratings` are those of the last 180 days, oldest first, none in the future.
    """

    now: datetime
    client_since: datetime
    last_contact: datetime | None
    revenue: Decimal
    scale: Sequence[Decimal]
    moments: Sequence[Moment]
    ratings: Sequence[Rating] = ()


@dataclass(frozen=True, slots=True)
class Inputs:
    """What the five components are computed from."""

    days_since_contact: int | None
    client_age_days: int
    interactions_90_days: int
    revenue: Decimal
    satisfaction: float | None
    rated: int
    ratings: int
    median_reply_seconds: int | None
    recent_reply_seconds: int | None  # of the questions of the last 90 days
    earlier_reply_seconds: int | None  # of those before
    replies: int


@dataclass(frozen=True, slots=True)
class Health:
    """A score from 0 to 100 with its five components and what they came from."""

    overall: int
    recency: int
    frequency: int
    monetary: int
    satisfaction: int
    responsiveness: int
    inputs: Inputs


def assess(facts: Facts) -> Health:
    """The health of a client at `facts.now`."""
    inputs = _inputs(facts)
    recency = _recency(inputs)
    frequency = interpolate(FREQUENCY, inputs.interactions_90_days)
    monetary = interpolate(_money_points(facts.scale), inputs.revenue)
    satisfaction = 50 if inputs.satisfaction is None else int(inputs.satisfaction + 0.5)
    reply = inputs.median_reply_seconds
    responsiveness = 50 if reply is None else interpolate(RESPONSIVENESS, reply)
    overall = overall_score(recency, frequency, monetary, satisfaction, responsiveness)
    return Health(overall, recency, frequency, monetary, satisfaction, responsiveness, inputs)


def overall_score(recency: int, frequency: int, monetary: int, satisfaction: int, responsiveness: int) -> int:
    """The weighted sum, rounded half-up in exact arithmetic: 84.75 is 85."""
    parts = (recency, frequency, monetary, satisfaction, responsiveness)
    total = sum(weight * part for weight, part in zip(WEIGHTS.values(), parts, strict=True))
    return (total + 50) // 100


def interpolate(points: Points, x: int | Decimal) -> int:
    """The score at `x`, linear between the points and rounded half-up; level before the first and after the last."""
    if x <= points[0][0]:
        return points[0][1]
    for (x0, y0), (x1, y1) in pairwise(points):
        if x <= x1:
            # half-up of y0 + (y1 - y0)(x - x0)/(x1 - x0), with one whole division and no rounding before it
            doubled = 2 * (y0 * (x1 - x0) + (y1 - y0) * (x - x0)) + (x1 - x0)
            return int(doubled // (2 * (x1 - x0)))
    return points[-1][1]


NEW_CLIENT_SCORE = overall_score(50, 0, 0, 50, 50)


def is_drop(score: int, previous: int, highest_of_week: int) -> bool:
    """Whether going from `previous` to `score` is worth an alarm: ten points within seven days, or below 50."""
    return score < previous and (highest_of_week - score >= 10 or score < LOW_SCORE <= previous)


def _inputs(facts: Facts) -> Inputs:
    recent = facts.now - FREQUENCY_WINDOW
    gaps = reply_gaps(facts.moments, facts.now)
    late = [seconds for asked, seconds in gaps if asked >= recent]
    early = [seconds for asked, seconds in gaps if asked < recent]
    satisfaction = satisfaction_of(facts.moments, facts.ratings)
    return Inputs(
        days_since_contact=None if facts.last_contact is None else max(0, (facts.now - facts.last_contact).days),
        client_age_days=max(0, (facts.now - facts.client_since).days),
        interactions_90_days=sum(1 for moment in facts.moments if moment.at > recent),
        revenue=facts.revenue,
        satisfaction=satisfaction,
        rated=sum(moment.mood is not None for moment in facts.moments),
        ratings=len(facts.ratings),
        median_reply_seconds=_median([seconds for _, seconds in gaps]),
        recent_reply_seconds=_median(late),
        earlier_reply_seconds=_median(early),
        replies=len(gaps),
    )


def reply_gaps(moments: Sequence[Moment], now: datetime) -> list[tuple[datetime, int]]:
    """(when asked, seconds until the client's next sign of life) of each question.

    Several questions in a row count from the first; one still unanswered counts with its age once that is
    over three days.
    """
    gaps: list[tuple[datetime, int]] = []
    asked: datetime | None = None
    for moment in moments:
        if not moment.is_outbound:
            if asked is not None:
                gaps.append((asked, int((moment.at - asked).total_seconds())))
                asked = None
        elif asked is None and moment.kind in ASKING:
            asked = moment.at
    if asked is not None and now - asked > UNANSWERED_AFTER:
        gaps.append((asked, int((now - asked).total_seconds())))
    return gaps


def satisfaction_of(moments: Sequence[Moment], ratings: Sequence[Rating] = ()) -> float | None:
    """The mean of moods and ratings (0–100, r stars count (r − 1) × 25), newer ones weighing more: half-life 60 days.

    None where nothing is known.
    """
    known = [(moment.at, MOODS[moment.mood]) for moment in moments if moment.mood is not None]
    known += [(rating.at, (rating.stars - 1) * 25) for rating in ratings]
    if not known:
        return None
    # Weighed against the newest, not against now: the mean is the same, and moods of one moment weigh exactly 1.
    newest = max(at for at, _ in known)
    weights = [0.5 ** ((newest - at) / HALF_LIFE) for at, _ in known]
    total = sum(weight * value for weight, (_, value) in zip(weights, known, strict=True))
    # Roots of two are not exact in binary: what is 87.5 must not come out a hair below, and be rounded down.
    return round(float(total / sum(weights)), 9)


def _recency(inputs: Inputs) -> int:
    if inputs.days_since_contact is None:
        return 50 if inputs.client_age_days < NEW_CLIENT.days else 0
    return interpolate(RECENCY, inputs.days_since_contact)


def _money_points(scale: Sequence[Decimal]) -> Points:
    return ((0, 0), *zip(scale, (25, 50, 75, 90, 100), strict=True))


def _median(seconds: Sequence[int]) -> int | None:
    return int(median(seconds)) if seconds else None
