"""A real mail server on loopback that does as a test tells it, and the ways to have our mail sent to it."""

import asyncio
import email
import ssl
import threading
import warnings
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from email.policy import SMTPUTF8
from pathlib import Path
from typing import Any
from uuid import UUID

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from soloist import mailing
from soloist.accounts.unattended import unattended
from soloist.infra.db import Database
from soloist.infra.settings import Settings
from soloist.mails.jobs import Postman
from soloist.reminders.mailing import tell_by_mail
from tests.book import select, work
from tests.people import Member
from tests.serving import Served

USER, PASSWORD = "crm", "letters only"
SENDER = "Soloist <crm@soloist.example>"


@dataclass(frozen=True)
class Received:
    """A letter as it arrived."""

    sender: str
    recipients: list[str]
    raw: bytes
    signed_in: bool

    @property
    def letter(self) -> EmailMessage:
        found = email.message_from_bytes(self.raw, policy=SMTPUTF8)
        assert isinstance(found, EmailMessage)
        return found

    @property
    def subject(self) -> str:
        return str(self.letter["Subject"]).strip()  # a long one may begin on the header's second line

    def part(self, kind: str) -> str:
        """The text of its plain or html form."""
        found = self.letter.get_body((kind,))
        assert found is not None
        return str(found.get_content()).replace("\r\n", "\n")

    @property
    def text(self) -> str:
        return self.part("plain")

    @property
    def html(self) -> str:
        return self.part("html")


class MailHost:
    """A mail server: what arrived, and what it is to answer to the next recipients and letters instead of 250.

    An answer HANG is never given; DROP closes the connection.
    """

    HANG, DROP = "hang", "drop"

    def __init__(self) -> None:
        self.received: list[Received] = []
        self.to_recipients: deque[str] = deque()
        self.to_letters: deque[str] = deque()
        self.attempts = 0
        self.port = 0
        self.while_asked: Callable[[], object] = lambda: None  # done before each recipient is answered

    def subjects(self) -> list[str]:
        return [one.subject for one in self.received]

    def to(self, address: str) -> list[Received]:
        """What arrived for one recipient."""
        return [one for one in self.received if one.recipients == [address]]

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        self.attempts += 1
        await asyncio.to_thread(self.while_asked)
        answer = await self._answer(server, self.to_recipients)
        if answer.startswith("250"):
            envelope.rcpt_tos.append(address)
        return answer

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        answer = await self._answer(server, self.to_letters)
        if answer.startswith("250"):
            assert isinstance(envelope.content, bytes)
            assert envelope.mail_from is not None
            signed_in = bool(session.authenticated)
            self.received.append(Received(envelope.mail_from, envelope.rcpt_tos, envelope.content, signed_in))
        return answer

    async def _answer(self, server: SMTP, script: deque[str]) -> str:
        answer = script.popleft() if script else "250 OK"
        if answer == self.HANG:
            await asyncio.sleep(3600)
        if answer == self.DROP:
            assert isinstance(server.transport, asyncio.WriteTransport)
            server.transport.abort()
        return answer


def _authenticate(_server: SMTP, _session: Session, _envelope: Envelope, _mechanism: str, data: Any) -> AuthResult:
    right = isinstance(data, LoginPassword) and (data.login, data.password) == (USER.encode(), PASSWORD.encode())
    return AuthResult(success=right, handled=False)


@contextmanager
def mail_host(*, security: str = "none", context: ssl.SSLContext | None = None, **options: Any) -> Iterator[MailHost]:
    """A mail server on a free port until the block ends; `options` are those of aiosmtpd's SMTP."""
    host, loop = MailHost(), asyncio.new_event_loop()
    extra = {"tls_context": context, "require_starttls": True} if security == "starttls" else {}

    def protocol() -> SMTP:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about signing in without TLS, which is meant here
            return SMTP(host, hostname="mail.test", loop=loop, authenticator=_authenticate, **{**extra, **options})

    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    wrapped = context if security == "tls" else None
    listening = asyncio.run_coroutine_threadsafe(loop.create_server(protocol, "127.0.0.1", 0, ssl=wrapped), loop)
    made = listening.result(10)
    host.port = made.sockets[0].getsockname()[1]

    async def end() -> None:
        made.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    try:
        yield host
    finally:
        asyncio.run_coroutine_threadsafe(end(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()


def certificate(folder: Path) -> Path:
    """A file with the key and the certificate of a mail server called localhost, signed by itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    file = folder / "localhost.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    return file


def postman(settings: Settings) -> Postman:
    """The one that a worker with these settings has."""
    wake = mailing.start(settings).handlers["mail.send"]
    found = getattr(wake, "__self__", None)
    assert isinstance(found, Postman)
    return found


def send_due(server: Served) -> int:
    """Have what is due sent, by the server's clock; answers how many letters the mail server took."""
    return work(server, postman(server.app.state.settings).send_due)


def tell(server: Served, owner: Member) -> None:
    """Have every announced reminder of the account told by mail, as the worker does at each event."""

    async def react(db: Database) -> int:
        actor = unattended(UUID(owner.account["id"]), "UTC", "USD")
        rows = await asyncio.to_thread(announced, server, owner)
        for event_id in rows:
            async with db.changing(actor) as tx:
                await tell_by_mail(tx, event_id)
        return len(rows)

    work(server, react)


def announced(server: Served, owner: Member) -> list[UUID]:
    """The account's announced reminders, in order."""
    sql = "select id from events where account_id = $1 and type like 'reminder.%due' order by position"
    return [row["id"] for row in select(server, sql, owner.account["id"])]


def mails(server: Served, owner: Member) -> list[tuple[str, str | None, int]]:
    """The account's mails in order: (kind, how it ended, attempts)."""
    sql = "select kind, outcome, attempts from mails where account_id = $1 order by created_at, id"
    return [tuple(row) for row in select(server, sql, owner.account["id"])]
