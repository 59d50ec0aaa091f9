"""One step of a deal along the pipeline, as one statement: the deal, the line of its history, its events, its answer.

Winning a client's deal counts the client's revenue anew in the same statement. Each statement more would cost about
a sixth of such a request.
"""

from typing import NamedTuple

import asyncpg

from soloist.accounts.rates import converted
from soloist.clients import revenue
from soloist.events import log
from soloist.events.model import Event, OpportunityLost, OpportunityStageChanged, OpportunityWon
from soloist.health import queries as health
from soloist.health.queries import Subject
from soloist.infra.changes import Found
from soloist.infra.clock import local_day
from soloist.infra.db import Tx
from soloist.infra.ids import new_id
from soloist.infra.money import plain_amount
from soloist.infra.statement import statement
from soloist.opportunities import activities, queries
from soloist.opportunities.model import PROBABILITY, ActivityType, OpportunityStage

WON, LOST = OpportunityStage.WON, OpportunityStage.LOST


class Step(NamedTuple):
    """What is to be done: the deal's row, locked, and where it goes from where."""

    deal: asyncpg.Record
    before: OpportunityStage
    to: OpportunityStage
    notes: str | None


# $2 to $10 are the values of the deal and of its line, $11 on those of the events; then the day, where one closes.
_TOLD = f"""
    line as ({activities.write_with("moved", "$6", "$7", ("$8", "$3"), "$9", "$10", "$5")}),
    told as ({log.record_with("moved", "$11", "$12", "$13", "$5")})
"""
_ADVANCE = statement(
    f"""
    with moved as (
        update opportunities o set stage = $3, probability = $4, status = 'OPEN', resume_on = null, updated_at = $5,
            version = o.version + 1
        where o.account_id = $1 and o.id = $2
        returning o.*
    ), {_TOLD}
    {queries.whole("moved")}
    """
)
_CLOSING = f"""
    moved as (
        update opportunities o set closed_from_stage = o.stage, stage = $3, status = $3, probability = $4,
            resume_on = null, actual_close_date = $17, closed_at = $5,
            lost_reason = case when $3 = 'LOST' then $9 end,
            base_value = {converted("o.estimated_value", "o.currency", "$17::date")},
            updated_at = $5, version = o.version + 1
        where o.account_id = $1 and o.id = $2
        returning o.*
    ), {_TOLD}, told_too as ({log.record_with("moved", "$14", "$15", "$16", "$5")})
"""
_CLOSE = statement(f"with {_CLOSING} {queries.whole('moved')}")
_JUST_WON = """
    select m.client_id, m.currency, m.estimated_value, m.actual_close_date from moved m where m.estimated_value > 0
"""
_WIN = statement(
    f"""
    with {_CLOSING}, {revenue.counting("array[$19::uuid]", and_also=_JUST_WON)},
    deal as ({queries.whole("moved")}),
    subject as ({health.subject_with("counted", client="$19", since="$18", now="$5")})
    select * from deal cross join subject
    """
)


async def take(tx: Tx, step: Step) -> Found:
    """Move or close a deal, without a word to its client; answers the deal."""
    row = await tx.row(_CLOSE if step.to in (WON, LOST) else _ADVANCE, *_values(tx, step))
    assert row is not None
    return Found(row["version"], row["raw"])


async def win(tx: Tx, step: Step) -> tuple[Found, Subject]:
    """Close a client's deal as won and count the client's revenue; answers the deal, and what health is judged by."""
    since, now, client_id = health.about(tx, step.deal["client_id"])
    row = await tx.row(_WIN, *_values(tx, step), since, client_id)
    assert row is not None
    return Found(row["version"], row["raw"]), health.read(row, now)


def _values(tx: Tx, step: Step) -> list[object]:
    deal, before, to, notes = step
    kind = ActivityType(to) if to in (WON, LOST) else ActivityType.STAGE_CHANGED
    values: list[object] = [deal["id"], to, PROBABILITY[to], tx.now, new_id(), kind, before, notes, tx.actor.label]
    for event in _events(deal, before, to):
        values += [new_id(), event.type, log.body(event, tx.now)]
    if to in (WON, LOST):
        values.append(local_day(tx.actor.zone, tx.now))
    return values


def _events(deal: asyncpg.Record, before: OpportunityStage, to: OpportunityStage) -> list[Event]:
    """That the stage changed, and then that the deal was won or lost."""
    id_, client_id, title, version = deal["id"], deal["client_id"], deal["title"], deal["version"] + 1
    moved = OpportunityStageChanged(
        id=id_, client_id=client_id, title=title, from_stage=before, to_stage=to, version=version
    )
    if to not in (WON, LOST):
        return [moved]
    kind = OpportunityWon if to is WON else OpportunityLost
    value, currency = plain_amount(deal["estimated_value"]), deal["currency"]
    return [moved, kind(id=id_, client_id=client_id, title=title, value=value, currency=currency, version=version)]
