"""Reminders by e-mail: what the letter says, once for each occurrence, few after downtime, none that is out of date."""

import asyncio
import threading
from datetime import UTC, datetime, timedelta
from html import unescape
from pathlib import Path

import pytest

from soloist.worker import create_worker
from tests import make
from tests.book import run, until
from tests.databases import clone
from tests.mail.post import SENDER, MailHost, mails, send_due, tell
from tests.people import Member, data, register
from tests.reminders.tasks import NOW, act, announce, change, pass_by, recurring, reminder, timeless
from tests.serving import Served, SettableClock, serving, settings_for


@pytest.fixture
def owner(server: Served, clock: SettableClock) -> Member:
    """The owner of a new book on 10 June 2026 at noon UTC, where time stands still."""
    clock.freeze(NOW)
    return timeless(server)


def deliver(server: Served, owner: Member) -> None:
    tell(server, owner)
    send_due(server)


def test_due_reminder_is_told_by_the_owners_clock(owner: Member, server: Served, host: MailHost) -> None:
    data(owner.patch("/me", {"timeZone": "America/New_York"}))
    client = make.client(owner, companyName="Grüße & Söhne")
    reminder(owner, NOW, title="Call back", clientId=client["id"], description="About the\nnew offer")
    announce(server)
    deliver(server, owner)
    [got] = host.to(owner.email)
    assert got.subject == "Due 2026-06-10 08:00: Call back (Grüße & Söhne)"
    for form in (got.text, unescape(got.html)):
        assert "2026-06-10 08:00 (America/New_York)" in form
        assert f"https://crm.example/clients/{client['id']}" in form
        assert "About the\nnew offer" in form
    assert "Client: Grüße & Söhne" in got.text
    assert "<strong>Grüße &amp; Söhne</strong>" in got.html


def test_overdue_reminder_is_told_too(owner: Member, server: Served, clock: SettableClock, host: MailHost) -> None:
    reminder(owner, NOW, title="Call back")
    announce(server)
    deliver(server, owner)
    pass_by(server, clock, hours=24)
    deliver(server, owner)
    assert host.subjects() == ["Due 2026-06-10 12:00: Call back", "Overdue since 2026-06-10 12:00: Call back"]


def test_each_occurrence_is_told_once(owner: Member, server: Served, clock: SettableClock, host: MailHost) -> None:
    made = recurring(owner, NOW, {"frequency": "daily"}, title="Stand-up")
    for _ in range(2):
        announce(server)
        deliver(server, owner)
    assert len(host.received) == 1
    act(owner, made["id"], "complete")
    for _ in range(2):
        pass_by(server, clock, hours=24)
        deliver(server, owner)
    assert host.subjects() == [
        "Due 2026-06-10 12:00: Stand-up",
        "Due 2026-06-11 12:00: Stand-up",
        "Overdue since 2026-06-11 12:00: Stand-up",
    ]


def test_snoozed_reminder_is_told_again(owner: Member, server: Served, clock: SettableClock, host: MailHost) -> None:
    made = reminder(owner, NOW)
    announce(server)
    deliver(server, owner)
    act(owner, made["id"], "snooze", {"snoozeUntil": "2026-06-10T15:00:00Z"})
    pass_by(server, clock, hours=3)
    deliver(server, owner)
    assert host.subjects() == ["Due 2026-06-10 12:00: Call back", "Due 2026-06-10 15:00: Call back"]


def test_three_at_once_are_three_letters(owner: Member, server: Served, host: MailHost) -> None:
    for title in "abc":
        reminder(owner, NOW, title=title)
    announce(server)
    deliver(server, owner)
    assert sorted(host.subjects()) == [f"Due 2026-06-10 12:00: {title}" for title in "abc"]


def test_downtime_makes_one_letter_that_tells_all_in_order(
    owner: Member, server: Served, clock: SettableClock, host: MailHost
) -> None:
    for hours in (30, 2, 0, 27, 1):
        reminder(owner, NOW + timedelta(hours=hours), title=f"after {hours:02}", description="<i>secret</i>")
    done = reminder(owner, NOW, title="done meanwhile")
    pass_by(server, clock, days=1, hours=12)
    act(owner, done["id"], "complete")
    deliver(server, owner)
    deliver(server, owner)
    [got] = host.to(owner.email)
    assert got.subject == "8 reminders have come"
    told = [line.removeprefix("- ") for line in got.text.splitlines() if line.startswith("- ")]
    assert told == [
        "Due 2026-06-10 12:00: after 00",
        "Due 2026-06-10 13:00: after 01",
        "Due 2026-06-10 14:00: after 02",
        "Overdue since 2026-06-10 12:00: after 00",
        "Overdue since 2026-06-10 13:00: after 01",
        "Overdue since 2026-06-10 14:00: after 02",
        "Due 2026-06-11 15:00: after 27",
        "Due 2026-06-11 18:00: after 30",
    ]
    assert got.html.count("<li") == 8


def test_letter_about_many_says_how_many_more(owner: Member, server: Served, host: MailHost) -> None:
    for number in range(60):
        reminder(owner, NOW, title=f"number {number}")
    announce(server)
    deliver(server, owner)
    [got] = host.to(owner.email)
    assert got.subject == "60 reminders have come"
    assert got.text.count("\n- Due") == 50
    assert "- and 10 more" in got.text
    assert "and 10 more" in got.html


def close(owner: Member, made: str) -> None:
    act(owner, made, "complete")


def cancel(owner: Member, made: str) -> None:
    act(owner, made, "cancel")


def delete(owner: Member, made: str) -> None:
    data(owner.delete(f"/reminders/{made}"))


def snooze(owner: Member, made: str) -> None:
    act(owner, made, "snooze", {"snoozeUntil": "2026-06-12T00:00:00Z"})


def put_off(owner: Member, made: str) -> None:
    change(owner, made, dueDate="2026-06-12T00:00:00Z")


@pytest.mark.parametrize("meanwhile", [close, cancel, delete, snooze, put_off])
def test_what_was_settled_before_the_letter_went_out_is_not_told(
    owner: Member, server: Served, host: MailHost, meanwhile: object
) -> None:
    made = reminder(owner, NOW)
    announce(server)
    tell(server, owner)
    assert callable(meanwhile)
    meanwhile(owner, made["id"])
    send_due(server)
    assert host.received == []
    assert mails(server, owner) == [("REMINDER", "NOTHING_TO_SAY", 1)]


def test_who_does_not_want_them_gets_none(owner: Member, server: Served, host: MailHost) -> None:
    data(owner.patch("/me", {"emailNotices": False}))
    reminder(owner, NOW)
    announce(server)
    deliver(server, owner)
    assert (host.received, mails(server, owner)) == ([], [])


@pytest.mark.parametrize("change", ["email = null", "status = 'DISABLED'"])
def test_account_that_can_not_be_written_to_is_not(owner: Member, server: Served, host: MailHost, change: str) -> None:
    reminder(owner, NOW)
    announce(server)
    run(server, f"update accounts set {change} where account_id = $1", owner.account["id"])
    deliver(server, owner)
    assert (host.received, mails(server, owner)) == ([], [])


def test_account_disabled_since_is_not_written_to(owner: Member, server: Served, host: MailHost) -> None:
    reminder(owner, NOW)
    announce(server)
    tell(server, owner)
    run(server, "update accounts set status = 'DISABLED' where account_id = $1", owner.account["id"])
    send_due(server)
    assert host.received == []
    assert mails(server, owner) == [("REMINDER", "NOTHING_TO_SAY", 1)]


def test_nothing_of_a_book_is_markup_in_a_letter(owner: Member, server: Served, host: MailHost) -> None:
    client = make.client(owner, companyName="<b>&\"'</b>{{ 'zz' ~ 'yy' }}")
    reminder(owner, NOW, title="<script>alert(1)</script>", clientId=client["id"], description="</p><img src=x>")
    announce(server)
    deliver(server, owner)
    [got] = host.received
    assert got.subject == "Due 2026-06-10 12:00: <script>alert(1)</script> (<b>&\"'</b>{{ 'zz' ~ 'yy' }})"
    for raw in ("<script", "<b>", "<img", "zzyy"):
        assert raw not in got.html
    assert "&lt;script&gt;alert(1)&lt;&#x2f;script&gt;" in got.html
    assert "<script>alert(1)</script>" in got.text


def test_title_can_not_add_a_header(owner: Member, server: Served, host: MailHost) -> None:
    reminder(owner, NOW, title="=?utf-8?q?Call=0D=0ABcc:_everybody@example.com?=")
    made = reminder(owner, NOW, title="plain")
    sql = "update reminders set title = $2 where id = $1"
    run(server, sql, made["id"], "Call\r\nBcc: everybody@example.com\r\n\r\nBody")
    announce(server)
    deliver(server, owner)
    assert [got.recipients for got in host.received] == [[owner.email]] * 2
    assert [got.letter["Bcc"] for got in host.received] == [None, None]


def test_other_books_are_not_told_of(owner: Member, server: Served, clock: SettableClock, host: MailHost) -> None:
    other = register(server.url, "other")
    reminder(owner, NOW, title="mine")
    announce(server)
    deliver(server, other)
    assert host.received == []
    deliver(server, owner)
    assert [got.recipients for got in host.received] == [[owner.email]]


@pytest.mark.slow
def test_worker_tells_what_it_announces(postgres: str, tmp_path: Path, host: MailHost) -> None:
    settings = settings_for(
        tmp_path, smtp_host="127.0.0.1", smtp_port=host.port, smtp_security="none", smtp_from=SENDER
    )
    with serving(settings, clone(postgres)) as served:
        owner = register(served.url, "owner")
        reminder(owner, datetime.now(UTC) - timedelta(minutes=5), title="Call back")
        worker = create_worker(settings, served.dsn)
        loop = asyncio.new_event_loop()
        thread = threading.Thread(target=loop.run_until_complete, args=(worker.run(),))
        thread.start()
        try:
            until(lambda: host.to(owner.email), seconds=30)
        finally:
            loop.call_soon_threadsafe(worker.stop)
            thread.join(30)
            loop.close()
        assert len(host.to(owner.email)) == 1
        assert "Call back" in host.subjects()[0]
