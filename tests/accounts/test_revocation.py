"""What is revoked is refused at once, in every server process, and also while they can't hear each other."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import NamedTuple

import asyncpg
import httpx2
import pytest

from soloist.accounts import actions
from soloist.accounts.actor import MOST_KNOWN, Identifier
from soloist.accounts.model import AccountChange, AccountStatus, Actor
from soloist.accounts.tokens import Tokens
from soloist.infra.clock import system_clock
from soloist.infra.db import Database
from soloist.infra.errors import AccessDenied
from soloist.infra.ids import new_id
from soloist.infra.validation import check
from tests.databases import clone
from tests.people import PASSWORD, Person, data, refusal, register
from tests.serving import Served, serving, settings_for

TTL = timedelta(hours=1)


class Pair(NamedTuple):
    """Two server processes on one database, with one signing key."""

    one: Served
    two: Served

    def there(self, person: Person) -> Person:
        """The same credential at the other process."""
        return Person(self.two.url, person.token)


@pytest.fixture(scope="module")
def pair(postgres: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    settings, dsn = settings_for(tmp_path_factory.mktemp("data")), clone(postgres)
    with serving(settings, dsn, alone=False) as one, serving(settings, dsn, alone=False) as two:
        until(lambda: hearing(one) and hearing(two), "both hear")
        yield Pair(one, two)


def hearing(served: Served) -> bool:
    identifier = served.app.state.identifier
    assert isinstance(identifier, Identifier)
    return identifier._hearing


def until(true: Callable[[], bool], what: str, seconds: float = 5) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(0.005)


@asynccontextmanager
async def database(dsn: str) -> AsyncIterator[Database]:
    db = Database(dsn, size=2)
    await db.open()
    yield db
    await db.close()


def refused(answer: httpx2.Response, status: int = 401) -> bool:
    return answer.status_code == status


def test_logout_counts_at_once_here_and_soon_there(pair: Pair) -> None:
    alice = register(pair.one.url, "alice")
    there = pair.there(alice)
    data(there.get("/me"))
    data(alice.post("/auth/logout"))
    refusal(alice.get("/me"), 401, "UNAUTHORIZED")
    until(lambda: refused(there.get("/me")), "refused there", 1)


def test_a_deleted_key_is_refused_at_once_here_and_soon_there(pair: Pair) -> None:
    alice = register(pair.one.url, "alice")
    made = data(alice.post("/me/api-keys", {"name": "k", "scopes": ["read"]}), 201)
    here, there = Person(pair.one.url, made["key"]), Person(pair.two.url, made["key"])
    data(here.get("/me"))
    data(there.get("/me"))
    data(alice.delete(f"/me/api-keys/{made['id']}"))
    refusal(here.get("/me"), 401, "UNAUTHORIZED")
    until(lambda: refused(there.get("/me")), "refused there", 1)


def test_a_reused_refresh_token_ends_the_session_there_too(pair: Pair) -> None:
    alice = register(pair.one.url, "alice")
    there = pair.there(alice)
    data(there.get("/me"))
    data(alice.post("/auth/refresh", {"refreshToken": alice.refresh_token}))
    refusal(alice.post("/auth/refresh", {"refreshToken": alice.refresh_token}), 401, "UNAUTHORIZED")
    refusal(alice.get("/me"), 401, "UNAUTHORIZED")
    until(lambda: refused(there.get("/me")), "refused there", 1)


async def test_a_disabled_account_is_refused_everywhere_until_it_is_enabled(pair: Pair) -> None:
    alice = register(pair.one.url, "alice")
    key = data(alice.post("/me/api-keys", {"name": "k", "scopes": ["read"]}), 201)["key"]
    held = [alice, pair.there(alice), Person(pair.one.url, key), Person(pair.two.url, key)]
    for person in held:
        data(person.get("/me"))
    async with database(pair.one.dsn) as db:
        await actions.set_status(db, alice.email, AccountStatus.DISABLED)
        until(lambda: all(refused(person.get("/me"), 403) for person in held), "refused everywhere", 1)
        assert "disabled" in refusal(alice.get("/me"), 403, "ACCESS_DENIED")["message"]
        body = {"email": alice.email, "password": PASSWORD}
        refusal(alice.post("/auth/login", body), 403, "ACCESS_DENIED")
        refusal(alice.post("/auth/login", {**body, "password": "wrong"}), 401, "INVALID_CREDENTIALS")
        refusal(alice.post("/auth/refresh", {"refreshToken": alice.refresh_token}), 403, "ACCESS_DENIED")
        await actions.set_status(db, alice.email, AccountStatus.ACTIVE)
    data(alice.get("/me"))


async def test_a_new_password_ends_every_session_but_no_key(pair: Pair) -> None:
    alice = register(pair.one.url, "alice")
    key = data(alice.post("/me/api-keys", {"name": "k", "scopes": ["read"]}), 201)["key"]
    there = pair.there(alice)
    data(alice.get("/me"))
    data(there.get("/me"))
    async with database(pair.one.dsn) as db:
        await actions.set_password(db, alice.email, "another long password")
    until(lambda: refused(alice.get("/me")) and refused(there.get("/me")), "refused", 1)
    refusal(alice.post("/auth/refresh", {"refreshToken": alice.refresh_token}), 401, "UNAUTHORIZED")
    refusal(alice.post("/auth/login", {"email": alice.email, "password": PASSWORD}), 401, "INVALID_CREDENTIALS")
    data(alice.post("/auth/login", {"email": alice.email, "password": "another long password"}))
    data(Person(pair.two.url, key).get("/me"))


async def test_a_process_that_lost_its_ear_finds_out_by_itself(pair: Pair) -> None:
    alice = register(pair.one.url, "alice")
    there = pair.there(alice)
    data(there.get("/me"))
    conn = await asyncpg.connect(pair.one.dsn)

    async def cut() -> int:
        found = await conn.fetch(
            "select pg_terminate_backend(pid) from pg_stat_activity"
            " where application_name = 'soloist revocations' and datname = current_database()"
        )
        return len(found)

    assert await cut() == 2
    data(alice.post("/auth/logout"))
    until(lambda: refused(there.get("/me")), "refused there", 3)
    until(lambda: hearing(pair.one) and hearing(pair.two), "they hear again")
    await conn.close()
    bob = register(pair.one.url, "bob")
    data(pair.there(bob).get("/me"))
    data(bob.post("/auth/logout"))
    until(lambda: refused(pair.there(bob).get("/me")), "refused there", 1)


def test_a_server_starts_and_stops_without_its_database(tmp_path: Path) -> None:
    with serving(settings_for(tmp_path), "postgresql://nobody@127.0.0.1:9/none") as served:
        assert httpx2.get(f"{served.url}/health", trust_env=False).status_code == 200
        token = Tokens(bytes(32)).access(new_id(), None, system_clock())
        refusal(Person(served.url, token).get("/me"), 401, "UNAUTHORIZED")


class Asked(NamedTuple):
    """An identifier of its own, in this process, with an account's tokens."""

    identifier: Identifier
    tokens: Tokens
    db: Database
    email: str

    async def ask(self, token: str) -> Actor:
        headers = [(b"host", b"x"), (b"authorization", f"Bearer {token}".encode())]
        actor = await self.identifier.identify({"type": "http", "headers": headers, "query_string": b""})
        assert actor is not None
        return actor


@pytest.fixture
async def asked(db_url: str, tmp_path: Path) -> AsyncIterator[Asked]:
    async with database(db_url) as db:
        await actions.create_account(db, "alice@example.com", None)
        identifier = Identifier(db, settings_for(tmp_path), bytes(32))
        yield Asked(identifier, Tokens(bytes(32)), db, "alice@example.com")


async def test_new_settings_are_felt_without_a_new_token(asked: Asked) -> None:
    async with asked.identifier.listening():
        await hears(asked.identifier)
        token = await actions.issue_token(asked.db, asked.email, TTL, bytes(32))
        actor = await asked.ask(token)
        assert (actor.zone.key, actor.base_currency) == ("UTC", "USD")
        async with asked.db.changing(actor) as tx:
            await actions.change_account(tx, check(AccountChange, {"timeZone": "Asia/Tokyo", "baseCurrency": "JPY"}))
        async with asyncio.timeout(1):
            while actor.zone.key == "UTC":
                await asyncio.sleep(0)  # what is remembered is answered without a pause for anything else
                actor = await asked.ask(token)
        assert (actor.zone.key, actor.base_currency) == ("Asia/Tokyo", "JPY")


async def hears(identifier: Identifier) -> None:
    await asyncio.to_thread(until, lambda: identifier._hearing, "it hears")


async def test_what_is_known_is_believed_for_two_seconds_without_announcements(
    asked: Asked, postgres: str, db_url: str
) -> None:
    name = db_url.partition("/test_")[2].partition("?")[0]
    conn = await asyncpg.connect(postgres.format("soloist"))
    async with asked.identifier.listening():
        await hears(asked.identifier)
        token = await actions.issue_token(asked.db, asked.email, TTL, bytes(32))
        await asked.ask(token)
        await conn.execute(f"alter database test_{name} allow_connections false")
        await conn.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity"
            " where application_name = 'soloist revocations' and datname = $1",
            f"test_{name}",
        )
        await asyncio.to_thread(until, lambda: not asked.identifier._hearing, "it notices that it does not hear")
        await asked.ask(token)
        await actions.set_status(asked.db, asked.email, AccountStatus.DISABLED)  # by a connection from before
        async with asyncio.timeout(3):
            await ask_until_refused(asked, token)
        await conn.execute(f"alter database test_{name} allow_connections true")
        await hears(asked.identifier)
    await conn.close()


async def ask_until_refused(asked: Asked, token: str) -> None:
    while True:
        try:
            await asked.ask(token)
        except AccessDenied:
            return
        await asyncio.sleep(0)


async def test_only_so_many_credentials_are_remembered(asked: Asked) -> None:
    async with asked.identifier.listening():
        for _ in range(MOST_KNOWN + 50):
            token = await actions.issue_token(asked.db, asked.email, TTL, bytes(32))
            await asked.ask(token)
        assert len(asked.identifier._known) == MOST_KNOWN


async def test_a_look_up_that_a_change_overtook_is_not_remembered(asked: Asked) -> None:
    async with asked.identifier.listening():
        token = await actions.issue_token(asked.db, asked.email, TTL, bytes(32))
        looking = asyncio.create_task(asked.ask(token))
        while not looking.done():
            asked.identifier.forget(new_id())
            await asyncio.sleep(0)
        await looking
        assert len(asked.identifier._known) == 0


async def test_revoked_means_refused_also_under_load(asked: Asked) -> None:
    async with asked.identifier.listening():
        token = await actions.issue_token(asked.db, asked.email, TTL, bytes(32))

        asking = [asyncio.create_task(ask_until_refused(asked, token)) for _ in range(5)]
        await actions.set_status(asked.db, asked.email, AccountStatus.DISABLED)
        async with asyncio.timeout(2):
            await asyncio.gather(*asking)
