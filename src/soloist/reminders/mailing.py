"""Reminders by e-mail: which events are told, several at once in one letter, and what the letters say."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from uuid import UUID

import asyncpg

from soloist.infra.db import Tx
from soloist.infra.statement import statement
from soloist.infra.times import wire
from soloist.mails import actions as mails
from soloist.mails.model import Kind, Letter, Links, Ordered, Stoppable, local_time

MOST_ALONE = 3  # announced in one go; more of them share a letter
MOST_SHOWN = 50
KEEP_TRYING = timedelta(hours=48)

_TYPES = "('reminder.due', 'reminder.overdue')"
_ASKED = statement(
    f"""
    select e.occurred_at, (
        select count(*) from (
            select 1 from events o
            where o.account_id = $1 and o.occurred_at = e.occurred_at and o.type in {_TYPES}
            limit {MOST_ALONE + 1}
        ) as together
    ) as together
    from events e
    join accounts a on a.account_id = $1
    where e.account_id = $1 and e.id = $2 and e.type in {_TYPES}
        and a.email_notices and a.email is not null and a.status = 'ACTIVE'
    """
)


async def tell_by_mail(tx: Tx, event_id: UUID) -> None:
    """Have the owner written to of a `reminder.due` or `reminder.overdue`, once, if the account wants that.

    When more than MOST_ALONE were announced in one go, as after downtime, one letter tells of all of them.
    """
    asked = await tx.row(_ASKED, event_id)
    if asked is None:
        return
    until = tx.now + KEEP_TRYING
    if asked["together"] > MOST_ALONE:
        await mails.order(tx, Kind.REMINDERS, wire(asked["occurred_at"]), until)
    else:
        await mails.order(tx, Kind.REMINDER, str(event_id), until)


# Told as it was announced; a reminder that was closed, moved or deleted since has nothing to say.
_TOLD = """
    select e.type, m.id, m.title, m.description, m.client_id, m.effective_at,
        (select c.display_name from clients c where c.account_id = $1 and c.id = m.client_id) as client_name,
        count(*) over () as total
    from events e
    cross join lateral (
        select (e.body::json #>> '{data,id}')::uuid as id, (e.body::json #>> '{data,effectiveDate}')::timestamptz as at
    ) as told
    cross join lateral (
        select r.id, r.title, r.description, r.client_id, coalesce(r.snoozed_until, r.due_date) as effective_at
        from reminders r
        where r.account_id = $1 and r.id = told.id and r.status in ('PENDING', 'SNOOZED')
    ) as m
    where e.account_id = $1 and date_trunc('milliseconds', m.effective_at) = told.at
"""
_ONE = statement(f"{_TOLD} and e.id = $2")
_TOGETHER = statement(f"{_TOLD} and e.occurred_at = $2 and e.type in {_TYPES} order by e.position limit {MOST_SHOWN}")


async def write_one(tx: Tx, mail: Ordered, links: Links) -> Letter | None:
    """The letter about one reminder that is due or overdue."""
    row = await tx.row(_ONE, UUID(mail.cause))
    if row is None:
        return None
    told = _shown(row, mail, links)
    about = f" ({told['client']})" if told["client"] else ""
    subject = f"{told['what']} {told['at']}: {told['title']}{about}"
    return _letter(mail, links, subject, "reminder", told)


async def write_together(tx: Tx, mail: Ordered, links: Links) -> Letter | None:
    """The letter about all reminders that were announced in one go, in the order in which they came."""
    rows = await tx.rows(_TOGETHER, datetime.fromisoformat(mail.cause))
    if not rows:
        return None
    total = rows[0]["total"]
    values = {"reminders": [_shown(row, mail, links) for row in rows], "total": total, "more": total - len(rows)}
    title = f"{total} reminders have come" if total > 1 else "1 reminder has come"
    return _letter(mail, links, title, "reminders", {**values, "url": links.to("/reminders")})


def _shown(row: asyncpg.Record, mail: Ordered, links: Links) -> dict[str, object]:
    return {
        "what": "Due" if row["type"] == "reminder.due" else "Overdue since",
        "at": local_time(mail.time_zone, row["effective_at"]),
        "title": row["title"],
        "description": row["description"],
        "client": row["client_name"],
        "url": links.client(row["client_id"]) or links.to("/reminders"),
    }


def _letter(mail: Ordered, links: Links, subject: str, template: str, values: Mapping[str, object]) -> Letter:
    stop_url = links.stop(mail.account_id, Stoppable.NOTICES)
    return Letter(subject, template, {**values, "zone": mail.time_zone}, stop_url)
