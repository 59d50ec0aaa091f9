"""Idempotency keys: a change that is sent twice happens once, and is answered with the same bytes."""

import json
from collections import Counter
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx2
import pytest

from soloist.infra.changes import prune_keys
from soloist.infra.db import Database
from tests import make
from tests.book import events, locked, select, until
from tests.databases import clone
from tests.people import PASSWORD, Member, Person, data, register
from tests.routes import call, changing_routes, name_of, ready_records
from tests.serving import Served, SettableClock, serving, settings_for
from tests.wire import refused, sound

NEW = {"clientType": "COMPANY", "source": "MANUAL", "companyName": "Acme"}


def keyed(key: str) -> dict[str, dict[str, str]]:
    return {"headers": {"Idempotency-Key": key}}


def stored_keys(server: Served, person: Member) -> list[str]:
    sql = "select key from idempotency_keys where account_id = $1 order by key"
    return [row["key"] for row in select(server, sql, person.account["id"])]


def test_every_changing_route_is_replayed_byte_for_byte(server: Served, alice: Member) -> None:
    tried = 0
    for route in changing_routes(server.app):
        if name_of(route) == "POST /auth/logout":  # its token is gone afterwards
            continue
        ids = ready_records(alice, route)
        key = str(uuid4())
        first = call(alice, route, ids, **keyed(key))
        happened = len(events(server, alice))
        again = call(alice, route, ids, **keyed(f'"{key}"'))
        assert first.status_code in (200, 201), f"{name_of(route)}: {first.text}"
        assert (again.status_code, again.content) == (first.status_code, first.content), name_of(route)
        assert "idempotency-replayed" not in first.headers
        assert again.headers["idempotency-replayed"] == "true", name_of(route)
        for header in ("etag", "location", "content-type"):
            assert again.headers.get(header) == first.headers.get(header), f"{name_of(route)} {header}"
        assert len(events(server, alice)) == happened, name_of(route)
        sound(again)
        tried += 1
    assert tried >= 14


def test_replay_shows_the_answer_of_then_not_of_now(alice: Member) -> None:
    first = alice.post("/clients", NEW, **keyed("k"))
    client_id = data(first, 201)["id"]
    data(alice.patch(f"/clients/{client_id}", {"notes": "later"}))
    data(alice.post(f"/clients/{client_id}/archive"))
    again = alice.post("/clients", NEW, **keyed("k"))
    assert (again.status_code, again.content) == (201, first.content)


OTHER_REQUESTS: dict[str, tuple[str, str, Any]] = {
    "another body": ("POST", "/clients", {**NEW, "notes": "x"}),
    "the same body, otherwise spaced": ("POST", "/clients", json.dumps(NEW, indent=1).encode()),
    "another path": ("POST", "/clients/{id}/archive", None),
    "another method": ("PATCH", "/clients/{id}", NEW),
    "a query": ("POST", "/clients?x=1", NEW),
}


@pytest.mark.parametrize(("method", "path", "body"), OTHER_REQUESTS.values(), ids=OTHER_REQUESTS)
def test_key_of_another_request_is_refused(alice: Member, method: str, path: str, body: Any) -> None:
    made = data(alice.post("/clients", NEW, **keyed("taken")), 201)
    content = body if isinstance(body, bytes) else json.dumps(body).encode() if body else b""
    headers = {"Idempotency-Key": "taken", "Content-Type": "application/json"}
    answer = alice.request(method, path.format(id=made["id"]), content=content, headers=headers)
    error = refused(answer, 422, "IDEMPOTENCY_KEY_REUSED", "first used at")
    assert error["details"].keys() == {"firstUsedAt"}
    assert data(alice.get("/clients"))["total"] == 1


def test_refusal_is_judged_anew(server: Served, alice: Member) -> None:
    refused(alice.post("/clients", {**NEW, "email": "x"}, **keyed("k")), 400, "VALIDATION_ERROR")
    taken = make.client(alice, email="a@example.com")
    body = {**NEW, "email": "a@example.com"}
    refused(alice.post("/clients", body, **keyed("k")), 409, "CLIENT_ALREADY_EXISTS")
    assert stored_keys(server, alice) == []
    data(alice.patch(f"/clients/{taken['id']}", {"email": None}))
    data(alice.post("/clients", body, **keyed("k")), 201)
    assert stored_keys(server, alice) == ["k"]


def test_precondition_that_failed_is_judged_anew(alice: Member) -> None:
    client = make.client(alice)
    headers = {"Idempotency-Key": "k", "If-Match": '"2"'}
    path = f"/clients/{client['id']}"
    refused(alice.patch(path, {"notes": "a"}, headers=headers), 412, "PRECONDITION_FAILED")
    data(alice.patch(path, {"notes": "b"}))
    assert data(alice.patch(path, {"notes": "a"}, headers=headers))["version"] == 3


def test_replay_does_not_mind_a_version_that_has_moved_on(alice: Member) -> None:
    client = make.client(alice)
    headers = {"Idempotency-Key": "k", "If-Match": '"1"'}
    first = alice.patch(f"/clients/{client['id']}", {"notes": "a"}, headers=headers)
    again = alice.patch(f"/clients/{client['id']}", {"notes": "a"}, headers=headers)
    assert (first.status_code, again.status_code) == (200, 200)
    assert again.content == first.content


def test_another_account_may_use_the_same_key(alice: Member, bob: Member) -> None:
    hers = data(alice.post("/clients", NEW, **keyed("k")), 201)
    his = data(bob.post("/clients", {**NEW, "companyName": "His"}, **keyed("k")), 201)
    assert hers["id"] != his["id"]


def test_replay_needs_a_valid_token_still(server: Served, alice: Member, stranger: Person) -> None:
    data(alice.post("/clients", NEW, **keyed("k")), 201)
    refused(stranger.post("/clients", NEW, **keyed("k")), 401, "UNAUTHORIZED")


def test_without_a_key_everything_happens_as_often_as_it_is_sent(alice: Member) -> None:
    for _ in range(2):
        data(alice.post("/clients", NEW), 201)
    assert data(alice.get("/clients"))["total"] == 2


@pytest.mark.parametrize("key", ["x", "k" * 255, "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"], ids=["1", "255", "all kinds"])
def test_every_visible_character_is_allowed(alice: Member, key: str) -> None:
    first = data(alice.post("/clients", NEW, **keyed(key)), 201)
    assert data(alice.post("/clients", NEW, **keyed(key)), 201) == first


def test_get_pays_no_attention_to_a_key(alice: Member) -> None:
    data(alice.get("/clients", **keyed("k")))
    data(alice.post("/clients", NEW, **keyed("k")), 201)


# --- twins ---


def test_twin_of_a_running_request_is_told_to_wait(server: Served, alice: Member) -> None:
    client = make.client(alice)
    path = f"/clients/{client['id']}"
    with ThreadPoolExecutor(1) as pool:
        with locked(server, "select 1 from clients where id = $1 for update", client["id"]):
            running = pool.submit(Person(server.url, alice.token).patch, path, {"notes": "a"}, **keyed("k"))
            waits = "select 1 from pg_stat_activity where wait_event_type = 'Lock' and query like '%for no key update%'"
            until(lambda: select(server, waits))
            answer = alice.patch(path, {"notes": "a"}, **keyed("k"))
            refused(answer, 409, "IDEMPOTENCY_KEY_IN_USE", "still running")
            assert answer.headers["retry-after"] == "1"
            refused(alice.patch(path, {"notes": "b"}, **keyed("k")), 409, "IDEMPOTENCY_KEY_IN_USE")
        first = running.result()
    again = alice.patch(path, {"notes": "a"}, **keyed("k"))
    assert again.content == first.content
    assert again.headers["idempotency-replayed"] == "true"


KEYS, TWINS = 100, 10


def test_simultaneous_twins_make_one_record(postgres: str, tmp_path: Path) -> None:
    """Each key is sent ten times at the same moment, by way of two servers on one database."""
    dsn = clone(postgres)
    settings = settings_for(tmp_path, pool_wait_seconds=20)
    with serving(settings, dsn, alone=False) as one, serving(settings, dsn, alone=False) as two:
        owner = register(one.url, "twins")
        people = [Person((one, two)[number % 2].url, owner.token) for number in range(TWINS)]

        def send(person: Person, number: int) -> httpx2.Response:
            return person.post("/clients", {**NEW, "notes": str(number)}, **keyed(f"key-{number}"))

        by_key: dict[int, set[bytes]] = {}
        statuses: Counter[str] = Counter()
        with ThreadPoolExecutor(TWINS) as pool:
            for number in range(KEYS):
                for answer in pool.map(send, people, [number] * TWINS):
                    sound(answer)
                    if answer.status_code == 201:
                        by_key.setdefault(number, set()).add(answer.content)
                        statuses["replayed" if "idempotency-replayed" in answer.headers else "made"] += 1
                    else:
                        refused(answer, 409, "IDEMPOTENCY_KEY_IN_USE")
                        statuses["in use"] += 1
        assert statuses.total() == KEYS * TWINS
        assert statuses["made"] == KEYS
        assert statuses["in use"] > 0
        assert all(len(bodies) == 1 for bodies in by_key.values())
        assert data(owner.get("/clients"))["total"] == KEYS
        assert len(events(one, owner, "client.created")) == KEYS
        assert sorted(stored_keys(one, owner)) == sorted(f"key-{number}" for number in range(KEYS))


# --- 24 hours ---


def test_key_is_kept_a_day_and_then_free(server: Served, clock: SettableClock) -> None:
    clock.freeze()
    person = register(server.url, "daily")
    first = data(person.post("/clients", NEW, **keyed("k")), 201)

    def at(**later: float) -> Person:
        clock.advance(**later)
        login = Person(server.url).post("/auth/login", {"email": person.email, "password": PASSWORD})
        return Person(server.url, data(login)["accessToken"])

    assert data(at(hours=23, minutes=59).post("/clients", NEW, **keyed("k")), 201) == first
    other = data(at(minutes=2).post("/clients", {**NEW, "notes": "new day"}, **keyed("k")), 201)
    assert other["id"] != first["id"]
    assert data(at(hours=23).post("/clients", {**NEW, "notes": "new day"}, **keyed("k")), 201) == other


@pytest.fixture
async def database(server: Served) -> AsyncIterator[Database]:
    db = Database(server.dsn, clock=server.clock)
    await db.open()
    yield db
    await db.close()


async def test_sweep_forgets_keys_older_than_a_day(server: Served, clock: SettableClock, database: Database) -> None:
    start = clock.freeze()
    person = register(server.url, "sweep")
    data(person.post("/clients", NEW, **keyed("old")), 201)
    clock.advance(minutes=5)
    data(person.post("/clients", NEW, **keyed("young")), 201)
    clock.freeze(start + timedelta(hours=24, minutes=1))
    assert await prune_keys(database) >= 1
    rows = await database.pool.fetch("select key from idempotency_keys where account_id = $1", person.account["id"])
    assert [row["key"] for row in rows] == ["young"]
