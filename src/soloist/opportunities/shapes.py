"""How opportunities look on the wire: the record, the board, the statistics, and what a list can be asked for."""

from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any
from uuid import UUID

from pydantic import Field

from soloist.accounts.rates import BASE_DECIMALS
from soloist.infra.fields import Bound, OneOf, SortOrder, UuidIn
from soloist.infra.money import MAX_AMOUNT
from soloist.infra.paging import Amount, Paging, Query
from soloist.infra.shape import Money, Record, Score, Sql
from soloist.opportunities.model import (
    ActivityType,
    OpportunitySource,
    OpportunityStage,
    OpportunityStatus,
    Priority,
)

# As it is shown and compared: at the base currency's precision. Sums take it unrounded and round once.
BASE_VALUE = f"round({{t}}.base_value, {BASE_DECIMALS})"
CLIENT_NAME = "(select n.display_name from clients n where n.account_id = $1 and n.id = {t}.client_id)"


class MoneyLeftOut(Record):
    """An amount that no exchange rate could bring into the base currency."""

    currency: str
    amount: Money


class OpportunityLine(Record):
    """An open deal as a client's record lists it."""

    id: UUID
    title: str
    stage: OpportunityStage
    status: OpportunityStatus
    priority: Priority
    estimated_value: Money
    currency: str
    probability: Score
    expected_close_date: date | None
    version: int
    created_at: datetime
    updated_at: datetime


class Opportunity(Record):
    """A deal."""

    id: UUID
    client_id: UUID | None
    client_name: Annotated[str | None, Sql(CLIENT_NAME)]
    title: str
    description: str | None
    source: OpportunitySource
    source_details: str | None
    estimated_value: Money
    currency: str
    base_value: Annotated[Money | None, Sql(f"trim_scale({BASE_VALUE})")] = Field(
        description="In the account's base currency; null without an exchange rate"
    )
    stage: OpportunityStage
    status: OpportunityStatus
    priority: Priority
    probability: Score
    expected_close_date: date | None
    actual_close_date: date | None
    closed_at: datetime | None
    lost_reason: str | None
    resume_on: date | None
    tags: list[str]
    service_type: str | None
    version: int
    created_at: datetime
    updated_at: datetime


class Activity(Record):
    """Something that happened with a deal."""

    id: UUID
    activity_type: ActivityType
    from_stage: OpportunityStage | None
    to_stage: OpportunityStage | None
    notes: str | None
    changes: Annotated[dict[str, Any] | None, Field(description="Field → {from, to}, of an UPDATED")]
    actor: str
    created_at: datetime


class StageColumn(Record):
    """One stage of the board."""

    stage: OpportunityStage
    opportunities: list[Opportunity]
    count: int
    total_value: Money
    weighted_value: Money
    unconverted: list[MoneyLeftOut]


class PipelineSummary(Record):
    """All stages together."""

    total_opportunities: int
    total_value: Money
    weighted_value: Money
    avg_deal_size: Money
    currency: str
    unconverted: list[MoneyLeftOut]


class Pipeline(Record):
    """The board: the four open stages in order."""

    stages: list[StageColumn]
    summary: PipelineSummary


class OpportunityStats(Record):
    """How the deals of a period went."""

    total: int
    open: int
    won: int
    lost: int
    win_rate: Score
    total_won_value: Money
    total_lost_value: Money
    total_open_value: Money
    avg_deal_size: Money
    avg_time_to_close: int
    by_source: dict[OpportunitySource, int]
    by_stage: dict[OpportunityStage, int]
    currency: str
    unconverted: list[MoneyLeftOut]
    recalculating: bool


class ForecastMonth(Record):
    """The open deals expected to close in a month; null: those without a date."""

    month: str | None
    count: int
    total_value: Money
    weighted_value: Money
    unconverted: list[MoneyLeftOut]


class Forecast(Record):
    """The open deals by the month they are expected to close in."""

    months: list[ForecastMonth]
    currency: str


class OpportunitySort(StrEnum):
    CREATED_AT = "createdAt"
    EXPECTED_CLOSE_DATE = "expectedCloseDate"
    ESTIMATED_VALUE = "estimatedValue"
    PROBABILITY = "probability"
    TITLE = "title"
    UPDATED_AT = "updatedAt"


Value = Annotated[Decimal, Amount(0, MAX_AMOUNT)]


class OpportunitySearch(Paging):
    """Which deals to list; values are compared in the base currency."""

    client_id: UuidIn | None = Field(None, description="Filter by client")
    source: list[Annotated[OpportunitySource, OneOf()]] | None = Field(None, description="Filter by source")
    stage: list[Annotated[OpportunityStage, OneOf()]] | None = Field(None, description="Filter by stage")
    status: list[Annotated[OpportunityStatus, OneOf()]] | None = Field(None, description="Filter by status")
    priority: list[Annotated[Priority, OneOf()]] | None = Field(None, description="Filter by priority")
    min_value: Value | None = Field(None, description="Minimum estimated value")
    max_value: Value | None = Field(None, description="Maximum estimated value")
    expected_close_before: Bound | None = Field(None, description="Expected close on or before this date")
    expected_close_after: Bound | None = Field(None, description="Expected close on or after this date")
    sort_by: Annotated[OpportunitySort, OneOf()] = Field(OpportunitySort.CREATED_AT, description="Sort field")
    sort_order: Annotated[SortOrder, OneOf(fold=True)] = Field(SortOrder.DESC, description="asc or desc")

    @classmethod
    def cross_faults(cls, raw: Mapping[str, object]) -> list[tuple[str, str, str]]:
        low, high = raw.get("minValue"), raw.get("maxValue")
        try:
            crossed = low is not None and high is not None and Decimal(str(low)) > Decimal(str(high))
        except ArithmeticError:
            return []  # each is told about by itself
        return [("minValue", "bounds", f"minValue ({low}) must not exceed maxValue ({high})")] if crossed else []


class Period(Query):
    """A period of creation; either end may be left open."""

    start_date: Bound | None = Field(None, description="Period start: created on or after")
    end_date: Bound | None = Field(None, description="Period end: created on or before")
