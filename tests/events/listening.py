"""What the tests of events share: an endpoint that listens, and what the queue holds."""

from typing import Any
from uuid import UUID

import asyncpg

from soloist.accounts.unattended import unattended
from soloist.events import log
from soloist.events.model import Event
from soloist.infra.db import Database
from soloist.infra.queue import NAMES
from tests.book import select, work
from tests.people import Member, data
from tests.serving import Served


def listen(person: Member, *types: str) -> str:
    """An endpoint that asks for these types; answers its id. Nothing is ever sent there: no worker runs."""
    hook = {"url": "https://8.8.8.8/hook", "events": list(types)}
    made: str = data(person.post("/webhooks", hook), 201)["id"]
    return made


def told(server: Served, person: Member) -> list[asyncpg.Record]:
    """The account's events in order: id, type, job_id, and the name and payload of that job."""
    return select(
        server,
        f"""select e.id, e.type, e.job_id, q.entrypoint, convert_from(q.payload, 'UTF8')::json::text as payload
        from events e left join {NAMES.queue_table} q on q.id = e.job_id
        where e.account_id = $1::text::uuid order by e.position""",
        person.account["id"],
    )


def record(server: Served, person: Member, *events: Event) -> None:
    """Record these, as one change of this account."""

    async def once(db: Database) -> int:
        async with db.changing(unattended(UUID(person.account["id"]), "UTC", "USD")) as tx:
            await log.record(tx, *events)
        return len(events)

    work(server, once)


def listed(person: Member, **asked: Any) -> list[dict[str, Any]]:
    """The events that `GET /events` shows."""
    found: list[dict[str, Any]] = data(person.get("/events", params=asked))["events"]
    return found


def id_of(event: dict[str, Any]) -> UUID:
    """The id behind `evt_…`."""
    return UUID(str(event["id"]).removeprefix("evt_"))
