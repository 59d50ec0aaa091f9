"""The only writer of events: each is rendered once and stored in the transaction of the change that caused it."""

from datetime import datetime

from soloist.events.model import Event
from soloist.infra.db import Tx
from soloist.infra.ids import new_id
from soloist.infra.statement import statement
from soloist.infra.times import wire

_RECORD = statement(
    """
    insert into events (account_id, id, type, occurred_at, body)
    select $1, e.id, e.type, $4, e.body from unnest($2::uuid[], $3::text[], $5::text[]) as e (id, type, body)
    """
)


async def record(tx: Tx, *events: Event) -> None:
    """Store `events` as having happened at `tx.now`; they exist if and only if the transaction commits."""
    if not events:
        return
    await tx.run(
        _RECORD,
        [new_id() for _ in events],
        [event.type for event in events],
        tx.now,
        [body(event, tx.now) for event in events],
    )


def record_with(cause: str, event_id: str, kind: str, text: str, at: str) -> str:
    """The same as a part of a statement that makes the row `cause` in a CTE: no row, no event."""
    return f"""
        insert into events (account_id, id, type, occurred_at, body)
        select $1, {event_id}, {kind}, {at}, {text} from {cause}
    """


def body(event: Event, at: datetime) -> str:
    """An event as it is stored and sent, rendered once."""
    timestamp = wire(at)
    return f'{{"type":"{event.type}","timestamp":"{timestamp}","data":{event.model_dump_json(by_alias=True)}}}'
