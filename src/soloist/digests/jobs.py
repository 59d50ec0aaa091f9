"""What runs unattended: daily digests are ordered when their hour has come."""

from soloist.accounts import digest
from soloist.infra.clock import day_bounds
from soloist.infra.db import Database
from soloist.mails import actions as mails
from soloist.mails.model import Kind


async def order_due(db: Database) -> int:
    """Order the digests whose hour has come, one for each account and local day; answers how many.

    Safe to run twice or beside itself. What was missed is made up for until the local day is over, not later.
    """
    ordered = 0
    while found := await digest.due(db):
        for account in found:
            async with db.changing(account.actor) as tx:
                day = await digest.take(tx, account)
                if day is not None:
                    await mails.order(tx, Kind.DIGEST, day.isoformat(), day_bounds(account.actor.zone, day)[1])
                    ordered += 1
    return ordered
