"""`GET /events`: what happened, oldest first, for whoever asks instead of being called."""

import json
from datetime import timedelta
from uuid import uuid4

import pytest

from soloist.events.model import TYPES, ClientArchived, ClientUpdated, OpportunityWon
from tests import make
from tests.book import events as stored
from tests.book import select
from tests.events.listening import id_of, listed, record
from tests.people import Member, Person, data, faults, refusal
from tests.reminders.tasks import timeless
from tests.serving import Served, SettableClock


def test_events_are_listed_as_they_were_stored_oldest_first(alice: Member, bob: Member, server: Served) -> None:
    client = make.client(alice)
    data(alice.patch(f"/clients/{client['id']}", {"industry": "Printing"}))
    data(alice.post(f"/clients/{client['id']}/archive"))
    make.client(bob)
    found = data(alice.get("/events"))
    assert [event["type"] for event in found["events"]] == ["client.created", "client.updated", "client.archived"]
    bodies = [{name: value for name, value in event.items() if name != "id"} for event in found["events"]]
    assert bodies == stored(server, alice)
    assert (found["total"], found["nextCursor"]) == (3, None)
    ids = select(
        server, "select id from events where account_id = $1::text::uuid order by position", alice.account["id"]
    )
    assert [event["id"] for event in found["events"]] == [f"evt_{row['id']}" for row in ids]


def test_body_is_passed_through_to_the_letter(alice: Member, server: Served) -> None:
    odd = OpportunityWon.sample().model_copy(update={"title": "Ünïcode \\ \u2028 </script>", "value": 0.1})
    record(server, alice, odd)
    [row] = select(server, "select body from events where account_id = $1::text::uuid", alice.account["id"])
    text = alice.get("/events").text
    assert json.dumps(json.loads(row["body"])["data"]["title"], ensure_ascii=False) in text
    assert row["body"].partition('"data":')[2].removesuffix("}") in text


@pytest.mark.parametrize(
    "asked",
    [
        "type=client.updated&type=opportunity.won",
        "type=client.updated,opportunity.won",
        "type[]=client.updated&type[]=opportunity.won",
    ],
)
def test_events_of_the_types_asked_for(alice: Member, server: Served, asked: str) -> None:
    record(server, alice, ClientUpdated.sample(), ClientArchived.sample(), OpportunityWon.sample())
    found = data(alice.get(f"/events?{asked}"))
    assert [event["type"] for event in found["events"]] == ["client.updated", "opportunity.won"]
    assert found["total"] == 2


def test_unknown_type_is_refused_with_those_there_are(alice: Member) -> None:
    found = faults(alice.get("/events?type=client.create,client.updated"))
    assert found.keys() == {"type"}
    assert all(name in found["type"] for name in TYPES)
    assert "did you mean client.created" in found["type"]


def test_asking_after_the_last_one_seen_misses_none_and_repeats_none(alice: Member, server: Served) -> None:
    seen: list[str] = []
    for number in range(4):
        record(server, alice, *[ClientArchived.sample()] * (number + 1))
        asked = {"after": seen[-1], "limit": 3} if seen else {"limit": 3}
        while found := listed(alice, **asked):
            seen += [event["id"] for event in found]
            asked = {"after": seen[-1], "limit": 3}
    assert len(seen) == len(set(seen)) == 10
    assert seen == [event["id"] for event in listed(alice)]


def test_cursor_goes_on_within_a_question(alice: Member, server: Served) -> None:
    record(server, alice, *[ClientArchived.sample()] * 5)
    after = listed(alice, limit=1)[0]["id"]
    first = data(alice.get("/events", params={"after": after, "limit": 3}))
    second = data(alice.get("/events", params={"after": after, "limit": 3, "cursor": first["nextCursor"]}))
    assert [len(first["events"]), len(second["events"]), first["total"]] == [3, 1, 4]
    assert second["nextCursor"] is None
    assert "cursor" in faults(alice.get("/events", params={"cursor": first["nextCursor"]}))


ID = "3e67953f-f77d-40a7-80e8-cad1b8d9ec9a"


@pytest.mark.parametrize("after", ["", "evt_", "evt_1", ID, "evt_" + "0" * 500, f"msg_{ID}", "evt_%00"])
def test_after_that_is_no_id_of_an_event_is_refused(alice: Member, after: str) -> None:
    assert faults(alice.get(f"/events?after={after}")).keys() == {"after"}


def test_another_accounts_event_is_like_one_that_never_was(alice: Member, bob: Member, server: Served) -> None:
    record(server, alice, ClientArchived.sample())
    [event] = listed(alice)
    strange = faults(bob.get(f"/events?after={event['id']}"))
    assert strange == faults(bob.get(f"/events?after=evt_{uuid4()}"))
    assert "start again without after" in strange["after"]


def test_events_are_shown_for_30_days(server: Served, clock: SettableClock) -> None:
    begin = clock.freeze()
    owner = timeless(server)
    record(server, owner, ClientUpdated.sample())
    clock.freeze(begin + timedelta(days=1))
    record(server, owner, ClientArchived.sample())
    clock.freeze(begin + timedelta(days=30, seconds=-1))
    both = listed(owner)
    assert [event["type"] for event in both] == ["client.updated", "client.archived"]
    clock.freeze(begin + timedelta(days=30, seconds=1))
    assert listed(owner) == both[1:]
    assert "30 days" in faults(owner.get(f"/events?after={both[0]['id']}"))["after"]


def test_reading_events_takes_the_scope_read(alice: Member, stranger: Person) -> None:
    key = data(alice.post("/me/api-keys", {"name": "poller", "scopes": ["read"]}), 201)["key"]
    assert Person(alice.url, key).get("/events").status_code == 200
    sync = data(alice.post("/me/api-keys", {"name": "sync", "scopes": ["sync"]}), 201)["key"]
    refusal(Person(alice.url, sync).get("/events"), 403, "ACCESS_DENIED")
    refusal(stranger.get("/events"), 401, "UNAUTHORIZED")


def test_ids_of_the_list_are_those_of_the_events(alice: Member, server: Served) -> None:
    record(server, alice, ClientArchived.sample())
    [event] = listed(alice)
    assert select(server, "select type from events where id = $1", id_of(event))[0]["type"] == "client.archived"
