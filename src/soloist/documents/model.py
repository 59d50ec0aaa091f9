"""What is true of a document: its fields and limits, what a file may be called, and how it looks on the wire."""

import re
import unicodedata
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Annotated, ClassVar, Literal
from urllib.parse import urlsplit
from uuid import UUID

from pydantic import AfterValidator, Field

from soloist.clients.model import Website
from soloist.documents.kinds import DocumentType
from soloist.infra.errors import Problem
from soloist.infra.fields import NOTHING_TO_CHANGE, UNSENT, Input, Line, OneOf, Tags, Text, UuidIn, refusal
from soloist.infra.paging import Paging, Query, Whole
from soloist.infra.shape import Instant, Record, Sql

UPLOAD_TERM = timedelta(minutes=15)  # an upload has to begin in this time
DOWNLOAD_TERM = timedelta(minutes=5)
RECORD_TERM = timedelta(days=1)  # what has arrived has to be recorded in this time
RECENT = timedelta(days=30)  # what the statistics count as recent
LONGEST_NAME = 255


class DocumentNotFound(Problem):
    code, status = "DOCUMENT_NOT_FOUND", 404
    text = "There is no document with this id."


class DocumentLine(Record):
    """A document as a client's record lists it."""

    id: UUID
    document_type: DocumentType
    file_name: str
    file_size: int | None
    mime_type: str | None
    version: int
    created_at: datetime


class Document(Record):
    """A file that belongs to a client: one that was uploaded here, or a link to one elsewhere."""

    id: UUID
    client_id: UUID
    opportunity_id: UUID | None
    document_type: DocumentType
    file_name: str
    file_url: str = Field(description="What the file is known by; to have it, ask for `/documents/:id/download`")
    is_external: Annotated[bool, Sql("({t}.storage_key is null)")] = Field(
        description="A link to somewhere else, which is never fetched; size and type are then as claimed"
    )
    file_size: int | None = Field(description="Bytes; of an upload, as measured")
    mime_type: str | None
    description: str | None
    tags: list[str]
    version: int
    created_at: datetime
    updated_at: datetime


class UploadTarget(Record):
    """Where and how to send a file, once, within 15 minutes."""

    upload_url: str
    file_url: str = Field(description="The file's address, to be given to `POST /documents` when it has been sent")
    method: Literal["PUT", "POST"] = Field(
        description="PUT: the file is the body. POST: a multipart form of `fields`, then the file as `file`"
    )
    headers: dict[str, str] = Field(description="Headers to send with it")
    fields: dict[str, str] = Field(default_factory=dict, description="With POST: what comes before the file, in order")
    max_size: int = Field(description="Bytes")
    expires_at: Instant


class DownloadLink(Record):
    """Where a document's file can be had."""

    download_url: str
    expires_at: Instant | None = Field(description="Null for a link to somewhere else")


class DocumentStats(Record):
    """The documents in numbers."""

    total: int
    total_size: int = Field(description="Bytes")
    by_type: dict[DocumentType, int]
    recent_count: int = Field(description="Of the last 30 days")


_UUID = "[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_OWN = re.compile(rf"(?:.*/)?(crm/{_UUID}/{_UUID}/{_UUID}\.[a-z]{{2,4}})")


def file_key(account_id: UUID, client_id: UUID, file_id: UUID, ending: str) -> str:
    """Where a file is kept: ids and an ending of ours, never a name that somebody chose."""
    return f"crm/{account_id}/{client_id}/{file_id}.{ending}"


def own_key(file_url: str) -> str | None:
    """The key of a file in our own store that an address names, under whatever host; None for a link elsewhere."""
    found = _OWN.fullmatch(urlsplit(file_url).path)
    return found[1] if found else None


# Characters that turn the direction of writing: `cod\u202efdp.exe` is shown as `codexe.pdf`.
_TURNING = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def _file_name(value: str) -> str:
    name = unicodedata.normalize("NFC", value)
    if "/" in name or "\\" in name:
        raise refusal("path", "must be a plain name without folders: leave out what stands before the last / or \\")
    for char in name:
        if char in _TURNING:
            raise refusal("direction", f"must not turn the direction of writing (found U+{ord(char):04X})")
    stem, dot, _ = name.rpartition(".")
    if not any(char != "." and unicodedata.category(char)[0] not in "CZ" for char in (stem if dot else name)):
        raise refusal("only_ending", "must have a name before its ending, such as contract.pdf")
    if len(name.encode()) > LONGEST_NAME:
        raise refusal("too_many_bytes", f"must have at most {LONGEST_NAME} bytes in UTF-8, so that it can be saved")
    return name


FileName = Annotated[
    str,
    Line(LONGEST_NAME),
    AfterValidator(_file_name),
    Field(json_schema_extra={"pattern": r"^[^/\\]*[^/\\.\s][^/\\]*\.[A-Za-z]{2,4}$", "examples": ["contract.pdf"]}),
]
Size = Annotated[int, Field(ge=1, description="Bytes")]
TypeIn = Annotated[DocumentType, OneOf()]
MediaType = Annotated[str, Line(255)]


class NewUpload(Input):
    """A file to be sent."""

    client_id: UuidIn
    opportunity_id: UuidIn | None = None
    document_type: TypeIn
    file_name: FileName
    mime_type: MediaType | None = None
    file_size: Size | None = Field(None, description="Bytes; what arrives may then not be larger")


class NewDocument(Input):
    """A document to record: of a file that was uploaded, or as a link to somewhere else."""

    read_only: ClassVar[frozenset[str]] = frozenset(
        {"id", "accountId", "isExternal", "version", "createdAt", "updatedAt"}
    )

    client_id: UuidIn
    opportunity_id: UuidIn | None = None
    document_type: TypeIn
    file_name: FileName
    file_url: Website = Field(description="`fileUrl` of the upload, or a link (http or https)")
    file_size: Size | None = Field(None, description="Bytes; of an upload, the measured size is kept instead")
    mime_type: MediaType | None = None
    description: Annotated[str, Text(5000)] | None = None
    tags: Tags = Field(default_factory=list)


class DocumentChange(Input):
    """The fields of a document to change; what is left out stays, null clears. The file itself stays as it is."""

    read_only: ClassVar[frozenset[str]] = NewDocument.read_only | {"clientId", "fileUrl", "fileSize", "mimeType"}

    opportunity_id: UuidIn | None = None
    document_type: TypeIn = UNSENT
    file_name: FileName = UNSENT
    description: Annotated[str, Text(5000)] | None = None
    tags: Tags = UNSENT

    @classmethod
    def cross_faults(cls, raw: Mapping[str, object]) -> list[tuple[str, str, str]]:
        return [] if raw else [NOTHING_TO_CHANGE]


class DocumentSearch(Paging):
    """Which documents to list, newest first."""

    client_id: UuidIn | None = Field(None, description="Filter by client")
    opportunity_id: UuidIn | None = Field(None, description="Filter by opportunity")
    document_type: list[TypeIn] | None = Field(None, description="Filter by type")
    tags: list[Annotated[str, Line(50)]] | None = Field(None, description="Filter by tags; all named must match")
    query: Annotated[str, Text(200)] | None = Field(
        None, description="Words to find in file name and description; every word must match"
    )


class RecentDocuments(Query):
    limit: Annotated[int, Whole(1, 100)] = Field(10, description="Number of documents to return")
