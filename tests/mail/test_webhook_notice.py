"""An endpoint that was disabled for its failures: its owner is written to, once each time."""

from datetime import timedelta
from uuid import UUID

import orjson
import pytest

from soloist.accounts.unattended import unattended
from soloist.infra.db import Database
from soloist.infra.http import BASE
from soloist.infra.ids import new_id
from soloist.infra.queue import Job
from soloist.webhooks import actions
from soloist.webhooks.mailing import order_notice
from soloist.webhooks.model import DisabledBecause
from tests.book import run, select, work
from tests.mail.post import MailHost, mails, send_due
from tests.people import Member, data
from tests.reminders.tasks import NOW, iso, timeless
from tests.serving import Served, SettableClock

URL = "https://8.8.8.8:8443/hooks/secret-path?token=abc"


@pytest.fixture
def owner(server: Served, clock: SettableClock) -> Member:
    """The owner of a new book in New York on 10 June 2026 at noon UTC, where time stands still."""
    clock.freeze(NOW)
    run(server, "delete from pgqueuer")
    member = timeless(server)
    data(member.patch("/me", {"timeZone": "America/New_York"}))
    return member


def hook(owner: Member) -> str:
    return str(data(owner.post("/webhooks", {"url": URL, "events": ["*"]}), 201)["id"])


def disable(server: Served, owner: Member, webhook_id: str, because: DisabledBecause, since: timedelta) -> None:
    """What the worker does with an endpoint that has failed since then."""

    async def give_up(db: Database) -> int:
        async with db.changing(unattended(UUID(owner.account["id"]), "UTC", "USD")) as tx:
            await actions.note_health(tx, UUID(webhook_id), tx.now - since)
            await actions.disable(tx, UUID(webhook_id), because)
        return 1

    work(server, give_up)


def deliver(server: Served) -> None:
    """What the worker does with the waiting jobs, twice, and the mail server with what comes of them."""
    sql = "select payload from pgqueuer where entrypoint = 'mail.webhook_disabled'"
    waiting = [orjson.loads(row["payload"]) for row in select(server, sql)]

    async def order(db: Database) -> int:
        for row in waiting * 2:
            await order_notice(db, Job("mail.webhook_disabled", UUID(row["account"]), row["payload"], 1, new_id()))
        return len(waiting)

    work(server, order)
    send_due(server)


@pytest.mark.parametrize(
    ("because", "words"), [(DisabledBecause.FAILING, "last five days failed"), (DisabledBecause.GONE, "410 Gone")]
)
def test_owner_learns_which_since_when_and_what_to_do(
    owner: Member, server: Served, host: MailHost, because: DisabledBecause, words: str
) -> None:
    webhook_id = hook(owner)
    disable(server, owner, webhook_id, because, timedelta(days=5))
    deliver(server)
    [got] = host.received
    assert got.recipients == [owner.email]
    assert got.subject == "Webhook disabled: 8.8.8.8:8443"
    for form in (got.text, got.html):
        assert words in form
        assert "2026-06-10 08:00" in form
        assert "2026-06-05 08:00" in form
        assert webhook_id in form
        assert "secret-path" not in form
        assert "abc" not in form
    assert '{"status": "ENABLED"}' in got.text
    assert f'{{"since": "{iso(NOW - timedelta(days=5))}"}}' in got.text


def test_advice_in_the_letter_works(owner: Member, server: Served, host: MailHost) -> None:
    webhook_id = hook(owner)
    disable(server, owner, webhook_id, DisabledBecause.FAILING, timedelta(days=5))
    deliver(server)
    text = host.received[0].text
    for line in text.splitlines():
        method, _, rest = line.partition(" ")
        if method in ("PATCH", "POST"):
            path, _, body = rest.partition(" ")
            data(owner.request(method, path.removeprefix(BASE), json=orjson.loads(body)))
    assert data(owner.get(f"/webhooks/{webhook_id}"))["status"] == "ENABLED"


def test_each_time_is_told_once(owner: Member, server: Served, host: MailHost, clock: SettableClock) -> None:
    webhook_id = hook(owner)
    for _ in range(2):
        disable(server, owner, webhook_id, DisabledBecause.GONE, timedelta(0))
        deliver(server)
        data(owner.patch(f"/webhooks/{webhook_id}", {"status": "ENABLED"}))
        clock.advance(hours=1)
    assert len(host.received) == 2


def test_endpoint_enabled_again_is_not_told_of(owner: Member, server: Served, host: MailHost) -> None:
    webhook_id = hook(owner)
    disable(server, owner, webhook_id, DisabledBecause.GONE, timedelta(0))
    host.to_letters.append("451 Later")
    deliver(server)
    data(owner.patch(f"/webhooks/{webhook_id}", {"status": "ENABLED"}))
    run(server, "update mails set next_attempt_at = $2 where account_id = $1", owner.account["id"], NOW)
    send_due(server)
    assert mails(server, owner) == [("WEBHOOK_DISABLED", "NOTHING_TO_SAY", 2)]


def test_owner_who_disables_it_is_not_told(owner: Member, server: Served, host: MailHost) -> None:
    data(owner.patch(f"/webhooks/{hook(owner)}", {"status": "DISABLED"}))
    deliver(server)
    assert host.received == []
