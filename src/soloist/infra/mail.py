"""The way out for mail: letters from templates, and a connection to the operator's mail server.

What goes wrong is told apart by what it means for the letter: refused for good, for now, or no server to ask.
"""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from email.headerregistry import Address, BaseHeader, HeaderRegistry, UnstructuredHeader
from email.message import EmailMessage
from email.policy import SMTP, Policy
from email.utils import format_datetime, parseaddr
from functools import lru_cache
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self
from uuid import UUID

import aiosmtplib
from email_validator import EmailNotValidError, validate_email
from minijinja import Environment

from soloist.infra.settings import Settings

TEMPLATES = Path(__file__).resolve().parent.parent / "templates" / "mail"
PORTS = {"starttls": 587, "tls": 465, "none": 25}
ATTEMPT_SECONDS = 60.0
# Answers to a letter that are not about it: the server closes, or wants us signed in otherwise (RFC 4954).
_NOT_THE_LETTER = {421, 530, 534, 535, 538}
LONGEST_SUBJECT = 200


class Unreachable(Exception):
    """There is no mail server to ask: it is away, hangs, or does not let us in. Says why, without addresses."""


class Postponed(Exception):
    """The server does not take this letter now (a 4xx answer)."""


class Refused(Exception):
    """The server will never take this letter (a 5xx answer)."""


@dataclass(frozen=True, slots=True)
class MailServer:
    """How to reach the mail server, and whom its letters come from."""

    host: str
    port: int
    security: str
    user: str | None
    password: str | None
    sender: str
    answer_seconds: float = 30.0  # how long it may take for one


def mail_server(settings: Settings) -> MailServer | None:
    """The operator's mail server; None if there is none, and then no mail is to be sent or queued."""
    if settings.smtp_host is None or settings.smtp_from is None:
        return None
    password = settings.smtp_password.get_secret_value() if settings.smtp_password else None
    port = settings.smtp_port or PORTS[settings.smtp_security]
    return MailServer(
        settings.smtp_host, port, settings.smtp_security, settings.smtp_user, password, settings.smtp_from
    )


class Written(NamedTuple):
    """A letter in both its forms."""

    text: str
    html: str


def write(template: str, values: Mapping[str, object]) -> Written:
    """The letter `template` with these values, as text and as HTML; a value that it lacks is an error."""
    text, html = (_letters().render_template(f"{template}.{form}", **values).strip() + "\n" for form in ("txt", "html"))
    return Written(text, html)


def page(name: str, values: Mapping[str, object]) -> str:
    """A page that a letter leads to."""
    return _letters().render_template(name, **values)


@lru_cache
def _letters() -> Environment:
    def load(name: str) -> str:
        return (TEMPLATES / name).read_text(encoding="utf-8")

    return Environment(loader=load, undefined_behavior="strict", trim_blocks=True, lstrip_blocks=True)


class _Whole(UnstructuredHeader, BaseHeader):
    """A header that is not folded: a long address would be written as encoded words, which nobody reads there."""

    def fold(self, *, policy: Policy) -> str:
        return f"{self.name}: {self}{policy.linesep}"


_headers = HeaderRegistry()
_headers.map_to_type("list-unsubscribe", _Whole)
_POLICY = SMTP.clone(header_factory=_headers)


@dataclass(frozen=True, slots=True)
class Envelope:
    """Who a letter is from and for, and what marks it: its id, its time, and the address that stops such letters."""

    sender: str
    to: str
    letter_id: UUID
    at: datetime
    stop_url: str | None = None


def message(envelope: Envelope, subject: str, written: Written) -> EmailMessage:
    """The letter ready to go. Its Message-ID follows from its id: sent twice, it is the same letter.

    Whatever stands in the subject stays in it: line breaks and control characters become spaces. Raises Refused
    for an address that is none.
    """
    letter = EmailMessage(policy=_POLICY)
    letter["From"] = envelope.sender
    letter["To"] = _address(envelope.to)
    letter["Subject"] = _one_line(subject)
    letter["Date"] = format_datetime(envelope.at)
    letter["Message-ID"] = f"<{envelope.letter_id}@{_domain(envelope.sender)}>"
    letter["Auto-Submitted"] = "auto-generated"
    if envelope.stop_url is not None:
        letter["List-Unsubscribe"] = f"<{envelope.stop_url}>"
        if envelope.stop_url.startswith("https:"):  # else no mail program may do it at one click
            letter["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    letter.set_content(written.text, cte="quoted-printable")
    letter.add_alternative(written.html, subtype="html", cte="quoted-printable")
    return letter


def _address(to: str) -> Address:
    """The address with its domain in ASCII, which every server takes; only a local part may need SMTPUTF8."""
    try:
        found = validate_email(to, check_deliverability=False)
    except EmailNotValidError:
        raise Refused("the address is none") from None
    return Address(username=found.local_part, domain=found.ascii_domain)


def _domain(sender: str) -> str:
    return parseaddr(sender)[1].rpartition("@")[2]


def _one_line(text: str) -> str:
    line = " ".join("".join(char if char.isprintable() else " " for char in text).split())
    line = line.replace("=?", "= ?")  # else an encoded word (RFC 2047), which would be read, line breaks and all
    return line if len(line) <= LONGEST_SUBJECT else line[: LONGEST_SUBJECT - 1].rstrip() + "…"


class Mailer:
    """A connection to the mail server, made when the first letter is sent and kept for the next ones."""

    def __init__(self, server: MailServer) -> None:
        self.server = server
        self._smtp: aiosmtplib.SMTP | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        if self._smtp is not None:
            with suppress(aiosmtplib.SMTPException, OSError, TimeoutError):
                async with asyncio.timeout(1):
                    await self._smtp.quit()
            self._drop()

    async def send(self, letter: EmailMessage) -> None:
        """Hand the letter over; afterwards the server answers for it. Raises Refused, Postponed or Unreachable."""
        async with self._talking() as smtp:
            try:
                await smtp.send_message(letter)
            except aiosmtplib.SMTPRecipientsRefused as fault:
                raise _judged(fault.recipients[0]) from None
            except aiosmtplib.SMTPResponseException as fault:
                raise _judged(fault) from None
            except aiosmtplib.SMTPNotSupported:
                raise Refused("the server takes no addresses beyond ASCII") from None
            except ValueError:
                raise Refused("the address can't be sent to") from None

    async def check(self) -> None:
        """Connect and sign in, and send nothing. Raises Unreachable that says why."""
        async with self._talking() as smtp:
            await smtp.noop()

    @asynccontextmanager
    async def _talking(self) -> AsyncIterator[aiosmtplib.SMTP]:
        """The open connection, for one exchange; it is not used again when that breaks off."""
        try:
            async with asyncio.timeout(ATTEMPT_SECONDS):
                if self._smtp is None or not self._smtp.is_connected:
                    self._smtp = await self._connected()
                yield self._smtp
        except (aiosmtplib.SMTPException, OSError, TimeoutError) as fault:
            self._drop()
            raise Unreachable(_cause(fault)) from None
        except Unreachable:
            self._drop()
            raise

    async def _connected(self) -> aiosmtplib.SMTP:
        smtp = aiosmtplib.SMTP(
            hostname=self.server.host,
            port=self.server.port,
            use_tls=self.server.security == "tls",
            start_tls=self.server.security == "starttls",
            username=self.server.user,
            password=self.server.password,
            tls_context=ssl.create_default_context(),
            local_hostname=_own_name(),
            timeout=self.server.answer_seconds,
        )
        try:
            await smtp.connect()
        except (aiosmtplib.SMTPException, OSError) as fault:
            # Nobody's address is in its text yet, and whoever set this up needs to read it.
            raise Unreachable(f"{_cause(fault)}: {_one_line(str(fault))}") from None
        return smtp

    def _drop(self) -> None:
        smtp, self._smtp = self._smtp, None
        if smtp is not None:
            smtp.close()


def _judged(fault: aiosmtplib.SMTPResponseException) -> Exception:
    if fault.code in _NOT_THE_LETTER:
        return Unreachable(str(fault.code))
    return Refused(str(fault.code)) if fault.code >= 500 else Postponed(str(fault.code))


def _cause(fault: Exception) -> str:
    """The kind and code of a fault; its text may hold an address."""
    code = f" {fault.code}" if isinstance(fault, aiosmtplib.SMTPResponseException) else ""
    return type(fault).__name__ + code


def _own_name() -> str:
    """What we greet the server with: this machine's name, or the form for one without."""
    name = socket.gethostname()
    return name if "." in name and name.isascii() else "[127.0.0.1]"
