"""What runs unattended: events are kept for 30 days, and as long as one is still to be delivered."""

from soloist.events.queries import KEPT
from soloist.infra.db import Database
from soloist.infra.statement import crossing

BATCH = 5000
# Going from the oldest to the newest that is over age; what waits for a delivery is passed over.
_PRUNE = crossing(
    "prune events",
    "a sweep over all accounts, of events older than a month that no webhook waits for",
    """
    delete from events e using (
        select o.account_id, o.id from events o
        where o.occurred_at < $1 and not exists (
            select from webhooks w
            join webhook_deliveries d on d.account_id = w.account_id and d.webhook_id = w.id
            where w.account_id = o.account_id and d.event_id = o.id and d.state = 'PENDING')
        order by o.occurred_at limit $2
    ) as old
    where e.account_id = old.account_id and e.id = old.id
    """,
)


async def prune(db: Database) -> int:
    """Forget events over 30 days old, but not one that is still to be delivered; answers how many."""
    total, forgotten = 0, BATCH
    while forgotten == BATCH:
        forgotten = await db.cross_run(_PRUNE, db.now() - KEPT, BATCH)
        total += forgotten
    return total
