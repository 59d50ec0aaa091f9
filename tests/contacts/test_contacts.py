"""Contacts: the people at a client, at most one of them primary."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx2
import pytest

from soloist.contacts.model import ContactMethod, ContactRole
from tests import make
from tests.book import events, select
from tests.people import Member, Person, data
from tests.serving import Served
from tests.wire import refused

WHOLE: dict[str, Any] = {
    "firstName": "John",
    "lastName": "Doe",
    "email": "john@acme.com",
    "phone": "+1234567890",
    "role": "DECISION_MAKER",
    "jobTitle": "CEO",
    "isPrimary": True,
    "preferredContactMethod": "email",
}
CLEARABLE = ("lastName", "email", "phone", "jobTitle", "preferredContactMethod")


@pytest.fixture
def client_id(alice: Member) -> str:
    made: str = make.client(alice)["id"]
    return made


def listed(alice: Member, client_id: str) -> list[str]:
    page = data(alice.get(f"/clients/{client_id}/contacts"))
    assert page["total"] == len(page["contacts"])
    return [contact["firstName"] for contact in page["contacts"]]


def own(contact: dict[str, Any]) -> dict[str, Any]:
    return {name: contact[name] for name in WHOLE}


def test_everything_that_was_sent_is_kept(alice: Member, client_id: str) -> None:
    answer = alice.post(f"/clients/{client_id}/contacts", WHOLE)
    made = data(answer, 201)
    assert own(made) == WHOLE
    assert (made["clientId"], made["version"]) == (client_id, 1)
    assert answer.headers["location"].endswith(f"/clients/{client_id}/contacts/{made['id']}")
    shown = alice.get(f"/clients/{client_id}/contacts/{made['id']}")
    assert data(shown) == made
    assert shown.headers["etag"] == answer.headers["etag"] == '"1"'
    assert data(alice.get(f"/clients/{client_id}"))["contacts"] == [made]


def test_what_was_not_sent_has_its_default(alice: Member, client_id: str) -> None:
    made = make.contact(alice, client_id)
    assert own(made) == {**dict.fromkeys(WHOLE), "firstName": "John", "role": "OTHER", "isPrimary": False}


@pytest.mark.parametrize("role", list(ContactRole))
def test_every_role_of_the_document_is_kept(alice: Member, client_id: str, role: str) -> None:
    assert make.contact(alice, client_id, role=role)["role"] == role


@pytest.mark.parametrize("method", list(ContactMethod))
def test_every_way_to_reach_somebody_is_kept(alice: Member, client_id: str, method: str) -> None:
    assert make.contact(alice, client_id, preferredContactMethod=method)["preferredContactMethod"] == method


@pytest.mark.parametrize(
    ("field", "value"),
    [("firstName", "Jane"), ("lastName", "Roe"), ("email", "j@roe.com"), ("phone", "112"), ("role", "BILLING"),
     ("jobTitle", "CFO"), ("isPrimary", False), ("preferredContactMethod", "video"),
     *((field, None) for field in CLEARABLE)],
)  # fmt: skip
def test_patch_changes_one_field_and_leaves_the_others(
    server: Served, alice: Member, client_id: str, field: str, value: object
) -> None:
    made = make.contact(alice, client_id, **WHOLE)
    answer = alice.patch(f"/clients/{client_id}/contacts/{made['id']}", {field: value}, headers={"If-Match": '"1"'})
    assert own(data(answer)) == {**WHOLE, field: value}
    assert answer.headers["etag"] == '"2"'
    [event] = events(server, alice, "contact.updated")
    assert event["data"]["changed"] == [field]
    assert event["data"]["version"] == 2


def test_equal_values_change_nothing(server: Served, alice: Member, client_id: str) -> None:
    made = make.contact(alice, client_id, **WHOLE)
    assert data(alice.patch(f"/clients/{client_id}/contacts/{made['id']}", WHOLE)) == made
    assert events(server, alice, "contact.updated") == []


def test_nothing_to_change_is_refused(alice: Member, client_id: str) -> None:
    made = make.contact(alice, client_id)
    answer = alice.patch(f"/clients/{client_id}/contacts/{made['id']}", {})
    refused(answer, 400, "VALIDATION_ERROR", "nothing to change")


def test_several_contacts_may_share_an_address(alice: Member, client_id: str) -> None:
    for _ in range(2):
        make.contact(alice, client_id, email="office@acme.com")


def test_change_of_a_contact_never_moves_the_clients_version(alice: Member, client_id: str) -> None:
    made = make.contact(alice, client_id)
    data(alice.patch(f"/clients/{client_id}/contacts/{made['id']}", {"firstName": "x"}))
    data(alice.delete(f"/clients/{client_id}/contacts/{made['id']}"))
    assert data(alice.get(f"/clients/{client_id}"))["version"] == 1


# --- one primary ---


def test_new_primary_takes_the_mark_from_the_former(alice: Member, client_id: str) -> None:
    first = make.contact(alice, client_id, firstName="first", isPrimary=True)
    make.contact(alice, client_id, firstName="second", isPrimary=True)
    former = data(alice.get(f"/clients/{client_id}/contacts/{first['id']}"))
    assert (former["isPrimary"], former["version"]) == (False, 2)
    assert listed(alice, client_id) == ["second", "first"]


def test_patch_makes_another_one_primary(alice: Member, client_id: str) -> None:
    make.contact(alice, client_id, firstName="first", isPrimary=True)
    second = make.contact(alice, client_id, firstName="second")
    path = f"/clients/{client_id}/contacts/{second['id']}"
    assert data(alice.patch(path, {"isPrimary": True}))["isPrimary"] is True
    assert listed(alice, client_id) == ["second", "first"]
    data(alice.patch(path, {"isPrimary": False}))
    shown = data(alice.get(f"/clients/{client_id}/contacts"))["contacts"]
    assert [contact["isPrimary"] for contact in shown] == [False, False]


def test_primaries_of_different_clients_have_nothing_to_do_with_each_other(alice: Member, client_id: str) -> None:
    other = make.client(alice)["id"]
    make.contact(alice, client_id, isPrimary=True)
    make.contact(alice, other, isPrimary=True)
    assert data(alice.get(f"/clients/{client_id}/contacts"))["contacts"][0]["isPrimary"] is True


def test_of_twenty_primaries_at_once_one_stays(server: Served, alice: Member, client_id: str) -> None:
    existing = [make.contact(alice, client_id)["id"] for _ in range(5)]
    people = [Person(server.url, alice.token) for _ in range(20)]

    def make_primary(number: int) -> httpx2.Response:
        if number % 2:
            return people[number].post(f"/clients/{client_id}/contacts", {"firstName": f"n{number}", "isPrimary": True})
        path = f"/clients/{client_id}/contacts/{existing[number % 5]}"
        return people[number].patch(path, {"isPrimary": True})

    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(make_primary, range(20)))
    assert {answer.status_code for answer in answers} <= {200, 201}
    contacts = data(alice.get(f"/clients/{client_id}/contacts"))["contacts"]
    assert [contact["isPrimary"] for contact in contacts] == [True] + [False] * 14


def test_database_itself_allows_one_primary_only(server: Served, alice: Member, client_id: str) -> None:
    make.contact(alice, client_id, isPrimary=True)
    make.contact(alice, client_id)
    with pytest.raises(Exception, match="contacts_one_primary"):
        select(server, "update contacts set is_primary = true where client_id = $1", client_id)


# --- list and delete ---


def test_primary_comes_first_then_those_added_earlier(alice: Member, client_id: str) -> None:
    for name in ("a", "b", "c", "d"):
        make.contact(alice, client_id, firstName=name, isPrimary=name == "c")
    assert listed(alice, client_id) == ["c", "a", "b", "d"]
    page = data(alice.get(f"/clients/{client_id}/contacts?limit=2"))
    assert [contact["firstName"] for contact in page["contacts"]] == ["c", "a"]
    assert (page["total"], page["limit"], page["page"]) == (4, 2, 1)


def test_deleted_contact_is_gone_but_its_interactions_stay(server: Served, alice: Member, client_id: str) -> None:
    contact = make.contact(alice, client_id, firstName="Jane", lastName="Roe")
    talked = make.interaction(alice, client_id, contactId=contact["id"])
    path = f"/clients/{client_id}/contacts/{contact['id']}"
    assert data(alice.delete(path, headers={"If-Match": '"1"'})) == {"id": contact["id"], "deleted": True}
    for method in ("GET", "DELETE", "PATCH"):
        answer = alice.request(method, path, json={"firstName": "x"} if method == "PATCH" else None)
        refused(answer, 404, "CONTACT_NOT_FOUND")
    after = data(alice.get(f"/interactions/{talked['id']}"))
    assert after == {**talked, "contactId": None}
    [event] = events(server, alice, "contact.deleted")
    assert event["data"] == {"id": contact["id"], "clientId": client_id, "contactName": "Jane Roe"}


def test_events_of_contacts_name_who_it_is(server: Served, alice: Member, client_id: str) -> None:
    made = make.contact(alice, client_id, **WHOLE)
    [event] = events(server, alice, "contact.created")
    assert event["data"] == {
        "id": made["id"],
        "clientId": client_id,
        "contactName": "John Doe",
        "role": "DECISION_MAKER",
        "isPrimary": True,
        "version": 1,
    }


@pytest.mark.parametrize("path", ["", "/01900000-0000-7000-8000-000000000000"])
def test_missing_client_is_told_before_the_missing_contact(alice: Member, path: str) -> None:
    answer = alice.get(f"/clients/01900000-0000-7000-8000-000000000000/contacts{path}")
    refused(answer, 404, "CLIENT_NOT_FOUND")
