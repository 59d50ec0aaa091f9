"""A forgotten password, from the question to the sign-in with the new one; and what a stranger learns: nothing."""

import re
import statistics
import time
from pathlib import Path
from uuid import UUID

import orjson
import pytest

from soloist.accounts.mailing import MOST_AN_HOUR, order_reset
from soloist.infra.db import Database
from soloist.infra.ids import new_id
from soloist.infra.queue import Job
from tests.book import run, select, work
from tests.databases import clone
from tests.mail.post import MailHost, mails, send_due
from tests.people import PASSWORD, Member, Person, data, faults, refusal, register
from tests.serving import Served, SettableClock, serving, settings_for

NEW_PASSWORD = "a rather new password"
ASKED = (
    "select convert_from(payload, 'UTF8') as payload from pgqueuer where entrypoint = 'mail.password_reset' order by id"
)


def forget(person: Person, email: str) -> None:
    data(person.post("/auth/password/forgot", {"email": email}))


def jobs_of(server: Served) -> list[Job]:
    """The waiting jobs that came of it."""
    rows = [orjson.loads(row["payload"]) for row in select(server, ASKED)]
    return [Job("mail.password_reset", UUID(row["account"]), row["payload"], 1, new_id()) for row in rows]


def deliver(server: Served) -> None:
    """What the worker does with the waiting jobs, and the mail server with what comes of them."""
    waiting = jobs_of(server)
    run(server, "delete from pgqueuer where entrypoint = 'mail.password_reset'")

    async def answer(db: Database) -> int:
        for job in waiting:
            await order_reset(db, job)
        return len(waiting)

    work(server, answer)
    send_due(server)


def token_of(text: str) -> str:
    found = re.findall(r"^slp_[A-Za-z0-9_-]+$", text, re.MULTILINE)
    assert len(found) == 1
    return str(found[0])


@pytest.fixture(autouse=True)
def nothing_waits(server: Served) -> None:
    run(server, "delete from pgqueuer")


def test_forgotten_password_is_set_anew_with_what_the_letter_brings(
    server: Served, alice: Member, stranger: Person, host: MailHost
) -> None:
    forget(stranger, alice.email.upper())
    deliver(server)
    [got] = host.to(alice.email)
    assert got.subject == "Set a new password for Soloist"
    token = token_of(got.text)
    assert f"https://crm.example/password/reset?token={token}" in got.text
    assert token in got.html
    data(stranger.post("/auth/password/reset", {"token": token, "password": NEW_PASSWORD}))
    refusal(alice.get("/me"), 401, "UNAUTHORIZED")
    refusal(stranger.post("/auth/login", {"email": alice.email, "password": PASSWORD}), 401, "INVALID_CREDENTIALS")
    data(stranger.post("/auth/login", {"email": alice.email, "password": NEW_PASSWORD}))
    assert faults(stranger.post("/auth/password/reset", {"token": token, "password": PASSWORD})).keys() == {"token"}


def test_token_lasts_an_hour_from_the_question_on(
    server: Served, alice: Member, stranger: Person, host: MailHost, clock: SettableClock
) -> None:
    forget(stranger, alice.email)
    host.to_letters.append("451 Later")
    deliver(server)
    clock.advance(minutes=59)
    assert send_due(server) == 1
    token = token_of(host.received[0].text)
    clock.advance(minutes=1, seconds=1)
    assert faults(stranger.post("/auth/password/reset", {"token": token, "password": NEW_PASSWORD})).keys() == {"token"}


def test_letter_is_not_sent_once_its_token_would_be_stale(
    server: Served, alice: Member, stranger: Person, host: MailHost, clock: SettableClock
) -> None:
    forget(stranger, alice.email)
    host.to_letters.append("451 Later")
    deliver(server)
    clock.advance(hours=1, seconds=1)
    assert send_due(server) == 0
    assert mails(server, alice) == [("PASSWORD_RESET", "EXPIRED", 2)]


def test_letter_that_is_sent_anew_brings_a_token_that_works(
    server: Served, alice: Member, stranger: Person, host: MailHost, clock: SettableClock
) -> None:
    forget(stranger, alice.email)
    host.to_letters.append("451 Later")
    deliver(server)
    clock.advance(seconds=30)
    assert send_due(server) == 1
    token = token_of(host.received[0].text)
    data(stranger.post("/auth/password/reset", {"token": token, "password": NEW_PASSWORD}))


def test_unknown_address_leaves_the_same_trace(server: Served, alice: Member, stranger: Person, host: MailHost) -> None:
    forget(stranger, alice.email)
    forget(stranger, "nobody.at.all@example.com")
    known, unknown = jobs_of(server)
    assert known.payload.keys() == unknown.payload.keys() == {"request"}
    assert known.account_id == UUID(alice.account["id"])
    assert not select(server, "select from accounts where account_id = $1", unknown.account_id)
    deliver(server)
    assert [got.recipients for got in host.received] == [[alice.email]]


def test_no_job_and_no_table_holds_the_token_or_the_address(
    server: Served, alice: Member, stranger: Person, host: MailHost
) -> None:
    forget(stranger, alice.email)
    jobs = [row["payload"] for row in select(server, ASKED)]
    deliver(server)
    token = token_of(host.received[0].text)
    kept = [
        str(row) for table in ("mails", "password_resets") for row in select(server, f"select t::text from {table} t")
    ]
    for text in (*jobs, *kept):
        assert alice.email not in text
        assert token not in text


def test_disabled_account_gets_no_letter(server: Served, alice: Member, stranger: Person, host: MailHost) -> None:
    run(server, "update accounts set status = 'DISABLED' where account_id = $1", alice.account["id"])
    forget(stranger, alice.email)
    deliver(server)
    assert (host.received, mails(server, alice)) == ([], [])


def test_nobody_can_flood_an_owner(
    server: Served, alice: Member, bob: Member, stranger: Person, host: MailHost, clock: SettableClock
) -> None:
    clock.freeze()
    for _ in range(MOST_AN_HOUR + 3):
        forget(stranger, alice.email)
    forget(stranger, bob.email)
    deliver(server)
    assert len(host.to(alice.email)) == MOST_AN_HOUR
    assert len(host.to(bob.email)) == 1
    clock.advance(hours=1, seconds=1)
    forget(stranger, alice.email)
    deliver(server)
    assert len(host.to(alice.email)) == MOST_AN_HOUR + 1


def test_job_that_runs_twice_makes_one_letter(server: Served, alice: Member, stranger: Person, host: MailHost) -> None:
    forget(stranger, alice.email)
    [job] = jobs_of(server)

    async def twice(db: Database) -> int:
        for _ in range(2):
            await order_reset(db, job)
        return 2

    work(server, twice)
    deliver(server)
    assert len(host.received) == 1


def test_without_a_mail_server_nothing_is_queued(postgres: str, tmp_path: Path) -> None:
    with serving(settings_for(tmp_path), clone(postgres)) as silent:
        owner = register(silent.url, "owner")
        forget(Person(silent.url), owner.email)
        assert select(silent, ASKED) == []


@pytest.mark.slow
def test_known_address_takes_as_long_as_an_unknown_one(server: Served, alice: Member, stranger: Person) -> None:
    """By the quicker quarter, in which other work on the machine shows least; each goes first as often."""
    known: list[float] = []
    unknown: list[float] = []
    for turn in range(150):
        pair = [(alice.email, known), (f"nobody.{turn}@example.com", unknown)]
        for email, times in pair if turn % 2 else reversed(pair):
            started = time.perf_counter()
            forget(stranger, email)
            times.append(time.perf_counter() - started)
    quick, other = (statistics.quantiles(times)[0] for times in (known, unknown))
    assert abs(quick - other) < 0.15 * quick
