"""Everything that happened with a client in one list: talks, moves of deals, status changes, reminders, documents."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated
from uuid import UUID

from pydantic import Field

from soloist.clients import queries
from soloist.infra.db import Tx
from soloist.infra.listing import Key, Listing
from soloist.infra.paging import Cursors, Paging
from soloist.infra.shape import Record, columns


class EntryType(StrEnum):
    INTERACTION = "INTERACTION"
    STATUS_CHANGED = "STATUS_CHANGED"
    STAGE_CHANGED = "STAGE_CHANGED"
    REMINDER_COMPLETED = "REMINDER_COMPLETED"
    DOCUMENT_ADDED = "DOCUMENT_ADDED"


class Entry(Record):
    """Something that happened; `id` is that of the interaction, change, reminder or document it tells of."""

    id: UUID
    type: EntryType
    occurred_at: datetime
    title: str
    detail: str | None
    kind: Annotated[str | None, Field(description="The interaction's, reminder's, document's or move's type")]
    opportunity_id: Annotated[UUID | None, Field(description="The deal it belongs to, if to one")]


_SOURCE = """(
    select i.account_id, i.client_id, i.id, 'INTERACTION' as type, i.occurred_at, i.subject as title,
        i.notes as detail, i.interaction_type as kind, i.opportunity_id
    from interactions i where i.account_id = $1 and i.client_id = $2
    union all
    select s.account_id, s.client_id, s.id, 'STATUS_CHANGED', s.changed_at,
        'Status changed to ' || s.to_status, 'Was ' || s.from_status, null, null
    from status_changes s where s.account_id = $1 and s.client_id = $2
    union all
    select o.account_id, o.client_id, v.id, 'STAGE_CHANGED', v.created_at,
        case v.activity_type
            when 'CREATED' then 'Opportunity created: '
            when 'WON' then 'Opportunity won: '
            when 'LOST' then 'Opportunity lost: '
            when 'REOPENED' then 'Opportunity reopened: '
            else 'Opportunity moved to ' || v.to_stage || ': '
        end || o.title,
        coalesce(v.notes, 'Was ' || v.from_stage), v.activity_type, o.id
    from opportunities o
    join opportunity_activities v on v.account_id = $1 and v.opportunity_id = o.id
    where o.account_id = $1 and o.client_id = $2
        and v.activity_type in ('CREATED', 'STAGE_CHANGED', 'WON', 'LOST', 'REOPENED')
    union all
    select m.account_id, m.client_id, m.id, 'REMINDER_COMPLETED', m.completed_at, m.title, m.completion_notes,
        m.reminder_type, m.opportunity_id
    from reminders m where m.account_id = $1 and m.client_id = $2 and m.status = 'COMPLETED'
    union all
    select d.account_id, d.client_id, d.id, 'DOCUMENT_ADDED', d.created_at, d.file_name, d.description,
        d.document_type, d.opportunity_id
    from documents d where d.account_id = $1 and d.client_id = $2
) e"""


async def page(tx: Tx, cursors: Cursors, client_id: UUID, paging: Paging) -> str:
    """A page of what happened, newest first; raises ClientNotFound."""
    await queries.check_exists(tx, client_id)
    window = cursors.window(paging, tx.account_id, ["timeline", client_id])
    key = Key("e.occurred_at", "timestamptz")
    listing = Listing("entries", _SOURCE, columns(Entry, "e"), key, True, ["e.account_id = $1"], [client_id])
    return await listing.page(tx, cursors, window)
