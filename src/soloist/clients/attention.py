"""The one rule of which clients need attention; the list and the number in the statistics both come from here.

Not archived or inactive, older than 14 days, and a health score below 50 or no interaction for 30 days.
"""

from datetime import datetime

from soloist.health.model import LOW_SCORE, NEW_CLIENT, QUIET

# $2 = 14 days ago, $3 = 30 days ago, $4 = now
NEEDS = f"""(c.status in ('LEAD', 'PROSPECT', 'ACTIVE') and c.created_at < $2::timestamptz
    and (c.health_score < {LOW_SCORE} or c.last_interaction_at is null or c.last_interaction_at < $3::timestamptz))"""

REASONS = f"""array_remove(array[
    case when c.health_score < {LOW_SCORE} then 'Health score is ' || c.health_score || ', below {LOW_SCORE}' end,
    case when c.last_interaction_at is null then 'Never contacted'
        when c.last_interaction_at < $3
        then 'Last contact was ' || extract(day from $4::timestamptz - c.last_interaction_at)::int || ' days ago' end
], null)"""


def bounds(now: datetime) -> tuple[datetime, datetime, datetime]:
    """The values of $2, $3 and $4."""
    return now - NEW_CLIENT, now - QUIET, now
