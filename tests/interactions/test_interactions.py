"""Interactions: what is kept, who feels what, which ones a list shows."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from soloist.interactions.model import InteractionType
from tests import make
from tests.book import events
from tests.people import Member, data, register
from tests.serving import Served, SettableClock
from tests.wire import refused

WHOLE: dict[str, Any] = {
    "interactionType": "MEETING",
    "subject": "Project Kickoff Meeting",
    "notes": "Discussed project requirements\nand timeline",
    "sentiment": "POSITIVE",
    "isOutbound": False,
    "duration": 60,
    "metadata": {"location": "Zoom", "attendees": ["John", "Jane"]},
    "occurredAt": "2024-01-15T10:30:00.000Z",
    "outcome": "They said yes",
    "nextSteps": "Send the contract",
    "followUpDate": "2030-01-02",
}
CLEARABLE = ("notes", "duration", "metadata", "outcome", "nextSteps", "followUpDate")


@pytest.fixture
def client_id(alice: Member) -> str:
    made: str = make.client(alice)["id"]
    return made


def own(interaction: dict[str, Any]) -> dict[str, Any]:
    return {name: interaction[name] for name in WHOLE}


def test_everything_that_was_sent_is_kept(alice: Member, client_id: str) -> None:
    contact = make.contact(alice, client_id)
    answer = alice.post(f"/clients/{client_id}/interactions", {**WHOLE, "contactId": contact["id"]})
    made = data(answer, 201)
    assert own(made) == WHOLE
    assert (made["clientId"], made["contactId"], made["opportunityId"]) == (client_id, contact["id"], None)
    assert (made["sentimentSource"], made["version"]) == ("USER", 1)
    assert answer.headers["location"].endswith(f"/interactions/{made['id']}")
    assert data(alice.get(f"/interactions/{made['id']}")) == made


def test_what_was_not_sent_has_its_default(server: Served, clock: SettableClock) -> None:
    clock.freeze()
    owner = register(server.url)
    client = make.client(owner)
    made = data(owner.post(f"/clients/{client['id']}/interactions", {"interactionType": "OTHER", "subject": "x"}), 201)
    assert own(made) == {
        **dict.fromkeys(WHOLE),
        "interactionType": "OTHER",
        "subject": "x",
        "isOutbound": True,
        "sentiment": "NEUTRAL",
        "occurredAt": made["createdAt"],
    }


@pytest.mark.parametrize("kind", list(InteractionType))
def test_every_type_of_the_document_is_kept(alice: Member, client_id: str, kind: str) -> None:
    assert make.interaction(alice, client_id, interactionType=kind)["interactionType"] == kind


@pytest.mark.parametrize("minutes", [0, 1, 1440])
def test_duration_is_whole_minutes_of_a_day(alice: Member, client_id: str, minutes: int) -> None:
    assert make.interaction(alice, client_id, duration=minutes)["duration"] == minutes


@pytest.mark.parametrize("field", list(WHOLE))
def test_patch_changes_one_field_and_leaves_the_others(
    server: Served, alice: Member, client_id: str, field: str
) -> None:
    other: dict[str, Any] = {
        "interactionType": "CALL",
        "subject": "Another",
        "notes": "Other words",
        "sentiment": "NEGATIVE",
        "isOutbound": True,
        "duration": 5,
        "metadata": {"x": 1.5},
        "occurredAt": "2024-01-16T10:30:00.000Z",
        "outcome": "No",
        "nextSteps": "None",
        "followUpDate": "2031-01-02",
    }
    made = make.interaction(alice, client_id, **WHOLE)
    answer = alice.patch(f"/interactions/{made['id']}", {field: other[field]}, headers={"If-Match": '"1"'})
    assert own(data(answer)) == {**WHOLE, field: other[field]}
    assert answer.headers["etag"] == '"2"'
    [event] = events(server, alice, "interaction.updated")
    assert event["data"]["changed"] == [field]


@pytest.mark.parametrize("field", CLEARABLE)
def test_null_clears(alice: Member, client_id: str, field: str) -> None:
    made = make.interaction(alice, client_id, **WHOLE)
    assert own(data(alice.patch(f"/interactions/{made['id']}", {field: None}))) == {**WHOLE, field: None}


@pytest.mark.parametrize("field", ["interactionType", "subject", "isOutbound", "occurredAt"])
def test_what_every_interaction_has_can_not_be_cleared(alice: Member, client_id: str, field: str) -> None:
    made = make.interaction(alice, client_id)
    error = refused(alice.patch(f"/interactions/{made['id']}", {field: None}), 400, "VALIDATION_ERROR")
    assert [fault["field"] for fault in error["details"]] == [field]


@pytest.mark.parametrize("field", list(WHOLE))
def test_equal_values_change_nothing(server: Served, alice: Member, client_id: str, field: str) -> None:
    made = make.interaction(alice, client_id, **WHOLE)
    assert data(alice.patch(f"/interactions/{made['id']}", {field: WHOLE[field]})) == made
    assert events(server, alice, "interaction.updated") == []


def test_nothing_to_change_is_refused(alice: Member, client_id: str) -> None:
    made = make.interaction(alice, client_id)
    refused(alice.patch(f"/interactions/{made['id']}", {}), 400, "VALIDATION_ERROR", "nothing to change")


def test_contact_can_be_linked_changed_and_cleared(alice: Member, client_id: str) -> None:
    one, two = make.contact(alice, client_id)["id"], make.contact(alice, client_id)["id"]
    made = make.interaction(alice, client_id, contactId=one)
    path = f"/interactions/{made['id']}"
    assert data(alice.patch(path, {"contactId": two}))["contactId"] == two
    assert data(alice.patch(path, {"contactId": None}))["contactId"] is None


def test_deleted_interaction_is_gone(server: Served, alice: Member, client_id: str) -> None:
    made = make.interaction(alice, client_id, subject="Wrong")
    assert data(alice.delete(f"/interactions/{made['id']}")) == {"id": made["id"], "deleted": True}
    refused(alice.get(f"/interactions/{made['id']}"), 404, "INTERACTION_NOT_FOUND")
    refused(alice.delete(f"/interactions/{made['id']}"), 404, "INTERACTION_NOT_FOUND")
    [event] = events(server, alice, "interaction.deleted")
    assert event["data"] == {"id": made["id"], "clientId": client_id, "subject": "Wrong"}


def test_event_of_an_interaction_holds_no_notes(server: Served, alice: Member, client_id: str) -> None:
    made = make.interaction(alice, client_id, **WHOLE)
    [event] = events(server, alice, "interaction.created")
    assert event["data"] == {
        "id": made["id"],
        "clientId": client_id,
        "clientName": "Acme Corporation",
        "interactionType": "MEETING",
        "subject": "Project Kickoff Meeting",
        "sentiment": "POSITIVE",
        "isOutbound": False,
        "occurredAt": "2024-01-15T10:30:00.000Z",
        "version": 1,
    }


# --- when ---


@pytest.mark.parametrize(
    ("sent", "shown"),
    [
        ("1970-01-01T00:00:00Z", "1970-01-01T00:00:00.000Z"),
        ("2024-02-29T23:59:59.9999Z", "2024-02-29T23:59:59.999Z"),
        ("2024-02-15T10:00:00+05:30", "2024-02-15T04:30:00.000Z"),
        ("2024-02-15T10:00-08:00", "2024-02-15T18:00:00.000Z"),
        ("2024-02-15t10:00:00z", "2024-02-15T10:00:00.000Z"),
        ("2024-02-15 10:00:00Z", "2024-02-15T10:00:00.000Z"),
        ("2024-02-15T10:00:00.123456789Z", "2024-02-15T10:00:00.123Z"),
        ("2024-02-15T10:00:00-00:00", "2024-02-15T10:00:00.000Z"),
    ],
)
def test_moment_is_kept_in_utc_with_milliseconds(alice: Member, client_id: str, sent: str, shown: str) -> None:
    assert make.interaction(alice, client_id, occurredAt=sent)["occurredAt"] == shown


def ahead(moment: datetime, **by: float) -> str:
    return (moment + timedelta(**by)).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def test_interaction_lies_between_1970_and_a_day_ahead(server: Served, clock: SettableClock) -> None:
    now = clock.freeze(clock().replace(microsecond=0))
    owner = register(server.url)
    path = f"/clients/{make.client(owner)['id']}/interactions"
    body = {"interactionType": "MEETING", "subject": "x"}
    data(owner.post(path, {**body, "occurredAt": ahead(now, days=1)}), 201)
    later = {**body, "occurredAt": ahead(now, days=1, milliseconds=1)}
    refused(owner.post(path, later), 400, "VALIDATION_ERROR", "one day ahead")
    refused(owner.post(path, {**body, "occurredAt": "1969-12-31T23:59:59.999Z"}), 400, "VALIDATION_ERROR", "1970")


def test_planned_interaction_can_still_be_corrected(server: Served, clock: SettableClock) -> None:
    """Its own time stays allowed, even if it now lies further ahead than a new one may."""
    now = clock.freeze(clock().replace(microsecond=0))
    owner = register(server.url)
    client = make.client(owner)
    made = make.interaction(owner, client["id"], occurredAt=ahead(now, hours=24))
    clock.advance(minutes=-10)
    assert data(owner.patch(f"/interactions/{made['id']}", {"notes": "x"}))["notes"] == "x"
    moved = owner.patch(f"/interactions/{made['id']}", {"occurredAt": ahead(now, hours=24, minutes=1)})
    refused(moved, 400, "VALIDATION_ERROR", "one day ahead")


# --- sentiment ---


@pytest.mark.parametrize(
    ("fields", "sentiment", "source"),
    [
        ({"subject": "They are thrilled with the result"}, "POSITIVE", "ANALYSED"),
        (
            {"subject": "Call", "notes": "Very unhappy, the invoice is still unpaid and they are angry"},
            "NEGATIVE",
            "ANALYSED",
        ),
        ({"subject": "Call", "notes": "Bbq zzt"}, "NEUTRAL", "NONE"),
        ({"subject": "Das Gespräch war sehr gut, danke für die tolle Zusammenarbeit"}, "NEUTRAL", "NONE"),
        ({"subject": "They are thrilled", "sentiment": "NEGATIVE"}, "NEGATIVE", "USER"),
        ({"subject": "Bbq zzt", "sentiment": "NEUTRAL"}, "NEUTRAL", "USER"),
        ({"subject": "They are thrilled with the result", "sentiment": None}, "POSITIVE", "ANALYSED"),
    ],
)
def test_mood_is_given_analysed_or_unknown(
    alice: Member, client_id: str, fields: dict[str, Any], sentiment: str, source: str
) -> None:
    made = make.interaction(alice, client_id, **fields)
    assert (made["sentiment"], made["sentimentSource"]) == (sentiment, source)


def test_changed_text_is_analysed_again_unless_the_mood_was_given(alice: Member, client_id: str) -> None:
    def mood(interaction_id: str, **change: Any) -> tuple[str, str]:
        after = data(alice.patch(f"/interactions/{interaction_id}", change))
        return after["sentiment"], after["sentimentSource"]

    happy, angry = "They are thrilled with the result", "They are angry, the invoice is unpaid"
    analysed = make.interaction(alice, client_id, subject=happy)["id"]
    assert mood(analysed, subject=angry) == ("NEGATIVE", "ANALYSED")
    assert mood(analysed, duration=5) == ("NEGATIVE", "ANALYSED")
    assert mood(analysed, subject="Bbq", notes=happy) == ("POSITIVE", "ANALYSED")
    assert mood(analysed, notes=None) == ("NEUTRAL", "NONE")
    assert mood(analysed, sentiment="POSITIVE") == ("POSITIVE", "USER")
    assert mood(analysed, subject=angry) == ("POSITIVE", "USER")
    assert mood(analysed, sentiment=None) == ("NEGATIVE", "ANALYSED")
    given = make.interaction(alice, client_id, subject=angry, sentiment="POSITIVE")["id"]
    assert mood(given, notes=angry) == ("POSITIVE", "USER")


def test_unknown_mood_is_left_out_of_satisfaction(alice: Member, client_id: str) -> None:
    make.interaction(alice, client_id, subject="They are thrilled", sentiment="POSITIVE")
    make.interaction(alice, client_id, subject="Bbq zzt")
    report = data(alice.get(f"/clients/{client_id}/health-score"))
    assert (report["components"]["satisfaction"], report["inputs"]["ratedInteractions"]) == (100, 1)


# --- follow-up ---


def reminders(alice: Member, client_id: str) -> list[tuple[str, str, str]]:
    shown = data(alice.get(f"/clients/{client_id}"))["upcomingReminders"]
    return [(one["title"], one["reminderType"], one["dueDate"]) for one in shown]


def test_follow_up_date_sets_one_reminder_and_moves_it(server: Served, alice: Member, client_id: str) -> None:
    made = make.interaction(alice, client_id, subject="Proposal", followUpDate="2030-01-02")
    assert reminders(alice, client_id) == [("Follow up: Proposal", "FOLLOW_UP", "2030-01-02T09:00:00.000Z")]
    data(alice.patch(f"/interactions/{made['id']}", {"followUpDate": "2030-07-03"}))
    assert reminders(alice, client_id) == [("Follow up: Proposal", "FOLLOW_UP", "2030-07-03T09:00:00.000Z")]
    data(alice.patch(f"/interactions/{made['id']}", {"followUpDate": None}))
    assert reminders(alice, client_id) == []
    told = [event["type"] for event in events(server, alice) if event["type"].startswith("reminder")]
    assert told[0] == "reminder.created"
    assert told[-1] == "reminder.cancelled"
    assert told.count("reminder.created") == 1


def test_follow_up_is_at_nine_in_the_accounts_zone(server: Served) -> None:
    owner = register(server.url, timeZone="America/New_York")
    client = make.client(owner)
    for day in ("2030-01-02", "2030-07-03"):
        make.interaction(owner, client["id"], followUpDate=day)
    due = [one["dueDate"] for one in data(owner.get(f"/clients/{client['id']}"))["upcomingReminders"]]
    assert due == ["2030-01-02T14:00:00.000Z", "2030-07-03T13:00:00.000Z"]


def test_refused_interaction_leaves_no_reminder(alice: Member, client_id: str) -> None:
    body = {"interactionType": "CALL", "subject": "x", "followUpDate": "2030-01-02", "duration": -1}
    refused(alice.post(f"/clients/{client_id}/interactions", body), 400, "VALIDATION_ERROR")
    assert reminders(alice, client_id) == []


def test_reminder_outlives_the_interaction_it_came_from(alice: Member, client_id: str) -> None:
    made = make.interaction(alice, client_id, subject="Proposal", followUpDate="2030-01-02")
    data(alice.delete(f"/interactions/{made['id']}"))
    assert len(reminders(alice, client_id)) == 1


def test_long_subject_is_cut_in_the_reminders_title(alice: Member, client_id: str) -> None:
    make.interaction(alice, client_id, subject="x" * 255, followUpDate="2030-01-02")
    [(title, _, _)] = reminders(alice, client_id)
    assert title == ("Follow up: " + "x" * 255)[:255]
