"""Mails that are not taken at once: tried again for as long as they are worth it, and never sent twice."""

import asyncio
from datetime import timedelta
from uuid import UUID

import pytest

from soloist import mailing
from soloist.accounts.unattended import unattended
from soloist.infra.db import Database
from soloist.infra.ids import new_id
from soloist.infra.mail import mail_server
from soloist.infra.queue import Job
from soloist.mails import actions, jobs
from soloist.mails.jobs import Postman
from soloist.mails.model import Kind, Links, gap_after
from tests.book import run, select, work
from tests.mail.post import MailHost, announced, mails, postman, send_due, tell
from tests.people import Member
from tests.reminders.tasks import NOW, announce, reminder, timeless
from tests.serving import Served, SettableClock


@pytest.fixture
def owner(server: Served, clock: SettableClock) -> Member:
    """The owner of a new book where time stands still; nothing else waits to be sent."""
    clock.freeze(NOW)
    run(server, "delete from mails")
    return timeless(server)


def ordered(server: Served, owner: Member, count: int = 1) -> None:
    """Have that many letters ordered."""

    async def order(db: Database) -> int:
        for number in range(count):
            reminder_id = made[number]
            async with db.changing(unattended(UUID(owner.account["id"]), "UTC", "USD")) as tx:
                await actions.order(tx, Kind.REMINDER, str(reminder_id), tx.now + timedelta(hours=48))
        return count

    for number in range(count):
        reminder(owner, NOW, title=f"number {number}")
    announce(server)
    made = announced(server, owner)
    work(server, order)


def test_letter_that_was_sent_is_not_sent_again(owner: Member, server: Served, host: MailHost) -> None:
    ordered(server, owner)
    assert send_due(server) == 1
    tell(server, owner)
    assert send_due(server) == 0
    assert len(host.received) == 1
    assert mails(server, owner) == [("REMINDER", "SENT", 1)]


def test_letter_the_server_does_not_take_now_is_sent_later(
    owner: Member, server: Served, clock: SettableClock, host: MailHost
) -> None:
    ordered(server, owner)
    host.to_recipients.extend(["450 Greylisted", "451 Still"])
    for seconds in (0, 29, 1, 59):
        clock.advance(seconds=seconds)
        assert send_due(server) == 0
    assert host.attempts == 2
    clock.advance(seconds=1)
    assert send_due(server) == 1
    assert mails(server, owner) == [("REMINDER", "SENT", 3)]


def test_one_letter_put_off_does_not_keep_the_others(owner: Member, server: Served, host: MailHost) -> None:
    ordered(server, owner, 3)
    host.to_letters.append("451 Later")
    assert send_due(server) == 2
    assert len(host.received) == 2


def test_letter_refused_for_good_is_not_tried_again(
    owner: Member, server: Served, clock: SettableClock, host: MailHost
) -> None:
    ordered(server, owner, 2)
    host.to_recipients.append("550 No such user")
    assert send_due(server) == 1
    clock.advance(hours=3)
    assert send_due(server) == 0
    assert host.attempts == 2
    assert sorted(mails(server, owner)) == [("REMINDER", "REFUSED", 1), ("REMINDER", "SENT", 1)]


def test_server_that_is_away_for_a_day_costs_no_letter(
    owner: Member, server: Served, clock: SettableClock, host: MailHost
) -> None:
    ordered(server, owner, 5)
    host.to_recipients.extend(["421 Closing"] * 500)
    for _ in range(48):
        clock.advance(minutes=30)
        assert send_due(server) == 0
    tries = host.attempts
    host.to_recipients.clear()
    clock.advance(hours=1)
    assert send_due(server) == 5
    assert len(host.received) == 5
    assert len({got.letter["Message-ID"] for got in host.received}) == 5
    assert tries <= 48  # one letter at a time finds out whether the server is back


def test_letter_that_nobody_took_in_time_is_given_up(
    owner: Member, server: Served, clock: SettableClock, host: MailHost
) -> None:
    ordered(server, owner)
    clock.advance(hours=48)
    assert send_due(server) == 0
    assert host.received == []
    assert mails(server, owner) == [("REMINDER", "EXPIRED", 1)]


def test_gaps_grow_to_an_hour() -> None:
    gaps = [gap_after(attempts).total_seconds() for attempts in range(1, 11)]
    assert gaps == [30, 60, 120, 300, 600, 1200, 1800, 3600, 3600, 3600]


def test_letter_whose_sender_died_is_sent_by_another_once_its_time_is_over(
    owner: Member, server: Served, clock: SettableClock, host: MailHost
) -> None:
    ordered(server, owner)

    async def die_with_it(db: Database) -> int:
        return int(await actions.take_up(db) is not None)

    assert work(server, die_with_it) == 1
    clock.advance(seconds=119)
    assert send_due(server) == 0
    clock.advance(seconds=1)
    assert send_due(server) == 1
    assert mails(server, owner) == [("REMINDER", "SENT", 2)]


def test_workers_at_once_send_each_letter_once(owner: Member, server: Served, host: MailHost) -> None:
    ordered(server, owner, 30)

    async def four_at_once(db: Database) -> int:
        return sum(await asyncio.gather(*(postman(server.app.state.settings).send_due(db) for _ in range(4))))

    assert work(server, four_at_once) == 30
    assert len(host.received) == len(set(host.subjects())) == 30


def test_mail_ordered_while_all_lanes_are_busy_is_sent_by_them(owner: Member, server: Served, host: MailHost) -> None:
    ordered(server, owner, 20)

    async def many_wake_one(db: Database) -> int:
        one = postman(server.app.state.settings)
        return sum(await asyncio.gather(*(one.send_due(db) for _ in range(jobs.LANES * 4))))

    assert work(server, many_wake_one) == 20
    assert len(host.received) == 20


def test_long_round_is_cut_short_and_goes_on_as_another_job(owner: Member, server: Served, host: MailHost) -> None:
    ordered(server, owner, 3)
    found = mail_server(server.app.state.settings)
    assert found is not None
    hasty = Postman(found, mailing.composers(b""), Links(None, b""), round_seconds=0)
    run(server, "delete from pgqueuer")

    async def once(db: Database) -> int:
        await hasty.wake(db, Job(actions.SEND, UUID(owner.account["id"]), {}, 1, new_id()))
        return 0

    for sent in (1, 2, 3):
        work(server, once)
        assert len(host.received) == sent
    assert select(server, "select count(*) from pgqueuer where entrypoint = 'mail.send'")[0][0] == 3
    work(server, once)
    assert select(server, "select count(*) from pgqueuer where entrypoint = 'mail.send'")[0][0] == 3


def test_what_is_due_is_found_by_an_index(server: Served) -> None:
    sql = "select id from mails m where m.next_attempt_at <= now() order by m.next_attempt_at, m.id limit 1"
    plan = "\n".join(row[0] for row in select(server, f"explain {sql} for update skip locked"))
    assert "mails_to_send" in plan


def test_no_transaction_is_open_while_a_server_is_spoken_to(owner: Member, server: Served, host: MailHost) -> None:
    ordered(server, owner)
    open_then: list[int] = []
    host.while_asked = lambda: open_then.append(
        select(
            server,
            """select count(*) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()
            and xact_start is not null and state <> 'active'""",
        )[0][0]
    )
    assert send_due(server) == 1
    assert open_then == [0]


def test_job_of_a_mail_holds_nothing_personal(owner: Member, server: Served) -> None:
    run(server, "delete from pgqueuer")
    ordered(server, owner)
    rows = select(
        server, "select convert_from(payload, 'UTF8') as payload from pgqueuer where entrypoint = 'mail.send'"
    )
    assert [row["payload"] for row in rows] == [f'{{"account":"{owner.account["id"]}","payload":{{}}}}']


def test_settled_mails_are_forgotten_after_a_month(
    owner: Member, server: Served, clock: SettableClock, host: MailHost
) -> None:
    ordered(server, owner)
    send_due(server)
    clock.advance(days=30)
    assert work(server, actions.prune) == 0
    clock.advance(seconds=1)
    assert work(server, actions.prune) == 1
    assert mails(server, owner) == []
