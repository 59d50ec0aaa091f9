"""A deal's history: the only writer of `opportunity_activities`."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from soloist.infra import jsonbody
from soloist.infra.db import Tx
from soloist.infra.ids import new_id
from soloist.infra.statement import statement
from soloist.opportunities.model import ActivityType, OpportunityStage

_WRITE = statement(
    """
    insert into opportunity_activities (
        account_id, id, opportunity_id, activity_type, from_stage, to_stage, notes, changes, actor, created_at
    ) values ($1, $2, $3, $4, $5, $6, $7, $8::jsonb, $9, $10)
    """
)


def write_with(moved: str, activity_id: str, kind: str, stages: tuple[str, str], notes: str, by: str, at: str) -> str:
    """The same as a part of a statement that moves the deal `moved` in a CTE; `stages` are those before and after."""
    before, after = stages
    return f"""
        insert into opportunity_activities (
            account_id, id, opportunity_id, activity_type, from_stage, to_stage, notes, actor, created_at
        )
        select $1, {activity_id}, {moved}.id, {kind}, {before}, {after}, {notes}, {by}, {at} from {moved}
    """


async def write(
    tx: Tx,
    opportunity_id: UUID,
    what: ActivityType,
    *,
    from_stage: OpportunityStage | None = None,
    to_stage: OpportunityStage | None = None,
    notes: str | None = None,
    changes: Mapping[str, Any] | None = None,
) -> None:
    """Add one line to a deal's history, as of now, by whoever the transaction runs for."""
    text = None if changes is None else jsonbody.dumps(changes)
    label = tx.actor.label
    await tx.run(_WRITE, new_id(), opportunity_id, what, from_stage, to_stage, notes, text, label, tx.now)
