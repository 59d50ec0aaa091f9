"""The addresses of the files themselves, outside the API's base: signed, so no token is asked for.

PUT takes one file in, streamed to the disk; GET hands it out to be saved, never to be shown.
"""

import asyncio
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID
from zoneinfo import ZoneInfo

import asyncpg
from fastapi import APIRouter, Request, Response
from starlette.responses import FileResponse

from soloist.accounts import queries as accounts
from soloist.accounts.model import AccountStatus, account_disabled
from soloist.documents import uploads
from soloist.documents.arrivals import Files, judged
from soloist.documents.kinds import DocumentType, InvalidDocumentType, check_kind, too_large
from soloist.infra.db import Database
from soloist.infra.errors import AccessDenied, NotFound, Problem, ValidationFailed, one_fault
from soloist.infra.http import answer
from soloist.infra.storage import Place, attachment
from soloist.infra.storage_disk import PATH, DiskStore, TooLarge, Unsigned
from soloist.infra.times import wire

router = APIRouter(include_in_schema=False, redirect_slashes=False)

# After a refusal this much more is read and thrown away, so that the sender is there to read the answer.
LINGER_BYTES, LINGER_SECONDS = 4 * 1024 * 1024, 10
_ASK_AGAIN = "Ask for a new address with POST /documents/upload-url."
# A file must never act as a page of ours, whatever is in it.
_UNCACHED = {"Cache-Control": "private, no-store"}
_INERT = {"Content-Security-Policy": "sandbox; default-src 'none'", **_UNCACHED}
_UTC = ZoneInfo("UTC")
_RANGE = re.compile(r"bytes=(?:(\d{1,15})-(\d{0,15})|-[1-9]\d{0,14})")


@dataclass(frozen=True, slots=True)
class Sender:
    """Whoever holds the address of an upload: it says for which account."""

    account_id: UUID
    zone: ZoneInfo = _UTC
    label: str = "upload"


@router.put(PATH + "/{key:path}")
async def receive_file(key: str, request: Request) -> Response:
    """Take in the file that an address of POST /documents/upload-url was made for."""
    body = _Body(request, request.app.state.files.patience)
    try:
        return await _receive(key, request, body)
    except Problem as problem:
        await body.linger()
        problem.headers.update(_UNCACHED, Connection="close")
        raise


@router.get(PATH + "/{key:path}")
async def send_file(key: str, request: Request) -> Response:
    """Hand out a file by an address of GET /documents/:id/download; whole, or the range that is asked for."""
    missing = NotFound(
        "There is no file at this address, or it has expired: ask for GET /documents/:id/download.", headers=_UNCACHED
    )
    store = request.app.state.files.store
    if not isinstance(store, DiskStore):
        raise missing
    try:
        signed = store.read_download(key, dict(request.query_params))
    except Unsigned:
        raise missing from None
    stored = await store.find_upload(key)
    if stored is None or signed.until <= _now(request):
        raise missing
    _drop_odd_range(request)
    headers = {"Content-Disposition": attachment(signed.file_name), **_INERT}
    return FileResponse(store.path(key), headers=headers, media_type=signed.media_type)


async def _receive(key: str, request: Request, body: "_Body") -> Response:
    files: Files = request.app.state.files
    store = files.store
    if not isinstance(store, DiskStore):
        raise AccessDenied("Files are not sent here but to the store. " + _ASK_AGAIN)
    place = _promised(store, key, request)
    db: Database = request.app.state.db
    sender = Sender(UUID(key.split("/")[1]))
    upload = await _expected(db, sender, key)
    _check_headers(request, place, DocumentType(upload["document_type"]))
    async with store.receiving() as draft:
        try:
            await draft.fill(body.chunks(), place.max_size)
        except TooLarge:
            raise too_large(place.max_size) from None
        found = await judged(draft.file)
        media_type = check_kind(DocumentType(upload["document_type"]), upload["file_name"], None, found)
        async with db.changing(sender) as tx:
            await uploads.arrive(tx, key)
            if await store.find_upload(key) is not None:  # it came, and a crash kept that from being noted
                raise uploads.used()
            await draft.place(key)
    return answer({"fileUrl": upload["file_url"], "fileSize": draft.size, "mimeType": media_type})


def _promised(store: DiskStore, key: str, request: Request) -> Place:
    try:
        signed = store.read_upload(key, dict(request.query_params))
    except Unsigned:
        raise AccessDenied(f"This upload address was altered, or is for another file. {_ASK_AGAIN}") from None
    if signed.until <= _now(request):
        raise AccessDenied(f"This upload address expired at {wire(signed.until)}. {_ASK_AGAIN}")
    return signed.place


async def _expected(db: Database, sender: Sender, key: str) -> asyncpg.Record:
    holder = await accounts.find_holder(db, sender.account_id)
    if holder is not None and holder.status is not AccountStatus.ACTIVE:
        raise account_disabled()
    async with db.reading(sender) as tx:
        upload = await uploads.find(tx, key)
    if upload is None or upload["arrived_at"] is not None or upload["recorded_at"] is not None:
        raise uploads.used()
    return upload


def _check_headers(request: Request, place: Place, document_type: DocumentType) -> None:
    """What the headers promise is judged before a byte is read; what comes is judged again."""
    length = request.headers.get("content-length", "")
    if length.isdigit() and int(length) > place.max_size:
        raise too_large(place.max_size, int(length))
    claimed = request.headers.get("content-type", place.media_type)
    if claimed.partition(";")[0].strip().lower() not in (place.media_type, "application/octet-stream"):
        raise InvalidDocumentType(
            f"This address takes a file of type {place.media_type}: send it with that as Content-Type, "
            f"not {claimed[:100]}.",
            details={"documentType": document_type, "allowed": [place.media_type], "found": claimed[:100]},
        )


class _Body:
    """The request's body as it comes, read once."""

    def __init__(self, request: Request, patience: int) -> None:
        self._request = request
        self._patience = patience
        self._more = True

    async def chunks(self) -> AsyncIterator[bytes]:
        """The bytes; raises ValidationFailed if the connection ends, or nothing comes for too long."""
        while self._more:
            try:
                async with asyncio.timeout(self._patience):
                    message = await self._request.receive()
            except TimeoutError:
                self._more = False
                raise _cut_off(f"nothing came for {self._patience} s") from None
            self._more = message.get("more_body", False)
            if message["type"] == "http.disconnect":
                raise _cut_off("the connection ended before the whole file had come")
            yield message.get("body", b"")

    async def linger(self) -> None:
        """Let the sender finish what little it is about to send; a connection closed under it hides the answer."""
        if self._request.headers.get("expect", "").lower() == "100-continue":
            return
        left = LINGER_BYTES
        try:
            async with asyncio.timeout(LINGER_SECONDS):
                async for chunk in self.chunks():
                    left -= len(chunk)
                    if left < 0:
                        return
        except (TimeoutError, ValidationFailed):
            return


def _cut_off(why: str) -> ValidationFailed:
    return one_fault("", "cut_off", f"{why}; nothing was kept, send the file again")


def _drop_odd_range(request: Request) -> None:
    """One range of bytes is served; of another unit, none, several or an impossible one, the whole file is."""
    given = request.headers.get("range")
    if given is None:
        return
    found = _RANGE.fullmatch(given.strip())
    if found is None or (found[2] and int(found[1]) > int(found[2])):
        scope = request.scope
        scope["headers"] = [pair for pair in scope["headers"] if pair[0] != b"range"]


def _now(request: Request) -> datetime:
    db: Database = request.app.state.db
    return db.now()
