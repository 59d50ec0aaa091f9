"""Fills accounts with a believable book, through the domain's own actions, as if it had been kept for months.

Each story is lived through in its own time: revenue, health and its history come about as they would have.
"""

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import NamedTuple
from uuid import UUID

from soloist.accounts import actions as accounts
from soloist.accounts import queries as account_queries
from soloist.accounts.model import Actor, RateList, Scope
from soloist.accounts.passwords import Passwords
from soloist.clients import actions as clients
from soloist.clients import jobs as client_jobs
from soloist.clients.model import ClientChange, ClientStatus, NewClient
from soloist.contacts import actions as contacts
from soloist.contacts.model import NewContact
from soloist.health import actions as health
from soloist.infra.clock import Clock
from soloist.infra.db import Database, Tx
from soloist.infra.fields import zone
from soloist.infra.statement import statement
from soloist.infra.validation import check
from soloist.interactions import actions as interactions
from soloist.interactions.model import NewInteraction
from soloist.seed_data import Book, Entry, SeedRefused, Story

PASS = timedelta(days=30)  # how often the periodic pass over health is lived through
RATES = {"USD": Decimal(1), "EUR": Decimal("1.09"), "GBP": Decimal("1.28")}  # in dollars, about

_HAS_CLIENTS = statement("select exists (select from clients where account_id = $1)")


@dataclass(frozen=True, slots=True)
class Plan:
    """What to make: `clients` in each of `accounts` books that go back `months`; the same again for a `seed`."""

    email: str
    clients: int = 200
    accounts: int = 1
    months: int = 12
    seed: int = 1

    def emails(self) -> list[str]:
        """The address given, and for more accounts `+2`, `+3` … before its `@`."""
        name, _, place = self.email.rpartition("@")
        return [self.email if number == 1 else f"{name}+{number}@{place}" for number in range(1, self.accounts + 1)]


class Seeded(NamedTuple):
    """An account that was filled. `password` is None for one that was there before."""

    email: str
    password: str | None
    clients: int
    contacts: int
    interactions: int


class Stage:
    """The clock of the stories: it shows the time that was set, so that every row is of its time."""

    def __init__(self, now: datetime) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now


class Opened(NamedTuple):
    """An account to fill, with whoever acts for it."""

    email: str
    password: str | None
    actor: Actor


async def fill(dsn: str, plan: Plan, clock: Clock, passwords: Passwords, on_client: Callable[[], None]) -> list[Seeded]:
    """Carry out the plan, client by client; `on_client` is called after each.

    Raises SeedRefused before anything is written if one of the accounts has clients.
    """
    now = clock()
    stage = Stage(now)
    db = Database(dsn, size=4, clock=stage, wait_seconds=10)
    await db.open()
    try:
        stage.now = now - timedelta(days=plan.months * 30 + 1)
        done = []
        for number, opened in enumerate(await open_accounts(db, plan, passwords)):
            stage.now = now - timedelta(days=plan.months * 30 + 1)
            await _set_rates(db, opened.actor, plan.months, now)
            counts = [0, 0, 0]
            for story in Book(plan.seed, number, now, plan.months).stories(plan.clients):
                async with db.changing(opened.actor) as tx:
                    await _live(tx, story, now)
                counts = [sum(pair) for pair in zip(counts, (1, len(story.contacts), len(story.entries)), strict=True)]
                on_client()
            done.append(Seeded(opened.email, opened.password, *counts))
        stage.now = now
        await client_jobs.recalculate_flagged(db)  # the rates have flagged them; brings the scores up to now, too
        return done
    finally:
        await db.close()


async def open_accounts(db: Database, plan: Plan, passwords: Passwords) -> list[Opened]:
    """The plan's accounts, made where they are missing; raises SeedRefused if one has clients."""
    known: dict[str, UUID] = {}
    for email in plan.emails():
        if account_id := await account_queries.find_account(db, email):
            known[email] = account_id
            async with db.reading(accounts.nobody_yet(account_id, "seed")) as tx:
                if await tx.value(_HAS_CLIENTS):
                    raise SeedRefused(f"The account {email} has clients already. Name another one with --email.")
    opened = []
    for email in plan.emails():
        password = None if email in known else secrets.token_urlsafe(12)
        account_id = known.get(email) or await accounts.create_account(db, email, password, passwords=passwords)
        holder = await account_queries.find_holder(db, account_id)
        assert holder
        scopes = frozenset(Scope)
        actor = Actor(account_id, zone(holder.time_zone), "seed", scopes, holder.base_currency, None)
        opened.append(Opened(email, password, actor))
    return opened


async def _set_rates(db: Database, actor: Actor, months: int, now: datetime) -> None:
    """A rate a month for the currencies of the stories, in terms of the account's own."""
    base = RATES.get(actor.base_currency)
    entries = [
        {"currency": currency, "date": day.date().isoformat(), "rate": round(rate / base * (100 + turn % 5) / 100, 4)}
        for currency, rate in RATES.items()
        for turn in range(months + 2)
        if base and currency != actor.base_currency and (day := now - timedelta(days=30 * turn))
    ]
    async with db.changing(actor) as tx:
        await accounts.set_rates(tx, check(RateList, {"rates": entries}).rates)


async def _live(tx: Tx, story: Story, now: datetime) -> None:
    """Everything of one client in the order it happened, each at its own time."""
    tx.now = story.started
    client_id = (await clients.create(tx, check(NewClient, story.client))).id
    persons = [await contacts.add(tx, client_id, check(NewContact, person)) for person in story.contacts]
    passes = [story.started + PASS * turn for turn in range(1, (now - story.started) // PASS + 1)]
    happenings: list[tuple[datetime, Entry | str | None]] = [
        *((entry.at, entry) for entry in story.entries),
        *story.moves,
        *((at, None) for at in passes),
    ]
    for at, what in sorted(happenings, key=lambda happening: happening[0]):
        tx.now = at
        if isinstance(what, Entry):
            await interactions.log_interaction(tx, client_id, _new_interaction(what, persons))
        elif what == ClientStatus.ARCHIVED:
            await clients.archive(tx, client_id)
            return
        elif what:
            await clients.update(tx, client_id, check(ClientChange, {"status": what}))
        else:
            await health.refresh(tx, client_id)


def _new_interaction(entry: Entry, persons: list[UUID]) -> NewInteraction:
    given: dict[str, object] = {
        "interactionType": entry.kind,
        "subject": entry.subject,
        "isOutbound": entry.is_outbound,
        "occurredAt": entry.at.isoformat(),
    }
    optional = {
        "notes": entry.notes,
        "duration": entry.duration,
        "contactId": None if entry.contact is None else str(persons[entry.contact]),
        "metadata": None if entry.amount is None else {"amount": entry.amount, "currency": entry.currency},
        "followUpDate": entry.follow_up and entry.follow_up.isoformat(),
    }
    return check(NewInteraction, given | {name: value for name, value in optional.items() if value is not None})
