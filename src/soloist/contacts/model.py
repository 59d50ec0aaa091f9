"""What is true of a contact person: fields, limits, roles, and how one looks on the wire."""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Annotated, ClassVar
from uuid import UUID

from pydantic import Field

from soloist.infra.errors import Problem
from soloist.infra.fields import NOTHING_TO_CHANGE, UNSENT, Email, Input, Line, OneOf, Phone
from soloist.infra.shape import Record


class ContactRole(StrEnum):
    OWNER = "OWNER"
    DECISION_MAKER = "DECISION_MAKER"
    INFLUENCER = "INFLUENCER"
    TECHNICAL = "TECHNICAL"
    BILLING = "BILLING"
    PROJECT_MANAGER = "PROJECT_MANAGER"
    OTHER = "OTHER"


class ContactMethod(StrEnum):
    EMAIL = "email"
    PHONE = "phone"
    MESSAGE = "message"
    VIDEO = "video"


class ContactNotFound(Problem):
    code, status = "CONTACT_NOT_FOUND", 404
    text = "This client has no contact with this id."


class Contact(Record):
    """A person at a client."""

    id: UUID
    client_id: UUID
    first_name: str
    last_name: str | None
    email: str | None
    phone: str | None
    role: ContactRole
    job_title: str | None
    is_primary: bool
    preferred_contact_method: ContactMethod | None
    version: int
    created_at: datetime
    updated_at: datetime


class ContactFields(Input):
    """What a caller may say of a contact, on create and on change."""

    read_only: ClassVar[frozenset[str]] = frozenset(
        {"id", "clientId", "accountId", "version", "createdAt", "updatedAt"}
    )

    last_name: Annotated[str, Line(100)] | None = None
    email: Email | None = None
    phone: Phone | None = None
    job_title: Annotated[str, Line(100)] | None = None
    preferred_contact_method: Annotated[ContactMethod, OneOf()] | None = None


class NewContact(ContactFields):
    """A contact to add. Making one primary takes that mark from the former one."""

    first_name: Annotated[str, Line(100)]
    role: Annotated[ContactRole, OneOf()] = Field(ContactRole.OTHER)
    is_primary: bool = False


class ContactChange(ContactFields):
    """The fields of a contact to change; what is left out stays, null clears."""

    first_name: Annotated[str, Line(100)] = UNSENT
    role: Annotated[ContactRole, OneOf()] = UNSENT
    is_primary: bool = UNSENT

    @classmethod
    def cross_faults(cls, raw: Mapping[str, object]) -> list[tuple[str, str, str]]:
        return [] if raw else [NOTHING_TO_CHANGE]


def full_name(first: str, last: str | None) -> str:
    """First and last name, as far as known."""
    return f"{first} {last}" if last else first
