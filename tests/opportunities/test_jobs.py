"""Unattended work: a held deal is resumed on its day, in its account's zone, once."""

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from soloist.infra.queue import Periodic
from soloist.opportunities.jobs import follow_rates, resume_due
from soloist.worker import PERIODIC
from tests import make
from tests.book import locked
from tests.databases import clone
from tests.opportunities.deals import (
    act,
    deal,
    history,
    kinds,
    lasting,
    move,
    seen,
    told,
    unattended,
    until_somebody_waits,
)
from tests.people import Member, data, register
from tests.serving import Served, SettableClock, serving, settings_for

START = datetime(2024, 3, 10, 12, tzinfo=UTC)
DAY = "2024-03-12"


@pytest.fixture(scope="module")
def server(postgres: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server on a database of its own: a pass goes through every account, and other tests hold deals, too."""
    with serving(settings_for(tmp_path_factory.mktemp("data")), clone(postgres)) as served:
        yield served


@pytest.fixture
def owner(server: Served, clock: SettableClock) -> Member:
    """An owner on 10 March 2024, in UTC."""
    clock.freeze(START)
    return lasting(register(server.url, "held"))


def held(person: Member, **fields: Any) -> dict[str, Any]:
    """A deal on hold until 12 March."""
    return act(person, deal(person, **fields)["id"], "hold", {"resumeOn": DAY})


def pass_at(server: Served, clock: SettableClock, moment: datetime) -> int:
    clock.freeze(moment)
    return unattended(server, resume_due)


def test_held_deal_is_resumed_on_its_day_and_told_once(server: Served, clock: SettableClock, owner: Member) -> None:
    made = held(owner)
    since = len(told(server, owner))
    assert pass_at(server, clock, datetime(2024, 3, 11, 23, 59, 59, tzinfo=UTC)) == 0
    assert seen(owner, made["id"]) == made
    assert pass_at(server, clock, datetime(2024, 3, 12, tzinfo=UTC)) == 1
    after = seen(owner, made["id"])
    assert (after["status"], after["resumeOn"], after["version"]) == ("OPEN", None, 3)
    assert pass_at(server, clock, datetime(2024, 3, 12, 0, 1, tzinfo=UTC)) == 0
    assert seen(owner, made["id"]) == after
    line = history(owner, made["id"])[-1]
    assert (line["activityType"], line["actor"], line["createdAt"]) == ("RESUMED", "worker", "2024-03-12T00:00:00.000Z")
    payload = {
        "id": made["id"],
        "clientId": None,
        "title": made["title"],
        "changed": ["resumeOn", "status"],
        "version": 3,
    }
    assert told(server, owner, since) == [("opportunity.updated", payload)]


@pytest.mark.parametrize(
    ("zone", "begins"),
    [
        ("Pacific/Kiritimati", "2024-03-11T10:00:00+00:00"),
        ("Australia/Lord_Howe", "2024-03-11T13:00:00+00:00"),
        ("UTC", "2024-03-12T00:00:00+00:00"),
        ("America/New_York", "2024-03-12T04:00:00+00:00"),
        ("Pacific/Pago_Pago", "2024-03-12T11:00:00+00:00"),
    ],
)
def test_day_begins_where_the_owner_lives(server: Served, clock: SettableClock, zone: str, begins: str) -> None:
    clock.freeze(START - timedelta(days=1))
    person = lasting(register(server.url, "zoned", timeZone=zone))
    made = held(person)
    start = datetime.fromisoformat(begins)
    pass_at(server, clock, start - timedelta(milliseconds=1))
    assert seen(person, made["id"])["status"] == "ON_HOLD"
    pass_at(server, clock, start)
    assert seen(person, made["id"])["status"] == "OPEN"


def test_missed_day_is_made_up_for(server: Served, clock: SettableClock, owner: Member) -> None:
    made = held(owner)
    assert pass_at(server, clock, START + timedelta(days=400)) == 1
    assert seen(owner, made["id"])["status"] == "OPEN"


def test_deals_that_need_no_resuming_are_left_alone(server: Served, clock: SettableClock, owner: Member) -> None:
    client = make.client(owner)
    indefinite = act(owner, deal(owner)["id"], "hold")
    later = act(owner, held(owner)["id"], "hold", {"resumeOn": "2024-03-13"})
    won = move(owner, held(owner)["id"], "WON")
    gone = held(owner)
    data(owner.delete(f"/opportunities/{gone['id']}"))
    archived = held(owner, clientId=client["id"])
    data(owner.post(f"/clients/{client['id']}/archive"))
    assert pass_at(server, clock, datetime(2024, 3, 12, 1, tzinfo=UTC)) == 0
    for one in (indefinite, later, won, archived):
        assert seen(owner, one["id"]) == one
    data(owner.post(f"/clients/{client['id']}/restore"))
    assert pass_at(server, clock, datetime(2024, 3, 12, 2, tzinfo=UTC)) == 1
    assert kinds(owner, archived["id"])[-1] == "RESUMED"


def test_deal_held_for_longer_while_the_pass_comes_to_it_stays(
    server: Served, clock: SettableClock, owner: Member
) -> None:
    made = held(owner)
    clock.freeze(datetime(2024, 3, 12, 1, tzinfo=UTC))
    worker = threading.Thread(target=unattended, args=(server, resume_due))
    with locked(server, "update opportunities set resume_on = '2024-04-01' where id = $1", made["id"]):
        worker.start()
        until_somebody_waits(server)
    worker.join(20)
    assert seen(owner, made["id"]) == {**made, "resumeOn": "2024-04-01"}


def test_deal_deleted_while_the_pass_comes_to_it_does_not_stop_the_pass(
    server: Served, clock: SettableClock, owner: Member
) -> None:
    gone, other = sorted((held(owner), held(owner)), key=lambda one: str(one["id"]))
    clock.freeze(datetime(2024, 3, 12, 1, tzinfo=UTC))
    worker = threading.Thread(target=unattended, args=(server, resume_due))
    with locked(server, "delete from opportunities where id = $1", gone["id"]):
        worker.start()
        until_somebody_waits(server)
    worker.join(20)
    assert seen(owner, other["id"])["status"] == "OPEN"


def test_worker_does_both_passes_often_enough() -> None:
    every = {entry.run: entry.every for entry in PERIODIC if isinstance(entry, Periodic)}
    assert every[resume_due] <= timedelta(minutes=1)
    assert every[follow_rates] <= timedelta(hours=1)
