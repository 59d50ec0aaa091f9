"""The mails that are to go out: the only writer of `mails`, which is the truth about what was sent and what waits.

A mail is one row for one cause. Whoever takes it up puts its next attempt off by LEASE, in which it must be settled.
"""

from datetime import datetime, timedelta

from soloist.infra.db import Database, Tx
from soloist.infra.ids import new_id
from soloist.infra.queue import enqueue, kind
from soloist.infra.statement import crossing, statement
from soloist.mails.model import Kind, Ordered, gap_after

SEND = kind("mail.send", patient=True)
LEASE = timedelta(minutes=2)  # longer than an attempt can take
KEPT = timedelta(days=30)

_ORDER = statement(
    """
    insert into mails (account_id, id, kind, cause, created_at, next_attempt_at, expires_at)
    values ($1, $2, $3, $4, $5, $5, $6)
    on conflict (account_id, kind, cause) do nothing
    """
)


async def order(tx: Tx, about: Kind, cause: str, until: datetime) -> None:
    """Have the account's owner written to of `cause`, once, however often this is called.

    The mail goes out after the commit. If no server takes it before `until`, it is given up.
    """
    if await tx.run(_ORDER, new_id(), about, cause, tx.now, until):
        await enqueue(tx, SEND, {})


_NEXT = crossing(
    "next mail",
    "takes up the mail that waits longest, whoever it is for",
    """
    with due as (
        select m.account_id, m.id from mails m
        where m.next_attempt_at <= $1
        order by m.next_attempt_at, m.id
        limit 1
        for update skip locked
    )
    update mails m set next_attempt_at = $2, attempts = m.attempts + 1
    from due, accounts a
    where m.account_id = due.account_id and m.id = due.id and a.account_id = m.account_id
    returning m.account_id, m.id, m.kind, m.cause, m.created_at, m.expires_at, m.attempts,
        case when a.status = 'ACTIVE' then a.email end as email, a.time_zone, a.base_currency
    """,
)


async def take_up(db: Database) -> Ordered | None:
    """The mail that has waited longest, if one is due; it comes up again after LEASE unless it is settled.

    Its `email` is empty when the account is disabled or has no address.
    """
    now = db.now()
    row = await db.cross_row(_NEXT, now, now + LEASE)
    if row is None:
        return None
    return Ordered(**{**row, "kind": Kind(row["kind"]), "email": row["email"] or ""})


# Only while it waits: of two who had it in hand, the first to settle it decides.
_SETTLE = statement(
    """
    update mails set outcome = $3, settled_at = $4, next_attempt_at = null
    where account_id = $1 and id = $2 and outcome is null
    """
)
_POSTPONE = statement("update mails set next_attempt_at = $3 where account_id = $1 and id = $2 and outcome is null")


async def sent(tx: Tx, mail: Ordered) -> None:
    """Note that a server has taken the mail."""
    await tx.run(_SETTLE, mail.id, "SENT", tx.now)


async def give_up(tx: Tx, mail: Ordered, because: str) -> None:
    """Note that the mail will not be sent: NOTHING_TO_SAY, REFUSED or EXPIRED."""
    await tx.run(_SETTLE, mail.id, because, tx.now)


async def postpone(tx: Tx, mail: Ordered) -> None:
    """Try again after the next gap."""
    await tx.run(_POSTPONE, mail.id, tx.now + gap_after(mail.attempts))


_PRUNE = crossing(
    "prune mails",
    "a sweep over all accounts, of mails settled a month ago",
    "delete from mails where created_at < $1 and outcome is not null",
)


async def prune(db: Database) -> int:
    """Forget the mails that were settled and are a month old; answers how many."""
    return await db.cross_run(_PRUNE, db.clock() - KEPT)
