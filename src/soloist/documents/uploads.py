"""Files that are expected: each address takes one file and is good for one document. The only writer of `uploads`."""

from typing import NamedTuple
from uuid import UUID

import asyncpg

from soloist.documents.model import NewUpload
from soloist.infra.db import Tx
from soloist.infra.errors import AccessDenied, ValidationFailed, one_fault
from soloist.infra.statement import statement


class Address(NamedTuple):
    """Where a file is expected, and what it will be known by."""

    key: str
    url: str


_EXPECT = statement(
    """
    insert into uploads (
        account_id, id, client_id, opportunity_id, document_type, file_name, storage_key, file_url, created_at
    ) values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
    """
)


async def expect(tx: Tx, upload_id: UUID, new: NewUpload, address: Address) -> None:
    """Remember that a file may be sent to this address."""
    await tx.run(
        _EXPECT, upload_id, new.client_id, new.opportunity_id, new.document_type, new.file_name, address.key,
        address.url, tx.now,
    )  # fmt: skip


_FIND = statement("select * from uploads where account_id = $1 and storage_key = $2")


async def find(tx: Tx, key: str) -> asyncpg.Record | None:
    """The upload for this key, for a day after its address was handed out."""
    return await tx.row(_FIND, key)


_ARRIVED = statement(
    """
    update uploads set arrived_at = $3
    where account_id = $1 and storage_key = $2 and arrived_at is null and recorded_at is null
    """
)


async def arrive(tx: Tx, key: str) -> None:
    """The file has come; of several at once one wins. Raises AccessDenied for an address that was used."""
    if not await tx.run(_ARRIVED, key, tx.now):
        raise used()


def used() -> AccessDenied:
    """The refusal of an address that has taken its file."""
    return AccessDenied(
        "This upload address was used: it takes one file. Ask for a new one with POST /documents/upload-url."
    )


_TAKE = statement(
    """
    update uploads set recorded_at = $3 where account_id = $1 and id = $2 and recorded_at is null
    returning file_url, opportunity_id
    """
)


async def take(tx: Tx, upload_id: UUID) -> asyncpg.Record:
    """Use the upload for a document, once; raises ValidationFailed for the second that tries."""
    row = await tx.row(_TAKE, upload_id, tx.now)
    if row is None:
        raise already_recorded()
    return row


def already_recorded() -> ValidationFailed:
    """The refusal of an upload that is a document already."""
    return one_fault("fileUrl", "already_recorded", "is recorded as a document already; send the file anew")
