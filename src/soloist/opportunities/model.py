"""What is true of an opportunity: stages and their probabilities, fields and limits, which moves are allowed."""

from collections.abc import Mapping
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, ClassVar

from pydantic import Field

from soloist.accounts.model import CurrencyCode
from soloist.infra import money
from soloist.infra.errors import Fault, Problem, ValidationFailed
from soloist.infra.fields import NOTHING_TO_CHANGE, UNSENT, DayIn, Input, Line, Number, OneOf, Tags, Text, UuidIn


class OpportunityStage(StrEnum):
    LEAD = "LEAD"
    QUALIFIED = "QUALIFIED"
    PROPOSAL = "PROPOSAL"
    NEGOTIATION = "NEGOTIATION"
    WON = "WON"
    LOST = "LOST"


# Percent (document "Stages").
PROBABILITY = {
    OpportunityStage.LEAD: 10,
    OpportunityStage.QUALIFIED: 25,
    OpportunityStage.PROPOSAL: 50,
    OpportunityStage.NEGOTIATION: 75,
    OpportunityStage.WON: 100,
    OpportunityStage.LOST: 0,
}
OPEN_STAGES = (
    OpportunityStage.LEAD,
    OpportunityStage.QUALIFIED,
    OpportunityStage.PROPOSAL,
    OpportunityStage.NEGOTIATION,
)


class OpportunityStatus(StrEnum):
    OPEN = "OPEN"
    ON_HOLD = "ON_HOLD"
    WON = "WON"
    LOST = "LOST"


CLOSED = (OpportunityStatus.WON, OpportunityStatus.LOST)


class OpportunitySource(StrEnum):
    MARKET_PROJECT = "MARKET_PROJECT"
    MARKET_SERVICE = "MARKET_SERVICE"
    REFERRAL = "REFERRAL"
    COLD_OUTREACH = "COLD_OUTREACH"
    INBOUND_INQUIRY = "INBOUND_INQUIRY"
    REPEAT_CLIENT = "REPEAT_CLIENT"
    PARTNERSHIP = "PARTNERSHIP"
    OTHER = "OTHER"


class Priority(StrEnum):
    LOW = "LOW"
    MEDIUM = "MEDIUM"
    HIGH = "HIGH"
    URGENT = "URGENT"


class ActivityType(StrEnum):
    CREATED = "CREATED"
    UPDATED = "UPDATED"
    STAGE_CHANGED = "STAGE_CHANGED"
    WON = "WON"
    LOST = "LOST"
    REOPENED = "REOPENED"
    ON_HOLD = "ON_HOLD"
    RESUMED = "RESUMED"
    INTERACTION_LOGGED = "INTERACTION_LOGGED"
    DOCUMENT_ADDED = "DOCUMENT_ADDED"


class OpportunityNotFound(Problem):
    code, status = "OPPORTUNITY_NOT_FOUND", 404
    text = "There is no opportunity with this id."


class OpportunityClosed(Problem):
    code, status = "OPPORTUNITY_CLOSED", 400
    text = "The opportunity is closed and can't be changed. Reopen it first (POST /opportunities/:id/reopen)."


class InvalidStageTransition(Problem):
    code, status = "INVALID_STAGE_TRANSITION", 400
    text = "The opportunity can't move to that stage."


BY_STAGE_MOVE = "is changed by POST /opportunities/:id/stage (or /hold, /resume, /reopen); leave it out here"


class OpportunityFields(Input):
    """What a caller may say of an opportunity, on create and on change."""

    read_only: ClassVar[frozenset[str]] = frozenset(
        {
            "id",
            "accountId",
            "clientName",
            "baseValue",
            "actualCloseDate",
            "closedAt",
            "lostReason",
            "resumeOn",
            "version",
            "createdAt",
            "updatedAt",
        }
    )

    client_id: UuidIn | None = None
    description: Annotated[str, Text(5000)] | None = None
    source_details: Annotated[str, Line(255)] | None = None
    expected_close_date: DayIn | None = None
    service_type: Annotated[str, Line(100)] | None = None

    @classmethod
    def cross_faults(cls, raw: Mapping[str, object]) -> list[tuple[str, str, str]]:
        currency = money.read_currency(raw.get("currency"), "currency", [])
        faults = value_faults(raw.get("estimatedValue"), currency) if currency else []
        return [(fault["field"], fault["code"], fault["message"]) for fault in faults]


class NewOpportunity(OpportunityFields):
    """A deal to add to the pipeline; value and currency default to 0 in the base currency."""

    advice: ClassVar[Mapping[str, str]] = {"status": "follows from the stage: a new deal is OPEN; leave it out"}

    title: Annotated[str, Line(255)]
    source: Annotated[OpportunitySource, OneOf()]
    estimated_value: Number = Field(0, ge=0, le=money.MAX_AMOUNT, validate_default=True)
    currency: CurrencyCode | None = Field(None, description="Default: the account's base currency")
    stage: Annotated[OpportunityStage, OneOf(refused=dict.fromkeys(("WON", "LOST"), "a new deal is open"))] = Field(
        OpportunityStage.LEAD
    )
    priority: Annotated[Priority, OneOf()] = Field(Priority.MEDIUM)
    probability: Annotated[int, Field(ge=0, le=100)] | None = Field(None, description="Default: the stage's own")
    tags: Tags = Field(default_factory=list)


class OpportunityChange(OpportunityFields):
    """The fields of a deal to change; what is left out stays, null clears."""

    advice: ClassVar[Mapping[str, str]] = {"stage": BY_STAGE_MOVE, "status": BY_STAGE_MOVE}

    title: Annotated[str, Line(255)] = UNSENT
    source: Annotated[OpportunitySource, OneOf()] = UNSENT
    estimated_value: Annotated[Number, Field(ge=0, le=money.MAX_AMOUNT)] = UNSENT
    currency: CurrencyCode = UNSENT
    priority: Annotated[Priority, OneOf()] = UNSENT
    probability: Annotated[int, Field(ge=0, le=100)] = UNSENT
    tags: Tags = UNSENT

    @classmethod
    def cross_faults(cls, raw: Mapping[str, object]) -> list[tuple[str, str, str]]:
        return super().cross_faults(raw) if raw else [NOTHING_TO_CHANGE]


class StageChange(Input):
    """A move along the pipeline; the notes of a move to LOST become the reason."""

    stage: Annotated[OpportunityStage, OneOf()]
    notes: Annotated[str, Text(1000)] | None = None


class Hold(Input):
    """Putting a deal on hold, until a day if one is given."""

    resume_on: DayIn | None = Field(None, description="A day to come; the deal is resumed that day")


def check_move(stage: OpportunityStage, status: OpportunityStatus, closed_at: str | None, to: OpportunityStage) -> None:
    """Any two different open stages, and from any open stage to WON or LOST.

    Raises OpportunityClosed for a closed deal, InvalidStageTransition for the stage it already has.
    """
    check_open(stage, status, closed_at)
    if stage is to:
        allowed = [other for other in OpportunityStage if other is not stage]
        raise InvalidStageTransition(
            f"The opportunity is in stage {stage} already. Allowed from here: {', '.join(allowed)}.",
            details={"from": stage, "to": to, "allowed": allowed},
        )


def check_open(stage: OpportunityStage, status: OpportunityStatus, closed_at: str | None) -> None:
    """Raises OpportunityClosed for a deal that is won or lost."""
    if status in CLOSED:
        raise OpportunityClosed(
            f"The opportunity was closed as {status} on {closed_at}. Reopen it first (POST /opportunities/:id/reopen).",
            details={"stage": stage, "status": status, "closedAt": closed_at},
        )


def value_faults(amount: object, currency: str) -> list[Fault]:
    """The fault of an amount that is finer than its currency; what else can be wrong with it the field says."""
    faults: list[Fault] = []
    money.read_amount(amount, currency, "estimatedValue", faults)
    return [fault for fault in faults if fault["code"] == "decimals"]


def check_value(amount: Decimal, currency: str) -> None:
    """Raises ValidationFailed for an amount with more decimals than its currency has."""
    if faults := value_faults(amount, currency):
        raise ValidationFailed(faults)
