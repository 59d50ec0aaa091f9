"""What whoever runs the installation does by hand: accounts, passwords, tokens and keys without the API."""

import time
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from soloist.accounts import actions, jobs, queries, sessions
from soloist.accounts.actor import Identifier
from soloist.accounts.model import EmailAlreadyRegistered, checked_password
from soloist.accounts.passwords import Passwords
from soloist.accounts.tokens import RESET_LIFE
from soloist.infra.db import Database
from soloist.infra.errors import NotFound, Problem, ValidationFailed
from soloist.infra.ids import new_id
from soloist.infra.secrets import derived, installation_secret
from tests.people import PASSWORD, Member, Person, data, faults, refusal, register
from tests.serving import Served, SettableClock, serving, settings_for

QUICK = Passwords(8, 1)
NEW_PASSWORD = "a rather new password"


@pytest.fixture
async def db(server: Served) -> AsyncIterator[Database]:
    """The server's database, by its clock."""
    db = Database(server.dsn, size=2, clock=server.clock)
    await db.open()
    yield db
    await db.close()


def log_in(server: Served, email: str, password: str) -> int:
    return Person(server.url).post("/auth/login", {"email": email, "password": password}).status_code


async def test_an_account_is_added_also_where_registration_is_closed(db_url: str, tmp_path: Path) -> None:
    with serving(settings_for(tmp_path, registration="closed"), db_url) as closed:
        own = Database(db_url, size=2)
        await own.open()
        account_id = await actions.create_account(own, "Ada@Example.com", PASSWORD, passwords=QUICK)
        await own.close()
        found = data(Person(closed.url).post("/auth/login", {"email": "ada@example.com", "password": PASSWORD}))
        assert found["account"]["id"] == str(account_id)
        assert found["account"]["email"] == "Ada@example.com"


async def test_without_a_password_nobody_signs_in_until_one_is_set(server: Served, db: Database) -> None:
    await actions.create_account(db, "later@example.com", None)
    assert log_in(server, "later@example.com", PASSWORD) == 401
    await actions.set_password(db, "LATER@example.com", PASSWORD, QUICK)
    assert log_in(server, "later@example.com", PASSWORD) == 200


@pytest.mark.parametrize(
    ("email", "password", "kind"),
    [("nobody", PASSWORD, ValidationFailed), ("short@example.com", "short", ValidationFailed)],
)
async def test_what_can_not_be_an_account(db: Database, email: str, password: str, kind: type[Problem]) -> None:
    with pytest.raises(kind):
        await actions.create_account(db, email, password, passwords=QUICK)
    assert not (email.count("@") and await queries.find_account(db, email))


async def test_an_address_is_added_once(db: Database, alice: Member) -> None:
    with pytest.raises(EmailAlreadyRegistered):
        await actions.create_account(db, alice.email.upper(), None)
    assert str(await queries.find_account(db, alice.email.upper())) == alice.account["id"]
    assert await queries.find_account(db, "nobody.here@example.com") is None


async def test_a_token_works_beside_a_running_server(server: Served, db: Database, alice: Member) -> None:
    key = derived(installation_secret(server.app.state.settings), "tokens")
    token = await actions.issue_token(db, alice.email, timedelta(hours=1), key)
    holder = Person(server.url, token)
    assert data(holder.get("/me"))["id"] == alice.account["id"]
    data(holder.patch("/me", {"name": "By token"}))


async def test_a_token_ends_with_its_ttl(server: Served, clock: SettableClock, db: Database, alice: Member) -> None:
    key = derived(installation_secret(server.app.state.settings), "tokens")
    holder = Person(server.url, await actions.issue_token(db, alice.email, timedelta(hours=1), key))
    clock.advance(hours=1, seconds=29)
    data(holder.get("/me"))
    clock.advance(seconds=2)
    refusal(holder.get("/me"), 401, "TOKEN_EXPIRED")


async def test_a_key_is_made(server: Served, db: Database, alice: Member) -> None:
    key = await actions.create_key(db, alice.email, ["read", "sync"], "from the command line")
    assert data(Person(server.url, key).get("/me"))["id"] == alice.account["id"]
    listed = data(alice.get("/me/api-keys"))["apiKeys"]
    assert [(found["name"], found["scopes"], found["hint"]) for found in listed] == [
        ("from the command line", ["read", "sync"], key[-4:])
    ]
    with pytest.raises(ValidationFailed):
        await actions.create_key(db, alice.email, ["admin"], "x")


async def test_an_unknown_address_is_said_so(db: Database) -> None:
    for work in (
        actions.set_password(db, "nobody.here@example.com", PASSWORD, QUICK),
        actions.issue_token(db, "nobody.here@example.com", timedelta(hours=1), bytes(32)),
        actions.create_key(db, "nobody.here@example.com", ["read"], "x"),
    ):
        with pytest.raises(NotFound, match=r"nobody\.here@example\.com"):
            await work


async def reset_token(server: Served, db: Database, email: str) -> str:
    identifier = server.app.state.identifier
    assert isinstance(identifier, Identifier)
    account_id = await queries.find_account(db, email)
    assert account_id is not None
    async with db.changing(actions.nobody_yet(account_id, "test")) as tx:
        return await sessions.make_reset(tx, identifier.vault.tokens, new_id(), tx.now + RESET_LIFE)


async def test_a_reset_token_sets_the_password_once(server: Served, db: Database, alice: Member) -> None:
    token = await reset_token(server, db, alice.email)
    second = await reset_token(server, db, alice.email)
    person = Person(server.url)
    data(person.post("/auth/password/reset", {"token": token, "password": NEW_PASSWORD}))
    refusal(alice.get("/me"), 401, "UNAUTHORIZED")
    refusal(alice.post("/auth/refresh", {"refreshToken": alice.refresh_token}), 401, "UNAUTHORIZED")
    assert log_in(server, alice.email, PASSWORD) == 401
    assert log_in(server, alice.email, NEW_PASSWORD) == 200
    for used in (token, second):
        answer = person.post("/auth/password/reset", {"token": used, "password": "yet another password"})
        assert faults(answer).keys() == {"token"}


async def test_a_reset_token_lasts_an_hour(server: Served, clock: SettableClock, db: Database, alice: Member) -> None:
    token = await reset_token(server, db, alice.email)
    clock.advance(minutes=60, seconds=1)
    answer = Person(server.url).post("/auth/password/reset", {"token": token, "password": NEW_PASSWORD})
    assert "older than an hour" in faults(answer)["token"]


async def test_a_reset_needs_a_good_password(server: Served, db: Database, alice: Member) -> None:
    token = await reset_token(server, db, alice.email)
    person = Person(server.url)
    assert faults(person.post("/auth/password/reset", {"token": token, "password": "short"})).keys() == {"password"}
    data(person.post("/auth/password/reset", {"token": token, "password": NEW_PASSWORD}))


@pytest.mark.parametrize("token", ["", "junk", "slp_" + "A" * 108])
def test_junk_is_no_reset_token(stranger: Person, token: str) -> None:
    answer = stranger.post("/auth/password/reset", {"token": token, "password": NEW_PASSWORD})
    assert faults(answer).keys() == {"token"}


async def test_ended_sessions_are_forgotten_after_a_month(
    server: Served, clock: SettableClock, db: Database, alice: Member
) -> None:
    count = "select count(*) from sessions where account_id = $1"
    async with db.connection() as conn:
        assert await conn.fetchval(count, alice.account["id"]) == 1
        clock.advance(days=59)
        await jobs.prune(db)
        assert await conn.fetchval(count, alice.account["id"]) == 1
        clock.advance(days=2)
        assert await jobs.prune(db) >= 1
        assert await conn.fetchval(count, alice.account["id"]) == 0


async def test_a_login_with_the_usual_parameters_takes_a_bearable_time() -> None:
    passwords = Passwords()
    stored = await passwords.hash(checked_password(PASSWORD))
    started = time.perf_counter()
    assert await passwords.verify(stored, checked_password(PASSWORD))
    assert time.perf_counter() - started < 2


def test_two_registered_people_are_two_accounts(server: Served) -> None:
    assert register(server.url, "alice").account["id"] != register(server.url, "alice").account["id"]
