"""Kind of mail → who writes it: the whole map of what owners are written to about, and how it gets out.

Without a mail server nothing is ordered; what was ordered before waits for one, or is out of date by then.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import NamedTuple

from soloist.accounts import mailing as passwords
from soloist.accounts.tokens import Tokens
from soloist.digests import jobs as digests
from soloist.digests import mailing as digest
from soloist.infra.db import Database
from soloist.infra.mail import mail_server
from soloist.infra.queue import Handler, Job, Periodic
from soloist.infra.secrets import derived, installation_secret
from soloist.infra.settings import Settings
from soloist.mails import actions as mails
from soloist.mails.jobs import Postman
from soloist.mails.model import Composer, Kind, Links
from soloist.reminders import mailing as reminders
from soloist.webhooks import mailing as webhooks


class Mailing(NamedTuple):
    """What a worker does about mail."""

    handlers: Mapping[str, Handler]
    periodic: tuple[Periodic, ...]


def start(settings: Settings) -> Mailing:
    """What a worker with these settings does about mail."""
    server = mail_server(settings)
    if server is None:
        return Mailing(dict.fromkeys((mails.SEND, passwords.RESET, webhooks.TELL_DISABLED), _no_mail), ())
    secret = installation_secret(settings)
    postman = Postman(server, composers(secret), Links(settings.public_url, derived(secret, "mail")))
    handlers: dict[str, Handler] = {
        mails.SEND: postman.wake,
        passwords.RESET: passwords.order_reset,
        webhooks.TELL_DISABLED: webhooks.order_notice,
    }
    periodic = (
        Periodic("order the digests whose hour has come", timedelta(minutes=1), digests.order_due),
        Periodic("send mail that was put off", timedelta(seconds=15), postman.send_due),
        Periodic("forget old mail", timedelta(hours=1), mails.prune),
    )
    return Mailing(handlers, periodic)


def composers(secret: bytes) -> Mapping[Kind, Composer]:
    """Who writes which kind of mail."""
    return {
        Kind.REMINDER: reminders.write_one,
        Kind.REMINDERS: reminders.write_together,
        Kind.DIGEST: digest.write,
        Kind.PASSWORD_RESET: passwords.reset_composer(Tokens(derived(secret, "tokens"))),
        Kind.WEBHOOK_DISABLED: webhooks.write_notice,
    }


async def _no_mail(_db: Database, _job: Job) -> None:
    """Nobody to write to."""
