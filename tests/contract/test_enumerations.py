"""The document's lists of values: each value is taken and answered, each list is whole, and no other value is known."""

from typing import Any

import pytest

from tests import make
from tests.contract import tables
from tests.documents.samples import HONEST
from tests.documents.sending import link
from tests.opportunities.deals import deal, move
from tests.people import Member, data, faults
from tests.reminders.tasks import LATER, reminder


@pytest.mark.parametrize("status", tables.CLIENT_STATUSES)
def test_client_status(alice: Member, status: str) -> None:
    made = make.client(alice, status=status if status != "ARCHIVED" else "LEAD")
    if status == "ARCHIVED":
        data(alice.post(f"/clients/{made['id']}/archive"))
    assert data(alice.get(f"/clients/{made['id']}"))["status"] == status


@pytest.mark.parametrize("kind", tables.CLIENT_TYPES)
def test_client_type(alice: Member, kind: str) -> None:
    name = {"companyName": None, "firstName": "Ada"} if kind == "INDIVIDUAL" else {}
    assert make.client(alice, clientType=kind, **name)["clientType"] == kind


@pytest.mark.parametrize("kind", tables.INTERACTION_TYPES)
def test_interaction_type(alice: Member, kind: str) -> None:
    client_id = make.client(alice)["id"]
    made = make.interaction(alice, client_id, interactionType=kind)
    assert made["interactionType"] == kind
    assert data(alice.get(f"/clients/{client_id}"))["recentInteractions"] == [made]


@pytest.mark.parametrize("role", tables.CONTACT_ROLES)
def test_contact_role(alice: Member, role: str) -> None:
    assert make.contact(alice, make.client(alice)["id"], role=role)["role"] == role


@pytest.mark.parametrize("source", tables.OPPORTUNITY_SOURCES)
def test_opportunity_source(alice: Member, source: str) -> None:
    made = deal(alice, source=source)
    assert made["source"] == source
    assert data(alice.get("/opportunities/stats"))["bySource"] == {source: 1}


@pytest.mark.parametrize("stage", tables.STAGES)
def test_stage_has_its_probability(alice: Member, stage: str) -> None:
    made = deal(alice, stage="QUALIFIED" if stage == "LEAD" else "LEAD")
    moved = move(alice, made["id"], stage)
    assert (moved["stage"], moved["probability"]) == (stage, tables.STAGES[stage])


@pytest.mark.parametrize("status", tables.OPPORTUNITY_STATUSES)
def test_opportunity_status(alice: Member, status: str) -> None:
    made = {each: deal(alice)["id"] for each in tables.OPPORTUNITY_STATUSES}
    data(alice.post(f"/opportunities/{made['ON_HOLD']}/hold"))
    for end in ("WON", "LOST"):
        move(alice, made[end], end)
    [found] = data(alice.get(f"/opportunities?status={status}"))["opportunities"]
    assert (found["id"], found["status"]) == (made[status], status)


@pytest.mark.parametrize("kind", tables.REMINDER_TYPES)
def test_reminder_type(alice: Member, kind: str) -> None:
    assert reminder(alice, LATER, reminderType=kind)["reminderType"] == kind


@pytest.mark.parametrize("kind", tables.DOCUMENT_TYPES)
def test_document_type(alice: Member, kind: str) -> None:
    ending = next(name.rpartition(".")[2] for name, documented, _ in HONEST.values() if documented == kind)
    made = link(alice, make.client(alice)["id"], documentType=kind, fileName=f"file.{ending}")
    assert made["documentType"] == kind
    assert data(alice.get("/documents/stats"))["byType"] == {kind: 1}


NEW_CLIENT = {"clientType": "COMPANY", "source": "MANUAL", "companyName": "Acme"}
OTHERS: dict[str, tuple[str, dict[str, Any], str, tuple[str, ...]]] = {
    # where, what is sent → the field at fault, and the values that the refusal names
    "client type": ("/clients", {**NEW_CLIENT, "clientType": "?"}, "clientType", tables.CLIENT_TYPES),
    "interaction type": (
        "/clients/{client_id}/interactions",
        {"interactionType": "?", "subject": "x"},
        "interactionType",
        tables.INTERACTION_TYPES,
    ),
    "contact role": (
        "/clients/{client_id}/contacts",
        {"firstName": "x", "role": "?"},
        "role",
        tables.CONTACT_ROLES,
    ),
    "opportunity source": ("/opportunities", {"title": "x", "source": "?"}, "source", tables.OPPORTUNITY_SOURCES),
    "stage": ("/opportunities/{deal_id}/stage", {"stage": "?"}, "stage", tuple(tables.STAGES)),
    "reminder type": (
        "/reminders",
        {"title": "x", "reminderType": "?", "dueDate": LATER},
        "reminderType",
        tables.REMINDER_TYPES,
    ),
    "document type": (
        "/documents/upload-url",
        {"clientId": "{client_id}", "fileName": "a.pdf", "documentType": "?"},
        "documentType",
        tables.DOCUMENT_TYPES,
    ),
}


@pytest.mark.parametrize("row", OTHERS)
def test_list_is_whole_and_no_other_value_is_known(alice: Member, row: str) -> None:
    path, body, field, values = OTHERS[row]
    ids = {"client_id": make.client(alice)["id"], "deal_id": deal(alice)["id"]}
    sent = {name: value.format(**ids) if name == "clientId" else value for name, value in body.items()}
    said = faults(alice.post(path.format(**ids), sent))[field]
    assert set(said.rpartition("use one of ")[2].split(", ")) == set(values)


@pytest.mark.parametrize(
    ("query", "values"),
    [
        ("clients?status=?", tables.CLIENT_STATUSES),
        ("clients?clientType=?", tables.CLIENT_TYPES),
        ("clients?sortBy=?", tables.CLIENT_SORT_KEYS),
        ("opportunities?source=?", tables.OPPORTUNITY_SOURCES),
        ("opportunities?stage=?", tuple(tables.STAGES)),
        ("opportunities?status=?", tables.OPPORTUNITY_STATUSES),
    ],
)
def test_filter_knows_the_same_values(alice: Member, query: str, values: tuple[str, ...]) -> None:
    [said] = faults(alice.get(f"/{query}")).values()
    assert set(said.rpartition("use one of ")[2].split(", ")) == set(values)
