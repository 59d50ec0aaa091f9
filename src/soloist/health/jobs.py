"""What runs unattended: stored scores follow the time that passes."""

from uuid import UUID

import structlog

from soloist.accounts.unattended import unattended
from soloist.health import actions
from soloist.infra.db import Database
from soloist.infra.statement import crossing

log = structlog.get_logger("soloist.health")
BATCH = 1000
START = UUID(int=0)

_ACCOUNTS = crossing(
    "health decay",
    "the periodic pass goes through every account, one transaction per batch of one account",
    "select account_id, time_zone, base_currency from accounts where status = 'ACTIVE' order by account_id",
)


async def decay(db: Database) -> int:
    """Bring every stored score up to now; answers how many changed. Safe to run twice, or beside changes."""
    changed = 0
    for row in await db.cross_rows(_ACCOUNTS):
        actor = unattended(row["account_id"], row["time_zone"], row["base_currency"])
        after: UUID | None = START
        while after is not None:
            async with db.changing(actor) as tx:
                moved, after = await actions.refresh_batch(tx, after, BATCH)
            changed += moved
    if changed:
        log.info("health scores moved with time", changed=changed)
    return changed
