"""The kinds of fields that the payloads of events are made of: each tells what it means and shows an example."""

from typing import Annotated
from uuid import UUID

from pydantic import Field

_CLIENT, _CONTACT = "018d0a72-5b1c-7c3e-9f21-6d8a4b0c2e11", "018d0a75-0a4b-7d18-8e52-1f3b7c9d5a22"
_TALK, _DEAL = "018d0a78-91d3-7b4f-a067-2c5e8f1a3b33", "018d0a7b-3e62-7a9c-b174-9d0f6e4c2a44"
_REMINDER, NEXT = "018d0a7d-c8f5-7e21-8c3b-4a7d1e9f5b55", "018d0a7e-2b90-7f46-9d15-7c3e0a8b6d66"
_DOCUMENT, _RUN = "018d0a80-5e6f-7a12-9b3c-4d5e6f708192", "018d0a83-7d41-7c5a-a2e9-0b6f3d8c1e77"
EARLIER, NOW, LATER = "2024-01-14T10:30:00.000Z", "2024-01-15T10:30:00.000Z", "2024-01-20T09:00:00.000Z"

ClientRef = Annotated[UUID, Field(description="The client", examples=[_CLIENT])]
OwnClient = Annotated[UUID | None, Field(description="The client it is about; null: none", examples=[_CLIENT])]
ClientName = Annotated[str, Field(description="The client's display name", examples=["Acme Corporation"])]
ContactRef = Annotated[UUID, Field(description="The contact", examples=[_CONTACT])]
ContactName = Annotated[str, Field(description="First and last name", examples=["Jane Smith"])]
TalkRef = Annotated[UUID, Field(description="The interaction", examples=[_TALK])]
Subject = Annotated[str, Field(description="The subject", examples=["Project kickoff"])]
DealRef = Annotated[UUID, Field(description="The opportunity", examples=[_DEAL])]
OwnDeal = Annotated[UUID | None, Field(description="The opportunity it belongs to; null: none", examples=[_DEAL])]
DealTitle = Annotated[str, Field(description="The opportunity's title", examples=["Website redesign"])]
Value = Annotated[int | float, Field(description="Estimated value, exact, in `currency`", examples=[15000])]
Currency = Annotated[str, Field(description="ISO 4217 code", examples=["USD"])]
ReminderRef = Annotated[UUID, Field(description="The reminder", examples=[_REMINDER])]
ReminderTitle = Annotated[str, Field(description="The reminder's title", examples=["Send the proposal"])]
ReminderKind = Annotated[str, Field(description="The reminder's type", examples=["FOLLOW_UP"])]
DocumentRef = Annotated[UUID, Field(description="The document", examples=[_DOCUMENT])]
DocumentKind = Annotated[str, Field(description="The document's type", examples=["CONTRACT"])]
FileName = Annotated[str, Field(description="The file's name", examples=["contract.pdf"])]
RunRef = Annotated[UUID, Field(description="The run, as in the list of sync runs", examples=[_RUN])]
Changed = Annotated[
    list[str],
    Field(description="Names of the fields that changed, sorted; read the record for what they are now"),
]
First = Annotated[int, Field(description="The record's version: 1", examples=[1])]
Version = Annotated[
    int,
    Field(description="The record's version after this; of two events of one record the higher is later", examples=[4]),
]
