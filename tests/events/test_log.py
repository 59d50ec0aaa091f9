"""An event is stored with its change; whoever listens is told by a job of the same statement, and else nobody wakes."""

import asyncio
import json
from uuid import UUID

import asyncpg
import pytest

from soloist.accounts.unattended import unattended
from soloist.clients import actions
from soloist.clients.model import NewClient
from soloist.events import log
from soloist.events.model import ClientArchived, ReminderDue
from soloist.infra.db import Database
from soloist.infra.queue import NAMES
from soloist.infra.validation import check
from tests import make
from tests.book import select, work
from tests.events.listening import listen, record, told
from tests.people import Member, data
from tests.serving import Served

MANY_CHANGES = 5
BODY = {"clientType": "COMPANY", "source": "MANUAL", "companyName": "Acme Corporation"}


class GivenUp(Exception):
    """A change is not to be."""


def change_much(person: Member) -> None:
    """A change by each way in which events are recorded."""
    client = make.client(person)
    data(person.patch(f"/clients/{client['id']}", {"notes": "changed"}))
    data(person.post(f"/clients/{client['id']}/archive"))


def test_change_without_listeners_neither_enqueues_nor_wakes_a_worker(alice: Member, server: Served) -> None:
    listen(alice, "reminder.overdue")
    disabled = listen(alice, "*")
    data(alice.patch(f"/webhooks/{disabled}", {"status": "DISABLED"}))

    async def heard() -> list[str]:
        notices: asyncio.Queue[str] = asyncio.Queue()
        conn = await asyncpg.connect(server.dsn)
        await conn.add_listener(NAMES.channel, lambda *given: notices.put_nowait(given[3]))
        await asyncio.to_thread(change_much, alice)
        await conn.execute(f"notify {NAMES.channel}, 'the last one'")
        found = [await notices.get()]
        while found[-1] != "the last one":
            found.append(await notices.get())
        await conn.close()
        return found

    assert asyncio.run(heard()) == ["the last one"]
    assert [(event["type"], event["job_id"]) for event in told(server, alice)] == [
        ("client.created", None),
        ("client.updated", None),
        ("client.archived", None),
    ]


@pytest.mark.parametrize("asked", ["*", "client.created"])
def test_one_job_for_an_event_that_somebody_listens_to(alice: Member, bob: Member, server: Served, asked: str) -> None:
    listen(alice, asked)
    listen(alice, "client.created", "opportunity.won")
    change_much(alice)
    change_much(bob)
    created, updated, archived = told(server, alice)
    assert created["entrypoint"] == log.REACT
    assert json.loads(created["payload"]) == {
        "account": alice.account["id"],
        "payload": {"event": str(created["id"])},
    }
    assert [event["job_id"] is not None for event in (updated, archived)] == [asked == "*"] * 2
    assert [event["job_id"] for event in told(server, bob)] == [None] * 3


def test_client_that_is_not_created_enqueues_nothing(alice: Member, server: Served) -> None:
    listen(alice, "*")
    jobs = f"select count(*) as jobs from {NAMES.queue_table}"
    make.client(alice, email="once@example.com")
    before = select(server, jobs)
    body = {"clientType": "COMPANY", "source": "MANUAL", "companyName": "Twice", "email": "once@example.com"}
    assert alice.post("/clients", body).status_code == 409
    assert len(told(server, alice)) == 1
    assert select(server, jobs) == before


@pytest.fixture
def account(alice: Member) -> UUID:
    return UUID(alice.account["id"])


def test_event_told_by_mail_has_a_job_without_any_webhook(alice: Member, server: Served) -> None:
    record(server, alice, ReminderDue.sample(), ClientArchived.sample())
    due, archived = told(server, alice)
    assert (due["type"], due["entrypoint"]) == ("reminder.due", log.REACT)
    assert (archived["type"], archived["job_id"]) == ("client.archived", None)


def test_rolled_back_change_leaves_no_event_and_no_job(account: UUID, alice: Member, server: Served) -> None:
    listen(alice, "*")
    before = select(server, f"select count(*) as jobs from {NAMES.queue_table}")

    async def record_and_fail(db: Database) -> int:
        async with db.changing(unattended(account, "UTC", "USD")) as tx:
            await log.record(tx, *[ClientArchived.sample()] * MANY_CHANGES)
            raise GivenUp

    with pytest.raises(GivenUp):
        work(server, record_and_fail)
    assert told(server, alice) == []
    assert select(server, f"select count(*) as jobs from {NAMES.queue_table}") == before


def test_stored_body_is_the_one_that_is_sent(account: UUID, alice: Member, server: Served) -> None:
    make.client(alice, companyName='Größe & "Sons" 日本')
    [row] = select(server, "select id, body from events where account_id = $1", account)
    body = json.loads(row["body"])
    assert list(body) == ["type", "timestamp", "data"]
    assert body["data"]["clientName"] == 'Größe & "Sons" 日本'
    assert log.wire_id(row["id"]) == f"evt_{row['id']}"
    assert "." not in log.wire_id(row["id"])


def test_creating_a_client_stays_one_statement(account: UUID, alice: Member, server: Served) -> None:
    """Also with a listener: the event, the look for listeners and the job are parts of it."""
    listen(alice, "*")

    async def statements(db: Database) -> int:
        sent: list[str] = []
        actor = unattended(account, "UTC", "USD")
        async with db.reading(actor) as tx:
            with tx.conn.query_logger(lambda noted: sent.append(noted.query)):
                await actions.create(tx, check(NewClient, BODY))
        return len(sent)

    assert work(server, statements) == 1
    assert len(told(server, alice)) == 1
