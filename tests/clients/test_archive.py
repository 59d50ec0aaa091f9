"""Archiving puts a client away as it is; restoring brings it back as it was; neither happens twice."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests import make
from tests.book import events, select
from tests.people import Member, Person, data
from tests.serving import Served
from tests.wire import refused


@pytest.mark.parametrize("status", ["LEAD", "PROSPECT", "ACTIVE", "INACTIVE"])
def test_restoring_brings_the_former_status_back(alice: Member, status: str) -> None:
    client = make.client(alice, status=status)
    away = data(alice.post(f"/clients/{client['id']}/archive"))
    assert (away["status"], away["version"]) == ("ARCHIVED", 2)
    assert away["archivedAt"] == away["updatedAt"]
    back = data(alice.post(f"/clients/{client['id']}/restore"))
    assert (back["status"], back["archivedAt"], back["version"]) == (status, None, 3)


def test_doing_it_twice_changes_nothing_and_tells_once(server: Served, alice: Member) -> None:
    client = make.client(alice)
    path = f"/clients/{client['id']}"
    data(alice.post(f"{path}/restore"))
    assert events(server, alice, "client.restored") == []
    first = data(alice.post(f"{path}/archive"))
    assert data(alice.post(f"{path}/archive")) == first
    back = data(alice.post(f"{path}/restore"))
    assert data(alice.post(f"{path}/restore")) == back
    told = [event["type"] for event in events(server, alice)]
    assert told == ["client.created", "client.archived", "client.restored"]
    rows = select(
        server, "select from_status, to_status from status_changes where account_id = $1", alice.account["id"]
    )
    assert {(row["from_status"], row["to_status"]) for row in rows} == {("ACTIVE", "ARCHIVED"), ("ARCHIVED", "ACTIVE")}


def test_ten_at_the_same_moment_archive_once(server: Served, alice: Member) -> None:
    client = make.client(alice)
    people = [Person(server.url, alice.token) for _ in range(10)]
    with ThreadPoolExecutor(10) as pool:
        answers = list(pool.map(lambda person: person.post(f"/clients/{client['id']}/archive"), people))
    assert {data(answer)["version"] for answer in answers} == {2}
    assert len(events(server, alice, "client.archived")) == 1


CALL = {"interactionType": "CALL", "subject": "x"}
REFUSED: dict[str, tuple[str, str, dict[str, Any] | None]] = {
    "PATCH": ("PATCH", "/clients/{client}", {"notes": "x"}),
    "PATCH of the status": ("PATCH", "/clients/{client}", {"status": "ACTIVE"}),
    "a contact": ("POST", "/clients/{client}/contacts", {"firstName": "x"}),
    "PATCH of a contact": ("PATCH", "/clients/{client}/contacts/{contact}", {"firstName": "x"}),
    "DELETE of a contact": ("DELETE", "/clients/{client}/contacts/{contact}", None),
    "an interaction": ("POST", "/clients/{client}/interactions", CALL),
    "PATCH of an interaction": ("PATCH", "/interactions/{interaction}", {"subject": "x"}),
    "DELETE of an interaction": ("DELETE", "/interactions/{interaction}", None),
}


@pytest.mark.parametrize(("method", "path", "body"), REFUSED.values(), ids=REFUSED)
def test_archived_client_refuses(alice: Member, method: str, path: str, body: dict[str, Any] | None) -> None:
    client = make.client(alice)
    contact = make.contact(alice, client["id"])
    interaction = make.interaction(alice, client["id"])
    before = data(alice.post(f"/clients/{client['id']}/archive"))
    target = path.format(client=client["id"], contact=contact["id"], interaction=interaction["id"])
    answer = alice.request(method, target, **({} if body is None else {"json": body}))
    error = refused(answer, 400, "CLIENT_ARCHIVED", "restore it first")
    assert error["details"] == {"clientId": client["id"]}
    assert data(alice.get(f"/clients/{client['id']}")) == before
    data(alice.post(f"/clients/{client['id']}/restore"))
    assert alice.request(method, target, **({} if body is None else {"json": body})).status_code in (200, 201)


@pytest.mark.parametrize(
    "path",
    ["", "/contacts", "/contacts/{contact}", "/interactions", "/timeline", "/health-score", "/health-score/history"],
)
def test_archived_client_can_still_be_read(alice: Member, path: str) -> None:
    client = make.client(alice)
    contact = make.contact(alice, client["id"])
    data(alice.post(f"/clients/{client['id']}/archive"))
    data(alice.get(f"/clients/{client['id']}{path.format(contact=contact['id'])}"))


def test_archived_client_leaves_lists_and_numbers_and_comes_back(alice: Member) -> None:
    kept, gone = make.client(alice, tags=["a"]), make.client(alice, tags=["a"], source="REFERRAL")
    data(alice.post(f"/clients/{gone['id']}/archive"))

    def listed(query: str) -> set[str]:
        return {client["id"] for client in data(alice.get(f"/clients?{query}"))["clients"]}

    assert listed("") == listed("tags=a") == listed("query=acme") == listed("minHealthScore=0") == {kept["id"]}
    assert listed("status=ARCHIVED") == listed("status=ARCHIVED&tags=a") == {gone["id"]}
    assert listed("status=ARCHIVED,ACTIVE") == {kept["id"], gone["id"]}
    stats = data(alice.get("/clients/stats"))
    assert (stats["totalClients"], stats["bySource"]) == (1, {"MANUAL": 1})
    data(alice.post(f"/clients/{gone['id']}/restore"))
    assert listed("") == {kept["id"], gone["id"]}
    assert data(alice.get("/clients/stats"))["bySource"] == {"MANUAL": 1, "REFERRAL": 1}


def test_missing_client_can_be_neither_archived_nor_restored(alice: Member) -> None:
    for action in ("archive", "restore"):
        answer = alice.post(f"/clients/01900000-0000-7000-8000-000000000000/{action}")
        refused(answer, 404, "CLIENT_NOT_FOUND")
