"""What runs unattended: mails go out, each once, with no transaction open while a server is spoken to."""

import time
from collections.abc import Mapping
from typing import NamedTuple

import structlog

from soloist.accounts.unattended import unattended
from soloist.infra.db import Database
from soloist.infra.mail import Envelope, Mailer, MailServer, Postponed, Refused, Unreachable, message, write
from soloist.infra.queue import Job, enqueue
from soloist.mails import actions
from soloist.mails.model import Composer, Kind, Links, Ordered

log = structlog.get_logger("soloist.mails")
LANES = 2  # mail servers can hang: the other jobs keep most of the worker


class Round(NamedTuple):
    """How a round went: how many letters the server took, and whether none was left."""

    sent: int
    finished: bool


class Postman:
    """Sends what is due over at most LANES connections; one who comes while they are busy only leaves word.

    A round is over after `round_seconds`, so that a worker that stops does not have to break off in a letter.
    """

    def __init__(
        self,
        server: MailServer,
        composers: Mapping[Kind, Composer],
        links: Links,
        round_seconds: float = 8.0,
    ) -> None:
        self._server = server
        self._composers = composers
        self._links = links
        self._round_seconds = round_seconds
        self._busy = 0
        self._more = False

    async def wake(self, db: Database, job: Job) -> None:
        """A mail was ordered: send what is due. The mails know themselves whether they wait, so any job will do."""
        done = await self._send(db)
        if not done.finished:
            async with db.changing(unattended(job.account_id, "UTC", "USD")) as tx:
                await enqueue(tx, actions.SEND, {})

    async def send_due(self, db: Database) -> int:
        """Send the mails that are due, unless all lanes are busy; answers how many were taken by the server.

        A server that can't be reached ends the round at once: nobody else waits for it until the next one.
        """
        return (await self._send(db)).sent

    async def _send(self, db: Database) -> Round:
        if self._busy >= LANES:
            self._more = True
            return Round(0, finished=True)
        try:
            async with Mailer(self._server) as mailer:
                return await self._round(db, mailer)
        except Unreachable as fault:
            log.warning("the mail server can't be reached", error=str(fault))
            return Round(0, finished=True)

    async def _round(self, db: Database, mailer: Mailer) -> Round:
        self._busy += 1
        sent, ends_at = 0, time.monotonic() + self._round_seconds
        try:
            while True:
                self._more = False
                mail = await actions.take_up(db)
                if mail is not None:
                    sent += await self._deliver(db, mailer, mail)
                    if time.monotonic() >= ends_at:
                        return Round(sent, finished=False)
                elif not self._more:
                    return Round(sent, finished=True)
        finally:
            self._busy -= 1

    async def _deliver(self, db: Database, mailer: Mailer, mail: Ordered) -> bool:
        actor = unattended(mail.account_id, mail.time_zone, mail.base_currency)
        async with db.changing(actor) as tx:
            if tx.now >= mail.expires_at:
                await actions.give_up(tx, mail, "EXPIRED")
                log.warning("mail was given up, no server took it in time", mail=str(mail.id), kind=mail.kind)
                return False
            letter = await self._composers[mail.kind](tx, mail, self._links) if mail.email else None
            if letter is None:
                await actions.give_up(tx, mail, "NOTHING_TO_SAY")
                return False
            at = tx.now
        try:
            written = write(letter.template, {**letter.values, "stop_url": letter.stop_url})
            envelope = Envelope(self._server.sender, mail.email, mail.id, at, letter.stop_url)
            await mailer.send(message(envelope, letter.subject, written))
        except Refused as fault:
            log.warning("mail was refused for good", mail=str(mail.id), kind=mail.kind, answer=str(fault))
            async with db.changing(actor) as tx:
                await actions.give_up(tx, mail, "REFUSED")
            return False
        except (Postponed, Unreachable) as fault:
            log.warning("mail was postponed", mail=str(mail.id), kind=mail.kind, answer=str(fault))
            async with db.changing(actor) as tx:
                await actions.postpone(tx, mail)
            if isinstance(fault, Unreachable):
                raise
            return False
        async with db.changing(actor) as tx:
            await actions.sent(tx, mail)
        return True
