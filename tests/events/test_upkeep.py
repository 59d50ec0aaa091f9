"""Events are kept for 30 days, and as long as one is still to be delivered."""

from datetime import timedelta
from typing import Any

import pytest

from soloist.events import jobs
from soloist.events.model import ClientArchived, ClientUpdated
from tests.book import run, select, work
from tests.events.listening import listen, record, told
from tests.people import Member
from tests.reminders.tasks import timeless
from tests.serving import Served, SettableClock


@pytest.fixture
def owner(server: Served) -> Member:
    return timeless(server)


def test_events_over_30_days_old_are_forgotten(owner: Member, server: Served, clock: SettableClock) -> None:
    begin = clock.freeze()
    record(server, owner, ClientUpdated.sample())
    clock.freeze(begin + timedelta(days=1))
    record(server, owner, ClientArchived.sample())
    clock.freeze(begin + timedelta(days=30))
    assert kept_after(server, owner) == ["client.updated", "client.archived"]
    clock.freeze(begin + timedelta(days=30, seconds=1))
    assert kept_after(server, owner) == ["client.archived"]


@pytest.mark.parametrize(("state", "is_kept"), [("PENDING", True), ("DELIVERED", False), ("FAILED", False)])
def test_event_is_kept_until_it_is_delivered(
    owner: Member, server: Served, clock: SettableClock, state: str, is_kept: bool
) -> None:
    begin = clock.freeze()
    webhook = listen(owner, "*")
    record(server, owner, ClientUpdated.sample())
    [event] = told(server, owner)
    deliver(server, owner, webhook, event["id"], state)
    clock.freeze(begin + timedelta(days=40))
    assert (kept_after(server, owner) != []) is is_kept


def test_many_old_events_are_forgotten_in_one_go(
    owner: Member, server: Served, clock: SettableClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "BATCH", 3)
    begin = clock.freeze()
    record(server, owner, *[ClientUpdated.sample()] * 10)
    clock.freeze(begin + timedelta(days=40))
    assert kept_after(server, owner) == []


def kept_after(server: Served, owner: Member) -> list[str]:
    """The types of the events that a pass of the worker leaves."""
    work(server, jobs.prune)
    return [event["type"] for event in told(server, owner)]


def deliver(server: Served, owner: Member, webhook: str, event_id: Any, state: str) -> None:
    """A delivery of the event that has come so far."""
    now = select(server, "select now() as now")[0]["now"]
    run(
        server,
        """insert into webhook_deliveries (
            account_id, id, webhook_id, event_id, event_type, state, next_attempt_at, created_at
        ) values ($1::text::uuid, $2, $3::text::uuid, $2, 'client.updated', $4,
            case when $4 = 'PENDING' then $5::timestamptz end, $5)""",
        owner.account["id"],
        event_id,
        webhook,
        state,
        now,
    )
