"""Makes reminders and acts on them through the API, and lets them announce themselves at the server's time."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

from soloist.infra.db import Database
from soloist.reminders import jobs
from tests.book import events, run
from tests.people import PASSWORD, Member, Person, data, register
from tests.serving import Served, SettableClock

NOW = datetime(2026, 6, 10, 12, 0, tzinfo=UTC)  # a Wednesday
LATER = (datetime.now(UTC) + timedelta(days=400)).strftime("%Y-%m-%dT%H:%M:00.000Z")  # by the running clock
MONTHLY = {"frequency": "monthly", "interval": 1}


def iso(moment: datetime) -> str:
    """A moment as the API writes it."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


def reminder(person: Person, due: datetime | str, **fields: Any) -> dict[str, Any]:
    """A new reminder, as the API answers it."""
    body = {
        "title": "Call back",
        "reminderType": "CUSTOM",
        "dueDate": due if isinstance(due, str) else iso(due),
        **fields,
    }
    made: dict[str, Any] = data(person.post("/reminders", body), 201)
    return made


def recurring(person: Person, due: datetime | str, pattern: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """A new recurring reminder."""
    return reminder(person, due, isRecurring=True, recurringPattern=pattern, **fields)


def act(person: Person, reminder_id: str, action: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
    """The reminder after complete, snooze, cancel, reopen or skip."""
    done: dict[str, Any] = data(person.post(f"/reminders/{reminder_id}/{action}", body))
    return done


def change(person: Person, reminder_id: str, **fields: Any) -> dict[str, Any]:
    """The reminder after a PATCH."""
    done: dict[str, Any] = data(person.patch(f"/reminders/{reminder_id}", fields))
    return done


def seen(person: Person, reminder_id: str) -> dict[str, Any]:
    """The reminder as it is now."""
    found: dict[str, Any] = data(person.get(f"/reminders/{reminder_id}"))
    return found


def listed(person: Person, query: str = "") -> list[dict[str, Any]]:
    """The first page of the list."""
    found: list[dict[str, Any]] = data(person.get(f"/reminders?{query}"))["reminders"]
    return found


def titles(person: Person, path: str) -> list[str]:
    """The titles that /reminders/<path> answers: a plain array."""
    return [entry["title"] for entry in data(person.get(f"/reminders/{path}"))]


def in_zone(server: Served, zone: str) -> Member:
    """The owner of a new book in any zone, of which the API takes only the inhabited ones."""
    member = register(server.url, "zoned")
    run(server, "update accounts set time_zone = $2 where account_id = $1", member.account["id"], zone)
    return member


def timeless(server: Served) -> Member:
    """The owner of a new book with a key that outlives any turn of the clock."""
    member = register(server.url, "timeless")
    key = data(member.post("/me/api-keys", {"name": "for ever", "scopes": ["write"]}), 201)["key"]
    return Member(server.url, key, member.account, member.refresh_token)


def signed_in_again(owner: Member) -> Member:
    """The same person with a fresh token, after the clock went on."""
    fresh = data(owner.post("/auth/login", {"email": owner.email, "password": PASSWORD}))
    return Member(owner.url, fresh["accessToken"], fresh["account"], fresh["refreshToken"])


def announce(server: Served, **given: timedelta) -> int:
    """A pass of the worker at the server's time."""

    async def once() -> int:
        db = Database(server.dsn, size=2, clock=server.clock)
        await db.open()
        try:
            return await jobs.announce(db, **given)
        finally:
            await db.close()

    return asyncio.run(once())


def notices(server: Served, owner: Member) -> list[tuple[str, str]]:
    """What was announced to the account, in order: (due or overdue, title)."""
    found = events(server, owner, "reminder.due", "reminder.overdue")
    return [(event["type"].removeprefix("reminder."), event["data"]["title"]) for event in found]


def pass_by(server: Served, clock: SettableClock, **by: float) -> None:
    """Let time pass, and the worker look once."""
    clock.advance(**by)
    announce(server)
