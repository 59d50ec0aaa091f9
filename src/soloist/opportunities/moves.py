"""How a deal moves: along the stages, to won or lost, back by reopening, on hold and off it.

Two moves at the same moment: one wins, the other is told OPPORTUNITY_CLOSED (the rows are locked).
"""

from datetime import date
from uuid import UUID

import asyncpg

from soloist.clients import actions as client_actions
from soloist.events import log
from soloist.events.model import OpportunityReopened, OpportunityUpdated
from soloist.infra.changes import Found
from soloist.infra.clock import local_day
from soloist.infra.db import Tx
from soloist.infra.errors import one_fault
from soloist.infra.statement import statement
from soloist.infra.times import wire
from soloist.opportunities import activities, queries, steps
from soloist.opportunities.actions import check_deal_open, check_living
from soloist.opportunities.model import (
    CLOSED,
    PROBABILITY,
    ActivityType,
    OpportunityStage,
    OpportunityStatus,
    check_move,
)
from soloist.opportunities.valuation import revalue


async def change_stage(tx: Tx, opportunity_id: UUID, to: OpportunityStage, notes: str | None = None) -> Found:
    """Move a deal along the pipeline, and answer it; the probability becomes the stage's own (document "Stages").

    Won and lost are final until the deal is reopened: every move then raises OpportunityClosed. Asking for the
    stage it already has raises InvalidStageTransition. WON makes the client ACTIVE and books the revenue; the
    notes of a move to LOST become its reason. A deal on hold is resumed first.
    """
    client = None
    if to is OpportunityStage.WON:
        deal, client = await queries.lock_with_client(tx, opportunity_id)
    else:  # changes nothing of the client's
        deal = await queries.lock(tx, opportunity_id)
    check_living(deal)
    tx.expect(deal["version"])
    before = OpportunityStage(deal["stage"])
    check_move(before, OpportunityStatus(deal["status"]), wire(deal["closed_at"]) if deal["closed_at"] else None, to)
    if deal["status"] == OpportunityStatus.ON_HOLD:
        await activities.write(tx, opportunity_id, ActivityType.RESUMED)
    step = steps.Step(deal, before, to, notes)
    if client is None:
        return await steps.take(tx, step)
    found, subject = await steps.win(tx, step)
    await client_actions.book_win(tx, client, subject)
    return found


_REOPEN = statement(
    """
    update opportunities set stage = $3, status = 'OPEN', probability = $4, closed_from_stage = null,
        actual_close_date = null, closed_at = null, lost_reason = null, updated_at = $5, version = version + 1
    where account_id = $1 and id = $2
    """
)


async def reopen(tx: Tx, opportunity_id: UUID) -> None:
    """Bring a closed deal back to the stage it was closed from, and take its revenue back; an open one stays.

    The client's status stays as it is. Raises ClientArchived for an archived client's deal.
    """
    deal, client = await queries.lock_with_client(tx, opportunity_id)
    check_living(deal)
    tx.expect(deal["version"])
    if deal["status"] not in CLOSED:
        return
    stage = OpportunityStage(deal["closed_from_stage"])
    await tx.run(_REOPEN, opportunity_id, stage, PROBABILITY[stage], tx.now)
    await revalue(tx, opportunity_id)
    if deal["status"] == OpportunityStatus.WON and client is not None:
        await client_actions.revenue_changed(tx, client.id)
    was = OpportunityStage(deal["stage"])
    await activities.write(tx, opportunity_id, ActivityType.REOPENED, from_stage=was, to_stage=stage)
    event = OpportunityReopened(
        id=opportunity_id, client_id=deal["client_id"], title=deal["title"], stage=stage, version=deal["version"] + 1
    )
    await log.record(tx, event)


_HOLD = statement(
    """
    update opportunities set status = $3, resume_on = $4, updated_at = $5, version = version + 1
    where account_id = $1 and id = $2
    """
)


async def hold(tx: Tx, opportunity_id: UUID, resume_on: date | None) -> None:
    """Put an open deal on hold, until `resume_on` if given; doing it again changes only that day.

    Raises OpportunityClosed, ClientArchived, and ValidationFailed for a day that is not to come.
    """
    deal = await queries.lock(tx, opportunity_id)
    check_living(deal)
    tx.expect(deal["version"])
    check_deal_open(deal)
    today = local_day(tx.actor.zone, tx.now)
    if resume_on is not None and resume_on <= today:
        raise one_fault("resumeOn", "out_of_range", f"must be a day after today ({today}), or null for no fixed day")
    if deal["status"] != OpportunityStatus.ON_HOLD:
        text = f"Until {resume_on}" if resume_on else None
        await activities.write(tx, opportunity_id, ActivityType.ON_HOLD, notes=text)
        await _hold(tx, deal, OpportunityStatus.ON_HOLD, resume_on)
    elif deal["resume_on"] != resume_on:
        days = {"from": _text(deal["resume_on"]), "to": _text(resume_on)}
        await activities.write(tx, opportunity_id, ActivityType.UPDATED, changes={"resumeOn": days})
        await _hold(tx, deal, OpportunityStatus.ON_HOLD, resume_on)


async def resume(tx: Tx, opportunity_id: UUID) -> None:
    """Take a deal off hold; one that is open stays as it is. Raises OpportunityClosed or ClientArchived."""
    deal = await queries.lock(tx, opportunity_id)
    check_living(deal)
    tx.expect(deal["version"])
    check_deal_open(deal)
    if deal["status"] == OpportunityStatus.ON_HOLD:
        await _resume(tx, deal)


async def resume_if_due(tx: Tx, opportunity_id: UUID) -> bool:
    """Take a deal off hold if its day has begun, and answer whether it was so; whatever else it is, it stays."""
    deal = await queries.lock(tx, opportunity_id)
    held = deal["status"] == OpportunityStatus.ON_HOLD and deal["client_status"] != "ARCHIVED"
    if not held or deal["resume_on"] is None or deal["resume_on"] > local_day(tx.actor.zone, tx.now):
        return False
    await _resume(tx, deal)
    return True


async def _resume(tx: Tx, deal: asyncpg.Record) -> None:
    await activities.write(tx, deal["id"], ActivityType.RESUMED)
    await _hold(tx, deal, OpportunityStatus.OPEN, None)


async def _hold(tx: Tx, deal: asyncpg.Record, status: OpportunityStatus, resume_on: date | None) -> None:
    await tx.run(_HOLD, deal["id"], status, resume_on, tx.now)
    changed = {"status": deal["status"] != status, "resumeOn": deal["resume_on"] != resume_on}
    event = OpportunityUpdated(
        id=deal["id"],
        client_id=deal["client_id"],
        title=deal["title"],
        changed=sorted(name for name, differs in changed.items() if differs),
        version=deal["version"] + 1,
    )
    await log.record(tx, event)


def _text(day: date | None) -> str | None:
    return None if day is None else day.isoformat()
