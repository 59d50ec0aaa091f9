"""Every event type, one class each, with its payload. An event is past: what happened, ids and names, no notes.

`data` never holds notes, phone numbers or addresses: whoever may read those asks the API. Each field tells what it
means and shows an example; docs/reference/events.md and the samples are made from them.
"""

from typing import ClassVar, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from soloist.events import fields

TYPES: dict[str, type["Event"]] = {}


class Event(BaseModel):
    """Something that happened; `type` is its name on the wire."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, frozen=True)

    type: ClassVar[str]
    told_by_mail: ClassVar[bool] = False  # goes out by e-mail, too: somebody listens even without a webhook

    @classmethod
    def __pydantic_init_subclass__(cls, **_: object) -> None:
        TYPES[cls.type] = cls

    @classmethod
    def sample(cls) -> Self:
        """A realistic event, made of the examples that its fields give."""
        return cls.model_validate({name: (info.examples or [None])[0] for name, info in cls.model_fields.items()})


class ClientCreated(Event):
    """A client was added to the book."""

    type: ClassVar[str] = "client.created"
    id: fields.ClientRef
    client_name: fields.ClientName
    client_type: str = Field(description="INDIVIDUAL or COMPANY", examples=["COMPANY"])
    status: str = Field(description="The client's status", examples=["ACTIVE"])
    source: str = Field(description="Where the client came from", examples=["REFERRAL"])
    version: fields.First


class ClientUpdated(Event):
    """A client's own fields changed; derived figures such as revenue or health never cause this."""

    type: ClassVar[str] = "client.updated"
    id: fields.ClientRef
    client_name: fields.ClientName
    changed: fields.Changed = Field(examples=[["industry", "tags"]])
    version: fields.Version


class ClientArchived(Event):
    """A client was put away."""

    type: ClassVar[str] = "client.archived"
    id: fields.ClientRef
    client_name: fields.ClientName
    version: fields.Version


class ClientRestored(Event):
    """An archived client came back with its former status."""

    type: ClassVar[str] = "client.restored"
    id: fields.ClientRef
    client_name: fields.ClientName
    status: str = Field(description="The status it has again", examples=["ACTIVE"])
    version: fields.Version


class ContactCreated(Event):
    """A contact person was added to a client."""

    type: ClassVar[str] = "contact.created"
    id: fields.ContactRef
    client_id: fields.ClientRef
    contact_name: fields.ContactName
    role: str = Field(description="The contact's role at the client", examples=["DECISION_MAKER"])
    is_primary: bool = Field(description="Whether this is now the client's primary contact", examples=[True])
    version: fields.First


class ContactUpdated(Event):
    """A contact person's fields changed."""

    type: ClassVar[str] = "contact.updated"
    id: fields.ContactRef
    client_id: fields.ClientRef
    contact_name: fields.ContactName
    changed: fields.Changed = Field(examples=[["jobTitle"]])
    version: fields.Version


class ContactDeleted(Event):
    """A contact person was removed; the interactions with them stay."""

    type: ClassVar[str] = "contact.deleted"
    id: fields.ContactRef
    client_id: fields.ClientRef
    contact_name: fields.ContactName


class InteractionCreated(Event):
    """An interaction with a client was logged."""

    type: ClassVar[str] = "interaction.created"
    id: fields.TalkRef
    client_id: fields.ClientRef
    client_name: fields.ClientName
    interaction_type: str = Field(description="Its type", examples=["MEETING"])
    subject: fields.Subject
    sentiment: str = Field(description="POSITIVE, NEUTRAL or NEGATIVE", examples=["POSITIVE"])
    is_outbound: bool = Field(description="Whether it went out from the freelancer", examples=[True])
    occurred_at: str = Field(description="When it took place, which may be long before", examples=[fields.EARLIER])
    version: fields.First


class InteractionUpdated(Event):
    """A logged interaction was corrected."""

    type: ClassVar[str] = "interaction.updated"
    id: fields.TalkRef
    client_id: fields.ClientRef
    subject: fields.Subject
    changed: fields.Changed = Field(examples=[["duration", "subject"]])
    version: fields.Version


class InteractionDeleted(Event):
    """A logged interaction was removed."""

    type: ClassVar[str] = "interaction.deleted"
    id: fields.TalkRef
    client_id: fields.ClientRef
    subject: fields.Subject


class OpportunityCreated(Event):
    """A deal was added to the pipeline."""

    type: ClassVar[str] = "opportunity.created"
    id: fields.DealRef
    client_id: fields.OwnClient
    title: fields.DealTitle
    stage: str = Field(description="The stage it begins in", examples=["LEAD"])
    value: fields.Value
    currency: fields.Currency
    version: fields.First


class OpportunityUpdated(Event):
    """A deal's own fields changed; moves have events of their own."""

    type: ClassVar[str] = "opportunity.updated"
    id: fields.DealRef
    client_id: fields.OwnClient
    title: fields.DealTitle
    changed: fields.Changed = Field(examples=[["estimatedValue"]])
    version: fields.Version


class OpportunityStageChanged(Event):
    """A deal moved to another stage, won and lost included."""

    type: ClassVar[str] = "opportunity.stage_changed"
    id: fields.DealRef
    client_id: fields.OwnClient
    title: fields.DealTitle
    from_stage: str = Field(description="The stage before", examples=["QUALIFIED"])
    to_stage: str = Field(description="The stage now", examples=["PROPOSAL"])
    version: fields.Version


class OpportunityWon(Event):
    """A deal was won; `opportunity.stage_changed` comes with it."""

    type: ClassVar[str] = "opportunity.won"
    id: fields.DealRef
    client_id: fields.OwnClient
    title: fields.DealTitle
    value: fields.Value
    currency: fields.Currency
    version: fields.Version


class OpportunityLost(Event):
    """A deal was lost; `opportunity.stage_changed` comes with it."""

    type: ClassVar[str] = "opportunity.lost"
    id: fields.DealRef
    client_id: fields.OwnClient
    title: fields.DealTitle
    value: fields.Value
    currency: fields.Currency
    version: fields.Version


class OpportunityReopened(Event):
    """A closed deal came back to the stage it was closed from."""

    type: ClassVar[str] = "opportunity.reopened"
    id: fields.DealRef
    client_id: fields.OwnClient
    title: fields.DealTitle
    stage: str = Field(description="The stage it is in again", examples=["NEGOTIATION"])
    version: fields.Version


class OpportunityDeleted(Event):
    """An open deal was removed."""

    type: ClassVar[str] = "opportunity.deleted"
    id: fields.DealRef
    client_id: fields.OwnClient
    title: fields.DealTitle


class ReminderCreated(Event):
    """A reminder was set, or the next one of a series took the place of the one before."""

    type: ClassVar[str] = "reminder.created"
    id: fields.ReminderRef
    client_id: fields.OwnClient
    title: fields.ReminderTitle
    reminder_type: fields.ReminderKind
    due_date: str = Field(description="When it is due", examples=[fields.LATER])
    version: fields.First


class ReminderCompleted(Event):
    """A reminder was done."""

    type: ClassVar[str] = "reminder.completed"
    id: fields.ReminderRef
    client_id: fields.OwnClient
    title: fields.ReminderTitle
    completed_at: str = Field(description="When it was done", examples=[fields.NOW])
    next_id: UUID | None = Field(
        description="The reminder that took its place; null: none did",
        examples=[fields.NEXT],
    )
    skipped: int = Field(description="Occurrences of the series passed over, for they were past already", examples=[0])
    version: fields.Version


class ReminderCancelled(Event):
    """A reminder was called off."""

    type: ClassVar[str] = "reminder.cancelled"
    id: fields.ReminderRef
    client_id: fields.OwnClient
    title: fields.ReminderTitle
    version: fields.Version


class ReminderDue(Event):
    """A reminder is due, or will be in as many minutes as it asked for; once per occurrence, again after a snooze."""

    type: ClassVar[str] = "reminder.due"
    told_by_mail: ClassVar[bool] = True
    id: fields.ReminderRef
    client_id: fields.OwnClient
    client_name: str | None = Field(description="The client's display name", examples=["Acme Corporation"])
    opportunity_id: fields.OwnDeal
    title: fields.ReminderTitle
    reminder_type: fields.ReminderKind
    priority: str = Field(description="LOW, MEDIUM, HIGH or URGENT", examples=["HIGH"])
    due_date: str = Field(description="When it was to be done", examples=[fields.NOW])
    effective_date: str = Field(description="The same, or until when it was snoozed", examples=[fields.NOW])
    version: fields.Version


class ReminderOverdue(ReminderDue):
    """A reminder is still open a day (or as the operator has set) after its effective date; once per occurrence."""

    type: ClassVar[str] = "reminder.overdue"
    due_date: str = Field(description="When it was to be done", examples=[fields.EARLIER])
    effective_date: str = Field(description="The same, or until when it was snoozed", examples=[fields.EARLIER])


class HealthDropped(Event):
    """A client's health fell by ten points or more within a week, or below 50; at most once a day."""

    type: ClassVar[str] = "health.dropped"
    client_id: fields.ClientRef
    client_name: fields.ClientName
    score: int = Field(description="The health score now, 0 to 100", examples=[46])
    previous_score: int = Field(description="The score just before", examples=[61])


class DocumentCreated(Event):
    """A document was recorded for a client: an uploaded file, or a link."""

    type: ClassVar[str] = "document.created"
    id: fields.DocumentRef
    client_id: fields.ClientRef
    client_name: fields.ClientName
    opportunity_id: fields.OwnDeal
    document_type: fields.DocumentKind
    file_name: fields.FileName
    file_size: int | None = Field(description="Bytes; null: a link of unknown size", examples=[1048576])
    version: fields.First


class DocumentDeleted(Event):
    """A document was removed, and its file with it."""

    type: ClassVar[str] = "document.deleted"
    id: fields.DocumentRef
    client_id: fields.ClientRef
    opportunity_id: fields.OwnDeal
    document_type: fields.DocumentKind
    file_name: fields.FileName


class SyncCompleted(Event):
    """The book was brought up to date from the Market platform."""

    type: ClassVar[str] = "sync.completed"
    run_id: fields.RunRef
    synced: int = Field(description="Clients created and updated", examples=[15])
    created: int = Field(description="Clients that are new in the book", examples=[3])
    updated: int = Field(description="Clients that changed", examples=[12])
    errors: int = Field(description="Clients that could not be taken over; the run tells which and why", examples=[0])


class SyncFailed(Event):
    """The book could not be brought up to date from the Market platform."""

    type: ClassVar[str] = "sync.failed"
    run_id: fields.RunRef
    reason: str = Field(description="What went wrong, in a sentence", examples=["The Market platform did not answer."])
