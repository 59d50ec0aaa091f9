"""Forgotten passwords by e-mail: anybody may ask, only the owner gets an answer."""

from datetime import timedelta

from soloist.accounts import queries, sessions
from soloist.accounts.actions import nobody_yet
from soloist.accounts.tokens import RESET_LIFE, Tokens
from soloist.infra.db import Database, Tx
from soloist.infra.http import BASE
from soloist.infra.ids import new_id
from soloist.infra.queue import Job, enqueue, kind
from soloist.infra.statement import statement
from soloist.mails import actions as mails
from soloist.mails.model import Composer, Kind, Letter, Links, Ordered, local_time

RESET = kind("mail.password_reset")
MOST_AN_HOUR = 5  # letters about one account, whoever asks for them

_LATELY = statement(
    """
    select (
        select count(*) from mails m
        where m.account_id = $1 and m.kind = 'PASSWORD_RESET' and m.created_at > $2
    )
    from accounts a
    where a.account_id = $1 and a.status = 'ACTIVE' and a.email is not null
    """
)


async def ask_reset(db: Database, email: str) -> None:
    """Have the owner of the account with this address sent a token to set a new password with.

    For an address without an account the very same is done, only that nothing comes of it: how long this takes
    tells nobody whether there is one.
    """
    account_id = await queries.find_account(db, email) or new_id()
    async with db.changing(nobody_yet(account_id, "password reset")) as tx:
        await enqueue(tx, RESET, {"request": new_id()})


async def order_reset(db: Database, job: Job) -> None:
    """Order the letter that was asked for, unless there is no such account or MOST_AN_HOUR were sent to it."""
    async with db.changing(nobody_yet(job.account_id, "password reset")) as tx:
        lately = await tx.value(_LATELY, tx.now - timedelta(hours=1))
        if lately is not None and lately < MOST_AN_HOUR:
            await mails.order(tx, Kind.PASSWORD_RESET, job.payload["request"], tx.now + RESET_LIFE)


def reset_composer(tokens: Tokens) -> Composer:
    """Writes the letter with the token, which is made only now: no job and no table ever holds it."""

    async def write(tx: Tx, mail: Ordered, links: Links) -> Letter:
        token = await sessions.make_reset(tx, tokens, mail.id, mail.expires_at)
        values = {
            "token": token,
            "api": BASE,
            "until": local_time(mail.time_zone, mail.expires_at),
            "zone": mail.time_zone,
            "url": links.to(f"/password/reset?token={token}"),
        }
        return Letter("Set a new password for Soloist", "password_reset", values)

    return write
