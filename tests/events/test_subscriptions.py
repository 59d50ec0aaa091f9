"""What an event sets off: deliveries to whoever asked for its type, once however often the job runs."""

from collections.abc import Mapping
from uuid import UUID, uuid4

from soloist import subscriptions
from soloist.events.log import REACT
from soloist.events.model import ClientArchived, ReminderDue
from soloist.infra.db import Database
from soloist.infra.queue import Job
from soloist.subscriptions import BY_MAIL, WITHOUT_MAIL, Reaction
from tests.book import select, work
from tests.events.listening import listen, record, told
from tests.people import Member
from tests.serving import Served


def react(
    server: Served, person: Member, event_id: UUID, beside: Mapping[str, Reaction] = WITHOUT_MAIL
) -> list[tuple[UUID, UUID]]:
    """Run the job of an event once; answers whose lanes it woke."""
    woken: list[tuple[UUID, UUID]] = []
    job = Job(REACT, UUID(person.account["id"]), {"event": str(event_id)}, 1, uuid4())

    async def once(db: Database) -> int:
        await subscriptions.react(lambda *whose: woken.append(whose), beside, db, job)
        return 1

    work(server, once)
    return woken


def deliveries(server: Served, person: Member) -> list[str]:
    rows = select(
        server,
        "select webhook_id::text as id from webhook_deliveries where account_id = $1::text::uuid order by webhook_id",
        person.account["id"],
    )
    return [row["id"] for row in rows]


def test_each_webhook_that_wants_the_event_gets_it_once(alice: Member, bob: Member, server: Served) -> None:
    wanted = sorted([listen(alice, "*"), listen(alice, "client.archived")])
    listen(alice, "client.updated")
    listen(bob, "*")
    record(server, alice, ClientArchived.sample())
    [event] = told(server, alice)
    woken = [whose for _ in range(3) for whose in react(server, alice, event["id"])]
    assert deliveries(server, alice) == wanted
    assert deliveries(server, bob) == []
    assert sorted(woken) == [(UUID(alice.account["id"]), UUID(webhook_id)) for webhook_id in wanted]


def test_event_that_is_gone_sets_off_nothing(alice: Member, bob: Member, server: Served) -> None:
    listen(alice, "*")
    listen(bob, "*")
    record(server, bob, ClientArchived.sample())
    react(server, alice, told(server, bob)[0]["id"])
    react(server, alice, uuid4())
    assert deliveries(server, alice) == []


def test_reminder_is_told_by_mail_when_there_is_a_mail_server(alice: Member, server: Served) -> None:
    record(server, alice, ReminderDue.sample(), ClientArchived.sample())
    due, archived = told(server, alice)

    def mails() -> int:
        sql = "select count(*) as times from mails where account_id = $1::text::uuid"
        found: int = select(server, sql, alice.account["id"])[0]["times"]
        return found

    react(server, alice, due["id"])
    assert mails() == 0
    for _ in range(2):
        react(server, alice, due["id"], BY_MAIL)
        react(server, alice, archived["id"], BY_MAIL)
    assert mails() == 1
