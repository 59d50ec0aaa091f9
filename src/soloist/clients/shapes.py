"""How a client looks on the wire: a line of the list, the whole record, and what a list can be asked for."""

from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Annotated
from uuid import UUID

from pydantic import Field

from soloist.clients.model import Address, ClientSource, ClientStatus, ClientType, CompanySize
from soloist.contacts.model import Contact
from soloist.documents.model import DocumentLine
from soloist.infra.fields import Bound, Line, OneOf, SortOrder, Text
from soloist.infra.paging import Amount, Flag, Paging, Query, Whole
from soloist.infra.shape import Money, Record, Score, Sql, columns
from soloist.interactions.model import Interaction
from soloist.opportunities.shapes import MoneyLeftOut, OpportunityLine
from soloist.reminders.shapes import ReminderLine

BASE_CURRENCY = "(select a.base_currency from accounts a where a.account_id = $1)"


class ClientSummary(Record):
    """A line of the client list."""

    id: UUID
    client_type: ClientType
    source: ClientSource
    status: ClientStatus
    display_name: str
    company_name: str | None
    first_name: str | None
    last_name: str | None
    email: str | None
    phone: str | None
    website: str | None
    industry: str | None
    company_size: CompanySize | None
    timezone: str | None
    tags: list[str]
    total_revenue: Money
    currency: Annotated[str, Sql(BASE_CURRENCY)] = Field(
        description="The account's base currency, that of totalRevenue"
    )
    health_score: Score
    last_interaction_at: datetime | None
    version: int
    created_at: datetime
    updated_at: datetime


def children(record: type[Record], source: str, where: str, order: str, limit: int | None = None) -> Sql:
    """A JSON array of a client's records from another table, `source` being `table alias`."""
    alias = source.split()[-1]
    bound = f" limit {limit}" if limit else ""
    return Sql(
        f"""(select coalesce(json_agg(row_to_json(line)), '[]'::json) from (
            select * from {source}
            where {alias}.account_id = $1 and {alias}.client_id = {{t}}.id{where}
            order by {order}{bound}
        ) as {alias} cross join lateral (select {columns(record, alias)}) as line)"""
    )


class ClientDetail(ClientSummary):
    """A client with everything that stands around it."""

    notes: str | None
    address: Address | None
    platform_client_id: str | None
    archived_at: datetime | None
    unconverted: list[MoneyLeftOut] = Field(description="Revenue without an exchange rate, left out of totalRevenue")
    contacts: Annotated[list[Contact], children(Contact, "contacts k", "", "k.is_primary desc, k.created_at, k.id")] = (
        Field(description="The primary one first")
    )
    recent_interactions: Annotated[
        list[Interaction], children(Interaction, "interactions i", "", "i.occurred_at desc, i.id desc", 10)
    ] = Field(description="The newest 10")
    opportunities: Annotated[
        list[OpportunityLine],
        children(
            OpportunityLine,
            "opportunities o",
            " and o.status in ('OPEN', 'ON_HOLD')",
            "o.created_at desc, o.id desc",
        ),
    ] = Field(description="The open ones")
    upcoming_reminders: Annotated[
        list[ReminderLine],
        children(
            ReminderLine,
            "reminders m",
            " and m.status in ('PENDING', 'SNOOZED')",
            "coalesce(m.snoozed_until, m.due_date), m.id",
            5,
        ),
    ] = Field(description="The next 5 that are open")
    recent_documents: Annotated[
        list[DocumentLine], children(DocumentLine, "documents d", "", "d.created_at desc, d.id desc", 5)
    ] = Field(description="The newest 5")


class ClientSort(StrEnum):
    NAME = "name"
    CREATED_AT = "createdAt"
    LAST_INTERACTION_AT = "lastInteractionAt"
    TOTAL_REVENUE = "totalRevenue"
    HEALTH_SCORE = "healthScore"


class ClientSearch(Paging):
    """Which clients to list. Archived ones are left out unless `status` asks for them."""

    query: Annotated[str, Text(200)] | None = Field(
        None, description="Words to find in name, company, e-mail and contact names; every word must match"
    )
    status: list[Annotated[ClientStatus, OneOf()]] | None = Field(None, description="Filter by status")
    source: list[Annotated[ClientSource, OneOf()]] | None = Field(None, description="Filter by source")
    client_type: list[Annotated[ClientType, OneOf()]] | None = Field(None, description="Filter by type")
    tags: list[Annotated[str, Line(50)]] | None = Field(None, description="Filter by tags; all named must match")
    min_total_revenue: Annotated[Decimal, Amount(0, Decimal("999999999999.99"))] | None = Field(
        None, description="Minimum total revenue, in the base currency"
    )
    min_health_score: Annotated[Decimal, Amount(0, 100)] | None = Field(None, description="Minimum health score")
    last_interaction_before: Bound | None = Field(
        None, description="Last interaction at or before this time, or through this local day, or none at all"
    )
    sort_by: Annotated[ClientSort, OneOf()] = Field(ClientSort.CREATED_AT, description="Sort field")
    sort_order: Annotated[SortOrder, OneOf(fold=True)] = Field(SortOrder.DESC, description="asc or desc")
    facets: Flag = Field(False, description="Also count the matches by status, source and tag")


class NeedsAttention(Query):
    limit: Annotated[int, Whole(1, 100)] = Field(10, description="Number of clients to return")


class ClientInNeed(ClientSummary):
    """A client that needs attention, with the reasons."""

    reasons: Annotated[list[str], Sql("needs.reasons")]


class ClientStats(Record):
    """The book in numbers; archived clients are left out of all of them."""

    total_clients: int
    active_clients: int
    leads: int
    prospects: int
    inactive_clients: int
    total_revenue: Money
    currency: str
    average_client_value: Money
    average_health_score: Score
    clients_needing_attention: int
    by_source: dict[ClientSource, int]
    unconverted: list[MoneyLeftOut]
    recalculating: bool


class Facets(Record):
    """How many matches there are of each status and source, and the 20 most used tags."""

    status: dict[ClientStatus, int]
    source: dict[ClientSource, int]
    tags: dict[str, int]
