"""What may happen to an interaction: the only writer of `interactions`.

Each keeps the client's last contact, revenue and health true in the same transaction.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, time
from typing import Any, NamedTuple
from uuid import UUID

from soloist.clients import actions as client_actions
from soloist.clients import queries as clients
from soloist.clients import revenue
from soloist.contacts import queries as contacts
from soloist.events import log
from soloist.events.model import InteractionCreated, InteractionDeleted, InteractionUpdated
from soloist.infra import jsonbody
from soloist.infra.db import Tx
from soloist.infra.ids import new_id
from soloist.infra.statement import Statement, statement
from soloist.infra.times import wire
from soloist.interactions import queries
from soloist.interactions.model import (
    EARLIEST,
    InteractionChange,
    InteractionType,
    NewInteraction,
    check_occurred,
    payment_of,
)
from soloist.interactions.sentiment import Sentiment, SentimentSource, analyse
from soloist.opportunities import actions as deals
from soloist.opportunities import queries as opportunities
from soloist.opportunities.model import ActivityType
from soloist.reminders import actions as reminders

_INSERT = statement(
    """
    insert into interactions (
        account_id, id, client_id, contact_id, opportunity_id, interaction_type, subject, notes, sentiment,
        sentiment_source, is_outbound, duration, outcome, next_steps, follow_up_date, occurred_at, metadata,
        payment_amount, payment_currency, created_at, updated_at
    ) values (
        $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17::jsonb, $18, $19, $20, $20
    )
    """
)
FOLLOW_UP_HOUR = time(9)  # a follow-up day has no time: nine in the morning of the account's zone


async def log_interaction(tx: Tx, client_id: UUID, new: NewInteraction) -> UUID:
    """Log what passed with a client and answer its id; a `followUpDate` sets a reminder beside it.

    Raises ClientNotFound, ClientArchived, ContactNotFound or OpportunityNotFound for what is not the client's,
    and ValidationFailed for a time out of range or a payment that is no money.
    """
    occurred_at = new.occurred_at or tx.now
    check_occurred(occurred_at, tx.now)
    payment = payment_of(new.interaction_type, new.metadata)
    client = await clients.lock_living(tx, client_id)
    await _check_links(tx, client_id, new.contact_id, new.opportunity_id)
    sentiment, source = _mood(new.sentiment, new.subject, new.notes)
    interaction_id = new_id()
    await tx.run(
        _INSERT, interaction_id, client_id, new.contact_id, new.opportunity_id, new.interaction_type, new.subject,
        new.notes, sentiment, source, new.is_outbound, new.duration, new.outcome, new.next_steps, new.follow_up_date,
        occurred_at, _json(new.metadata), *(payment or (None, None)), tx.now,
    )  # fmt: skip
    if new.opportunity_id is not None:
        await deals.note(tx, new.opportunity_id, ActivityType.INTERACTION_LOGGED, new.subject)
    if payment is not None:
        await revenue.recount(tx, [client_id])
    await client_actions.interactions_changed(tx, client_id)
    event = InteractionCreated(
        id=interaction_id,
        client_id=client_id,
        client_name=client.name,
        interaction_type=new.interaction_type,
        subject=new.subject,
        sentiment=sentiment,
        is_outbound=new.is_outbound,
        occurred_at=wire(occurred_at),
        version=1,
    )
    await log.record(tx, event)
    if new.follow_up_date is not None:
        await _follow_up(tx, interaction_id, client_id, new.subject, new.follow_up_date)
    return interaction_id


class Completed(NamedTuple):
    """A project that was completed on the Market."""

    title: str
    at: datetime
    contract_id: str


_INSERT_COMPLETED = statement(
    """
    insert into interactions (
        account_id, id, client_id, interaction_type, subject, sentiment, sentiment_source, is_outbound, occurred_at,
        metadata, created_at, updated_at
    )
    select $1, p.id, $2, 'PROJECT_COMPLETED', p.subject, 'NEUTRAL', 'NONE', true, p.at,
        jsonb_build_object('platformContractId', p.contract_id), $3, $3
    from unnest($4::uuid[], $5::text[], $6::timestamptz[], $7::text[]) as p (id, subject, at, contract_id)
    """
)


async def log_completed(tx: Tx, client_id: UUID, client_name: str, projects: Sequence[Completed]) -> None:
    """Log projects that were completed on the Market; they say nothing of anybody's mood.

    The client's row must be locked. Its health is the caller's to refresh.
    """
    ids = [new_id() for _ in projects]
    subjects = [f"Project completed: {project.title}"[:255] for project in projects]
    times = [max(project.at, EARLIEST) for project in projects]
    await tx.run(
        _INSERT_COMPLETED, client_id, tx.now, ids, subjects, times, [project.contract_id for project in projects]
    )
    await log.record(
        tx,
        *(
            InteractionCreated(
                id=interaction_id,
                client_id=client_id,
                client_name=client_name,
                interaction_type=InteractionType.PROJECT_COMPLETED,
                subject=subject,
                sentiment=Sentiment.NEUTRAL,
                is_outbound=True,
                occurred_at=wire(at),
                version=1,
            )
            for interaction_id, subject, at in zip(ids, subjects, times, strict=True)
        ),
    )
    await client_actions.last_contact_changed(tx, client_id)


async def update(tx: Tx, interaction_id: UUID, change: InteractionChange) -> None:
    """Correct the fields that were sent; a changed text is analysed again unless the mood was set by hand.

    Raises InteractionNotFound, ClientArchived, and what logging raises for the same fields.
    """
    before = await _lock(tx, interaction_id)
    tx.expect(before["version"])
    after = {**before, **change.sent()}
    if after["occurred_at"] != before["occurred_at"]:
        check_occurred(after["occurred_at"], tx.now)
    _settle_mood(change, before, after)
    payment = payment_of(InteractionType(after["interaction_type"]), after["metadata"])
    after["payment_amount"], after["payment_currency"] = payment or (None, None)
    changed = {name: value for name, value in after.items() if value != before[name]}
    if not changed:
        return
    client_id = before["client_id"]
    await _check_links(tx, client_id, changed.get("contact_id"), changed.get("opportunity_id"))
    values = [_json(value) if name == "metadata" else value for name, value in changed.items()]
    await tx.run(_update(tuple(changed)), interaction_id, tx.now, *values)
    if changed.keys() & {"payment_amount", "payment_currency", "opportunity_id", "occurred_at"}:
        await revenue.recount(tx, [client_id])
    await client_actions.interactions_changed(tx, client_id)
    fields = InteractionChange.model_fields
    event = InteractionUpdated(
        id=interaction_id,
        client_id=client_id,
        subject=after["subject"],
        changed=sorted(fields[name].alias or name for name in changed if name in fields),
        version=before["version"] + 1,
    )
    await log.record(tx, event)
    if "follow_up_date" in changed:
        await _follow_up(tx, interaction_id, client_id, after["subject"], after["follow_up_date"])


_DELETE = statement("delete from interactions where account_id = $1 and id = $2")


async def delete(tx: Tx, interaction_id: UUID) -> None:
    """Remove an interaction, with what it did to the client's last contact, revenue and health.

    Raises InteractionNotFound or ClientArchived.
    """
    before = await _lock(tx, interaction_id)
    tx.expect(before["version"])
    client_id = before["client_id"]
    await tx.run(_DELETE, interaction_id)
    if before["payment_amount"] is not None:
        await revenue.recount(tx, [client_id])
    await client_actions.interactions_changed(tx, client_id)
    await log.record(tx, InteractionDeleted(id=interaction_id, client_id=client_id, subject=before["subject"]))


async def _lock(tx: Tx, interaction_id: UUID) -> dict[str, Any]:
    """The interaction's row; its client is locked, which every change of an interaction goes through."""
    client_id = (await queries.find(tx, interaction_id))["client_id"]
    await clients.lock_living(tx, client_id)
    row = dict(await queries.find(tx, interaction_id))
    row["metadata"] = jsonbody.parse(row["metadata"].encode()) if row["metadata"] is not None else None
    return row


async def _check_links(tx: Tx, client_id: UUID, contact_id: UUID | None, opportunity_id: UUID | None) -> None:
    if contact_id is not None:
        await contacts.get(tx, client_id, contact_id)
    if opportunity_id is not None:
        await opportunities.check_belongs(tx, opportunity_id, client_id)


def _mood(given: Sentiment | None, subject: str, notes: str | None) -> tuple[Sentiment, SentimentSource]:
    if given is not None:
        return given, SentimentSource.USER
    reading = analyse(subject, notes)
    return reading.sentiment, reading.source


def _settle_mood(change: InteractionChange, before: Mapping[str, Any], after: dict[str, Any]) -> None:
    sent = change.model_fields_set
    by_hand = before["sentiment_source"] == SentimentSource.USER
    text_changed = any(after[name] != before[name] for name in ("subject", "notes"))
    if "sentiment" in sent or (text_changed and not by_hand):
        after["sentiment"], after["sentiment_source"] = _mood(change.sentiment, after["subject"], after["notes"])


async def _follow_up(tx: Tx, interaction_id: UUID, client_id: UUID, subject: str, day: Any) -> None:
    if day is None:
        await reminders.drop_follow_up(tx, interaction_id)
        return
    due = datetime.combine(day, FOLLOW_UP_HOUR, tzinfo=tx.actor.zone)
    await reminders.follow_up(tx, interaction_id, client_id, f"Follow up: {subject}"[:255], due)


def _json(value: Mapping[str, Any] | None) -> str | None:
    return None if value is None else jsonbody.dumps(value)


def _update(columns: tuple[str, ...]) -> Statement:
    sets = ", ".join(f"{name} = ${at}{'::jsonb' if name == 'metadata' else ''}" for at, name in enumerate(columns, 4))
    return statement(
        f"update interactions set {sets}, updated_at = $3, version = version + 1 where account_id = $1 and id = $2"
    )
