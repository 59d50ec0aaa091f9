"""What attempts mean for their endpoint: since when it fails, and when nothing more is sent to it."""

from collections.abc import Sequence
from uuid import UUID

from soloist.infra.db import Caller, Database
from soloist.webhooks import actions, deliveries, queries
from soloist.webhooks.deliveries import Outcome
from soloist.webhooks.model import GONE, AttemptError, DisabledBecause, WebhookStatus, has_failed_too_long

OURS = (AttemptError.INTERNAL, AttemptError.EVENT_EXPIRED)  # no fault of the endpoint


async def settle(db: Database, actor: Caller, webhook_id: UUID, worker_id: UUID, outcomes: Sequence[Outcome]) -> None:
    """Log the attempts of one endpoint, and judge the endpoint by them.

    A success ends its run of failures. A 410, or a failure when it has failed for five days without a success,
    disables it, and its owner is told.
    """
    if not any(outcome.error or outcome.was_failing for outcome in outcomes):
        async with db.reading(actor) as tx:  # one statement, the whole transaction
            await deliveries.settle(tx, worker_id, outcomes)
        return
    async with db.changing(actor) as tx:
        webhook = await queries.find_locked(tx, webhook_id)
        if webhook is None:
            return
        await deliveries.settle(tx, worker_id, outcomes)
        failing_since = webhook["failing_since"]
        for outcome in sorted(outcomes, key=lambda one: one.attempted_at):
            if outcome.error is None:
                failing_since = None
            elif outcome.error not in OURS:
                failing_since = failing_since or outcome.attempted_at
        if failing_since != webhook["failing_since"]:
            await actions.note_health(tx, webhook_id, failing_since)
        if webhook["status"] == WebhookStatus.DISABLED:
            await deliveries.cancel(tx, webhook_id)  # what was on the wire meanwhile is not tried again
        elif any(outcome.status_code == GONE for outcome in outcomes):
            await actions.disable(tx, webhook_id, DisabledBecause.GONE)
        elif has_failed_too_long(failing_since, tx.now):
            await actions.disable(tx, webhook_id, DisabledBecause.FAILING)
