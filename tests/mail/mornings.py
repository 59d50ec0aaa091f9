"""An account at the hour of its digest, and a worker that looks whether one is due."""

from datetime import UTC, datetime
from typing import Any

from soloist.digests import jobs
from tests.book import run, work
from tests.mail.post import MailHost, Received, send_due
from tests.people import Member, data
from tests.reminders.tasks import timeless
from tests.serving import Served, SettableClock

DAY = datetime(2026, 6, 10, 7, 0, tzinfo=UTC)  # a Wednesday, at the usual hour


def member(server: Served, clock: SettableClock, at: datetime, zone: str = "UTC", **settings: Any) -> Member:
    """The owner of a new book at that moment."""
    clock.freeze(at)
    run(server, "update accounts set digest_at = null")  # nobody else's digest
    owner = timeless(server)
    data(owner.patch("/me", {"timeZone": zone, **settings}))
    return owner


def look(server: Served) -> int:
    """What the worker does each minute; answers how many letters went out."""
    work(server, jobs.order_due)
    return send_due(server)


def digest(server: Served, clock: SettableClock, host: MailHost, at: datetime = DAY) -> Received:
    """The letter that goes out when the worker looks at that moment."""
    clock.freeze(at)
    assert look(server) == 1
    return host.received[-1]


def sections(text: str) -> dict[str, list[str]]:
    """Title → lines, of the text form."""
    found: dict[str, list[str]] = {}
    for block in text.split("\n\n"):
        title, *lines = block.split("\n")
        if lines and lines[0].startswith("- "):
            found[title] = [line.removeprefix("- ") for line in lines]
    return found
