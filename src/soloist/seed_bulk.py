"""Fills accounts by COPY, a hundred thousand clients in less than a minute, with every derived column true.

The one place that writes the domains' tables beside their actions, so that lists can be tried and measured at
size. It leaves out what a book of that size is not looked at for: events, status changes, older scores.
"""

import asyncio
from collections.abc import Callable, Iterator
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from itertools import islice
from typing import Any
from uuid import UUID

from soloist.accounts.model import Actor
from soloist.accounts.passwords import Passwords
from soloist.clients.model import ClientStatus, display_name, email_key
from soloist.health.model import DEFAULT_SCALE, WINDOW, Facts, Moment, assess
from soloist.infra import jsonbody
from soloist.infra.clock import Clock, local_day
from soloist.infra.db import Database, Tx
from soloist.infra.ids import new_id
from soloist.infra.statement import statement
from soloist.interactions.sentiment import Reading, SentimentSource, analyse
from soloist.seed import Plan, Seeded, open_accounts
from soloist.seed_data import Book, Story

CHUNK = 2_000
MOST_ENTRIES = 6

_CLIENT = """
    account_id, id, client_type, source, status, status_before_archive, company_name, first_name, last_name,
    display_name, email, email_key, phone, website, industry, company_size, timezone, tags, address, total_revenue,
    health_score, last_interaction_at, created_at, updated_at, archived_at
"""
_CONTACT = """
    account_id, id, client_id, first_name, last_name, email, role, job_title, is_primary, preferred_contact_method,
    created_at, updated_at
"""
_INTERACTION = """
    account_id, id, client_id, contact_id, interaction_type, subject, notes, sentiment, sentiment_source,
    is_outbound, duration, occurred_at, metadata, payment_amount, payment_currency, created_at, updated_at
"""
_HISTORY = "account_id, client_id, day, score, changed_at"
_STAGE = """
create temporary table staged_clients on commit drop as
select c.*, null::text as contact_names from clients c with no data
"""
_UNSTAGE = f"""
insert into clients ({_CLIENT}, sort_name, search_text)
select {_CLIENT}, fold(display_name),
    searchable(concat_ws(' ', company_name, first_name, last_name, email, contact_names))
from staged_clients
"""
# The search index sorts what comes in before it takes it up: in larger portions that is several times faster.
# Foreign keys hold by construction; whoever may leave them unchecked (on the embedded server: we) does.
_ROOM = """
set local gin_pending_list_limit = '64MB';
set local maintenance_work_mem = '256MB';
select set_config('session_replication_role', 'replica', true) where current_setting('is_superuser') = 'on';
"""
_COUNT = statement(
    """
    update account_counters n set lead = n.lead + $2, prospect = n.prospect + $3, active = n.active + $4,
        inactive = n.inactive + $5, archived = n.archived + $6
    where n.account_id = $1
    """
)

Row = tuple[Any, ...]


async def fill(
    dsn: str, plan: Plan, clock: Clock, passwords: Passwords, on_clients: Callable[[int], None]
) -> list[Seeded]:
    """Carry out the plan in chunks, each a transaction; `on_clients` is called with the size of each.

    Every payment is in the account's base currency. Raises SeedRefused before anything is written if one of the
    accounts has clients.
    """
    now = clock()
    db = Database(dsn, size=2, clock=lambda: now, wait_seconds=10)
    await db.open()
    try:
        done = []
        for number, opened in enumerate(await open_accounts(db, plan, passwords)):
            stories = Book(plan.seed, number, now, plan.months, MOST_ENTRIES).stories(plan.clients)
            counts = [0, 0, 0]
            chunk = await asyncio.to_thread(_next_chunk, stories, opened.actor, now)
            while chunk.clients:
                # The next chunk is thought out while the database takes in this one.
                _, following = await asyncio.gather(
                    _write(db, opened.actor, chunk), asyncio.to_thread(_next_chunk, stories, opened.actor, now)
                )
                sizes = (len(chunk.clients), len(chunk.contacts), len(chunk.interactions))
                counts = [sum(pair) for pair in zip(counts, sizes, strict=True)]
                on_clients(len(chunk.clients))
                chunk = following
            done.append(Seeded(opened.email, opened.password, *counts))
        async with db.connection() as conn:
            await conn.execute("analyze clients, contacts, interactions, health_history", timeout=120)
        return done
    finally:
        await db.close()


async def _write(db: Database, actor: Actor, chunk: "_Chunk") -> None:
    async with db.changing(actor) as tx:
        await tx.conn.execute(_ROOM)
        await tx.conn.execute(_STAGE)
        await _copy(tx, "staged_clients", f"{_CLIENT}, contact_names", chunk.clients)
        await tx.conn.execute(_UNSTAGE)
        await _copy(tx, "contacts", _CONTACT, chunk.contacts)
        await _copy(tx, "interactions", _INTERACTION, chunk.interactions)
        await _copy(tx, "health_history", _HISTORY, chunk.history)
        await tx.run(_COUNT, *(chunk.statuses.count(status) for status in ClientStatus))


async def _copy(tx: Tx, table: str, columns: str, rows: list[Row]) -> None:
    names = [name.strip() for name in columns.split(",")]
    await tx.conn.copy_records_to_table(table, records=rows, columns=names)


class _Chunk:
    """The rows of some stories, in the order of the columns above."""

    def __init__(self, actor: Actor, now: datetime) -> None:
        self.clients: list[Row] = []
        self.contacts: list[Row] = []
        self.interactions: list[Row] = []
        self.history: list[Row] = []
        self.statuses: list[str] = []
        self._account = actor.account_id
        self._currency = actor.base_currency
        self._now = now
        self._today = local_day(actor.zone, now)

    def add(self, story: Story) -> None:
        """The rows of one story, with the figures that its client's row keeps about it."""
        client_id = new_id()
        persons = self._add_contacts(client_id, story)
        revenue, moments = self._add_interactions(client_id, story, persons)
        last = moments[-1].at if moments else None
        since = self._now - WINDOW
        recent = [moment for moment in moments if moment.at > since]
        facts = Facts(self._now, story.started, last, revenue, DEFAULT_SCALE, recent)
        score = assess(facts).overall
        self._add_client(client_id, story, revenue, score, last)
        self.history.append((self._account, client_id, self._today, score, self._now))

    def _add_contacts(self, client_id: UUID, story: Story) -> list[UUID]:
        ids = []
        for person in story.contacts:
            ids.append(new_id())
            row = (
                self._account, ids[-1], client_id, person["firstName"], person["lastName"], person["email"],
                person["role"], person["jobTitle"], person["isPrimary"], person["preferredContactMethod"],
                story.started, story.started,
            )  # fmt: skip
            self.contacts.append(row)
        return ids

    def _add_interactions(self, client_id: UUID, story: Story, persons: list[UUID]) -> tuple[Decimal, list[Moment]]:
        revenue, moments = 0, []
        for entry in story.entries:
            reading = _read(entry.subject, entry.notes)
            person = None if entry.contact is None else persons[entry.contact]
            money: Row = (None, None, None)
            if entry.amount is not None:
                revenue += entry.amount
                metadata = f'{{"amount":{entry.amount},"currency":"{self._currency}"}}'
                money = (metadata, Decimal(entry.amount), self._currency)
            row = (
                self._account, new_id(), client_id, person, entry.kind, entry.subject, entry.notes, reading.sentiment,
                reading.source, entry.is_outbound, entry.duration, entry.at, *money, entry.at, entry.at,
            )  # fmt: skip
            self.interactions.append(row)
            mood = None if reading.source is SentimentSource.NONE else reading.sentiment
            moments.append(Moment(entry.at, entry.kind, entry.is_outbound, mood))
        return Decimal(revenue), moments

    def _add_client(self, client_id: UUID, story: Story, revenue: Decimal, score: int, last: datetime | None) -> None:
        given: dict[str, Any] = story.client
        statuses = ["LEAD", *(to for _, to in story.moves)]
        changed = story.moves[-1][0] if story.moves else story.started
        archived = statuses[-1] == ClientStatus.ARCHIVED
        company, first, family = (given.get(name) for name in ("companyName", "firstName", "lastName"))
        names = " ".join(f"{person['firstName']} {person['lastName']}" for person in story.contacts) or None
        self.statuses.append(statuses[-1])
        row = (
            self._account, client_id, given["clientType"], given["source"], statuses[-1],
            statuses[-2] if archived else None, company, first, family, display_name(company, first, family),
            given["email"], email_key(given["email"]), given["phone"], given.get("website"), given["industry"],
            given["companySize"], given["timezone"], given["tags"], _address(**given["address"]), revenue,
            score, last, story.started, changed, changed if archived else None, names,
        )  # fmt: skip
        self.clients.append(row)


def _next_chunk(stories: Iterator[Story], actor: Actor, now: datetime) -> _Chunk:
    chunk = _Chunk(actor, now)
    for story in islice(stories, CHUNK):
        chunk.add(story)
    return chunk


@lru_cache(maxsize=10_000)
def _read(subject: str, notes: str | None) -> Reading:
    return analyse(subject, notes)


@lru_cache(maxsize=1_000)
def _address(**parts: str) -> str:
    return jsonbody.dumps(dict(parts))
