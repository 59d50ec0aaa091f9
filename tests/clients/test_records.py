"""A client's record: what is kept, what a PATCH changes, and when its version moves."""

from datetime import datetime
from typing import Any

import pytest

from soloist.clients.model import ClientSource, ClientStatus, CompanySize
from tests import make
from tests.book import events, select
from tests.people import Member, data
from tests.serving import Served, SettableClock
from tests.wire import refused

WHOLE: dict[str, Any] = {
    "clientType": "COMPANY",
    "source": "REFERRAL",
    "status": "PROSPECT",
    "companyName": "Acme Corporation",
    "firstName": "Ada",
    "lastName": "Lovelace",
    "email": "contact@acme.com",
    "phone": "+1234567890",
    "website": "https://acme.com",
    "industry": "Technology",
    "companySize": "MEDIUM",
    "timezone": "America/New_York",
    "notes": "Great client,\nreferred by John",
    "tags": ["enterprise", "tech"],
    "address": {"street": "123 Main St", "city": "New York", "state": "NY", "country": "USA", "postalCode": "10001"},
}
CLEARABLE = ("email", "phone", "website", "industry", "companySize", "timezone", "notes", "address", "firstName")


def own(client: dict[str, Any]) -> dict[str, Any]:
    return {name: client[name] for name in WHOLE}


def test_everything_that_was_sent_is_kept(alice: Member) -> None:
    made = data(alice.post("/clients", WHOLE), 201)
    assert own(made) == WHOLE
    assert data(alice.get(f"/clients/{made['id']}")) == made
    assert (made["version"], made["displayName"], made["archivedAt"]) == (1, "Acme Corporation", None)
    assert made["createdAt"] == made["updatedAt"]
    assert made["createdAt"].endswith("Z")


def test_what_was_not_sent_has_its_default(alice: Member) -> None:
    made = data(alice.post("/clients", {"clientType": "INDIVIDUAL", "source": "MANUAL", "lastName": "Hopper"}), 201)
    assert own(made) == {
        **dict.fromkeys(WHOLE),
        "clientType": "INDIVIDUAL",
        "source": "MANUAL",
        "status": "ACTIVE",
        "lastName": "Hopper",
        "tags": [],
    }
    assert (made["totalRevenue"], made["currency"], made["unconverted"]) == (0, "USD", [])
    assert (made["lastInteractionAt"], made["platformClientId"]) == (None, None)


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({"companyName": "Acme", "firstName": "Ada"}, "Acme"),
        ({"firstName": "Ada", "lastName": "Lovelace"}, "Ada Lovelace"),
        ({"firstName": "Ada"}, "Ada"),
        ({"lastName": "Lovelace"}, "Lovelace"),
        ({"companyName": "  Acme  "}, "Acme"),
    ],
)
def test_display_name_is_the_companys_or_the_persons(alice: Member, fields: dict[str, str], name: str) -> None:
    kind = "COMPANY" if "companyName" in fields else "INDIVIDUAL"
    made = data(alice.post("/clients", {"clientType": kind, "source": "MANUAL", **fields}), 201)
    assert made["displayName"] == name


@pytest.mark.parametrize(
    ("field", "values"),
    [
        ("source", list(ClientSource)),
        ("status", [status for status in ClientStatus if status != "ARCHIVED"]),
        ("companySize", list(CompanySize)),
        ("clientType", ["COMPANY", "INDIVIDUAL"]),
    ],
)
def test_every_value_of_an_enumeration_is_kept(alice: Member, field: str, values: list[str]) -> None:
    client = make.client(alice, firstName="Ada")
    for value in values:
        assert make.client(alice, **{"firstName": "Ada", field: value})[field] == value
        assert data(alice.patch(f"/clients/{client['id']}", {field: value}))[field] == value


# --- PATCH ---


@pytest.mark.parametrize("field", [field for field in WHOLE if field != "clientType"])
def test_patch_changes_one_field_and_leaves_the_others(alice: Member, field: str) -> None:
    other = {**WHOLE, "source": "OTHER", "status": "LEAD", "companySize": "SOLO", "timezone": "UTC"}
    other |= {"email": "new@acme.com", "website": "http://a.b", "tags": ["x"], "address": {"city": "Rome"}}
    value = other[field] if other[field] != WHOLE[field] else "changed"
    before = data(alice.post("/clients", WHOLE), 201)
    after = data(alice.patch(f"/clients/{before['id']}", {field: value}))
    if field == "address":
        value = {"street": None, "city": "Rome", "state": None, "country": None, "postalCode": None}
        after["address"] = {**value, **after["address"]}
    assert after[field] == value
    untouched = before.keys() - {field, "version", "updatedAt", "displayName"}
    assert {name: after[name] for name in untouched} == {name: before[name] for name in untouched}
    assert after["version"] == 2
    assert after["updatedAt"] > before["updatedAt"]


@pytest.mark.parametrize("field", CLEARABLE)
def test_null_clears(alice: Member, field: str) -> None:
    client = data(alice.post("/clients", WHOLE), 201)
    after = data(alice.patch(f"/clients/{client['id']}", {field: None}))
    assert after[field] is None
    assert own(after) == {**WHOLE, field: None}


def test_all_clearable_fields_can_be_cleared_at_once(alice: Member) -> None:
    client = data(alice.post("/clients", WHOLE), 201)
    after = data(alice.patch(f"/clients/{client['id']}", dict.fromkeys(CLEARABLE)))
    assert own(after) == {**WHOLE, **dict.fromkeys(CLEARABLE)}


@pytest.mark.parametrize("field", list(WHOLE))
def test_value_that_is_there_already_changes_nothing(server: Served, alice: Member, field: str) -> None:
    before = data(alice.post("/clients", WHOLE), 201)
    answer = alice.patch(f"/clients/{before['id']}", {field: WHOLE[field]})
    assert data(answer) == before
    assert answer.headers["etag"] == '"1"'
    assert events(server, alice, "client.updated") == []


def test_nothing_to_change_is_refused_without_an_event(server: Served, alice: Member) -> None:
    client = make.client(alice)
    refused(alice.patch(f"/clients/{client['id']}", {}), 400, "VALIDATION_ERROR", "nothing to change")
    assert events(server, alice, "client.updated") == []


def test_event_of_a_change_names_the_fields_that_changed(server: Served, alice: Member) -> None:
    client = make.client(alice, notes="same")
    change = {"notes": "same", "companyName": "New", "tags": ["a"], "address": {"city": "Rome"}}
    data(alice.patch(f"/clients/{client['id']}", change))
    [event] = events(server, alice, "client.updated")
    assert event["data"] == {
        "id": client["id"],
        "clientName": "New",
        "changed": ["address", "companyName", "tags"],
        "version": 2,
    }


def test_event_of_a_new_client_is_thin(server: Served, alice: Member) -> None:
    client = data(alice.post("/clients", WHOLE), 201)
    [event] = events(server, alice)
    assert event["type"] == "client.created"
    assert event["timestamp"] == client["createdAt"]
    assert event["data"] == {
        "id": client["id"],
        "clientName": "Acme Corporation",
        "clientType": "COMPANY",
        "status": "PROSPECT",
        "source": "REFERRAL",
        "version": 1,
    }


# --- names and types ---


def test_type_may_change_when_the_name_it_needs_is_there_or_comes_along(alice: Member) -> None:
    client = make.client(alice)
    path = f"/clients/{client['id']}"
    refused(alice.patch(path, {"clientType": "INDIVIDUAL"}), 400, "VALIDATION_ERROR", "firstName or lastName")
    person = data(alice.patch(path, {"clientType": "INDIVIDUAL", "lastName": "Hopper", "companyName": None}))
    assert person["displayName"] == "Hopper"
    refused(alice.patch(path, {"lastName": None}), 400, "VALIDATION_ERROR", "firstName or lastName")
    refused(alice.patch(path, {"clientType": "COMPANY"}), 400, "VALIDATION_ERROR", "companyName is required")
    both = data(alice.patch(path, {"clientType": "COMPANY", "companyName": "Hopper Ltd"}))
    assert both["displayName"] == "Hopper Ltd"


def test_new_name_is_found_and_the_old_one_is_not(alice: Member) -> None:
    client = make.client(alice, companyName="Oldfield", email="old@example.com")
    data(alice.patch(f"/clients/{client['id']}", {"companyName": "Newman", "email": "new@example.net"}))
    for word, found in (("newman", 1), ("example.net", 1), ("oldfield", 0), ("example.com", 0)):
        assert data(alice.get(f"/clients?query={word}"))["total"] == found


# --- versions ---


def test_version_counts_changes_and_if_match_guards_them(alice: Member) -> None:
    client = make.client(alice)
    path = f"/clients/{client['id']}"
    for version in (1, 2, 3):
        answer = alice.patch(path, {"notes": str(version)}, headers={"If-Match": f'"{version}"'})
        assert data(answer)["version"] == version + 1
        assert answer.headers["etag"] == f'"{version + 1}"'
    for action in ("archive", "restore"):
        version += 1
        answer = alice.post(f"{path}/{action}", headers={"If-Match": f'"{version}"'})
        assert data(answer)["version"] == version + 1
    stale = alice.patch(path, {"notes": "x"}, headers={"If-Match": '"1"'})
    error = refused(stale, 412, "PRECONDITION_FAILED", "version 6")
    assert error["details"] == {"currentVersion": 6}


def test_derived_columns_never_move_the_version(server: Served, alice: Member, clock: SettableClock) -> None:
    """Revenue, health and last contact change; the client's own version, updatedAt and events do not."""
    client = make.client(alice)
    path = f"/clients/{client['id']}"
    made = make.interaction(
        alice, client["id"], interactionType="PAYMENT_RECEIVED", metadata={"amount": 5000, "currency": "USD"}
    )
    make.contact(alice, client["id"], firstName="Grace")
    after = data(alice.get(path))
    assert (after["totalRevenue"], after["lastInteractionAt"]) == (5000, made["occurredAt"])
    assert after["healthScore"] != client["healthScore"]
    assert (after["version"], after["updatedAt"]) == (1, client["updatedAt"])
    data(alice.delete(f"/interactions/{made['id']}"))
    after = data(alice.get(path))
    assert (after["totalRevenue"], after["lastInteractionAt"], after["version"]) == (0, None, 1)
    assert events(server, alice, "client.updated") == []
    assert data(alice.patch(path, {"notes": "x"}, headers={"If-Match": '"1"'}))["version"] == 2


def test_client_can_not_be_deleted(alice: Member) -> None:
    client = make.client(alice)
    answer = alice.delete(f"/clients/{client['id']}")
    refused(answer, 405, "METHOD_NOT_ALLOWED", "GET, HEAD, PATCH")
    assert data(alice.get(f"/clients/{client['id']}"))["id"] == client["id"]


# --- what stands around it ---


def test_id_holds_the_time_it_was_made(alice: Member) -> None:
    client = make.client(alice)
    millis = int(client["id"].replace("-", "")[:12], 16)
    made = datetime.fromisoformat(client["createdAt"])
    assert abs(millis / 1000 - made.timestamp()) < 5
    assert client["id"][14] == "7"


def test_client_shows_its_newest_ten_interactions_and_the_primary_contact_first(
    alice: Member, clock: SettableClock
) -> None:
    clock.freeze()
    client = make.client(alice)
    for number in range(12):
        make.interaction(alice, client["id"], subject=f"no. {number}", occurredAt=f"2024-01-{number + 1:02}T10:00:00Z")
    for number in range(3):
        make.contact(alice, client["id"], firstName=f"no. {number}", isPrimary=number == 2)
    shown = data(alice.get(f"/clients/{client['id']}"))
    assert [one["subject"] for one in shown["recentInteractions"]] == [f"no. {number}" for number in range(11, 1, -1)]
    assert [one["firstName"] for one in shown["contacts"]] == ["no. 2", "no. 0", "no. 1"]


def test_client_shows_open_deals_the_next_five_reminders_and_the_newest_five_documents(
    server: Served, alice: Member
) -> None:
    client = make.client(alice)
    for day in range(1, 8):
        make.interaction(alice, client["id"], subject=f"day {day}", followUpDate=f"2030-01-0{day}")
    select(
        server,
        """insert into documents (account_id, id, client_id, document_type, file_name, file_url, created_at, updated_at)
        select $1, gen_random_uuid(), $2, 'OTHER', n || '.txt', 'https://x/' || n,
            now() + n * interval '1 s', now() from generate_series(1, 7) as n""",
        alice.account["id"],
        client["id"],
    )
    select(
        server,
        """insert into opportunities (account_id, id, client_id, title, source, estimated_value, currency, stage,
            status, priority, probability, created_at, updated_at)
        select $1, gen_random_uuid(), $2, s, 'OTHER', 1500.50, 'USD', 'LEAD', s, 'LOW', 10, now(), now()
        from unnest(array['OPEN', 'ON_HOLD', 'LOST']) as s""",
        alice.account["id"],
        client["id"],
    )
    shown = data(alice.get(f"/clients/{client['id']}"))
    assert [one["title"] for one in shown["upcomingReminders"]] == [f"Follow up: day {day}" for day in range(1, 6)]
    assert [one["fileName"] for one in shown["recentDocuments"]] == [f"{n}.txt" for n in range(7, 2, -1)]
    assert sorted(one["status"] for one in shown["opportunities"]) == ["ON_HOLD", "OPEN"]
    assert shown["opportunities"][0]["estimatedValue"] == 1500.5
