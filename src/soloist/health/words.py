"""A health score in words: one sentence a component, and what to do next."""

from decimal import ROUND_HALF_UP, Decimal

from soloist.health.model import Health, Inputs

_HOUR = 3600


def explanation(health: Health, currency: str) -> dict[str, str]:
    """One sentence per component: what was counted and what it is worth."""
    inputs = health.inputs
    return {
        "recency": f"{_contact(inputs)}: {health.recency} of 100, a quarter of the score.",
        "frequency": f"{_contacts(inputs)} in the last 90 days: {health.frequency} of 100.",
        "monetary": f"Total revenue is {inputs.revenue:f} {currency}: {health.monetary} of 100.",
        "satisfaction": _satisfaction(health),
        "responsiveness": _responsiveness(health),
    }


def recommendations(health: Health) -> list[str]:
    """What would help most, specific to this client; and praise where it is due. Never empty."""
    inputs = health.inputs
    found = [*_contact_advice(inputs), *_reply_advice(inputs), *_mood_advice(health), *_rhythm_advice(health)]
    return found or ["All five components are in good order: keep the rhythm."]


def hours(seconds: int) -> str:
    """A duration as a person says it: 40 min, 6 h, 5 days."""
    if seconds < _HOUR:
        return f"{max(1, seconds // 60)} min"
    if seconds < 72 * _HOUR:
        return f"{_whole(seconds, _HOUR)} h"
    return f"{_whole(seconds, 24 * _HOUR)} days"


def _whole(seconds: int, unit: int) -> int:
    return int((Decimal(seconds) / unit).quantize(Decimal(1), ROUND_HALF_UP))


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _contacts(inputs: Inputs) -> str:
    return _count(inputs.interactions_90_days, "interaction")


def _contact(inputs: Inputs) -> str:
    days = inputs.days_since_contact
    if days is None:
        return "There was no contact yet"
    return "Last contact was today" if days == 0 else f"Last contact was {_count(days, 'day')} ago"


def _satisfaction(health: Health) -> str:
    rated, ratings = health.inputs.rated, health.inputs.ratings
    if not rated and not ratings:
        return "No mood is known from the last 180 days: 50 of 100 as the middle."
    parts = [f"The mood of {_count(rated, 'interaction')}"] if rated else []
    parts += [f"{_count(ratings, 'rating')} on the Market"] if ratings else []
    return f"{' and '.join(parts)}, newer ones weighing more: {health.satisfaction} of 100."


def _responsiveness(health: Health) -> str:
    inputs = health.inputs
    if inputs.median_reply_seconds is None:
        return "No question was asked in the last 180 days: 50 of 100 as the middle."
    return f"Replies took {hours(inputs.median_reply_seconds)} at the median: {health.responsiveness} of 100."


def _contact_advice(inputs: Inputs) -> list[str]:
    days = inputs.days_since_contact
    if days is None:
        return ["No contact yet: introduce yourself or schedule a first call."]
    if days > 14:
        return [f"Last contact was {days} days ago: schedule a follow-up."]
    return []


def _reply_advice(inputs: Inputs) -> list[str]:
    recent, before, median = inputs.recent_reply_seconds, inputs.earlier_reply_seconds, inputs.median_reply_seconds
    if recent is not None and before is not None and hours(recent) != hours(before) and recent < before:
        return [f"Replies came in {hours(recent)} at the median, faster than the {hours(before)} before."]
    if median is not None and median > 72 * _HOUR:
        return [f"Replies take {hours(median)} at the median: try another channel, or call."]
    return []


def _mood_advice(health: Health) -> list[str]:
    known = health.inputs.rated + health.inputs.ratings
    if known and health.satisfaction < 50:
        return ["Recent notes sound unhappy: ask what is wrong and agree on a next step."]
    if known >= 3 and health.satisfaction >= 80:
        return ["The client is happy: a good moment to ask for a referral or a testimonial."]
    return []


def _rhythm_advice(health: Health) -> list[str]:
    inputs = health.inputs
    found = []
    if inputs.days_since_contact is not None and inputs.interactions_90_days < 3:
        found.append(f"Only {_contacts(inputs)} in 90 days: plan a monthly check-in.")
    if inputs.revenue == 0 and inputs.client_age_days >= 30:
        found.append("No revenue is booked yet: propose a first project, or log the payments you received.")
    return found
