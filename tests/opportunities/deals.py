"""Makes deals and moves them through the API, and lets unattended work run at the server's time."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

from soloist.infra.db import Database
from tests import make
from tests.book import events, select
from tests.people import Member, Person, data
from tests.serving import Served

OPEN_STAGES = ("LEAD", "QUALIFIED", "PROPOSAL", "NEGOTIATION")
STAGES = (*OPEN_STAGES, "WON", "LOST")
PROBABILITY = {"LEAD": 10, "QUALIFIED": 25, "PROPOSAL": 50, "NEGOTIATION": 75, "WON": 100, "LOST": 0}


def deal(person: Person, **fields: Any) -> dict[str, Any]:
    """A new deal, as the API answers it."""
    body = {"title": "Website Redesign Project", "source": "INBOUND_INQUIRY", **fields}
    made: dict[str, Any] = data(person.post("/opportunities", body), 201)
    return made


def move(person: Person, deal_id: str, stage: str, notes: str | None = None) -> dict[str, Any]:
    """The deal after a move that is allowed."""
    body = {"stage": stage} | ({"notes": notes} if notes is not None else {})
    moved: dict[str, Any] = data(person.post(f"/opportunities/{deal_id}/stage", body))
    return moved


def act(person: Person, deal_id: str, action: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
    """The deal after hold, resume or reopen."""
    done: dict[str, Any] = data(person.post(f"/opportunities/{deal_id}/{action}", body))
    return done


def seen(person: Person, deal_id: str) -> dict[str, Any]:
    """The deal as it is now."""
    found: dict[str, Any] = data(person.get(f"/opportunities/{deal_id}"))
    return found


def lasting(owner: Member) -> Member:
    """The same owner with an API key, which, unlike an access token, outlives any jump of the clock."""
    key = data(owner.post("/me/api-keys", {"name": "lasting", "scopes": ["write"]}), 201)["key"]
    return Member(owner.url, key, owner.account, owner.refresh_token)


def client_of(person: Person, client_id: str) -> dict[str, Any]:
    """The client as it is now."""
    found: dict[str, Any] = data(person.get(f"/clients/{client_id}"))
    return found


def history(person: Person, deal_id: str) -> list[dict[str, Any]]:
    """The deal's activities, oldest first."""
    lines: list[dict[str, Any]] = data(person.get(f"/opportunities/{deal_id}/activities?limit=100"))["activities"]
    return lines[::-1]


def kinds(person: Person, deal_id: str) -> list[str]:
    """What happened with the deal, oldest first, by type."""
    return [line["activityType"] for line in history(person, deal_id)]


def told(server: Served, owner: Member, since: int = 0) -> list[tuple[str, dict[str, Any]]]:
    """The account's events after the first `since`, as (type, data)."""
    return [(event["type"], event["data"]) for event in events(server, owner)[since:]]


def payment(person: Person, client_id: str, amount: object, currency: str = "USD", **fields: Any) -> dict[str, Any]:
    """Money received from a client."""
    return make.interaction(
        person,
        client_id,
        interactionType="PAYMENT_RECEIVED",
        metadata={"amount": amount, "currency": currency},
        **fields,
    )


def rates(person: Person, *entries: tuple[str, str, object]) -> None:
    """Replace the account's exchange rates by (currency, day, rate)."""
    listed = [{"currency": currency, "date": day, "rate": value} for currency, day, value in entries]
    data(person.put("/me/exchange-rates", {"rates": listed}))


def unattended(server: Served, work: Callable[[Database], Awaitable[int]]) -> int:
    """What a pass of periodic work answers, on the server's database and at its time."""

    async def run() -> int:
        db = Database(server.dsn, size=2, clock=server.clock)
        await db.open()
        try:
            return await work(db)
        finally:
            await db.close()

    return asyncio.run(run())


def until_somebody_waits(server: Served) -> None:
    """Return as soon as some connection waits for another one's lock; fails if none does."""
    end = time.monotonic() + 10
    while not select(server, "select 1 from pg_locks where not granted"):
        assert time.monotonic() < end, "nobody waits"
        time.sleep(0.01)
