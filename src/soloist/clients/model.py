"""What is true of a client: its kinds, its fields and their limits, its names, and the refusals about it."""

import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, ClassVar, NamedTuple
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field

from soloist.infra.errors import Problem
from soloist.infra.fields import (
    NOTHING_TO_CHANGE,
    UNSENT,
    Email,
    Input,
    Line,
    OneOf,
    Phone,
    Tags,
    Text,
    TimeZone,
    refusal,
)


class ClientType(StrEnum):
    INDIVIDUAL = "INDIVIDUAL"
    COMPANY = "COMPANY"


class ClientSource(StrEnum):
    MANUAL = "MANUAL"
    MARKET_IMPORT = "MARKET_IMPORT"
    REFERRAL = "REFERRAL"
    WEBSITE = "WEBSITE"
    LINKEDIN = "LINKEDIN"
    SOCIAL_MEDIA = "SOCIAL_MEDIA"
    COLD_OUTREACH = "COLD_OUTREACH"
    REPEAT_CLIENT = "REPEAT_CLIENT"
    UPWORK = "UPWORK"
    FIVERR = "FIVERR"
    TOPTAL = "TOPTAL"
    FREELANCER = "FREELANCER"
    OTHER = "OTHER"


class ClientStatus(StrEnum):
    LEAD = "LEAD"
    PROSPECT = "PROSPECT"
    ACTIVE = "ACTIVE"
    INACTIVE = "INACTIVE"
    ARCHIVED = "ARCHIVED"


LIVING = tuple(status for status in ClientStatus if status is not ClientStatus.ARCHIVED)


class CompanySize(StrEnum):
    """SOLO: one person · SMALL: 2–10 · MEDIUM: 11–50 · LARGE: 51–200 · ENTERPRISE: more than 200."""

    SOLO = "SOLO"
    SMALL = "SMALL"
    MEDIUM = "MEDIUM"
    LARGE = "LARGE"
    ENTERPRISE = "ENTERPRISE"


class ClientNotFound(Problem):
    code, status = "CLIENT_NOT_FOUND", 404
    text = "There is no client with this id."


class ClientAlreadyExists(Problem):
    code, status = "CLIENT_ALREADY_EXISTS", 409
    text = "A client with this e-mail address already exists."


class ClientArchived(Problem):
    code, status = "CLIENT_ARCHIVED", 400
    text = "The client is archived. Restore it first (POST /clients/:id/restore), then try again."


def _web_address(value: str) -> str:
    try:
        parts = urlsplit(value)
        usable = parts.scheme.lower() in ("http", "https") and parts.hostname and parts.port != 0
        plain = not re.search(r"[\s<>\"\\^`{|}]", value)
    except ValueError:
        usable = plain = False
    if not usable or not plain:
        raise refusal("website", "must be a web address that starts with http:// or https://")
    if parts.username is not None or parts.password is not None:
        raise refusal("website", "must not hold a user name or password; leave out what stands before '@'")
    return value


Website = Annotated[
    str,
    Line(2048),
    AfterValidator(_web_address),
    Field(json_schema_extra={"format": "uri", "pattern": r"""^[Hh][Tt][Tt][Pp][Ss]?://[^\s<>"\\^`{|}]+$"""}),
]
LivingStatus = Annotated[ClientStatus, OneOf(refused={"ARCHIVED": "archive the client with POST /clients/:id/archive"})]


class Address(Input):
    """A postal address; every part is free text."""

    street: Annotated[str, Line(255)] | None = None
    city: Annotated[str, Line(100)] | None = None
    state: Annotated[str, Line(100)] | None = None
    country: Annotated[str, Line(100)] | None = None
    postal_code: Annotated[str, Line(20)] | None = None


class ClientFields(Input):
    """What a caller may say of a client, on create and on change."""

    read_only: ClassVar[frozenset[str]] = frozenset(
        {
            "id",
            "accountId",
            "ownerId",
            "displayName",
            "platformClientId",
            "totalRevenue",
            "currency",
            "unconverted",
            "healthScore",
            "lastInteractionAt",
            "version",
            "createdAt",
            "updatedAt",
            "archivedAt",
            "contacts",
            "recentInteractions",
            "opportunities",
            "upcomingReminders",
            "recentDocuments",
        }
    )

    company_name: Annotated[str, Line(255)] | None = None
    first_name: Annotated[str, Line(100)] | None = None
    last_name: Annotated[str, Line(100)] | None = None
    email: Email | None = None
    phone: Phone | None = None
    website: Website | None = None
    industry: Annotated[str, Line(100)] | None = None
    company_size: Annotated[CompanySize, OneOf()] | None = None
    timezone: TimeZone | None = None
    notes: Annotated[str, Text(5000)] | None = None
    address: Address | None = None


class NewClient(ClientFields):
    """A client to create: its type, where it came from, and a name."""

    client_type: Annotated[ClientType, OneOf()]
    source: Annotated[ClientSource, OneOf()]
    status: LivingStatus = Field(ClientStatus.ACTIVE)
    tags: Tags = Field(default_factory=list)

    @classmethod
    def cross_faults(cls, raw: Mapping[str, object]) -> list[tuple[str, str, str]]:
        return name_faults(raw.get("clientType"), raw.get("companyName"), raw.get("firstName"), raw.get("lastName"))


class ClientChange(ClientFields):
    """The fields of a client to change; what is left out stays, null clears."""

    # Not nullable: the None only stands for "not sent".
    client_type: Annotated[ClientType, OneOf()] = UNSENT
    source: Annotated[ClientSource, OneOf()] = UNSENT
    status: LivingStatus = UNSENT
    tags: Tags = UNSENT

    @classmethod
    def cross_faults(cls, raw: Mapping[str, object]) -> list[tuple[str, str, str]]:
        return [] if raw else [NOTHING_TO_CHANGE]


class MarketLink(NamedTuple):
    """A client's id on the Market, and which of its fields are the freelancer's at the moment it is linked."""

    platform_client_id: str
    set_by_hand: list[str]


NAME_FOR_COMPANY = ("companyName", "name_required", "companyName is required for a client of type COMPANY")
NAME_FOR_INDIVIDUAL = (
    "firstName",
    "name_required",
    "firstName or lastName is required for a client of type INDIVIDUAL",
)


def name_faults(kind: object, company: object, first: object, last: object) -> list[tuple[str, str, str]]:
    """A company needs `companyName`, an individual `firstName` or `lastName`; the faults say which is missing."""
    if kind == ClientType.COMPANY and company is None:
        return [NAME_FOR_COMPANY]
    if kind == ClientType.INDIVIDUAL and first is None and last is None:
        return [NAME_FOR_INDIVIDUAL]
    return []


def display_name(company: str | None, first: str | None, last: str | None) -> str:
    """What a client is called: its company's name, else first and last name."""
    return company or " ".join(part for part in (first, last) if part)


def email_key(email: str | None) -> str | None:
    """What makes two e-mail addresses the same: case does not count."""
    return email.casefold() if email else None
