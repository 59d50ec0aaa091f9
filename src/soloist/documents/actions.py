"""What may happen to a document: the only writer of `documents`. Files are moved before and removed after."""

from typing import NamedTuple
from uuid import UUID

import asyncpg

from soloist.clients import queries as clients
from soloist.documents import queries, uploads
from soloist.documents.kinds import DocumentType, check_kind, check_size, ending_of
from soloist.documents.model import (
    UPLOAD_TERM,
    DocumentChange,
    NewDocument,
    NewUpload,
    UploadTarget,
    file_key,
)
from soloist.events import log
from soloist.events.model import DocumentCreated, DocumentDeleted
from soloist.infra.db import Tx
from soloist.infra.errors import Problem
from soloist.infra.ids import new_id
from soloist.infra.statement import Statement, statement
from soloist.infra.storage import Place, Store, Term
from soloist.opportunities import actions as deals
from soloist.opportunities import queries as opportunities
from soloist.opportunities.model import ActivityType


async def expect_upload(tx: Tx, store: Store, new: NewUpload, limit: int, base_url: str) -> UploadTarget:
    """Make room for one file and answer how to send it.

    Raises ClientNotFound, ClientArchived, OpportunityNotFound, InvalidDocumentType for a name or type that a
    document of this type can't have, FileTooLarge for a size over `limit` bytes.
    """
    media_type = check_kind(new.document_type, new.file_name, new.mime_type)
    check_size(new.file_size or 0, limit)
    await clients.lock_living(tx, new.client_id)
    if new.opportunity_id is not None:
        await opportunities.check_belongs(tx, new.opportunity_id, new.client_id)
    upload_id = new_id()
    key = file_key(tx.account_id, new.client_id, upload_id, ending_of(new.file_name))
    file_url = store.file_url(key, base_url)
    await uploads.expect(tx, upload_id, new, uploads.Address(key, file_url))
    place = Place(key, media_type, new.file_size or limit)
    expires_at = (tx.now + UPLOAD_TERM).replace(microsecond=0)
    form = store.upload_form(place, Term(expires_at, UPLOAD_TERM), base_url)
    return UploadTarget(
        upload_url=form.url,
        file_url=file_url,
        method="PUT" if form.method == "PUT" else "POST",
        headers=dict(form.headers),
        fields=dict(form.fields),
        max_size=place.max_size,
        expires_at=expires_at,
    )


class Arrival(NamedTuple):
    """A file that came and was looked at: whose upload it is, where it is kept, and what it is."""

    upload_id: UUID
    key: str
    size: int
    media_type: str


_INSERT = statement(
    """
    insert into documents (
        account_id, id, client_id, opportunity_id, document_type, file_name, file_url, storage_key, file_size,
        mime_type, description, tags, created_at, updated_at
    ) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $13)
    """
)


async def create(tx: Tx, new: NewDocument, arrival: Arrival | Problem | None) -> UUID:
    """Record a document and answer its id: of a file that arrived, or without one as a link.

    What was wrong with the file is raised here: a request that was answered before is not judged again. Raises
    ClientNotFound, ClientArchived, OpportunityNotFound, and ValidationFailed for an upload that is used.
    """
    client = await clients.lock_living(tx, new.client_id)
    if isinstance(arrival, Problem):
        raise arrival
    file_url, opportunity_id = new.file_url, new.opportunity_id
    if arrival is not None:
        upload = await uploads.take(tx, arrival.upload_id)
        file_url = upload["file_url"]
        if "opportunity_id" not in new.model_fields_set:
            opportunity_id = upload["opportunity_id"]
    if opportunity_id is not None:
        await opportunities.check_belongs(tx, opportunity_id, new.client_id)
    key, size, media_type = arrival[1:] if arrival is not None else (None, new.file_size, _claimed_type(new))
    document_id = new_id()
    await tx.run(
        _INSERT, document_id, new.client_id, opportunity_id, new.document_type, new.file_name, file_url, key, size,
        media_type, new.description, new.tags, tx.now,
    )  # fmt: skip
    if opportunity_id is not None:
        await deals.note(tx, opportunity_id, ActivityType.DOCUMENT_ADDED, new.file_name)
    event = DocumentCreated(
        id=document_id,
        client_id=new.client_id,
        client_name=client.name,
        opportunity_id=opportunity_id,
        document_type=new.document_type,
        file_name=new.file_name,
        file_size=size,
        version=1,
    )
    await log.record(tx, event)
    return document_id


async def update(tx: Tx, document_id: UUID, change: DocumentChange) -> None:
    """Change the fields that were sent; equal values change nothing.

    Raises DocumentNotFound, ClientArchived, OpportunityNotFound, and InvalidDocumentType for a name or type that
    the file's kind does not fit.
    """
    before = await _lock(tx, document_id)
    tx.expect(before["version"])
    changed = {name: value for name, value in change.sent().items() if before[name] != value}
    if not changed:
        return
    after = {**dict(before), **changed}
    if changed.keys() & {"document_type", "file_name"}:
        check_kind(DocumentType(after["document_type"]), after["file_name"], before["mime_type"])
    opportunity_id = changed.get("opportunity_id")
    if opportunity_id is not None:
        await opportunities.check_belongs(tx, opportunity_id, before["client_id"])
        await deals.note(tx, opportunity_id, ActivityType.DOCUMENT_ADDED, after["file_name"])
    await tx.run(_update(tuple(changed)), document_id, tx.now, *changed.values())


_DELETE = statement("delete from documents where account_id = $1 and id = $2")


async def delete(tx: Tx, document_id: UUID) -> str | None:
    """Remove a document; answers the key of its file, to be removed once this has committed, or None for a link.

    Raises DocumentNotFound or ClientArchived.
    """
    before = await _lock(tx, document_id)
    tx.expect(before["version"])
    await tx.run(_DELETE, document_id)
    event = DocumentDeleted(
        id=document_id,
        client_id=before["client_id"],
        opportunity_id=before["opportunity_id"],
        document_type=before["document_type"],
        file_name=before["file_name"],
    )
    await log.record(tx, event)
    key: str | None = before["storage_key"]
    return key


async def _lock(tx: Tx, document_id: UUID) -> asyncpg.Record:
    """The document's row; its client is locked, which every change of a document goes through."""
    client_id = (await queries.find(tx, document_id))["client_id"]
    await clients.lock_living(tx, client_id)
    return await queries.find(tx, document_id)


def _claimed_type(new: NewDocument) -> str:
    return check_kind(new.document_type, new.file_name, new.mime_type)


def _update(columns: tuple[str, ...]) -> Statement:
    sets = ", ".join(f"{name} = ${index}" for index, name in enumerate(columns, 4))
    return statement(
        f"update documents set {sets}, updated_at = $3, version = version + 1 where account_id = $1 and id = $2"
    )
