"""What runs unattended: uploads that nobody recorded are removed, and so are files that no document has.

Both after a day. What is found wrong between documents and files is told by `soloist doctor`.
"""

from datetime import timedelta
from typing import NamedTuple

import structlog

from soloist.documents.arrivals import discard
from soloist.documents.model import RECORD_TERM
from soloist.infra.db import Database
from soloist.infra.statement import crossing
from soloist.infra.storage import Store

log = structlog.get_logger("soloist.documents")
# An hour longer than an upload can be recorded: no record is being made of what is removed.
ABANDONED = RECORD_TERM + timedelta(hours=1)

_FORGET = crossing(
    "abandoned uploads",
    "a sweep over all accounts, of upload addresses older than a day",
    "delete from uploads where created_at < $1",
)
RECORDED = crossing(
    "recorded files",
    "asks which of some files, whoever owns them, belong to a document",
    "select storage_key from documents where storage_key = any($1::text[])",
)
_ALL_FILES = crossing(
    "doctor: files",
    "compares the files of every account with the documents",
    "select storage_key, file_size from documents where storage_key is not null",
)


async def sweep(store: Store, db: Database) -> int:
    """Remove what was uploaded or left over more than a day ago and belongs to no document; answers how many files.

    Safe to run twice, or beside anything: a file can only be recorded while its upload is remembered.
    """
    before = db.clock() - ABANDONED
    await db.cross_run(_FORGET, before)
    removed = 0
    async for batch in store.batches():
        old = [stored.key for stored in batch if stored.modified_at < before]
        for key in await _unrecorded(db, old):
            await discard(store, key)
            removed += 1
    if removed:
        log.info("files without a document removed", removed=removed)
    return removed


async def _unrecorded(db: Database, keys: list[str]) -> list[str]:
    if not keys:
        return []
    recorded = {row["storage_key"] for row in await db.cross_rows(RECORDED, keys)}
    return [key for key in keys if key not in recorded]


class Drift(NamedTuple):
    """How many files and documents do not belong together."""

    files: int
    leftover: int  # files without a document, for longer than the sweep lets them be
    missing: int  # documents without their file
    altered: int  # documents whose file has another size


async def drift(store: Store, db: Database) -> Drift:
    """Hold every file against the documents, both ways."""
    wanted = {row["storage_key"]: row["file_size"] for row in await db.cross_rows(_ALL_FILES)}
    before = db.clock() - ABANDONED - timedelta(hours=2)
    files = leftover = altered = 0
    seen: set[str] = set()
    async for batch in store.batches():
        files += len(batch)
        for stored in batch:
            if stored.key in wanted:
                seen.add(stored.key)
                altered += stored.size != wanted[stored.key]
            else:
                leftover += stored.modified_at < before
    return Drift(files, leftover, len(wanted.keys() - seen), altered)
