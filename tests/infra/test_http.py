"""What holds of every answer, whatever the route: request ids, headers, methods, HEAD, the envelope on any failure."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from soloist.infra.http import BASE
from tests import make
from tests.book import locked, run, snapshot
from tests.databases import clone
from tests.people import Member, Person, data, refusal, register
from tests.routes import (
    CHANGING,
    api_routes,
    call,
    changing_routes,
    method_of,
    methods_at,
    name_of,
    own_records,
    path_of,
    private_routes,
    ready_records,
)
from tests.serving import Served, serving, settings_for
from tests.wire import SAFETY_HEADERS, raw, refused, sound

METHODS = ("GET", "HEAD", "OPTIONS", *CHANGING)


@pytest.fixture
def records(alice: Member) -> dict[str, str]:
    return own_records(alice)


# --- request ids ---


@pytest.mark.parametrize("given_id", ["abc", "0190b5a4-7c1e-7b3a-9d55-2f6c1f0a8e21", "A.b_c-9", "x" * 128])
def test_valid_request_id_is_echoed(stranger: Person, given_id: str) -> None:
    answer = stranger.get("/clients", headers={"X-Request-Id": given_id})
    assert answer.headers["x-request-id"] == given_id
    assert answer.json()["error"]["requestId"] == given_id


@pytest.mark.parametrize(
    "given_id", ["", " ", "a b", "x" * 129, b"caf\xc3\xa9", "a\tb", "<script>", "a,b", "a/b", 'a"b', "a;b=c"]
)
def test_unusable_request_id_is_replaced(server: Served, given_id: str | bytes) -> None:
    answer = raw(server.url, "GET", f"{BASE}/clients", [("X-Request-Id", given_id)])
    made = sound(answer)["error"]["requestId"]
    assert re.fullmatch("[0-9a-f]{32}", made)


def test_every_answer_has_a_request_id_of_its_own(alice: Member) -> None:
    seen = {alice.get("/clients").headers["x-request-id"] for _ in range(5)}
    assert len(seen) == 5


# --- headers ---


def test_every_route_answers_soundly_to_its_owner(server: Served, alice: Member) -> None:
    for route in private_routes(server.app):
        if name_of(route) == "POST /auth/logout":
            continue
        method = method_of(route)
        answer = call(alice, route, ready_records(alice, route))
        sound(answer)
        made = method == "POST" and answer.status_code == 201
        assert ("location" in answer.headers) == made, name_of(route)


def test_location_of_what_was_made_leads_to_it(server: Served, alice: Member, records: dict[str, str]) -> None:
    found = 0
    for route in changing_routes(server.app):
        method = method_of(route)
        if method != "POST" or "{" in route.path.rpartition("/")[2] or name_of(route) == "POST /auth/logout":
            continue
        answer = call(alice, route, records)
        if answer.status_code != 201:
            continue
        location = answer.headers["location"]
        assert location.startswith(BASE)
        again = data(alice.get(location.removeprefix(BASE)))
        assert again["id"] == answer.json()["data"]["id"]
        found += 1
    assert found >= 4


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/clients", 401),
        ("GET", "/nothing", 404),
        ("PUT", "/clients", 405),
        ("POST", "/auth/login", 400),
    ],
)
def test_refusals_carry_the_same_headers(stranger: Person, method: str, path: str, status: int) -> None:
    answer = stranger.request(method, path)
    assert answer.status_code == status
    sound(answer)


@pytest.mark.parametrize("path", ["/health", "/nothing", "/"])
def test_answers_outside_the_base_have_the_safety_headers_too(server: Served, path: str) -> None:
    answer = httpx2.get(server.url + path, trust_env=False)
    for name in SAFETY_HEADERS.keys() - {"cache-control", "content-security-policy"}:
        assert name in answer.headers, name
    assert "x-request-id" in answer.headers


def test_unknown_page_outside_the_base_is_a_plain_404(server: Served) -> None:
    answer = httpx2.get(f"{server.url}/no/such/page", trust_env=False)
    assert answer.status_code == 404


@pytest.mark.parametrize("path", ["x", "%2fclients", "s/clients"])
def test_path_that_only_begins_like_the_base_is_none_of_ours(server: Served, alice: Member, path: str) -> None:
    answer = raw(server.url, "GET", BASE + path, [("Authorization", f"Bearer {alice.token}")])
    assert answer.status_code == 404


# --- methods ---


def test_every_path_refuses_every_other_method(server: Served, alice: Member, records: dict[str, str]) -> None:
    routes = api_routes(server.app)
    before = snapshot(server, alice)
    for path in {path_of(route, records) for route in routes}:
        known = methods_at(routes, path)
        for method in METHODS:
            if method in known:
                continue
            answer = alice.request(method, path)
            assert answer.status_code == 405, f"{method} {path}"
            assert answer.headers["allow"] == ", ".join(sorted(known))
            if method != "HEAD":
                error = refused(answer, 405, "METHOD_NOT_ALLOWED", method, *known)
                assert error["details"] == {"allowed": sorted(known)}
    assert snapshot(server, alice) == before


def test_head_answers_as_get_without_the_body(server: Served, alice: Member, records: dict[str, str]) -> None:
    passing = {"date", "x-request-id", "ratelimit"}
    for route in private_routes(server.app):
        if route.methods != {"GET"}:
            continue
        path = path_of(route, records)
        got, head = alice.get(path), alice.request("HEAD", path)
        assert (head.status_code, head.content) == (200, b""), name_of(route)
        same = {name: value for name, value in got.headers.items() if name not in passing}
        if "health-score" in path:  # tells the moment it was computed; of a fixed length
            assert head.headers["content-length"] == got.headers["content-length"]
        assert {name: value for name, value in head.headers.items() if name not in passing} == same, name_of(route)


def test_head_of_a_refusal_has_no_body(server: Served) -> None:
    answer = raw(server.url, "HEAD", f"{BASE}/clients")
    assert (answer.status_code, answer.content) == (401, b"")
    assert int(answer.headers["content-length"]) > 0


# --- versions ---


def test_every_changing_route_honours_if_match(server: Served, alice: Member) -> None:
    for route in changing_routes(server.app):
        ids = ready_records(alice, route)
        before = snapshot(server, alice)
        answer = call(alice, route, ids, headers={"If-Match": '"999"'})
        error = refused(answer, 412, "PRECONDITION_FAILED")
        assert "currentVersion" in error["details"], name_of(route)
        assert snapshot(server, alice) == before, name_of(route)


def test_every_changing_route_accepts_any_version_by_a_star(server: Served, alice: Member) -> None:
    for route in changing_routes(server.app):
        if name_of(route) == "POST /auth/logout":
            continue
        answer = call(alice, route, ready_records(alice, route), headers={"If-Match": "*"})
        assert answer.status_code in (200, 201), f"{name_of(route)}: {answer.text}"


def test_version_in_the_etag_is_that_in_the_record_and_lets_a_change_through(server: Served, alice: Member) -> None:
    tried = 0
    for route in changing_routes(server.app):
        ids = ready_records(alice, route)
        path, method = path_of(route, ids), method_of(route)
        before = alice.get(path)
        if method not in ("PATCH", "DELETE") or before.status_code != 200:
            continue
        assert before.headers["etag"] == f'"{before.json()["data"]["version"]}"', name_of(route)
        answer = call(alice, route, ids, headers={"If-Match": before.headers["etag"]})
        assert answer.status_code == 200, f"{name_of(route)}: {answer.text}"
        if method == "PATCH":
            assert answer.json()["data"]["version"] == before.json()["data"]["version"] + 1
            assert answer.headers["etag"] == f'"{answer.json()["data"]["version"]}"'
        tried += 1
    assert tried >= 6


# --- failures ---


@pytest.fixture
def broken(postgres: str, tmp_path: Path) -> Iterator[Served]:
    """A server whose database lacks a table: a fault that nobody foresaw."""
    with serving(settings_for(tmp_path), clone(postgres)) as served:
        yield served


def test_crash_is_answered_in_the_envelope_and_changes_nothing(broken: Served) -> None:
    person = register(broken.url, "unlucky")
    run(broken, "alter table events rename to gone")
    answer = person.post("/clients", {"clientType": "COMPANY", "source": "MANUAL", "companyName": "Acme"})
    error = refusal(answer, 500, "INTERNAL_ERROR")
    assert error.keys() == {"code", "message", "requestId"}
    for leak in ("gone", "events", "Traceback", "asyncpg", "select"):
        assert leak not in answer.text
    for name, value in SAFETY_HEADERS.items():
        assert answer.headers[name] == value
    assert data(person.get("/clients"))["total"] == 0


def test_database_that_is_away_is_said_so(tmp_path: Path) -> None:
    nowhere = f"postgresql://soloist@/soloist?host={tmp_path}&port=5432"
    with serving(settings_for(tmp_path), nowhere) as served:
        body = {"email": "a@example.com", "password": "correct horse battery staple"}
        answer = Person(served.url).post("/auth/login", body)
        refusal(answer, 503, "SERVICE_UNAVAILABLE")
        assert int(answer.headers["retry-after"]) >= 1


def test_busy_pool_refuses_instead_of_hanging(postgres: str, tmp_path: Path) -> None:
    settings = settings_for(tmp_path, pool_size=1, pool_wait_seconds=0.1)
    with serving(settings, clone(postgres)) as served:
        person = register(served.url, "patient")
        client = make.client(person)
        with locked(served, "select 1 from clients where id = $1 for update", client["id"]):
            slow = Person(served.url, person.token)
            slow.http.timeout = httpx2.Timeout(0.5)
            with pytest.raises(httpx2.TimeoutException):  # waits for the row's lock, holding the only connection
                slow.patch(f"/clients/{client['id']}", {"notes": "x"})
            answer = person.get("/clients")
            refusal(answer, 503, "SERVICE_UNAVAILABLE")
            assert "retry-after" in answer.headers


def test_body_of_an_answer_is_exact_json(alice: Member) -> None:
    notes = '"\\/\b\f\x01\x7f\u2028\ufeff🎉'
    client = make.client(alice, companyName="Ünïcode 🎉", notes=notes)
    shown = json.loads(alice.get(f"/clients/{client['id']}").content)["data"]
    assert (shown["companyName"], shown["notes"]) == ("Ünïcode 🎉", notes)
