"""A client's timeline: all that happened with it in one list, newest first."""

from typing import Any

import pytest

from tests import make
from tests.book import run
from tests.people import Member, data, register
from tests.serving import Served, SettableClock
from tests.wire import refused


@pytest.fixture
def told(server: Served, clock: SettableClock) -> tuple[Member, str]:
    """A client to whom one of everything happened, an hour apart."""
    clock.freeze()
    owner = register(server.url, "timeline")
    client = make.client(owner, status="LEAD")
    path = f"/clients/{client['id']}"
    clock.advance(minutes=1)
    make.interaction(owner, client["id"], interactionType="EMAIL", subject="Hello", notes="First words")
    clock.advance(minutes=1)
    data(owner.patch(path, {"status": "ACTIVE"}))
    clock.advance(minutes=1)
    data(owner.post(f"{path}/archive"))
    clock.advance(minutes=1)
    data(owner.post(f"{path}/restore"))
    clock.advance(minutes=1)
    run(
        server,
        """insert into reminders (account_id, id, client_id, title, reminder_type, priority, status, due_date,
            completed_at, completion_notes, created_at, updated_at)
        values ($1, gen_random_uuid(), $2, 'Call back', 'FOLLOW_UP', 'LOW', 'COMPLETED', $3, $3, 'Done', $3, $3),
            ($1, gen_random_uuid(), $2, 'Still open', 'FOLLOW_UP', 'LOW', 'PENDING', $3, null, null, $3, $3)""",
        owner.account["id"], client["id"], clock(),
    )  # fmt: skip
    clock.advance(minutes=1)
    run(
        server,
        """insert into documents (account_id, id, client_id, document_type, file_name, file_url, description,
            created_at, updated_at)
        values ($1, gen_random_uuid(), $2, 'CONTRACT', 'contract.pdf', 'https://x/y', 'Signed', $3, $3)""",
        owner.account["id"], client["id"], clock(),
    )  # fmt: skip
    return owner, client["id"]


def without(entry: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(entry[name] for name in ("type", "title", "detail", "kind"))


def test_everything_stands_there_newest_first(told: tuple[Member, str]) -> None:
    owner, client_id = told
    page = data(owner.get(f"/clients/{client_id}/timeline"))
    assert [without(entry) for entry in page["entries"]] == [
        ("DOCUMENT_ADDED", "contract.pdf", "Signed", "CONTRACT"),
        ("REMINDER_COMPLETED", "Call back", "Done", "FOLLOW_UP"),
        ("STATUS_CHANGED", "Status changed to ACTIVE", "Was ARCHIVED", None),
        ("STATUS_CHANGED", "Status changed to ARCHIVED", "Was ACTIVE", None),
        ("STATUS_CHANGED", "Status changed to ACTIVE", "Was LEAD", None),
        ("INTERACTION", "Hello", "First words", "EMAIL"),
    ]
    moments = [entry["occurredAt"] for entry in page["entries"]]
    assert moments == sorted(moments, reverse=True)
    assert (page["total"], page["page"], page["limit"], page["nextCursor"]) == (6, 1, 20, None)


def test_id_is_that_of_the_record_it_tells_of(alice: Member) -> None:
    client = make.client(alice)
    made = make.interaction(alice, client["id"])
    [entry] = data(alice.get(f"/clients/{client['id']}/timeline"))["entries"]
    assert (entry["id"], entry["occurredAt"]) == (made["id"], made["occurredAt"])


def test_other_clients_are_not_in_it(alice: Member) -> None:
    one, other = make.client(alice), make.client(alice)
    make.interaction(alice, one["id"])
    assert data(alice.get(f"/clients/{other['id']}/timeline"))["entries"] == []


def test_deleted_interaction_leaves_it(alice: Member) -> None:
    client = make.client(alice)
    made = make.interaction(alice, client["id"])
    data(alice.delete(f"/interactions/{made['id']}"))
    assert data(alice.get(f"/clients/{client['id']}/timeline"))["total"] == 0


def test_missing_client_has_none(alice: Member) -> None:
    answer = alice.get("/clients/01900000-0000-7000-8000-000000000000/timeline")
    refused(answer, 404, "CLIENT_NOT_FOUND")
