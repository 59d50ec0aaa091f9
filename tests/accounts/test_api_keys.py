"""API keys: shown once, kept as a hash, limited by scopes, ended at once."""

import hashlib
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import asyncpg
import pytest

from soloist.infra.times import wire
from tests.people import Member, Person, data, faults, refusal, register
from tests.serving import Served, SettableClock


def make_key(person: Person, *scopes: str, **fields: Any) -> dict[str, Any]:
    body = {"name": "a script", "scopes": list(scopes) or ["write"], **fields}
    made: dict[str, Any] = data(person.post("/me/api-keys", body), 201)
    return made


def test_a_key_is_shown_once(alice: Member) -> None:
    answer = alice.post("/me/api-keys", {"name": "nightly import", "scopes": ["sync", "write"]})
    made = data(answer, 201)
    assert made.keys() == {
        "id", "name", "hint", "scopes", "expiresAt", "lastUsedAt", "version", "createdAt", "updatedAt", "key",
    }  # fmt: skip
    assert made["scopes"] == ["write", "sync"]
    assert made["key"].endswith(made["hint"])
    assert len(made["hint"]) == 4
    found = data(alice.get(answer.headers["location"].removeprefix("/api/cockpit")))
    assert found == {name: value for name, value in made.items() if name != "key"}
    listed = data(alice.get("/me/api-keys"))
    assert listed == {"apiKeys": [found], "total": 1}
    assert made["key"] not in alice.get("/me/api-keys").text


def test_keys_are_listed_newest_first(alice: Member) -> None:
    made = [make_key(alice, name=f"key {number}")["id"] for number in range(3)]
    assert [key["id"] for key in data(alice.get("/me/api-keys"))["apiKeys"]] == made[::-1]


def test_another_owners_keys_are_not_seen(alice: Member, bob: Member) -> None:
    made = make_key(alice)
    assert data(bob.get("/me/api-keys")) == {"apiKeys": [], "total": 0}
    refusal(bob.get(f"/me/api-keys/{made['id']}"), 404, "API_KEY_NOT_FOUND")
    refusal(bob.delete(f"/me/api-keys/{made['id']}"), 404, "API_KEY_NOT_FOUND")
    data(Person(alice.url, made["key"]).get("/me"))


@pytest.mark.parametrize("key_id", ["00000000-0000-0000-0000-000000000000", "not-a-uuid", "%00", "..%2f"])
def test_a_key_that_is_not_there(alice: Member, key_id: str) -> None:
    refusal(alice.get(f"/me/api-keys/{key_id}"), 404, "API_KEY_NOT_FOUND")
    refusal(alice.delete(f"/me/api-keys/{key_id}"), 404, "API_KEY_NOT_FOUND")


async def test_the_database_holds_only_a_hash(server: Served, alice: Member) -> None:
    answer = alice.post("/me/api-keys", {"name": "k", "scopes": ["read"]}, headers={"Idempotency-Key": "once"})
    key = data(answer, 201)["key"]
    conn = await asyncpg.connect(server.dsn)
    row = await conn.fetchrow("select key_hash from api_keys where id = $1", data(answer, 201)["id"])
    assert row is not None
    assert row["key_hash"] == hashlib.sha256(key.encode()).digest()
    kept = await conn.fetch(
        """
        select t::text as line, null::bytea as body from api_keys t
        union all select t::text, t.body from idempotency_keys t
        union all select t::text, null from events t
        """
    )
    assert len(kept) >= 2
    for row in kept:
        assert key not in row["line"]
        assert key.encode() not in (row["body"] or b"")
    await conn.close()


def test_a_repeated_request_is_answered_with_the_same_key(alice: Member) -> None:
    body = {"name": "k", "scopes": ["read"]}
    first, again = (alice.post("/me/api-keys", body, headers={"Idempotency-Key": "k-1"}) for _ in range(2))
    assert again.content == first.content
    assert again.headers["idempotency-replayed"] == "true"
    assert again.headers["location"] == first.headers["location"]
    assert data(alice.get("/me/api-keys"))["total"] == 1
    data(Person(alice.url, data(again, 201)["key"]).get("/me"))


Ask = Callable[[Person], Any]
READS: tuple[Ask, ...] = (
    lambda p: p.get("/me"),
    lambda p: p.get("/me/exchange-rates"),
    lambda p: p.get("/me/api-keys"),
)
WRITES: tuple[Ask, ...] = (
    lambda p: p.patch("/me", {"name": "By key"}),
    lambda p: p.put("/me/exchange-rates", {"rates": []}),
)


@pytest.mark.parametrize(
    ("scopes", "reads", "writes"),
    [
        (("read",), True, False),
        (("write",), True, True),
        (("read", "write"), True, True),
        (("sync",), False, False),
        (("read", "sync"), True, False),
        (("write", "sync"), True, True),
        (("read", "write", "sync"), True, True),
    ],
)
def test_a_key_does_what_its_scopes_say(alice: Member, scopes: tuple[str, ...], reads: bool, writes: bool) -> None:
    holder = Person(alice.url, make_key(alice, *scopes)["key"])
    for asks, allowed, scope in ((READS, reads, "read"), (WRITES, writes, "write")):
        for ask in asks:
            if allowed:
                data(ask(holder))
            else:
                error = refusal(ask(holder), 403, "ACCESS_DENIED")
                assert f"'{scope}'" in error["message"]
                assert error["details"]["requiredScope"] == scope


def test_a_missing_scope_is_told_before_the_body_is_read(alice: Member) -> None:
    holder = Person(alice.url, make_key(alice, "read")["key"])
    refusal(holder.patch("/me", {"nonsense": True}), 403, "ACCESS_DENIED")


def test_a_key_makes_and_deletes_no_keys(alice: Member) -> None:
    made = make_key(alice, "read", "write", "sync")
    holder = Person(alice.url, made["key"])
    for answer in (
        holder.post("/me/api-keys", {"name": "k", "scopes": ["read"]}),
        holder.delete(f"/me/api-keys/{made['id']}"),
    ):
        assert "signed-in user" in refusal(answer, 403, "ACCESS_DENIED")["message"]


def test_a_deleted_key_is_refused_at_once(alice: Member) -> None:
    made = make_key(alice)
    holder = Person(alice.url, made["key"])
    data(holder.get("/me"))
    assert data(alice.delete(f"/me/api-keys/{made['id']}")) == {"id": made["id"], "deleted": True}
    refusal(holder.get("/me"), 401, "UNAUTHORIZED")
    refusal(alice.delete(f"/me/api-keys/{made['id']}"), 404, "API_KEY_NOT_FOUND")


def test_an_old_version_does_not_delete(alice: Member) -> None:
    made = make_key(alice)
    answer = alice.delete(f"/me/api-keys/{made['id']}", headers={"If-Match": '"7"'})
    assert refusal(answer, 412, "PRECONDITION_FAILED")["details"] == {"currentVersion": 1}
    data(alice.delete(f"/me/api-keys/{made['id']}", headers={"If-Match": '"1"'}))


def test_an_expired_key_is_refused(clock: SettableClock, alice: Member) -> None:
    expires_at = wire(clock() + timedelta(minutes=10))
    holder = Person(alice.url, make_key(alice, expiresAt=expires_at)["key"])
    data(holder.get("/me"))
    clock.advance(minutes=9, seconds=58)
    data(holder.get("/me"))
    clock.advance(seconds=3)
    assert "API key has expired" in refusal(holder.get("/me"), 401, "TOKEN_EXPIRED")["message"]


def test_use_is_noted_at_most_once_a_minute(clock: SettableClock, alice: Member) -> None:
    clock.freeze()
    made = make_key(alice, "read")
    holder = Person(alice.url, made["key"])

    def last_used() -> str | None:
        found: str | None = data(alice.get(f"/me/api-keys/{made['id']}"))["lastUsedAt"]
        return found

    def becomes(moment: str) -> None:
        deadline = time.monotonic() + 5
        while last_used() != moment:
            assert time.monotonic() < deadline, f"still {last_used()}, not {moment}"

    assert last_used() is None
    first = wire(clock())
    data(holder.get("/me"))
    becomes(first)
    clock.advance(seconds=59)
    data(holder.get("/me"))
    data(holder.get("/me"))
    assert last_used() == first
    clock.advance(seconds=1)
    second = wire(clock())
    data(holder.get("/me"))
    becomes(second)
    assert data(alice.get(f"/me/api-keys/{made['id']}"))["version"] == 1


@pytest.mark.parametrize(
    ("body", "wrong"),
    [
        ({}, {"name", "scopes"}),
        ({"name": "k", "scopes": []}, {"scopes"}),
        ({"name": "k", "scopes": ["admin"]}, {"scopes.0"}),
        ({"name": "k", "scopes": ["READ"]}, {"scopes.0"}),
        ({"name": "k", "scopes": "read"}, {"scopes"}),
        ({"name": " ", "scopes": ["read"]}, {"name"}),
        ({"name": "k" * 101, "scopes": ["read"]}, {"name"}),
        ({"name": "k", "scopes": ["read"], "expiresAt": "2020-01-01T00:00:00Z"}, {"expiresAt"}),
        ({"name": "k", "scopes": ["read"], "expiresAt": "tomorrow"}, {"expiresAt"}),
        ({"name": "k", "scopes": ["read"], "key": "slk_mine"}, {"key"}),
    ],
)
def test_what_a_key_needs(alice: Member, body: dict[str, Any], wrong: set[str]) -> None:
    assert faults(alice.post("/me/api-keys", body)).keys() == wrong


def test_an_account_has_at_most_100_keys(server: Served) -> None:
    alice = register(server.url, "keys")
    for number in range(100):
        make_key(alice, name=f"key {number}")
    answer = alice.post("/me/api-keys", {"name": "one more", "scopes": ["read"]})
    assert "at most 100" in refusal(answer, 400, "VALIDATION_ERROR")["message"]


def test_an_unknown_parameter_of_the_list_is_refused(alice: Member) -> None:
    assert faults(alice.get("/me/api-keys?pge=1")).keys() == {"pge"}
