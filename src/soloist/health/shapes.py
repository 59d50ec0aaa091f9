"""How a health score looks on the wire: the document's fields, the inputs, and a sentence on each component."""

from datetime import date, datetime
from decimal import ROUND_HALF_UP, Decimal

from pydantic import Field

from soloist.health.model import Health
from soloist.health.words import explanation, recommendations
from soloist.infra.shape import Record, Score
from soloist.infra.times import wire


class Components(Record):
    """The five parts of the score, each from 0 to 100."""

    recency: Score
    frequency: Score
    monetary: Score
    satisfaction: Score
    responsiveness: Score


class Explanation(Record):
    """One sentence per component."""

    recency: str
    frequency: str
    monetary: str
    satisfaction: str
    responsiveness: str


class InputsShown(Record):
    """What the components were computed from."""

    days_since_last_interaction: int | None
    interactions_per_month: float = Field(description="Interactions of the last 90 days, divided by 3")
    interactions_last_90_days: int
    total_revenue: float
    currency: str
    satisfaction_average: float | None = Field(description="0 to 100, newer interactions and ratings weighing more")
    rated_interactions: int
    market_ratings: int = Field(description="Ratings by the client on the Market")
    median_response_hours: float | None
    responses_counted: int


class HealthReport(Record):
    """A client's health, explained."""

    overall_score: Score
    components: Components
    recommendations: list[str]
    last_calculated: str = Field(json_schema_extra={"format": "date-time"})
    inputs: InputsShown
    explanation: Explanation


class HistoryDay(Record):
    """The score at the end of a day on which it changed."""

    date: date
    score: Score


def report(health: Health, currency: str, calculated_at: datetime) -> HealthReport:
    """The report of a score that was computed at `calculated_at`."""
    inputs = health.inputs
    reply = inputs.median_reply_seconds
    return HealthReport(
        overall_score=health.overall,
        components=Components(
            recency=health.recency,
            frequency=health.frequency,
            monetary=health.monetary,
            satisfaction=health.satisfaction,
            responsiveness=health.responsiveness,
        ),
        recommendations=recommendations(health),
        last_calculated=wire(calculated_at),
        inputs=InputsShown(
            days_since_last_interaction=inputs.days_since_contact,
            interactions_per_month=_two_places(Decimal(inputs.interactions_90_days) / 3),
            interactions_last_90_days=inputs.interactions_90_days,
            total_revenue=float(inputs.revenue),
            currency=currency,
            satisfaction_average=None if inputs.satisfaction is None else _two_places(Decimal(inputs.satisfaction)),
            rated_interactions=inputs.rated,
            market_ratings=inputs.ratings,
            median_response_hours=None if reply is None else _two_places(Decimal(reply) / 3600),
            responses_counted=inputs.replies,
        ),
        explanation=Explanation.model_validate(explanation(health, currency)),
    )


def _two_places(value: Decimal) -> float:
    return float(value.quantize(Decimal("0.01"), ROUND_HALF_UP))
