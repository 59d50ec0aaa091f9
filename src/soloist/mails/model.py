"""What is true of a mail to an account's owner: its kinds, what it answers to, and the letter that it becomes."""

import hmac
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple
from uuid import UUID

from soloist.infra.db import Tx
from soloist.infra.fields import zone


class Kind(StrEnum):
    """What a mail is about; its `cause` says of which one, so that nobody is told the same thing twice."""

    REMINDER = "REMINDER"  # cause: the event
    REMINDERS = "REMINDERS"  # several that came at once; cause: when their events were recorded
    DIGEST = "DIGEST"  # cause: the local day
    PASSWORD_RESET = "PASSWORD_RESET"  # noqa: S105 (no password); cause: the request
    WEBHOOK_DISABLED = "WEBHOOK_DISABLED"  # cause: the webhook, and since when


class Ordered(NamedTuple):
    """A mail that is to go out now, and to whom."""

    account_id: UUID
    id: UUID
    kind: Kind
    cause: str
    created_at: datetime
    expires_at: datetime
    attempts: int
    email: str
    time_zone: str
    base_currency: str


class Letter(NamedTuple):
    """What to write: the subject, the template with what it shows, and the address that stops such letters."""

    subject: str
    template: str
    values: Mapping[str, object]
    stop_url: str | None = None


class Stoppable(StrEnum):
    """What an owner may do without; other letters answer something that was asked, or that must be known."""

    NOTICES = "notices"
    DIGEST = "digest"


STOP_PATH = "/mail/stop"


class Links(NamedTuple):
    """Where a letter leads to; nowhere (None) unless the server's public address is known."""

    public_url: str | None
    signing_key: bytes

    def to(self, path: str) -> str | None:
        """The page at `path`."""
        return None if self.public_url is None else self.public_url + path

    def client(self, client_id: UUID | None) -> str | None:
        return None if client_id is None else self.to(f"/clients/{client_id}")

    def opportunity(self, opportunity_id: UUID) -> str | None:
        return self.to(f"/opportunities/{opportunity_id}")

    def stop(self, account_id: UUID, what: Stoppable) -> str | None:
        """Where a letter's reader stops such letters, without signing in."""
        return self.to(f"{STOP_PATH}/{what}/{account_id}/{self._signature(account_id, what)}")

    def is_signature(self, account_id: UUID, what: Stoppable, signature: str) -> bool:
        """Whether `signature` is that of the address that stops these letters."""
        return hmac.compare_digest(self._signature(account_id, what).encode(), signature.encode())

    def _signature(self, account_id: UUID, what: Stoppable) -> str:
        return hmac.new(self.signing_key, what.encode() + account_id.bytes, "sha256").hexdigest()


# Writes a letter inside a transaction; None when there is nothing to say any more.
Composer = Callable[[Tx, Ordered, Links], Awaitable[Letter | None]]


def local_time(time_zone: str, moment: datetime) -> str:
    """A moment by the owner's clock, in the one form that is read alike everywhere: 2026-06-10 14:00."""
    return f"{moment.astimezone(zone(time_zone)):%Y-%m-%d %H:%M}"


_GAPS = (30, 60, 120, 300, 600, 1200, 1800)  # seconds between attempts; then an hour
_LAST_GAP = timedelta(hours=1)


def gap_after(attempts: int) -> timedelta:
    """How long to wait after that many attempts, none of which succeeded."""
    return timedelta(seconds=_GAPS[attempts - 1]) if attempts <= len(_GAPS) else _LAST_GAP
