"""What is true of an interaction: kinds, fields and limits, what counts as a payment, and its look on the wire."""

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any, ClassVar, NamedTuple
from uuid import UUID

from pydantic import AfterValidator, Field

from soloist.infra import jsonbody, money
from soloist.infra.errors import Fault, Problem, ValidationFailed
from soloist.infra.fields import (
    NOTHING_TO_CHANGE,
    UNSENT,
    Bound,
    DayIn,
    Input,
    InstantIn,
    Line,
    OneOf,
    Text,
    UuidIn,
    refusal,
)
from soloist.infra.paging import Paging
from soloist.infra.shape import Record
from soloist.interactions.sentiment import Sentiment, SentimentSource

EARLIEST = datetime.fromisoformat("1970-01-01T00:00:00+00:00")
LATEST_AHEAD = timedelta(days=1)
MAX_METADATA_BYTES = 16 * 1024


class InteractionType(StrEnum):
    EMAIL = "EMAIL"
    CALL = "CALL"
    MEETING = "MEETING"
    VIDEO_CALL = "VIDEO_CALL"
    MESSAGE = "MESSAGE"
    PROPOSAL_SENT = "PROPOSAL_SENT"
    INVOICE_SENT = "INVOICE_SENT"
    PAYMENT_RECEIVED = "PAYMENT_RECEIVED"
    CONTRACT_SIGNED = "CONTRACT_SIGNED"
    PROJECT_COMPLETED = "PROJECT_COMPLETED"
    FEEDBACK_RECEIVED = "FEEDBACK_RECEIVED"
    OTHER = "OTHER"


class InteractionNotFound(Problem):
    code, status = "INTERACTION_NOT_FOUND", 404
    text = "There is no interaction with this id."


class Interaction(Record):
    """Something that passed between the freelancer and a client."""

    id: UUID
    client_id: UUID
    contact_id: UUID | None
    opportunity_id: UUID | None
    interaction_type: InteractionType
    subject: str
    notes: str | None
    sentiment: Sentiment
    sentiment_source: SentimentSource
    is_outbound: bool
    duration: int | None
    outcome: str | None
    next_steps: str | None
    follow_up_date: date | None
    occurred_at: datetime
    metadata: dict[str, Any] | None
    version: int
    created_at: datetime
    updated_at: datetime


def _metadata(value: dict[str, Any]) -> dict[str, Any]:
    size = jsonbody.written_size(value)
    if size > MAX_METADATA_BYTES:
        raise refusal("too_large", f"must be at most {MAX_METADATA_BYTES:,} bytes of JSON; this is {size:,}")
    return value


Metadata = Annotated[dict[str, Any], AfterValidator(_metadata)]
Minutes = Annotated[int, Field(ge=0, le=1440, description="Whole minutes, at most a day")]


class InteractionFields(Input):
    """What a caller may say of an interaction, on logging it and on correcting it."""

    read_only: ClassVar[frozenset[str]] = frozenset(
        {"id", "clientId", "accountId", "sentimentSource", "version", "createdAt", "updatedAt"}
    )

    notes: Annotated[str, Text(10_000)] | None = None
    sentiment: Annotated[Sentiment, OneOf()] | None = Field(
        None, description="Given: kept. Absent or null: analysed from subject and notes."
    )
    duration: Minutes | None = None
    outcome: Annotated[str, Text(1000)] | None = None
    next_steps: Annotated[str, Text(1000)] | None = None
    follow_up_date: DayIn | None = Field(None, description="Sets a FOLLOW_UP reminder for that day")
    contact_id: UuidIn | None = None
    opportunity_id: UuidIn | None = None
    metadata: Metadata | None = Field(
        None, description="Any JSON object; a PAYMENT_RECEIVED with `amount` and `currency` counts as revenue"
    )


class NewInteraction(InteractionFields):
    """An interaction to log; without `occurredAt` it happened now."""

    interaction_type: Annotated[InteractionType, OneOf()]
    subject: Annotated[str, Line(255)]
    is_outbound: bool = True
    occurred_at: InstantIn | None = None


class InteractionChange(InteractionFields):
    """The fields of an interaction to change; what is left out stays, null clears."""

    interaction_type: Annotated[InteractionType, OneOf()] = UNSENT
    subject: Annotated[str, Line(255)] = UNSENT
    is_outbound: bool = UNSENT
    occurred_at: InstantIn = UNSENT

    @classmethod
    def cross_faults(cls, raw: Mapping[str, object]) -> list[tuple[str, str, str]]:
        return [] if raw else [NOTHING_TO_CHANGE]


class InteractionSearch(Paging):
    """Which interactions of a client to list, newest first."""

    type: list[Annotated[InteractionType, OneOf()]] | None = Field(None, description="Filter by type")
    from_: Bound | None = Field(None, alias="from", description="At or after this time, or from this local day")
    to: Bound | None = Field(None, description="At or before this time, or through this local day")


class Payment(NamedTuple):
    """Money that an interaction says was received."""

    amount: Decimal
    currency: str


def payment_of(kind: InteractionType, metadata: Mapping[str, Any] | None) -> Payment | None:
    """The payment in a PAYMENT_RECEIVED's metadata, None if it names no amount.

    Raises ValidationFailed for an amount that is no money, or without a currency: revenue is never guessed.
    """
    if kind is not InteractionType.PAYMENT_RECEIVED or not metadata or metadata.get("amount") is None:
        return None
    faults: list[Fault] = []
    currency = money.read_currency(metadata.get("currency"), "metadata.currency", faults)
    amount = money.read_amount(metadata["amount"], currency, "metadata.amount", faults)
    if faults:
        raise ValidationFailed(faults)
    assert amount is not None
    assert currency is not None
    return Payment(amount, currency)


def check_occurred(occurred_at: datetime, now: datetime) -> None:
    """An interaction lies between 1970 and one day ahead; raises ValidationFailed otherwise."""
    if not EARLIEST <= occurred_at <= now + LATEST_AHEAD:
        message = "must lie between 1970-01-01T00:00:00Z and one day ahead of now"
        raise ValidationFailed([Fault(field="occurredAt", code="out_of_range", message=message)])
