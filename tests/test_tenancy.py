"""Nothing of another account is ever seen or changed: every route of the route table is tried by others."""

from itertools import product
from typing import Any
from uuid import uuid4

import httpx2
import pytest
from pydantic import BaseModel

from tests import make
from tests.book import snapshot
from tests.people import Member, Person, data
from tests.routes import (
    ELSEWHERE,
    LINKS,
    MISSING,
    PUBLIC,
    api_routes,
    body_of,
    call,
    changing_routes,
    method_of,
    name_of,
    own_records,
    parameters_of,
    path_of,
    private_routes,
    ready_records,
)
from tests.serving import Served
from tests.wire import refused


@pytest.fixture
def hers(alice: Member) -> dict[str, str]:
    return own_records(alice)


@pytest.fixture
def his(bob: Member) -> dict[str, str]:
    return own_records(bob)


def told(answer: httpx2.Response) -> tuple[int, dict[str, Any], list[str]]:
    """All of an answer that must be equal for a foreign id and a missing one."""
    body = answer.json()
    body["error"].pop("requestId")
    return answer.status_code, body, sorted(answer.headers)


def test_foreign_id_answers_as_a_missing_one_at_every_route(
    server: Served, alice: Member, bob: Member, hers: dict[str, str], his: dict[str, str]
) -> None:
    before = snapshot(server, alice)
    tried = 0
    for route in private_routes(server.app):
        parameters = parameters_of(route)
        for foreign in product((True, False), repeat=len(parameters)):
            if not any(foreign):
                continue
            ids = {name: (hers if alien else his)[name] for name, alien in zip(parameters, foreign, strict=True)}
            absent = {
                name: str(uuid4()) if alien else his[name] for name, alien in zip(parameters, foreign, strict=True)
            }
            answer = call(bob, route, {**his, **ids})
            first = next(name for name, alien in zip(parameters, foreign, strict=True) if alien)
            refused(answer, 404, MISSING[first])
            assert told(answer) == told(call(bob, route, {**his, **absent})), name_of(route)
            tried += 1
    assert tried >= 25
    assert snapshot(server, alice) == before


def test_own_ids_do_find_their_records(server: Served, alice: Member) -> None:
    """The same calls by the owner succeed: a 404 above means that the record was hidden, not that the call was bad."""
    for route in private_routes(server.app):
        if name_of(route) == "POST /auth/logout":
            continue
        answer = call(alice, route, ready_records(alice, route))
        assert answer.status_code in (200, 201), f"{name_of(route)}: {answer.text}"


def test_lists_and_sums_hold_nothing_of_another_account(
    server: Served, alice: Member, bob: Member, hers: dict[str, str]
) -> None:
    secrets = [*hers.values(), alice.email, alice.account["id"], "canary"]
    for route in private_routes(server.app):
        method = method_of(route)
        if parameters_of(route) or method != "GET":
            continue
        for query in ("", "?query=canary", "?tags=canary", "?status=ACTIVE,LEAD&facets=true&limit=100"):
            answer = bob.get(path_of(route, {}) + query)
            for secret in secrets:
                found = secret in answer.text.replace(f'"{query}"', "")
                assert not found or answer.status_code == 400, f"{name_of(route)}{query} shows {secret}"


def test_book_of_another_account_changes_no_number(alice: Member, bob: Member, hers: dict[str, str]) -> None:
    assert data(bob.get("/clients"))["total"] == 0
    assert data(bob.get("/clients?query=can"))["total"] == 0
    assert data(bob.get("/clients/stats"))["totalClients"] == 0
    assert data(alice.get("/clients/stats"))["totalClients"] == 1


def test_foreign_id_in_a_body_answers_as_a_missing_one_at_every_route(
    server: Served, alice: Member, bob: Member, hers: dict[str, str]
) -> None:
    before = snapshot(server, alice)
    tried = 0
    for route in changing_routes(server.app):
        model: type[BaseModel] | None = getattr(route, "body_model", None)
        names = [field.alias or name for name, field in model.model_fields.items()] if model else []
        for name in names:
            if not name.endswith("Id") or name in ELSEWHERE:
                continue
            assert name in LINKS, f"{name_of(route)}: say in tests/routes.py what {name} names"
            his = ready_records(bob, route)
            body = body_of(route, his) or {}
            answer = call(bob, route, his, json={**body, name: hers[LINKS[name]]})
            refused(answer, 404, MISSING[LINKS[name]])
            assert told(answer) == told(call(bob, route, his, json={**body, name: str(uuid4())})), name_of(route)
            tried += 1
    assert tried >= 8
    assert snapshot(server, alice) == before


def test_contact_of_another_client_of_the_same_owner_is_missing(alice: Member, hers: dict[str, str]) -> None:
    other = make.client(alice)
    path = f"/clients/{other['id']}/contacts/{hers['contact_id']}"
    for method in ("GET", "PATCH", "DELETE"):
        answer = alice.request(method, path, json={"firstName": "x"} if method == "PATCH" else None)
        refused(answer, 404, "CONTACT_NOT_FOUND")
    body = {"interactionType": "CALL", "subject": "x", "contactId": hers["contact_id"]}
    refused(alice.post(f"/clients/{other['id']}/interactions", body), 404, "CONTACT_NOT_FOUND")


def test_every_private_route_refuses_a_stranger_first(
    server: Served, alice: Member, stranger: Person, hers: dict[str, str]
) -> None:
    before = snapshot(server, alice)
    for route in private_routes(server.app):
        method = method_of(route)
        answers = [
            call(stranger, route, hers),
            stranger.request(method, path_of(route, hers) + "?no-such=parameter", content=b"{no JSON"),
            call(Person(server.url, "no.such.token"), route, hers),
        ]
        for answer in answers:
            refused(answer, 401, "UNAUTHORIZED")
            assert answer.headers["www-authenticate"].startswith("Bearer"), name_of(route)
    assert snapshot(server, alice) == before


def test_read_key_reads_and_changes_nothing(server: Served, alice: Member, hers: dict[str, str]) -> None:
    made = data(alice.post("/me/api-keys", {"name": "read", "scopes": ["read"]}), 201)
    reader = Person(server.url, made["key"])
    data(reader.get("/clients"))  # notes the key's use once, before the snapshot
    before = {**snapshot(server, alice), "api_keys": ""}
    for route in changing_routes(server.app):
        if name_of(route) == "POST /auth/logout":  # ends a session, of which a key has none
            continue
        scope = "sync" if name_of(route) == "POST /clients/sync" else "write"
        for extra in ({}, {"content": b"{no JSON"}):
            error = refused(call(reader, route, hers, **extra), 403, "ACCESS_DENIED", scope)
            assert error["details"]["requiredScope"] == scope, name_of(route)
    assert {**snapshot(server, alice), "api_keys": ""} == before


def test_public_routes_are_just_those_that_must_be(server: Served, stranger: Person) -> None:
    names = {name_of(route) for route in api_routes(server.app)}
    open_ones = set()
    for route in api_routes(server.app):
        method = method_of(route)
        path = path_of(route, dict.fromkeys(MISSING, str(uuid4())))
        if stranger.request(method, path, content=b"").headers.get("www-authenticate") is None:
            open_ones.add(name_of(route))
    assert open_ones <= PUBLIC.keys()
    assert open_ones == names & PUBLIC.keys()
