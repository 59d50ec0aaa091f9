"""A deal's history: everything that happens to it, newest first, paged; and the same in its client's timeline."""

from datetime import timedelta
from typing import Any

from tests import make
from tests.opportunities.deals import act, deal, history, kinds, move
from tests.people import Member, Person, data
from tests.serving import Served, SettableClock


def eventful(person: Person, client_id: str) -> dict[str, Any]:
    """A deal to which everything happened that can, but for documents."""
    made = deal(person, clientId=client_id)
    path = f"/opportunities/{made['id']}"
    data(person.patch(path, {"priority": "HIGH"}))
    move(person, made["id"], "QUALIFIED", "Budget is there")
    make.interaction(person, client_id, subject="Talked about scope", opportunityId=made["id"])
    act(person, made["id"], "hold")
    act(person, made["id"], "resume")
    move(person, made["id"], "LOST", "Too dear")
    act(person, made["id"], "reopen")
    act(person, made["id"], "hold")
    move(person, made["id"], "WON")
    return made


EVERYTHING = ["CREATED", "UPDATED", "STAGE_CHANGED", "INTERACTION_LOGGED", "ON_HOLD", "RESUMED", "LOST", "REOPENED",
              "ON_HOLD", "RESUMED", "WON"]  # fmt: skip


def test_everything_that_happens_is_kept_in_order(alice: Member) -> None:
    client = make.client(alice)
    made = eventful(alice, client["id"])
    lines = history(alice, made["id"])
    assert [line["activityType"] for line in lines] == EVERYTHING
    assert lines[0] == {
        "id": lines[0]["id"], "activityType": "CREATED", "fromStage": None, "toStage": "LEAD", "notes": None,
        "changes": None, "actor": "user", "createdAt": made["createdAt"],
    }  # fmt: skip
    moves = [
        (line["activityType"], line["fromStage"], line["toStage"], line["notes"]) for line in lines if line["toStage"]
    ]
    assert moves[1:] == [
        ("STAGE_CHANGED", "LEAD", "QUALIFIED", "Budget is there"),
        ("LOST", "QUALIFIED", "LOST", "Too dear"),
        ("REOPENED", "LOST", "QUALIFIED", None),
        ("WON", "QUALIFIED", "WON", None),
    ]
    assert lines[3]["notes"] == "Talked about scope"


def test_what_happens_in_one_moment_keeps_its_order(clock: SettableClock, alice: Member) -> None:
    clock.freeze()
    made = eventful(alice, make.client(alice)["id"])
    lines = history(alice, made["id"])
    assert len({line["createdAt"] for line in lines}) == 1
    assert [line["activityType"] for line in lines] == EVERYTHING


def test_history_is_paged_newest_first_by_page_and_by_cursor(alice: Member) -> None:
    made = eventful(alice, make.client(alice)["id"])
    path = f"/opportunities/{made['id']}/activities"
    whole = data(alice.get(path))
    assert (whole["total"], whole["page"], whole["limit"], whole["nextCursor"]) == (len(EVERYTHING), 1, 20, None)
    assert [line["activityType"] for line in whole["activities"]] == EVERYTHING[::-1]
    by_page = [line for page in (1, 2, 3) for line in data(alice.get(f"{path}?limit=4&page={page}"))["activities"]]
    assert by_page == whole["activities"]
    by_cursor: list[Any] = []
    cursor: str | None = ""
    while cursor is not None:
        shown = data(alice.get(f"{path}?limit=3{cursor and f'&cursor={cursor}'}"))
        by_cursor += shown["activities"]
        cursor = shown["nextCursor"]
    assert by_cursor == whole["activities"]


def test_history_names_who_did_it(server: Served, alice: Member) -> None:
    key = data(alice.post("/me/api-keys", {"name": "Zapier", "scopes": ["write"]}), 201)["key"]
    made = deal(alice)
    move(Person(server.url, key), made["id"], "QUALIFIED")
    by_owner, by_key = (line["actor"] for line in history(alice, made["id"]))
    assert by_owner == "user"
    assert by_key != "user"


def test_interaction_logged_on_a_closed_deal_is_in_its_history(alice: Member) -> None:
    client = make.client(alice)
    made = deal(alice, clientId=client["id"])
    move(alice, made["id"], "WON")
    make.interaction(alice, client["id"], subject="Thanked", opportunityId=made["id"])
    assert kinds(alice, made["id"]) == ["CREATED", "WON", "INTERACTION_LOGGED"]


# --- the client's timeline ---


def moves_in(person: Person, client_id: str) -> list[dict[str, Any]]:
    entries = data(person.get(f"/clients/{client_id}/timeline?limit=100"))["entries"]
    return [entry for entry in entries if entry["type"] == "STAGE_CHANGED"]


def test_moves_of_its_deals_stand_in_the_clients_timeline(alice: Member) -> None:
    client, other = make.client(alice), make.client(alice, companyName="Beta")
    made = eventful(alice, client["id"])
    deal(alice, clientId=other["id"])
    deal(alice)
    told = [(entry["kind"], entry["title"], entry["detail"]) for entry in moves_in(alice, client["id"])[::-1]]
    title = "Website Redesign Project"
    assert told == [
        ("CREATED", f"Opportunity created: {title}", None),
        ("STAGE_CHANGED", f"Opportunity moved to QUALIFIED: {title}", "Budget is there"),
        ("LOST", f"Opportunity lost: {title}", "Too dear"),
        ("REOPENED", f"Opportunity reopened: {title}", "Was LOST"),
        ("WON", f"Opportunity won: {title}", "Was QUALIFIED"),
    ]
    assert {entry["opportunityId"] for entry in moves_in(alice, client["id"])} == {made["id"]}
    ids = {line["id"] for line in history(alice, made["id"])}
    assert {entry["id"] for entry in moves_in(alice, client["id"])} < ids


def test_timeline_walks_over_moves_and_interactions_of_one_moment(clock: SettableClock, alice: Member) -> None:
    client = make.client(alice)
    clock.freeze(clock() + timedelta(seconds=1))
    eventful(alice, client["id"])
    path = f"/clients/{client['id']}/timeline"
    whole = data(alice.get(path))["entries"]
    assert sorted(entry["type"] for entry in whole) == ["INTERACTION", *["STAGE_CHANGED"] * 5]
    walked: list[Any] = []
    cursor: str | None = ""
    while cursor is not None:
        shown = data(alice.get(f"{path}?limit=1{cursor and f'&cursor={cursor}'}"))
        walked += shown["entries"]
        cursor = shown["nextCursor"]
    assert walked == whole


def test_deals_moves_go_with_it_to_another_client_and_vanish_with_it(alice: Member) -> None:
    first, second = make.client(alice), make.client(alice, companyName="Beta")
    made = deal(alice, clientId=first["id"])
    move(alice, made["id"], "PROPOSAL")
    data(alice.patch(f"/opportunities/{made['id']}", {"clientId": second["id"]}))
    assert moves_in(alice, first["id"]) == []
    assert [entry["kind"] for entry in moves_in(alice, second["id"])] == ["STAGE_CHANGED", "CREATED"]
    data(alice.delete(f"/opportunities/{made['id']}"))
    assert moves_in(alice, second["id"]) == []
