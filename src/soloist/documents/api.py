"""The JSON contract of documents (document "Documents")."""

import re
from typing import Annotated
from uuid import UUID

from fastapi import Depends, Request, Response
from pydantic import BeforeValidator

from soloist.accounts.actor import Reader, Writer
from soloist.clients.model import ClientArchived, ClientNotFound
from soloist.documents import actions, queries
from soloist.documents.arrivals import Files, arrival, discard
from soloist.documents.kinds import FileTooLarge, InvalidDocumentType
from soloist.documents.model import (
    DOWNLOAD_TERM,
    Document,
    DocumentChange,
    DocumentNotFound,
    DocumentSearch,
    DocumentStats,
    DownloadLink,
    NewDocument,
    NewUpload,
    RecentDocuments,
    UploadTarget,
)
from soloist.infra import routing
from soloist.infra.changes import Deleted, Found, change, deleted, reading, shown
from soloist.infra.http import BASE, enveloped
from soloist.infra.storage import Term
from soloist.opportunities.model import OpportunityNotFound

router = routing.router("Documents")
DocumentId = Annotated[UUID, BeforeValidator(routing.record_id(DocumentNotFound))]
_UPLOAD_REFUSALS = (ClientNotFound, ClientArchived, OpportunityNotFound, InvalidDocumentType, FileTooLarge)


@router.post("/documents/upload-url")
@routing.answers(UploadTarget, *_UPLOAD_REFUSALS)
async def get_upload_url(body: NewUpload, request: Request, actor: Writer) -> Response:
    """Get an address to send one file to

    Send the file there within 15 minutes, in the way that `method`, `headers` and `fields` tell. Then record it with
    POST /documents and the same `fileUrl`. What was sent and not recorded is removed after a day.
    """
    files = _files(request)
    async with change(request, actor) as tx:
        target = await actions.expect_upload(tx, files.store, body, files.limit, _base_url(request))
        return await tx.answer(200, Found(None, target.model_dump_json(by_alias=True)))


@router.post("/documents", status_code=201)
@routing.answers(Document, *_UPLOAD_REFUSALS)
async def create_document(body: NewDocument, request: Request, actor: Writer) -> Response:
    """Create a document record

    Of a file that was uploaded: `fileUrl` as POST /documents/upload-url gave it; once per upload. Type and size are
    judged by what arrived. Any other http or https address is kept as a link and never fetched.
    """
    async with arrival(request.app.state.db, _files(request), actor, body) as arrived, change(request, actor) as tx:
        document_id = await actions.create(tx, body, arrived)
        return await tx.answer(201, await queries.get(tx, document_id), f"{BASE}/documents/{document_id}")


@router.get("/documents")
@routing.answers(routing.Page("documents", Document))
async def search_documents(
    asked: Annotated[DocumentSearch, Depends(routing.query(DocumentSearch))], request: Request, actor: Reader
) -> Response:
    """Search and filter documents, newest first"""
    async with reading(request, actor) as tx:
        return enveloped(await queries.search(tx, request.app.state.cursors, asked))


@router.get("/documents/recent")
@routing.answers(list[Document])
async def get_recent_documents(
    asked: Annotated[RecentDocuments, Depends(routing.query(RecentDocuments))], request: Request, actor: Reader
) -> Response:
    """Get the newest documents"""
    async with reading(request, actor) as tx:
        return enveloped(await queries.recent(tx, asked.limit))


@router.get("/documents/stats")
@routing.answers(DocumentStats)
async def get_document_stats(request: Request, actor: Reader) -> Response:
    """Get document statistics"""
    async with reading(request, actor) as tx:
        return enveloped(await queries.stats(tx))


@router.get("/documents/{document_id}")
@routing.answers(Document)
async def get_document(document_id: DocumentId, request: Request, actor: Reader) -> Response:
    """Get a document"""
    async with reading(request, actor) as tx:
        return shown(await queries.get(tx, document_id))


@router.get("/documents/{document_id}/download")
@routing.answers(DownloadLink)
async def get_download_url(document_id: DocumentId, request: Request, actor: Reader) -> Response:
    """Get an address to download the file from

    It works for five minutes, for whoever has it. Of a link to somewhere else, it is that link.
    """
    async with reading(request, actor) as tx:
        row, now = await queries.find(tx, document_id), tx.now
    if row["storage_key"] is None:
        return _shown(DownloadLink(download_url=row["file_url"], expires_at=None))
    term = Term((now + DOWNLOAD_TERM).replace(microsecond=0), DOWNLOAD_TERM)
    store = _files(request).store
    url = store.download_url(row["storage_key"], row["file_name"], row["mime_type"], term, _base_url(request))
    return _shown(DownloadLink(download_url=url, expires_at=term.until))


@router.patch("/documents/{document_id}")
@routing.answers(Document, ClientArchived, OpportunityNotFound, InvalidDocumentType)
async def update_document(document_id: DocumentId, body: DocumentChange, request: Request, actor: Writer) -> Response:
    """Change the fields that are sent; the file stays as it is"""
    async with change(request, actor) as tx:
        await actions.update(tx, document_id, body)
        return await tx.answer(200, await queries.get(tx, document_id))


@router.delete("/documents/{document_id}")
@routing.answers(Deleted, ClientArchived)
async def delete_document(document_id: DocumentId, request: Request, actor: Writer) -> Response:
    """Remove a document and its file"""
    async with change(request, actor) as tx:
        key = await actions.delete(tx, document_id)
        response = await tx.answer(200, deleted(document_id))
    await discard(_files(request).store, key)
    return response


def _shown(link: DownloadLink) -> Response:
    return enveloped(link.model_dump_json(by_alias=True))


def _files(request: Request) -> Files:
    files: Files = request.app.state.files
    return files


_HOST = re.compile(r"[A-Za-z0-9.-]+(?::\d{1,5})?|\[[0-9A-Fa-f:.]+\](?::\d{1,5})?")


def _base_url(request: Request) -> str:
    """Where the caller can reach this server: the setting `public_url`, else the host the request names."""
    public: str | None = request.app.state.settings.public_url
    if public is not None:
        return public
    host = request.headers.get("host", "")
    if not _HOST.fullmatch(host):
        server = request.scope.get("server") or ("127.0.0.1", 80)
        host = f"{server[0]}:{server[1]}"
    return f"{request.url.scheme}://{host}"
