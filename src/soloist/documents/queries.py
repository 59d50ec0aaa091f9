"""What is read of documents: one statement each, its result the JSON that goes out."""

from typing import Any
from uuid import UUID

import asyncpg

from soloist.documents.model import RECENT, Document, DocumentNotFound, DocumentSearch
from soloist.infra.changes import Found
from soloist.infra.db import Tx
from soloist.infra.listing import Key, Listing, json_list
from soloist.infra.paging import Cursors
from soloist.infra.shape import columns
from soloist.infra.statement import statement

_COLUMNS = columns(Document, "d")
_GET = statement(
    f"""
    select d.version, row_to_json(r)::text as raw from documents d cross join lateral (select {_COLUMNS}) as r
    where d.account_id = $1 and d.id = $2
    """
)


async def get(tx: Tx, document_id: UUID) -> Found:
    """A document; raises DocumentNotFound."""
    row = await tx.row(_GET, document_id)
    if row is None:
        raise DocumentNotFound
    return Found(row["version"], row["raw"])


_FIND = statement("select * from documents where account_id = $1 and id = $2")


async def find(tx: Tx, document_id: UUID) -> asyncpg.Record:
    """The document's row as it is now; raises DocumentNotFound."""
    row = await tx.row(_FIND, document_id)
    if row is None:
        raise DocumentNotFound
    return row


async def search(tx: Tx, cursors: Cursors, asked: DocumentSearch) -> str:
    """A page of documents, newest first."""
    question = asked.model_dump(exclude={"page", "limit", "cursor"})
    window = cursors.window(asked, tx.account_id, ["documents", *sorted(question.items())])
    key = Key("d.created_at", "timestamptz")
    listing = Listing("documents", "documents d", _COLUMNS, key, True, ["d.account_id = $1"])
    where, arg = listing.where, listing.arg
    if asked.client_id is not None:
        where.append(f"d.client_id = {arg(asked.client_id)}")
    if asked.opportunity_id is not None:
        where.append(f"d.opportunity_id = {arg(asked.opportunity_id)}")
    if asked.document_type:
        where.append(f"d.document_type = any({arg(list(asked.document_type))}::text[])")
    if asked.tags:
        where.append(f"d.tags @> {arg(asked.tags)}::text[]")
    for word in (asked.query or "").split():
        where.append(f"d.search_text like search_pattern({arg(word)})")
    return await listing.page(tx, cursors, window)


_RECENT = statement(
    f"""
    select row_to_json(r)::text as raw
    from (select * from documents d where d.account_id = $1 order by d.created_at desc, d.id desc limit $2) as d
    cross join lateral (select {_COLUMNS}) as r
    order by d.created_at desc, d.id desc
    """
)


async def recent(tx: Tx, limit: int) -> str:
    """The newest documents."""
    return json_list([row["raw"] for row in await tx.rows(_RECENT, limit)])


_STATS = statement(
    """
    select json_build_object(
        'total', coalesce(sum(t.n), 0),
        'totalSize', coalesce(sum(t.size), 0),
        'byType', coalesce(json_object_agg(t.document_type, t.n order by t.n desc, t.document_type), '{}'::json),
        'recentCount', coalesce(sum(t.recent), 0)
    )::text as raw
    from (
        select d.document_type, count(*) as n, sum(d.file_size) as size,
            count(*) filter (where d.created_at >= $2) as recent
        from documents d where d.account_id = $1 group by d.document_type
    ) as t
    """
)


async def stats(tx: Tx) -> str:
    """The documents in numbers, those of archived clients included: they are kept, too."""
    raw: Any = await tx.value(_STATS, tx.now - RECENT)
    return str(raw)
