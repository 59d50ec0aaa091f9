"""What is true of the Market in the book: runs of the sync and their ends, what may be asked, and the refusals."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any, ClassVar

from pydantic import Field, SecretStr, WithJsonSchema
from pydantic.functional_validators import BeforeValidator

from soloist.infra.errors import Problem
from soloist.infra.fields import Input, Line, OneOf, refusal
from soloist.infra.outbound_urls import MOST_CHARACTERS
from soloist.infra.paging import Paging

EVERY = timedelta(hours=6)  # how often a connected account is synchronised by itself
KEPT = timedelta(days=90)  # the list of runs
MOST_LISTED = 1000  # items of a run that are told one by one, of each kind
MOST_TOKEN = 4096


class RunState(StrEnum):
    QUEUED = "QUEUED"
    RUNNING = "RUNNING"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"


class RunPhase(StrEnum):
    """FETCHING: reading the Market · PLANNING: comparing it with the book · APPLYING: writing, client by client."""

    FETCHING = "FETCHING"
    PLANNING = "PLANNING"
    APPLYING = "APPLYING"


class RunCause(StrEnum):
    REQUESTED = "REQUESTED"
    SCHEDULED = "SCHEDULED"


class ItemKind(StrEnum):
    CLIENT = "CLIENT"
    CONTRACT = "CONTRACT"
    PAYMENT = "PAYMENT"
    REVIEW = "REVIEW"


class EntryState(StrEnum):
    """PLANNED: still to be done · KEPT: nothing was written, for what differs was set by hand."""

    PLANNED = "PLANNED"
    CREATED = "CREATED"
    UPDATED = "UPDATED"
    KEPT = "KEPT"
    FAILED = "FAILED"


class KeptBecause(StrEnum):
    """Why a field of the book was not replaced by the Market's value."""

    EDITED_BY_HAND = "EDITED_BY_HAND"
    EMAIL_TAKEN = "EMAIL_TAKEN"
    NAME_NEEDED = "NAME_NEEDED"
    ARCHIVED = "ARCHIVED"


class SyncFailed(Problem):
    code, status = "SYNC_FAILED", 500
    text = "The Market could not be read. Nothing was changed; try again later."


class SyncInProgress(Problem):
    code, status = "SYNC_IN_PROGRESS", 409
    text = "A sync of this account is under way. Wait until it has ended: GET /clients/sync-runs shows it."


class SyncRunNotFound(Problem):
    code, status = "SYNC_RUN_NOT_FOUND", 404
    text = "There is no sync run with this id. Runs are kept for 90 days."


class PlatformClientNotFound(Problem):
    code, status = "PLATFORM_CLIENT_NOT_FOUND", 404
    text = "The Market knows no client with this id. GET /clients/market lists those that can be imported."


NOT_CONNECTED = (
    "This account is not connected to a Market. Connect it with PUT /me/market (baseUrl and token), then try again."
)


class ClientImport(Input):
    """Which client of the Market to take into the book."""

    platform_client_id: Annotated[str, Line(100)] = Field(description="The client's id on the Market")


def _token(value: object) -> SecretStr:
    text = value.get_secret_value() if isinstance(value, SecretStr) else value
    if not isinstance(text, str) or not 1 <= len(text) <= MOST_TOKEN or not text.isascii() or not text.isprintable():
        raise refusal("token", f"must be 1 to {MOST_TOKEN:,} visible ASCII characters")
    if " " in text:
        raise refusal("token", "must not hold spaces; leave out the word 'Bearer'")
    return SecretStr(text)


class MarketAccess(Input):
    """Where the freelancer's Market is, and the token it knows them by."""

    read_only: ClassVar[frozenset[str]] = frozenset(
        {"connected", "isDefault", "lastRun", "version", "createdAt", "updatedAt"}
    )

    base_url: (
        Annotated[
            str,
            WithJsonSchema(
                {
                    "type": "string",
                    "format": "uri",
                    "maxLength": MOST_CHARACTERS,
                    "pattern": "^[Hh][Tt][Tt][Pp][Ss]?://",
                    "examples": ["https://market.example.com/api"],
                }
            ),
        ]
        | None
    ) = Field(None, description="https; left out: the Market of this installation, if it has one")
    token: Annotated[
        SecretStr,
        BeforeValidator(_token, json_schema_input_type=str),
        WithJsonSchema(
            {"type": "string", "format": "password", "writeOnly": True, "minLength": 1, "maxLength": MOST_TOKEN}
        ),
    ] = Field(description="Sent as the bearer token; never shown again")


class RunSearch(Paging):
    """Which runs to list, newest first."""

    state: list[Annotated[RunState, OneOf()]] | None = Field(None, description="Filter by state")


@dataclass(frozen=True, slots=True)
class Paid:
    """A payment of the Market's: the net amount, None when it went back to the client."""

    id: str
    amount: Decimal | None
    currency: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Rated:
    """A review of the Market's."""

    id: str
    rating: int
    at: datetime


@dataclass(frozen=True, slots=True)
class Done:
    """A completed contract of the Market's."""

    id: str
    title: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Relation:
    """All that the Market says of one client. `fields` is None where only facts of a known client came."""

    market_id: str
    fields: Mapping[str, Any] | None
    payments: list[Paid] = field(default_factory=list)
    reviews: list[Rated] = field(default_factory=list)
    contracts: list[Done] = field(default_factory=list)
