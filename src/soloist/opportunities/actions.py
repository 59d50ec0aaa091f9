"""What may happen to an opportunity: the only writer of `opportunities`.

Every change writes its activity and its event, and keeps the client's revenue, status and health, in one
transaction. Locks are taken client first, then deal, so that no two changes can wait for each other.
"""

from decimal import Decimal
from typing import Any
from uuid import UUID

import asyncpg

from soloist.accounts.rates import converted
from soloist.clients import actions as client_actions
from soloist.clients import queries as clients
from soloist.clients.model import ClientArchived
from soloist.events import log
from soloist.events.model import OpportunityCreated, OpportunityDeleted, OpportunityUpdated
from soloist.infra.clock import local_day
from soloist.infra.db import Tx
from soloist.infra.ids import new_id
from soloist.infra.money import plain_amount
from soloist.infra.statement import Statement, statement
from soloist.infra.times import wire
from soloist.opportunities import activities, queries
from soloist.opportunities.model import (
    PROBABILITY,
    ActivityType,
    NewOpportunity,
    OpportunityChange,
    OpportunityStage,
    OpportunityStatus,
    check_open,
    check_value,
)
from soloist.opportunities.valuation import revalue

_INSERT = statement(
    f"""
    insert into opportunities (
        account_id, id, client_id, title, description, source, source_details, estimated_value, currency, base_value,
        expected_close_date, stage, status, priority, probability, tags, service_type, created_at, updated_at
    ) values (
        $1, $2, $3, $4, $5, $6, $7, $8::numeric, $9, {converted("$8", "$9", "$17::date")},
        $10, $11, 'OPEN', $12, $13, $14, $15, $16, $16
    )
    """
)


async def create(tx: Tx, new: NewOpportunity, base_currency: str) -> UUID:
    """Add a deal to the pipeline and answer its id.

    Raises ClientNotFound or ClientArchived for its client, ValidationFailed for a value finer than its currency.
    """
    currency = new.currency or base_currency
    check_value(new.estimated_value, currency)
    if new.client_id is not None:
        await clients.lock_living(tx, new.client_id)
    probability = PROBABILITY[new.stage] if new.probability is None else new.probability
    opportunity_id = new_id()
    await tx.run(
        _INSERT, opportunity_id, new.client_id, new.title, new.description, new.source, new.source_details,
        new.estimated_value, currency, new.expected_close_date, new.stage, new.priority, probability, new.tags,
        new.service_type, tx.now, local_day(tx.actor.zone, tx.now),
    )  # fmt: skip
    await activities.write(tx, opportunity_id, ActivityType.CREATED, to_stage=new.stage)
    event = OpportunityCreated(
        id=opportunity_id,
        client_id=new.client_id,
        title=new.title,
        stage=new.stage,
        value=plain_amount(new.estimated_value),
        currency=currency,
        version=1,
    )
    await log.record(tx, event)
    return opportunity_id


async def update(tx: Tx, opportunity_id: UUID, change: OpportunityChange) -> None:
    """Change the fields that were sent; equal values change nothing. A new client takes revenue and health along.

    Raises OpportunityClosed for a won or lost deal, ClientNotFound or ClientArchived for its old or new client,
    ValidationFailed for a value finer than its currency.
    """
    to = change.client_id if "client_id" in change.model_fields_set else None
    deal = await lock_deal(tx, opportunity_id, *([to] if to else []))
    tx.expect(deal["version"])
    check_deal_open(deal)
    changed = {name: value for name, value in change.sent().items() if deal[name] != value}
    if not changed:
        return
    if to is not None and "client_id" in changed:
        await clients.lock_living(tx, to)
    after = {**dict(deal), **changed}
    check_value(after["estimated_value"], after["currency"])
    await tx.run(_update(tuple(changed)), opportunity_id, tx.now, *changed.values())
    if changed.keys() & {"estimated_value", "currency"}:
        await revalue(tx, opportunity_id)
    if "client_id" in changed:
        for client_id in {deal["client_id"], to} - {None}:
            await client_actions.revenue_changed(tx, client_id)
    names = {OpportunityChange.model_fields[name].alias or name: name for name in changed}
    moved = {label: {"from": _plain(deal[name]), "to": _plain(changed[name])} for label, name in names.items()}
    await activities.write(tx, opportunity_id, ActivityType.UPDATED, changes=moved)
    event = OpportunityUpdated(
        id=opportunity_id,
        client_id=after["client_id"],
        title=after["title"],
        changed=sorted(names),
        version=deal["version"] + 1,
    )
    await log.record(tx, event)


_PAID = statement(
    """
    select distinct client_id from interactions
    where account_id = $1 and opportunity_id = $2 and payment_amount is not null
    """
)
_DELETE = statement("delete from opportunities where account_id = $1 and id = $2")


async def delete(tx: Tx, opportunity_id: UUID) -> None:
    """Remove an open deal; its interactions, documents and reminders stay, without naming it.

    Payments that were booked on it then count as their client's own. Raises OpportunityClosed for a closed deal.
    """
    # They may be another client's than the deal's, if it has moved since; a deal that moved takes no new ones.
    paid = sorted(row["client_id"] for row in await tx.rows(_PAID, opportunity_id))
    deal = await lock_deal(tx, opportunity_id, *paid)
    tx.expect(deal["version"])
    check_deal_open(deal)
    await tx.run(_DELETE, opportunity_id)
    for client_id in {*paid, deal["client_id"]} - {None}:
        await client_actions.revenue_changed(tx, client_id)
    await log.record(tx, OpportunityDeleted(id=opportunity_id, client_id=deal["client_id"], title=deal["title"]))


async def note(tx: Tx, opportunity_id: UUID, what: ActivityType, text: str) -> None:
    """Write into a deal's history what happened beside it: an interaction logged, a document added."""
    await activities.write(tx, opportunity_id, what, notes=text)


async def lock_deal(tx: Tx, opportunity_id: UUID, *also: UUID) -> asyncpg.Record:
    """The deal, locked after its client and the clients `also`; raises ClientArchived if its own is archived.

    A deal that changes its client in between is looked at again.
    """
    while True:
        client_id = await queries.client_of(tx, opportunity_id)
        for each in sorted({each for each in (*also, client_id) if each is not None}):
            await clients.lock(tx, each)
        deal = await queries.lock(tx, opportunity_id)
        if deal["client_id"] == client_id:
            check_living(deal)
            return deal


def check_living(deal: asyncpg.Record) -> None:
    """Raises ClientArchived for a deal whose client is archived."""
    if deal["client_status"] == "ARCHIVED":
        raise ClientArchived(details={"clientId": str(deal["client_id"])})


def check_deal_open(deal: asyncpg.Record) -> None:
    """Raises OpportunityClosed for a won or lost deal."""
    closed_at = wire(deal["closed_at"]) if deal["closed_at"] else None
    check_open(OpportunityStage(deal["stage"]), OpportunityStatus(deal["status"]), closed_at)


def _plain(value: Any) -> Any:
    return value if value is None or isinstance(value, str | int | Decimal | list) else str(value)


def _update(columns: tuple[str, ...]) -> Statement:
    sets = ", ".join(f"{name} = ${index}" for index, name in enumerate(columns, 4))
    return statement(
        f"""update opportunities set {sets}, updated_at = $3, version = version + 1
        where account_id = $1 and id = $2"""
    )
