"""What is announced of reminders: due, and overdue; each once per occurrence, and again after a snooze."""

from datetime import datetime, timedelta

import asyncpg

from soloist.events import log
from soloist.events.model import ReminderDue, ReminderOverdue
from soloist.infra.db import Tx
from soloist.infra.statement import crossing, statement
from soloist.infra.times import wire

# $now and $after stand for the present and for how long after its effective date a reminder is overdue.
# The clients of reminders are known by their alias c; those of archived ones are silent.
_RIPE = """r.status in ('PENDING', 'SNOOZED') and r.announced is distinct from 'OVERDUE'
    and coalesce(r.notify_at, r.due_date) <= $now
    and (r.announced is null or coalesce(r.snoozed_until, r.due_date) <= $now::timestamptz - $after::interval)
    and c.status is distinct from 'ARCHIVED'"""
ACCOUNTS = crossing(
    "accounts with reminders to announce",
    "finds the accounts in which a reminder has come due or overdue",
    f"""
    select r.account_id, a.time_zone, a.base_currency
    from reminders r
    join accounts a on a.account_id = r.account_id
    left join clients c on c.account_id = r.account_id and c.id = r.client_id
    where {_RIPE.replace("$now", "$1").replace("$after", "$2")} and a.status = 'ACTIVE'
    group by r.account_id, a.time_zone, a.base_currency
    order by min(coalesce(r.notify_at, r.due_date))
    limit 1000
    """,
)

# A batch ends with the notice that was to be given last of it: what came later, though it has come too, waits
# for the next batch, so that all are given in the order in which they came.
_CLAIM = statement(
    f"""
    with ripe as (
        select r.id, r.announced as before, coalesce(r.snoozed_until, r.due_date) + $3::interval as overdue_at,
            case when r.announced is null then coalesce(r.notify_at, r.due_date)
                else coalesce(r.snoozed_until, r.due_date) + $3::interval end as first_at
        from reminders r
        left join clients c on c.account_id = $1 and c.id = r.client_id
        where r.account_id = $1 and {_RIPE.replace("$now", "$2").replace("$after", "$3")}
        order by first_at, r.id
        limit $4
        for no key update of r skip locked
    ), bounded as (
        select p.*, case when count(*) over () < $4 then $2::timestamptz else max(p.first_at) over () end as bound
        from ripe p
    )
    update reminders r set announced = case when b.overdue_at <= b.bound then 'OVERDUE' else 'DUE' end
    from bounded b
    where r.account_id = $1 and r.id = b.id
    returning r.*, b.before, b.overdue_at,
        (select c.display_name from clients c where c.account_id = $1 and c.id = r.client_id) as client_name
    """
)


async def announce(tx: Tx, overdue_after: timedelta, most: int) -> int:
    """Record `reminder.due` and `reminder.overdue` for what has come, in that order of time; answers how many.

    At most `most` reminders are looked at; what another worker has in hand is passed over.
    """
    claimed = await tx.rows(_CLAIM, tx.now, overdue_after, most)
    notices: list[tuple[datetime, ReminderDue]] = []
    for row in claimed:
        if row["before"] is None:
            notices.append((row["notify_at"] or row["due_date"], _notice(ReminderDue, row)))
        if row["announced"] == "OVERDUE":
            notices.append((row["overdue_at"], _notice(ReminderOverdue, row)))
    notices.sort(key=lambda notice: notice[0])
    await log.record(tx, *(event for _, event in notices))
    return len(notices)


def _notice(kind: type[ReminderDue], row: asyncpg.Record) -> ReminderDue:
    return kind(
        id=row["id"],
        client_id=row["client_id"],
        client_name=row["client_name"],
        opportunity_id=row["opportunity_id"],
        title=row["title"],
        reminder_type=row["reminder_type"],
        priority=row["priority"],
        due_date=wire(row["due_date"]),
        effective_date=wire(row["snoozed_until"] or row["due_date"]),
        version=row["version"],
    )
