"""The daily digest comes at the owner's hour, once a local day, whatever the clocks do."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from soloist.accounts.digest import next_digest
from soloist.digests import jobs
from soloist.infra.db import Database
from tests.book import run, select, work
from tests.mail.mornings import DAY, digest, look, member, sections
from tests.mail.post import MailHost, mails, postman, send_due
from tests.people import Member, data
from tests.reminders.tasks import act, reminder
from tests.serving import Served, SettableClock


@pytest.fixture
def owner(server: Served, clock: SettableClock) -> Member:
    """The owner of a new, empty book an hour before its digest."""
    return member(server, clock, DAY - timedelta(hours=1))


def sent_at(server: Served, clock: SettableClock, start: datetime, end: datetime) -> list[str]:
    """When a digest went out, if the worker looked each half hour from `start` to before `end`."""
    found = []

    async def pass_time(db: Database) -> int:
        one, moment = postman(server.app.state.settings), start
        while moment < end:
            clock.freeze(moment)
            await jobs.order_due(db)
            if await one.send_due(db):
                found.append(f"{moment:%Y-%m-%dT%H:%MZ}")
            moment += timedelta(minutes=30)
        return len(found)

    work(server, pass_time)
    return found


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, ["2026-06-10T07:00Z", "2026-06-11T07:00Z"]),
        ({"digestHour": 18}, ["2026-06-10T18:00Z", "2026-06-11T18:00Z"]),
        ({"digestHour": 0}, ["2026-06-11T00:00Z"]),
        ({"digestHour": None}, []),
        ({"emailNotices": False}, ["2026-06-10T07:00Z", "2026-06-11T07:00Z"]),
    ],
)
def test_hour_is_seven_unless_it_is_set(
    owner: Member, server: Served, clock: SettableClock, host: MailHost, settings: dict[str, Any], expected: list[str]
) -> None:
    reminder(owner, DAY)
    if settings:
        data(owner.patch("/me", settings))
    assert sent_at(server, clock, clock(), DAY + timedelta(hours=40)) == expected


def test_hour_that_is_set_anew_makes_no_second_digest_of_the_day(
    owner: Member, server: Served, clock: SettableClock, host: MailHost
) -> None:
    reminder(owner, DAY)
    digest(server, clock, host)
    clock.freeze(DAY + timedelta(minutes=30))
    data(owner.patch("/me", {"digestHour": 9}))
    assert sent_at(server, clock, clock(), DAY + timedelta(hours=36)) == ["2026-06-11T09:00Z"]


def test_hour_that_has_passed_begins_tomorrow(
    owner: Member, server: Served, clock: SettableClock, host: MailHost
) -> None:
    reminder(owner, DAY)
    data(owner.patch("/me", {"digestHour": 18}))
    clock.freeze(DAY + timedelta(hours=5))
    data(owner.patch("/me", {"digestHour": 8}))
    assert sent_at(server, clock, clock(), DAY + timedelta(hours=40)) == ["2026-06-11T08:00Z"]


def test_other_settings_leave_the_hour_alone(
    owner: Member, server: Served, clock: SettableClock, host: MailHost
) -> None:
    reminder(owner, DAY)
    clock.freeze(DAY)
    data(owner.patch("/me", {"name": "Ada"}))
    assert look(server) == 1


@pytest.mark.parametrize(
    ("zone", "hour", "start", "expected"),
    [
        # 02:00 is skipped on 8 March, 01:00 comes twice on 1 November.
        ("America/New_York", 2, "2026-03-07", ["2026-03-07T07:00Z", "2026-03-08T07:00Z", "2026-03-09T06:00Z"]),
        ("America/New_York", 3, "2026-03-07", ["2026-03-07T08:00Z", "2026-03-08T07:00Z", "2026-03-09T07:00Z"]),
        ("America/New_York", 1, "2026-10-31", ["2026-10-31T05:00Z", "2026-11-01T05:00Z", "2026-11-02T06:00Z"]),
        ("America/New_York", 2, "2026-10-31", ["2026-10-31T06:00Z", "2026-11-01T07:00Z", "2026-11-02T07:00Z"]),
        # Half an hour: 02:00 is skipped on 4 October, 01:30 comes twice on 5 April.
        ("Australia/Lord_Howe", 2, "2026-10-02", ["2026-10-02T15:30Z", "2026-10-03T15:30Z", "2026-10-04T15:00Z"]),
        ("Australia/Lord_Howe", 1, "2026-04-03", ["2026-04-03T14:00Z", "2026-04-04T14:00Z", "2026-04-05T14:30Z"]),
        ("Australia/Lord_Howe", 2, "2026-04-03", ["2026-04-03T15:00Z", "2026-04-04T15:30Z", "2026-04-05T15:30Z"]),
        # There was no 30 December 2011.
        ("Pacific/Apia", 7, "2011-12-29", ["2011-12-29T17:00Z", "2011-12-30T17:00Z", "2011-12-31T17:00Z"]),
        # Midnight is skipped on 24 April.
        ("Africa/Cairo", 0, "2026-04-22", ["2026-04-22T22:00Z", "2026-04-23T22:00Z", "2026-04-24T21:00Z"]),
        ("Pacific/Kiritimati", 7, "2026-06-09", ["2026-06-09T17:00Z", "2026-06-10T17:00Z", "2026-06-11T17:00Z"]),
        ("Pacific/Midway", 7, "2026-06-09", ["2026-06-09T18:00Z", "2026-06-10T18:00Z", "2026-06-11T18:00Z"]),
    ],
)
def test_each_local_day_has_one_digest(
    server: Served, clock: SettableClock, host: MailHost, zone: str, hour: int, start: str, expected: list[str]
) -> None:
    first = datetime.fromisoformat(f"{start}T00:00:00Z")
    owner = member(server, clock, first, zone, digestHour=hour)
    reminder(owner, first - timedelta(days=1))
    assert sent_at(server, clock, first, first + timedelta(days=3)) == expected
    assert len({got.subject[:10] for got in host.received}) == 3


@pytest.mark.parametrize("zone", ["America/New_York", "Australia/Lord_Howe", "Africa/Cairo", "Pacific/Chatham", "UTC"])
@pytest.mark.parametrize("hour", [0, 1, 2, 3, 12, 23])
def test_next_digest_comes_once_for_each_day_of_a_year(zone: str, hour: int) -> None:
    moment, place = datetime(2026, 1, 1, tzinfo=UTC), ZoneInfo(zone)
    days = []
    for _ in range(366):
        moment = next_digest(place, hour, moment)
        local = moment.astimezone(place)
        days.append(local.date())
        # Only a clock change makes it later, by no more than the change.
        late = (local.hour - hour) * 60 + local.minute
        assert late == 0 or (late <= 60 and local.replace(tzinfo=None).hour in (hour, hour + 1))
    assert days == [days[0] + timedelta(days=number) for number in range(366)]


def test_worker_that_was_down_sends_it_late_but_only_that_day(
    owner: Member, server: Served, clock: SettableClock, host: MailHost
) -> None:
    reminder(owner, DAY)
    late = DAY + timedelta(hours=16, minutes=59)
    assert digest(server, clock, host, late).subject.startswith("2026-06-10")
    # Down for the whole of the 11th; at six on the 12th there is nothing to make up for.
    assert sent_at(server, clock, DAY + timedelta(days=1, hours=23), DAY + timedelta(days=2, hours=2)) == [
        "2026-06-12T07:00Z"
    ]


def test_mail_server_that_is_away_until_midnight_drops_the_day(
    owner: Member, server: Served, clock: SettableClock, host: MailHost
) -> None:
    reminder(owner, DAY)
    clock.freeze(DAY)
    host.to_recipients.append("421 Closing")
    assert look(server) == 0
    clock.freeze(DAY + timedelta(hours=17))
    assert look(server) == 0
    assert mails(server, owner) == [("DIGEST", "EXPIRED", 2)]


def test_digest_sent_late_tells_of_its_day_as_it_is_then(
    owner: Member, server: Served, clock: SettableClock, host: MailHost
) -> None:
    first = reminder(owner, DAY, title="done by then")
    reminder(owner, DAY, title="still open")
    clock.freeze(DAY)
    host.to_recipients.append("421 Closing")
    assert look(server) == 0
    act(owner, first["id"], "complete")
    got = digest(server, clock, host, DAY + timedelta(hours=3))
    assert sections(got.text) == {"Today (1)": ["2026-06-10 07:00: still open"]}


def test_workers_at_once_send_one(owner: Member, server: Served, clock: SettableClock, host: MailHost) -> None:
    reminder(owner, DAY)
    clock.freeze(DAY)

    async def three_at_once(db: Database) -> int:
        return sum(await asyncio.gather(*(jobs.order_due(db) for _ in range(3))))

    assert work(server, three_at_once) == 1
    assert send_due(server) == 1
    assert look(server) == 0


def test_many_accounts_are_all_served(server: Served, clock: SettableClock, host: MailHost) -> None:
    """More than one statement finds at a time."""
    member(server, clock, DAY - timedelta(hours=1))
    sql = """insert into accounts (account_id, email, created_at, updated_at)
        select gen_random_uuid(), 'many.' || n || '@example.com', $1, $1 from generate_series(1, 1100) n"""
    run(server, sql, DAY - timedelta(days=9))
    clock.freeze(DAY)
    assert work(server, jobs.order_due) == 1101
    assert work(server, jobs.order_due) == 0
    run(server, "delete from accounts where email like 'many.%'")


def test_account_that_is_new_is_not_written_to_at_once(server: Served, clock: SettableClock, host: MailHost) -> None:
    owner = member(server, clock, DAY + timedelta(minutes=1))
    reminder(owner, DAY)
    assert sent_at(server, clock, clock(), DAY + timedelta(hours=30)) == ["2026-06-11T07:01Z"]


def test_what_is_due_is_found_by_an_index(server: Served) -> None:
    sql = """select account_id from accounts
        where digest_at <= now() and status = 'ACTIVE' and email is not null order by digest_at limit 1000"""
    plan = "\n".join(row[0] for row in select(server, f"explain {sql}"))
    assert "accounts_digest_at" in plan
