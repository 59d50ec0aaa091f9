"""What runs unattended: reminders announce themselves when their time has come."""

from datetime import timedelta

import structlog

from soloist.accounts.unattended import unattended
from soloist.infra.db import Database
from soloist.reminders import notices

log = structlog.get_logger("soloist.reminders")
BATCH = 500
OVERDUE_AFTER = timedelta(hours=24)


async def announce(db: Database, overdue_after: timedelta = OVERDUE_AFTER) -> int:
    """Announce what has come due, or has stayed open for `overdue_after`; answers how many notices there were.

    Safe to run twice or beside itself: each notice is recorded once. What was missed while nothing ran is made
    up for, in order.
    """
    total = 0
    for row in await db.cross_rows(notices.ACCOUNTS, db.now(), overdue_after):
        actor = unattended(row["account_id"], row["time_zone"], row["base_currency"])
        given = BATCH
        while given >= BATCH:
            async with db.changing(actor) as tx:
                given = await notices.announce(tx, overdue_after, BATCH)
            total += given
    if total:
        log.info("reminders announced", notices=total)
    return total
