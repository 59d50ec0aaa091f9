"""When an account's daily digest is due: at its hour of each local day, once. The only reader of what is due.

A worker that was down at the hour makes up for it while the day lasts; yesterday's digest is nobody's news.
"""

from datetime import UTC, date, datetime, time, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from soloist.accounts.model import Actor
from soloist.accounts.unattended import unattended
from soloist.infra.clock import local_day
from soloist.infra.db import Database, Tx
from soloist.infra.fields import zone as zone_named
from soloist.infra.statement import crossing, statement


def digest_time(zone: ZoneInfo, day: date, hour: int) -> datetime:
    """When the clocks of `zone` come to that hour of that day: at the first time of two, at a gap's end if skipped."""
    return datetime.combine(day, time(hour), tzinfo=zone).astimezone(UTC)


def next_digest(zone: ZoneInfo, hour: int, now: datetime) -> datetime:
    """The first digest time after `now`."""
    today = local_day(zone, now)
    times = (digest_time(zone, today + timedelta(days=days), hour) for days in range(3))
    return next(at for at in times if at > now)


_SETTING = statement("select time_zone, digest_hour from accounts where account_id = $1 for no key update")
_PLAN = statement("update accounts set digest_at = $2 where account_id = $1")


async def plan(tx: Tx) -> None:
    """Work out when the next digest is due, after the hour or the zone was set; the past is not made up for."""
    row = await tx.row(_SETTING)
    assert row is not None
    hour = row["digest_hour"]
    await tx.run(_PLAN, None if hour is None else next_digest(zone_named(row["time_zone"]), hour, tx.now))


_DUE = crossing(
    "accounts whose digest is due",
    "finds the accounts in which the hour of the digest has come",
    """
    select account_id, time_zone, base_currency, digest_hour, digest_at from accounts
    where digest_at <= $1 and status = 'ACTIVE' and email is not null
    order by digest_at limit 1000
    """,
)
_TAKE = statement("update accounts set digest_at = $3 where account_id = $1 and digest_at = $2 and digest_hour = $4")


class Due(NamedTuple):
    """An account whose digest is due, as it stood when it was found."""

    actor: Actor
    hour: int
    due_at: datetime


async def due(db: Database) -> list[Due]:
    """Some accounts whose digest is due, those that wait longest first; empty when there are no more."""
    rows = await db.cross_rows(_DUE, db.now())
    return [
        Due(unattended(row["account_id"], row["time_zone"], row["base_currency"]), row["digest_hour"], row["digest_at"])
        for row in rows
    ]


async def take(tx: Tx, found: Due) -> date | None:
    """Put the account's digest off to the next one; answers the local day of the one to send now.

    None if there is none: somebody else took it, or its day is over and today's is still to come.
    """
    zone = found.actor.zone
    if not await tx.run(_TAKE, found.due_at, next_digest(zone, found.hour, tx.now), found.hour):
        return None
    today = local_day(zone, tx.now)
    return today if digest_time(zone, today, found.hour) <= tx.now else None
