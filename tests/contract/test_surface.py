"""What the document promises of the whole: its endpoints, their protection, the events, and the rate limits."""

from pathlib import Path
from uuid import uuid4

import pytest

from soloist.infra.settings import Rate, Settings
from tests import make
from tests.book import events
from tests.contract import tables
from tests.opportunities.deals import deal, lasting, move
from tests.people import Member, Person, data, register
from tests.reminders.tasks import announce, iso, reminder
from tests.routes import api_routes, name_of
from tests.serving import Served, SettableClock, serving, settings_for
from tests.wire import refused


@pytest.mark.parametrize("endpoint", tables.ENDPOINTS)
def test_endpoint_is_there_and_needs_a_token(server: Served, stranger: Person, endpoint: str) -> None:
    assert any(same(endpoint, name_of(route)) for route in api_routes(server.app))
    method, _, path = endpoint.partition(" ")
    answer = stranger.request(method, path.replace(":id", str(uuid4())))
    refused(answer, 401, "UNAUTHORIZED", "Authorization: Bearer <token>")


def same(documented: str, known: str) -> bool:
    """The same path, whatever its id is called."""
    ours, theirs = known.split("/"), documented.split("/")
    return [":id" if part.startswith("{") else part for part in ours] == theirs


def test_every_event_of_the_document_happens(server: Served, clock: SettableClock, alice: Member) -> None:
    owner = lasting(alice)
    client_id = make.client(owner)["id"]
    data(owner.patch(f"/clients/{client_id}", {"notes": "Updated notes"}))
    make.interaction(owner, client_id)
    for end in ("WON", "LOST"):
        move(owner, deal(owner, clientId=client_id)["id"], end)
    reminder(owner, iso(clock.freeze()))
    announce(server)
    clock.advance(hours=24)
    announce(server)
    data(owner.post(f"/clients/{client_id}/archive"))
    assert {event["type"] for event in events(server, owner)} >= set(tables.EVENTS)


def test_rate_limits_are_the_documents(db_url: str, tmp_path: Path) -> None:
    """POST and PATCH are counted together; who asks once too often is told how long to wait."""
    defaults = {f"rate_limit_{name}": rate for name, rate in Settings().rates().items() if name != "anonymous"}
    with serving(settings_for(tmp_path, **defaults), db_url) as served:
        served.clock.freeze()
        owner = register(served.url, "limits")
        for _ in range(tables.RATES["GET"]):
            data(owner.get("/me"))
        refused(owner.get("/me"), 429, "RATE_LIMITED")
        assert tables.RATES["POST"] == tables.RATES["PATCH"]
        for number in range(tables.RATES["POST"]):
            if number % 2:
                make.client(owner)
            else:
                data(owner.patch("/me", {"name": "x"}))
        for answer in (owner.post("/clients", {}), owner.patch("/me", {"name": "x"})):
            refused(answer, 429, "RATE_LIMITED")
            assert 1 <= int(answer.headers["retry-after"]) <= 60
        served.clock.advance(seconds=60)
        data(owner.get("/me"))
        data(owner.patch("/me", {"name": "x"}))


def test_sync_rate_is_the_documents() -> None:
    assert Settings().rate_limit_sync == Rate(tables.SYNC_RATE, 60)
