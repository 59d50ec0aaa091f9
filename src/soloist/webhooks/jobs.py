"""What runs unattended: lanes are woken, replays are added piece by piece, and the log is forgotten after 30 days."""

from datetime import datetime, timedelta
from functools import partial
from uuid import UUID

from soloist.accounts.unattended import unattended
from soloist.infra.db import Database
from soloist.infra.queue import Job
from soloist.infra.statement import crossing
from soloist.webhooks import deliveries, queries
from soloist.webhooks.deliveries import FREE, ReplayPart
from soloist.webhooks.lanes import Lanes
from soloist.webhooks.model import KEPT, ReplayScope, WebhookStatus

BATCH = 500
# What has been due for longer than this has been forgotten: whoever was to send it would have begun.
OVERDUE = timedelta(seconds=2)

# From one endpoint with something to send to the next along the index, however much each has: an endpoint that
# hangs has a long queue, which is not read.
FORGOTTEN = crossing(
    "forgotten deliveries",
    "finds the endpoints of all accounts with something due that no living worker has in hand",
    f"""
    with recursive waiting as (
        (
            select d.account_id, d.webhook_id from webhook_deliveries d
            where d.state = 'PENDING' order by d.account_id, d.webhook_id limit 1
        )
        union all
        select n.account_id, n.webhook_id
        from waiting w
        cross join lateral (
            select d.account_id, d.webhook_id from webhook_deliveries d
            where d.state = 'PENDING' and (d.account_id, d.webhook_id) > (w.account_id, w.webhook_id)
            order by d.account_id, d.webhook_id limit 1
        ) as n
    )
    select w.account_id, w.webhook_id from waiting w
    where exists (
        select from webhook_deliveries d
        where d.account_id = w.account_id and d.webhook_id = w.webhook_id and d.state = 'PENDING'
            and d.next_attempt_at <= $1 and {FREE.replace("$worker", "$2").replace("$stale", "$3")})
    """,
)
_FORGET = crossing(
    "prune deliveries",
    "a sweep over all accounts, of deliveries older than a month",
    """
    delete from webhook_deliveries where (account_id, id) in (
        select d.account_id, d.id from webhook_deliveries d
        where d.created_at < $1 and d.state <> 'PENDING' order by d.created_at limit 5000)
    """,
)


async def deliver(lanes: Lanes, db: Database, job: Job) -> None:
    """Have an endpoint's lane look what is due. The job ends at once: a slow receiver holds up no other work."""
    lanes.wake(job.account_id, UUID(job.payload["webhook"]))


async def rescue(lanes: Lanes, db: Database) -> int:
    """Wake the lane of every endpoint with something due that nobody sends; answers how many.

    That is what a dead worker had in hand, and every retry that is due.
    """
    found = await db.cross_rows(FORGOTTEN, db.now() - OVERDUE, *lanes.claimant)
    for row in found:
        lanes.wake(row["account_id"], row["webhook_id"])
    return len(found)


async def replay(db: Database, job: Job) -> None:
    """Send an endpoint again what it asked for; ends early if the endpoint is disabled or deleted meanwhile."""
    webhook_id = UUID(job.payload["webhook"])
    since, until = (datetime.fromisoformat(job.payload[name]) for name in ("since", "until"))
    which = ReplayScope(job.payload["which"])
    changing = partial(db.changing, unattended(job.account_id, "UTC", "USD"))
    after: int | None = 0
    while after is not None:
        async with changing() as tx:
            webhook = await queries.find_locked(tx, webhook_id)
            if webhook is None or webhook["status"] != WebhookStatus.ENABLED:
                return
            part = ReplayPart(webhook["events"], since, until, after)
            after = await deliveries.replay_part(tx, webhook_id, part, which, BATCH)


async def prune(db: Database) -> int:
    """Forget deliveries that ended and are older than 30 days, with their attempts; answers how many."""
    total, forgotten, before = 0, 1, db.now() - KEPT
    while forgotten:
        forgotten = await db.cross_run(_FORGET, before)
        total += forgotten
    return total
