"""How the Market looks on the wire: the connection, its clients that can be imported, and the runs of the sync."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import Field

from soloist.clients.model import ClientType
from soloist.infra.shape import Instant, Record, Score, Sql, json_object
from soloist.market.model import MOST_LISTED, ItemKind, KeptBecause, RunCause, RunPhase, RunState

_ENTRIES = "market_run_entries e where e.account_id = $1 and e.run_id = {t}.id and"


def _lines(record: type[Record], which: str) -> Sql:
    """The entries of a run that `which` picks, by the client's name, the first MOST_LISTED of them."""
    return Sql(
        f"""(select coalesce(json_agg({json_object(record, "e")} order by e.name, e.kind, e.item_id), '[]')
        from (select * from {_ENTRIES} {which} order by e.name, e.kind, e.item_id limit {MOST_LISTED}) as e)"""
    )


class SyncError(Record):
    """Something of the Market's that could not be taken over."""

    kind: ItemKind
    item_id: Annotated[str | None, Sql("case when {t}.has_id then {t}.item_id end")] = Field(
        description="The item's id on the Market; null: it came without one"
    )
    name: str | None = Field(description="The client's name, where it is known")
    code: str
    message: str


ERRORS = _lines(SyncError, "e.state = 'FAILED'")


class SyncResult(Record):
    """What a sync did (document "Sync Clients from Market")."""

    synced: Annotated[int, Sql("({t}.created + {t}.updated)")] = Field(description="Created and updated")
    created: int
    updated: int
    run_id: Annotated[UUID, Sql("{t}.id")]
    errors: Annotated[list[SyncError], ERRORS] = Field(description=f"What was left out; the first {MOST_LISTED:,}")


class SyncRun(Record):
    """A run of the sync."""

    id: UUID
    state: RunState
    cause: RunCause
    phase: RunPhase | None = Field(description="What it is at; null before it begins and after its end")
    progress: Annotated[
        Score,
        Sql(
            """case when {t}.state = 'COMPLETED' then 100
            when {t}.phase = 'APPLYING' then 50 + 50 * {t}.done / greatest({t}.planned, 1)
            when {t}.phase = 'PLANNING' then 40 when {t}.phase = 'FETCHING' then 10 else 0 end"""
        ),
    ] = Field(description="Percent, about")
    fetched: int = Field(description="Items read from the Market so far")
    planned: int = Field(description="Clients to create or update")
    done: int = Field(description="Of these, how many are done")
    synced: Annotated[int, Sql("({t}.created + {t}.updated)")]
    created: int = Field(description="Counted when it has ended, as those below")
    updated: int
    unchanged: int = Field(description="Clients for which nothing was to be written")
    kept: int = Field(description="Clients of which something was kept as it is in the book")
    failed: int = Field(description="Items that could not be taken over")
    failure: str | None = Field(description="Why the run as a whole failed")
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None


class _Line(Record):
    client_id: UUID
    platform_client_id: Annotated[str, Sql("{t}.item_id")]
    name: str


class CreatedClient(_Line):
    """A client that came into the book."""

    payments: int = Field(description="Payments booked")
    reviews: int
    completed_contracts: Annotated[int, Sql("{t}.contracts")] = Field(description="Logged as interactions")


class FieldChange(Record):
    """A field that followed the Market."""

    field: str
    from_: Annotated[Any, Field(alias="from")]
    to: Any


class UpdatedClient(CreatedClient):
    """A client that followed the Market; new payments and reviews alone change no field."""

    changes: list[FieldChange]


class KeptField(Record):
    """A field that stayed as it is in the book."""

    field: str
    yours: Any
    market: Any = Field(description="What the Market would have set")
    reason: KeptBecause


class KeptClient(_Line):
    """A client of which something stayed, because it was edited by hand, for example."""

    fields: Annotated[list[KeptField], Sql("{t}.kept")]


class SyncRunDetail(SyncRun):
    """A run of the sync with what it did, client by client; each list holds the first thousand."""

    created_clients: Annotated[list[CreatedClient], _lines(CreatedClient, "e.state = 'CREATED'")]
    updated_clients: Annotated[list[UpdatedClient], _lines(UpdatedClient, "e.state = 'UPDATED'")]
    kept_clients: Annotated[list[KeptClient], _lines(KeptClient, "e.kept <> '[]' and e.state <> 'PLANNED'")]
    errors: Annotated[list[SyncError], ERRORS]


class LastRun(Record):
    """The newest run of the sync."""

    id: UUID
    state: RunState
    created_at: datetime
    finished_at: datetime | None


class MarketConnection(Record):
    """The account's connection to a Market; the token is never shown."""

    connected: Annotated[bool, Sql("({t}.account_id is not null or $2)")]
    is_default: Annotated[bool, Sql("({t}.account_id is null and $2)")] = Field(
        description="Whether the installation's own connection is used, for the account has none of its own"
    )
    base_url: str | None = Field(description="Null: the installation's own Market, or not connected")
    last_run: Annotated[
        LastRun | None,
        Sql(
            f"""(select {json_object(LastRun, "r")} from market_runs r
            where r.account_id = $1 order by r.created_at desc, r.id desc limit 1)"""
        ),
    ]
    version: Annotated[int, Sql("coalesce({t}.version, 0)")] = Field(
        description="0 without a connection of the account's own; then the times are null"
    )
    created_at: datetime | None
    updated_at: datetime | None


class Candidate(Record):
    """A client of the Market that is not in the book."""

    platform_client_id: str
    display_name: str
    client_type: ClientType
    company_name: str | None
    first_name: str | None
    last_name: str | None
    email: str | None
    relationship_since: Instant | None
    matching_client_id: UUID | None = Field(
        description="The client of the book with this e-mail address, to which an import would link it"
    )
