"""The daily digest: what it says."""

from datetime import date, timedelta
from html import unescape
from uuid import UUID

import pytest

from soloist.accounts.model import WeekStart
from soloist.accounts.unattended import unattended
from soloist.digests.mailing import week_of, write
from soloist.infra.db import Database
from soloist.mails.model import Kind, Links, Ordered
from tests import make
from tests.book import run, work
from tests.mail.mornings import DAY, digest, look, member, sections
from tests.mail.post import MailHost, mails
from tests.opportunities.deals import deal
from tests.people import Member, data
from tests.reminders.tasks import act, reminder
from tests.serving import Served, SettableClock


@pytest.fixture
def owner(server: Served, clock: SettableClock) -> Member:
    """The owner of a new, empty book an hour before its digest."""
    return member(server, clock, DAY - timedelta(hours=1))


def test_digest_tells_of_the_day_in_four_parts(
    owner: Member, server: Served, clock: SettableClock, host: MailHost
) -> None:
    data(owner.patch("/me", {"name": "Ada", "timeZone": "Europe/Berlin", "digestHour": 9}))
    acme = make.client(owner, companyName="Acme")
    run(server, "update clients set created_at = $2 where id = $1", acme["id"], DAY - timedelta(days=40))
    reminder(owner, "2026-06-10T00:00:00+02:00", title="first of the day", clientId=acme["id"])
    reminder(owner, "2026-06-10T23:59:00+02:00", title="last of the day")
    reminder(owner, "2026-06-09T23:59:00+02:00", title="yesterday's")
    reminder(owner, "2026-06-11T00:00:00+02:00", title="tomorrow's")
    act(owner, reminder(owner, "2026-06-10T12:00:00Z", title="done")["id"], "complete")
    deal(owner, title="this week", expectedCloseDate="2026-06-14", estimatedValue=12500.5, clientId=acme["id"])
    deal(owner, title="next week", expectedCloseDate="2026-06-15")
    held = deal(owner, title="waiting", expectedCloseDate="2026-06-08")
    data(owner.post(f"/opportunities/{held['id']}/hold"))
    got = digest(server, clock, host)
    assert got.recipients == [owner.email]
    assert got.subject == "2026-06-10: 2 today, 1 overdue, 1 needing attention, 2 closing this week"
    assert sections(got.text) == {
        "Today (2)": ["2026-06-10 00:00: first of the day (Acme)", "2026-06-10 23:59: last of the day"],
        "Overdue (1)": ["2026-06-09 23:59: yesterday's"],
        "Clients that need attention (1)": ["Acme (Health score is 30, below 50; Never contacted)"],
        "Deals closing this week (2)": [
            "2026-06-08: waiting (on hold)",
            "2026-06-14: this week (Acme, 12,500.50 USD, Lead)",
        ],
    }
    page = unescape(got.html)
    for title in sections(got.text):
        assert f">{title}</h2>" in page
    assert f'<a href="https://crm.example/clients/{acme["id"]}">Acme</a>' in page
    assert '<a href="https://crm.example/settings">' in page


def test_clients_that_need_attention_are_those_of_the_api(
    owner: Member, server: Served, clock: SettableClock, host: MailHost
) -> None:
    for number in range(20):
        made = make.client(owner, companyName=f"Client {number:02}")
        age = DAY - timedelta(days=12 + number)
        run(server, "update clients set created_at = $2, health_score = $3 where id = $1", made["id"], age, number + 30)
    got = digest(server, clock, host)
    listed = data(owner.get("/clients/needs-attention?limit=100"))
    assert 15 < len(listed) < 20
    told = sections(got.text)[f"Clients that need attention ({len(listed)})"]
    assert told[:15] == [f"{one['displayName']} ({'; '.join(one['reasons'])})" for one in listed[:15]]
    assert told[15:] == [f"and {len(listed) - 15} more"]


def test_archived_clients_are_left_out(owner: Member, server: Served, clock: SettableClock, host: MailHost) -> None:
    client = make.client(owner)
    reminder(owner, DAY, clientId=client["id"])
    deal(owner, clientId=client["id"], expectedCloseDate="2026-06-10")
    data(owner.post(f"/clients/{client['id']}/archive"))
    clock.freeze(DAY)
    assert look(server) == 0
    assert mails(server, owner) == [("DIGEST", "NOTHING_TO_SAY", 1)]


def test_with_nothing_to_say_there_is_no_mail(
    owner: Member, server: Served, clock: SettableClock, host: MailHost
) -> None:
    clock.freeze(DAY)
    assert look(server) == 0
    assert host.received == []


@pytest.mark.parametrize(
    ("start", "first", "last"),
    [("MONDAY", "2026-06-08", "2026-06-14"), ("SUNDAY", "2026-06-07", "2026-06-13"),
     ("SATURDAY", "2026-06-06", "2026-06-12")],
)  # fmt: skip
def test_week_is_the_owners(
    owner: Member, server: Served, clock: SettableClock, host: MailHost, start: str, first: str, last: str
) -> None:
    data(owner.patch("/me", {"weekStart": start}))
    for day in (-1, 0, 6, 7):
        close_on = date.fromisoformat(first) + timedelta(days=day)
        deal(owner, title=f"on {close_on}", expectedCloseDate=close_on.isoformat())
    got = digest(server, clock, host)
    assert sections(got.text)["Deals closing this week (2)"] == [
        f"{first}: on {first} (Lead)",
        f"{last}: on {last} (Lead)",
    ]


@pytest.mark.parametrize("start", list(WeekStart))
def test_every_day_lies_in_its_week(start: WeekStart) -> None:
    for day in (date(2026, 1, 1) + timedelta(days=number) for number in range(400)):
        first, last = week_of(day, start)
        assert first <= day <= last == first + timedelta(days=6)
        assert first.strftime("%A").upper() == start


def test_nothing_of_a_book_is_markup_in_a_digest(
    owner: Member, server: Served, clock: SettableClock, host: MailHost
) -> None:
    client = make.client(owner, companyName="<b>")
    reminder(owner, DAY, title="<script>\"&'", clientId=client["id"])
    deal(owner, title="<img src=x>", expectedCloseDate="2026-06-10")
    got = digest(server, clock, host)
    for raw in ("<b>", "<script", "<img"):
        assert raw not in got.html
    assert "&lt;script&gt;&quot;&amp;&#x27;" in got.html
    assert "<script>\"&' (<b>)" in got.text


def test_long_part_says_how_many_more(owner: Member, server: Served, clock: SettableClock, host: MailHost) -> None:
    for number in range(18):
        reminder(owner, DAY, title=str(number))
    got = digest(server, clock, host)
    assert len(sections(got.text)["Today (18)"]) == 16
    for form in (got.text, got.html):
        assert "and 3 more" in form


def test_digest_is_one_statement_for_each_part_however_long(owner: Member, server: Served) -> None:
    for number in range(18):
        reminder(owner, DAY, title=str(number), clientId=make.client(owner)["id"])
        deal(owner, expectedCloseDate="2026-06-10")

    async def count(db: Database) -> int:
        account_id = UUID(owner.account["id"])
        mail = Ordered(account_id, account_id, Kind.DIGEST, "2026-06-10", DAY, DAY, 1, owner.email, "UTC", "USD")
        asked: list[str] = []
        async with db.reading(unattended(account_id, "UTC", "USD")) as tx:
            tx.conn.add_query_logger(lambda query: asked.append(query.query))
            assert await write(tx, mail, Links(None, b"")) is not None
        return len(asked)

    assert work(server, count) == 5  # today, overdue, attention, closing, and when the week begins
