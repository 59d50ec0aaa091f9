"""Every event type, one class each, with its payload. An event is past: what happened, ids and names, no notes.

`data` never holds notes, phone numbers or addresses: whoever may read those asks the API.
"""

from typing import ClassVar
from uuid import UUID

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

TYPES: dict[str, type["Event"]] = {}


class Event(BaseModel):
    """Something that happened; `type` is its name on the wire."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, frozen=True)

    type: ClassVar[str]

    @classmethod
    def __pydantic_init_subclass__(cls, **_: object) -> None:
        TYPES[cls.type] = cls


class ClientCreated(Event):
    """A client was added to the book."""

    type: ClassVar[str] = "client.created"
    id: UUID
    client_name: str
    client_type: str
    status: str
    source: str
    version: int


class ClientUpdated(Event):
    """A client's own fields changed; derived figures such as revenue or health never cause this."""

    type: ClassVar[str] = "client.updated"
    id: UUID
    client_name: str
    changed: list[str]
    version: int


class ClientArchived(Event):
    """A client was put away."""

    type: ClassVar[str] = "client.archived"
    id: UUID
    client_name: str
    version: int


class ClientRestored(Event):
    """An archived client came back with its former status."""

    type: ClassVar[str] = "client.restored"
    id: UUID
    client_name: str
    status: str
    version: int


class ContactCreated(Event):
    """A contact person was added to a client."""

    type: ClassVar[str] = "contact.created"
    id: UUID
    client_id: UUID
    contact_name: str
    role: str
    is_primary: bool
    version: int


class ContactUpdated(Event):
    """A contact person's fields changed."""

    type: ClassVar[str] = "contact.updated"
    id: UUID
    client_id: UUID
    contact_name: str
    changed: list[str]
    version: int


class ContactDeleted(Event):
    """A contact person was removed; the interactions with them stay."""

    type: ClassVar[str] = "contact.deleted"
    id: UUID
    client_id: UUID
    contact_name: str


class InteractionCreated(Event):
    """An interaction with a client was logged."""

    type: ClassVar[str] = "interaction.created"
    id: UUID
    client_id: UUID
    client_name: str
    interaction_type: str
    subject: str
    sentiment: str
    is_outbound: bool
    occurred_at: str
    version: int


class InteractionUpdated(Event):
    """A logged interaction was corrected."""

    type: ClassVar[str] = "interaction.updated"
    id: UUID
    client_id: UUID
    subject: str
    changed: list[str]
    version: int


class InteractionDeleted(Event):
    """A logged interaction was removed."""

    type: ClassVar[str] = "interaction.deleted"
    id: UUID
    client_id: UUID
    subject: str


class OpportunityCreated(Event):
    """A deal was added to the pipeline."""

    type: ClassVar[str] = "opportunity.created"
    id: UUID
    client_id: UUID | None
    title: str
    stage: str
    value: int | float
    currency: str
    version: int


class OpportunityUpdated(Event):
    """A deal's own fields changed; moves have events of their own."""

    type: ClassVar[str] = "opportunity.updated"
    id: UUID
    client_id: UUID | None
    title: str
    changed: list[str]
    version: int


class OpportunityStageChanged(Event):
    """A deal moved to another stage, won and lost included."""

    type: ClassVar[str] = "opportunity.stage_changed"
    id: UUID
    client_id: UUID | None
    title: str
    from_stage: str
    to_stage: str
    version: int


class OpportunityWon(Event):
    """A deal was won."""

    type: ClassVar[str] = "opportunity.won"
    id: UUID
    client_id: UUID | None
    title: str
    value: int | float
    currency: str
    version: int


class OpportunityLost(Event):
    """A deal was lost."""

    type: ClassVar[str] = "opportunity.lost"
    id: UUID
    client_id: UUID | None
    title: str
    value: int | float
    currency: str
    version: int


class OpportunityReopened(Event):
    """A closed deal came back to the stage it was closed from."""

    type: ClassVar[str] = "opportunity.reopened"
    id: UUID
    client_id: UUID | None
    title: str
    stage: str
    version: int


class OpportunityDeleted(Event):
    """An open deal was removed."""

    type: ClassVar[str] = "opportunity.deleted"
    id: UUID
    client_id: UUID | None
    title: str


class ReminderCreated(Event):
    """A reminder was set."""

    type: ClassVar[str] = "reminder.created"
    id: UUID
    client_id: UUID | None
    title: str
    reminder_type: str
    due_date: str
    version: int


class ReminderCompleted(Event):
    """A reminder was done; `next_id` is the occurrence that took its place, if it recurs."""

    type: ClassVar[str] = "reminder.completed"
    id: UUID
    client_id: UUID | None
    title: str
    completed_at: str
    next_id: UUID | None
    skipped: int
    version: int


class ReminderCancelled(Event):
    """A reminder was called off."""

    type: ClassVar[str] = "reminder.cancelled"
    id: UUID
    client_id: UUID | None
    title: str
    version: int


class ReminderDue(Event):
    """A reminder is due, or will be in as many minutes as it asked for; once per occurrence, again after a snooze."""

    type: ClassVar[str] = "reminder.due"
    id: UUID
    client_id: UUID | None
    client_name: str | None
    opportunity_id: UUID | None
    title: str
    reminder_type: str
    priority: str
    due_date: str
    effective_date: str
    version: int


class ReminderOverdue(ReminderDue):
    """A reminder is still open a day (or as the operator has set) after its effective date; once per occurrence."""

    type: ClassVar[str] = "reminder.overdue"


class HealthDropped(Event):
    """A client's health fell by ten points or more within a week, or below 50; at most once a day."""

    type: ClassVar[str] = "health.dropped"
    client_id: UUID
    client_name: str
    score: int
    previous_score: int


class DocumentCreated(Event):
    """A document was recorded for a client: an uploaded file, or a link."""

    type: ClassVar[str] = "document.created"
    id: UUID
    client_id: UUID
    client_name: str
    opportunity_id: UUID | None
    document_type: str
    file_name: str
    file_size: int | None
    version: int


class DocumentDeleted(Event):
    """A document was removed, and its file with it."""

    type: ClassVar[str] = "document.deleted"
    id: UUID
    client_id: UUID
    opportunity_id: UUID | None
    document_type: str
    file_name: str
