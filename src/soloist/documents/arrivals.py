"""From a file that lies in the store to a document: it is looked at, kept, and what is not needed is removed.

The store is asked outside of transactions; a file that a crash leaves behind is swept.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import IO

import asyncpg
import structlog

from soloist.documents import contents, uploads
from soloist.documents.actions import Arrival
from soloist.documents.kinds import Found, check_kind, check_size, ending_of
from soloist.documents.model import RECORD_TERM, NewDocument, file_key, own_key
from soloist.infra.db import Caller, Database
from soloist.infra.errors import Problem, ServiceUnavailable, ValidationFailed, one_fault
from soloist.infra.ids import new_id
from soloist.infra.storage import Replaced, Store, Stored

log = structlog.get_logger("soloist.documents")


@dataclass(frozen=True, slots=True)
class Files:
    """The store, the size in bytes that a file in it may have, and how many seconds we wait for its next byte."""

    store: Store
    limit: int
    patience: int


@asynccontextmanager
async def arrival(
    db: Database, files: Files, actor: Caller, new: NewDocument
) -> AsyncIterator[Arrival | Problem | None]:
    """The file that a new document names, looked at and kept while the block records it.

    None for a link elsewhere. A Problem is why the file can't be recorded: it is for the transaction to raise,
    which may find that this very request was answered before. What a link claims is judged here.
    """
    key = own_key(new.file_url)
    if key is None:
        check_kind(new.document_type, new.file_name, new.mime_type)
        check_size(new.file_size or 0, files.limit)
        yield None
        return
    try:
        upload = await _upload(db, actor, new, key)
        check_size(new.file_size or 0, files.limit)
        stored, found = await _take_in(db, files, actor, new, upload)
    except ServiceUnavailable:
        raise
    except Problem as problem:
        yield problem
        return
    try:
        yield found
    except Problem:  # told why, so certainly not recorded; after any other fault it may be
        await discard(files.store, found.key, unless=stored.key)
        raise
    await discard(files.store, stored.key, unless=found.key)


async def discard(store: Store, key: str | None, *, unless: str | None = None) -> None:
    """Remove a file that nobody needs; one that can't be removed now is left to the sweep."""
    if key is None or key == unless:
        return
    try:
        await store.delete(key)
    except (ServiceUnavailable, OSError) as fault:
        log.warning("a file was not removed and is left to the sweep", reason=type(fault).__name__)


async def judged(file: IO[bytes]) -> Found:
    """What the file is; in a thread, for it takes a second to unpack a big archive."""
    return await asyncio.to_thread(contents.examine, file)


async def _upload(db: Database, actor: Caller, new: NewDocument, key: str) -> asyncpg.Record:
    async with db.reading(actor) as tx:
        upload = await uploads.find(tx, key)
        given_up = tx.now - RECORD_TERM
    if upload is None:
        raise _refused("unknown_upload", "is no upload of yours; ask for one with POST /documents/upload-url")
    if upload["recorded_at"] is not None:
        raise uploads.already_recorded()
    if upload["client_id"] != new.client_id:
        raise _refused("other_client", "was uploaded for another client")
    if upload["created_at"] < given_up:
        raise _refused("given_up", "was uploaded more than a day ago and is given up; send the file anew")
    return upload


async def _take_in(
    db: Database, files: Files, actor: Caller, new: NewDocument, upload: asyncpg.Record
) -> tuple[Stored, Arrival]:
    store, key = files.store, upload["storage_key"]
    try:
        stored = await store.find_upload(key)
        if stored is None:
            raise Replaced
        check_size(stored.size, files.limit)
        async with store.opened(stored) as file:
            found = await judged(file)
        media_type = check_kind(new.document_type, new.file_name, new.mime_type, found)
        kept_key = file_key(actor.account_id, new.client_id, new_id(), ending_of(new.file_name))
        return stored, Arrival(upload["id"], await store.keep(stored, kept_key), stored.size, media_type)
    except Replaced:
        await _upload(db, actor, new, key)  # who recorded it in the meantime has taken it away
        message = "holds nothing yet, or was just sent again: send the file to the uploadUrl, then record it"
        raise _refused("not_arrived", message) from None


def _refused(code: str, message: str) -> ValidationFailed:
    return one_fault("fileUrl", code, message)
