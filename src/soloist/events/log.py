"""The only writer of events: each is rendered once and stored in the transaction of the change that caused it.

When somebody listens, the same statement enqueues the job that tells them; when nobody does, it costs one look at
the account's webhooks.
"""

from datetime import datetime, timedelta
from uuid import UUID

from soloist.events.model import Event
from soloist.infra.db import Tx
from soloist.infra.ids import new_id
from soloist.infra.queue import kind
from soloist.infra.statement import statement
from soloist.infra.times import wire

# Tells whoever listens to one event: `{"event": <id>}`.
REACT = kind("events.react", tries=12, longest_gap=timedelta(minutes=30))


def _stored(source: str, *, event_id: str, type_: str, at: str, text: str, by_mail: str) -> str:
    # enqueue_job is a function, called or not: an insert of no rows would wake every worker at every change.
    return f"""
        insert into events (account_id, id, type, occurred_at, body, position, job_id)
        select $1, {event_id}, {type_}, {at}, {text}, event_position($1),
            case when {by_mail} or exists (
                select from webhooks w
                where w.account_id = $1 and w.status = 'ENABLED' and w.events && array['*', {type_}]
            ) then enqueue_job(
                '{REACT}', jsonb_build_object('account', $1::uuid, 'payload', jsonb_build_object('event', {event_id}))
            ) end
        from {source}
    """


_RECORD = statement(
    _stored(
        "unnest($2::uuid[], $3::text[], $5::text[], $6::boolean[]) as e (id, type, body, by_mail)",
        event_id="e.id",
        type_="e.type",
        at="$4",
        text="e.body",
        by_mail="e.by_mail",
    )
)


async def record(tx: Tx, *events: Event) -> None:
    """Store `events` as having happened at `tx.now`, in this order, and have whoever listens told of them.

    They exist if and only if the transaction commits.
    """
    if not events:
        return
    await tx.run(
        _RECORD,
        [new_id() for _ in events],
        [event.type for event in events],
        tx.now,
        [body(event, tx.now) for event in events],
        [event.told_by_mail for event in events],
    )


def record_with(cause: str, event_id: str, kind: str, text: str, at: str) -> str:
    """The same as a part of a statement that makes the row `cause` in a CTE: no row, no event.

    The arguments are placeholders. Not for a type that is told by mail: only webhooks are asked.
    """
    uuid, type_ = f"{event_id}::uuid", f"{kind}::text"
    return _stored(cause, event_id=uuid, type_=type_, at=at, text=text, by_mail="false")


def body(event: Event, at: datetime) -> str:
    """An event as it is stored and sent, rendered once."""
    timestamp = wire(at)
    return f'{{"type":"{event.type}","timestamp":"{timestamp}","data":{event.model_dump_json(by_alias=True)}}}'


def wire_id(event_id: UUID) -> str:
    """An event's id as receivers know it. It holds no dot: that is what parts the text which a webhook signs."""
    return f"evt_{event_id}"
