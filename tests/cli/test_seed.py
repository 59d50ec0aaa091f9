"""The seeded books: believable, repeatable, and with every derived column as recomputation has it."""

import asyncio
import json
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID

import asyncpg
import httpx2
import pytest

from soloist import seed, seed_bulk
from soloist.accounts import queries as account_queries
from soloist.accounts.passwords import Passwords
from soloist.accounts.unattended import unattended
from soloist.clients import actions as clients
from soloist.clients import queries as client_queries
from soloist.clients import revenue
from soloist.clients.model import ClientStatus
from soloist.infra.clock import frozen_at
from soloist.infra.db import Database
from soloist.infra.http import BASE
from soloist.seed import Plan
from soloist.seed_data import Book, SeedRefused
from tests.cli.programs import soloist
from tests.databases import clone
from tests.serving import serving, settings_for

NOW = datetime(2026, 11, 20, 15, 30, tzinfo=UTC)
QUICK = Passwords(8, 1)
STORED = "select id, total_revenue, health_score, last_interaction_at, search_text, sort_name from clients order by id"


class Filled(NamedTuple):
    """A database with one seeded account, as of NOW."""

    dsn: str
    account_id: UUID
    seeded: seed.Seeded


@pytest.fixture(scope="module", params=["actions", "bulk"])
def filled(request: pytest.FixtureRequest, postgres: str) -> Filled:
    db_url = clone(postgres)
    plan = Plan("demo@soloist.example", clients=40, months=9, seed=3)
    if request.param == "bulk":
        [done] = asyncio.run(seed_bulk.fill(db_url, plan, frozen_at(NOW), QUICK, lambda _: None))
    else:
        [done] = asyncio.run(seed.fill(db_url, plan, frozen_at(NOW), QUICK, lambda: None))

    async def find(db: Database) -> UUID | None:
        return await account_queries.find_account(db, plan.email)

    account_id = asyncio.run(on(db_url, find))
    assert account_id
    return Filled(db_url, account_id, done)


async def on(dsn: str, work: Any) -> Any:
    """Run `work` on an open database whose clock stands at NOW."""
    db = Database(dsn, size=2, clock=frozen_at(NOW))
    await db.open()
    try:
        return await work(db)
    finally:
        await db.close()


def rows(dsn: str, sql: str) -> list[tuple[Any, ...]]:
    async def fetch() -> list[tuple[Any, ...]]:
        conn = await asyncpg.connect(dsn)
        found = [tuple(row) for row in await conn.fetch(sql)]
        await conn.close()
        return found

    return asyncio.run(fetch())


def test_stored_figures_are_those_that_recomputation_gives(filled: Filled) -> None:
    before = rows(filled.dsn, STORED)

    async def recompute(db: Database) -> None:
        async with db.changing(unattended(filled.account_id, "UTC", "USD")) as tx:
            ids = await client_queries.lock_batch(tx, UUID(int=0), 1000)
            assert await revenue.recount(tx, ids) == 0
            for client_id in ids:
                await clients.contacts_changed(tx, client_id)
                if (await client_queries.lock(tx, client_id)).status is not ClientStatus.ARCHIVED:
                    await clients.interactions_changed(tx, client_id)  # an archived one's score rests

    asyncio.run(on(filled.dsn, recompute))
    assert rows(filled.dsn, STORED) == before
    counted = Counter(status for (status,) in rows(filled.dsn, "select lower(status) from clients"))
    [counters] = rows(filled.dsn, "select lead, prospect, active, inactive, archived from account_counters")
    assert counters == tuple(counted[name] for name in ("lead", "prospect", "active", "inactive", "archived"))


def test_numbers_told_are_numbers_made(filled: Filled) -> None:
    [made] = rows(
        filled.dsn,
        "select (select count(*) from clients), (select count(*) from contacts), (select count(*) from interactions)",
    )
    assert made == filled.seeded[2:]
    assert made[0] == 40
    assert made[2] > 100


def test_everything_lies_in_the_months_before_now(filled: Filled) -> None:
    [[first, last]] = rows(filled.dsn, "select min(created_at), max(occurred_at) from interactions")
    assert NOW - timedelta(days=9 * 30 + 2) < first
    assert last <= NOW


def test_an_account_with_clients_is_not_touched(filled: Filled) -> None:
    before = rows(filled.dsn, STORED)
    plan = Plan("demo@soloist.example", clients=5, accounts=2)
    with pytest.raises(SeedRefused, match=r"demo@soloist\.example has clients already"):
        asyncio.run(seed.fill(filled.dsn, plan, frozen_at(NOW), QUICK, lambda: None))
    assert rows(filled.dsn, STORED) == before
    assert rows(filled.dsn, "select count(*) from accounts") == [(1,)]


def test_a_seed_gives_the_same_stories_again() -> None:
    def told(seed: int, count: int) -> Iterator[Any]:
        for story in Book(seed, 0, NOW, 12).stories(count):
            yield story.started, story.client, story.contacts, story.entries, story.moves

    assert list(told(1, 30)) == list(told(1, 50))[:30]
    assert list(told(1, 30)) != list(told(2, 30))


def test_stories_are_told_in_order_and_addresses_are_nobodys() -> None:
    emails = []
    for story in Book(1, 0, NOW, 12).stories(300):
        moments = [story.started, *(entry.at for entry in story.entries), NOW]
        assert moments == sorted(moments)
        assert [at for at, _ in story.moves] == sorted(at for at, _ in story.moves)
        emails.append(str(story.client["email"]))
        emails += [str(person["email"]) for person in story.contacts]
    assert all(email.endswith(".example") for email in emails)
    assert all(email.isascii() for email in emails)


@pytest.mark.slow
def test_the_command_fills_accounts_and_says_how_to_sign_in(db_url: str, tmp_path: Path) -> None:
    settings = {"DATABASE_URL": db_url, "SOLOIST_DATA_DIR": str(tmp_path)}
    done = soloist("seed", "--clients", "8", "--accounts", "2", "--months", "3", "--json", **settings)
    assert done.returncode == 0, done.stderr
    first, second = json.loads(done.stdout)["accounts"]
    assert (first["email"], second["email"]) == ("demo@soloist.example", "demo+2@soloist.example")
    with serving(settings_for(tmp_path), db_url) as server:
        given = {"email": second["email"], "password": second["password"]}
        signed = httpx2.post(f"{server.url}{BASE}/auth/login", json=given, trust_env=False).json()["data"]
        headers = {"Authorization": f"Bearer {signed['accessToken']}"}
        listed = httpx2.get(f"{server.url}{BASE}/clients", headers=headers, trust_env=False).json()["data"]
    assert 0 < listed["total"] <= 8
    again = soloist("seed", "--clients", "8", "--bulk", **settings)
    assert again.returncode == 1
    assert "has clients already" in again.stderr
