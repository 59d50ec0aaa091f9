"""Bad input of contacts and interactions; and odd metadata that must be taken as it is."""

from typing import Any

import pytest

from tests import make
from tests.people import Member, data, register
from tests.serving import Served
from tests.wire import refused, told_just


@pytest.fixture(scope="module")
def owner(server: Served) -> Member:
    """One book for all rows."""
    return register(server.url, "c.parts")


@pytest.fixture(scope="module")
def client_id(owner: Member) -> str:
    made: str = make.client(owner)["id"]
    return made


# --- contacts ---


BAD_CONTACTS: dict[str, tuple[dict[str, Any], dict[str, str]]] = {
    "C-59": ({}, {"firstName": "required"}),
    "C-59 only a last name": ({"lastName": "Doe"}, {"firstName": "required"}),
    "C-59 empty": ({"firstName": ""}, {"firstName": "empty"}),
    "C-59 null": ({"firstName": None}, {"firstName": "string"}),
    "C-59 101 characters": ({"firstName": "x" * 101}, {"firstName": "100 characters"}),
    "C-59 role": ({"firstName": "J", "role": "BOSS"}, {"role": "OWNER, DECISION_MAKER, INFLUENCER, TECHNICAL"}),
    "C-59 role null": ({"firstName": "J", "role": None}, {"role": "OWNER, DECISION_MAKER"}),
    "C-59 role, lower case": ({"firstName": "J", "role": "owner"}, {"role": "did you mean OWNER?"}),
    "C-59 method in capitals": (
        {"firstName": "J", "preferredContactMethod": "EMAIL"}, {"preferredContactMethod": "email, phone, message"}
    ),
    "C-59 method": ({"firstName": "J", "preferredContactMethod": "fax"}, {"preferredContactMethod": "email, phone"}),
    "C-59 primary as text": ({"firstName": "J", "isPrimary": "true"}, {"isPrimary": "true or false"}),
    "C-59 primary as number": ({"firstName": "J", "isPrimary": 1}, {"isPrimary": "true or false"}),
    "C-59 primary null": ({"firstName": "J", "isPrimary": None}, {"isPrimary": "true or false"}),
    "C-59 e-mail": ({"firstName": "J", "email": "x"}, {"email": "e-mail"}),
    "C-59 phone": ({"firstName": "J", "phone": "1"}, {"phone": "3 to 50"}),
    "C-59 all at once": (
        {"role": "X", "email": "x", "jobTitle": "", "x": 1},
        {"firstName": "required", "role": "OWNER", "email": "e-mail", "jobTitle": "empty", "x": "unknown"},
    ),
}  # fmt: skip


@pytest.mark.parametrize(("body", "told"), BAD_CONTACTS.values(), ids=BAD_CONTACTS)
def test_bad_contact_is_refused(owner: Member, client_id: str, body: dict[str, Any], told: dict[str, str]) -> None:
    told_just(refused(owner.post(f"/clients/{client_id}/contacts", body), 400, "VALIDATION_ERROR"), told)


@pytest.mark.parametrize("row", [row for row in BAD_CONTACTS if "required" not in str(BAD_CONTACTS[row])])
def test_patch_refuses_what_adding_a_contact_refuses(owner: Member, client_id: str, row: str) -> None:
    body, told = BAD_CONTACTS[row]
    contact = make.contact(owner, client_id)
    answer = owner.patch(f"/clients/{client_id}/contacts/{contact['id']}", body)
    told_just(refused(answer, 400, "VALIDATION_ERROR"), told)


def test_contact_of_another_owners_client_is_refused_as_missing(alice: Member, bob: Member) -> None:
    client = make.client(alice)
    refused(bob.post(f"/clients/{client['id']}/contacts", {"firstName": "Eve"}), 404, "CLIENT_NOT_FOUND")
    assert data(alice.get(f"/clients/{client['id']}"))["contacts"] == []


# --- interactions ---

CALL = {"interactionType": "CALL", "subject": "Hello"}
DEEP: Any = "x"
for _ in range(50):
    DEEP = {"a": DEEP}
BAD_INTERACTIONS: dict[str, tuple[dict[str, Any], dict[str, str]]] = {
    "C-60 nothing": ({}, {"interactionType": "required", "subject": "required"}),
    "C-60 type": ({**CALL, "interactionType": "SMS"}, {"interactionType": "VIDEO_CALL, MESSAGE, PROPOSAL_SENT"}),
    "C-60 type null": ({**CALL, "interactionType": None}, {"interactionType": "EMAIL"}),
    "C-60 subject of 256": ({**CALL, "subject": "x" * 256}, {"subject": "255 characters"}),
    "C-60 blank subject": ({**CALL, "subject": "\u200b"}, {"subject": "visible"}),
    "C-60 notes of 10,001": ({**CALL, "notes": "x" * 10_001}, {"notes": "10000 characters"}),
    "C-60 outbound as text": ({**CALL, "isOutbound": "yes"}, {"isOutbound": "true or false"}),
    "C-61": ({**CALL, "duration": -5}, {"duration": "at least 0"}),
    "C-61 text": ({**CALL, "duration": "60"}, {"duration": "whole number"}),
    "C-61 huge": ({**CALL, "duration": 1000000000}, {"duration": "1440"}),
    "C-61 half": ({**CALL, "duration": 0.5}, {"duration": "whole number"}),
    "C-61 1441": ({**CALL, "duration": 1441}, {"duration": "1440"}),
    "C-61 true": ({**CALL, "duration": True}, {"duration": "whole number"}),
    "C-61 list": ({**CALL, "duration": [60]}, {"duration": "whole number"}),
    "C-62": ({**CALL, "sentiment": "MEH"}, {"sentiment": "POSITIVE, NEUTRAL, NEGATIVE"}),
    "C-62 lower case": ({**CALL, "sentiment": "positive"}, {"sentiment": "did you mean POSITIVE?"}),
    "C-62 metadata of 100 kB": ({**CALL, "metadata": {"x": "y" * 100_000}}, {"metadata": "16,384 bytes"}),
    "C-62 metadata just over": ({**CALL, "metadata": {"x": "y" * (16_384 - 7)}}, {"metadata": "16,384 bytes"}),
    "C-62 metadata in bytes": ({**CALL, "metadata": {"x": "é" * 8_192}}, {"metadata": "16,384 bytes"}),
    "C-62 metadata a list": ({**CALL, "metadata": [1]}, {"metadata": "object"}),
    "C-62 metadata a text": ({**CALL, "metadata": "x"}, {"metadata": "object"}),
    "C-63 time without an offset": ({**CALL, "occurredAt": "2024-02-15T10:00:00"}, {"occurredAt": "offset"}),
    "C-63 day": ({**CALL, "occurredAt": "2024-02-15"}, {"occurredAt": "2024-02-15T10:00:00Z"}),
    "C-63 seconds": ({**CALL, "occurredAt": 1707991200}, {"occurredAt": "ISO 8601"}),
    "C-63 no such day": ({**CALL, "occurredAt": "2023-02-29T10:00:00Z"}, {"occurredAt": "2024-02-15T10:00:00Z"}),
    "C-63 null is now": ({**CALL, "occurredAt": "tomorrow"}, {"occurredAt": "ISO 8601"}),
    "C-63 before 1970": ({**CALL, "occurredAt": "1969-12-31T23:59:59Z"}, {"occurredAt": "1970"}),
    "C-63 far ahead": ({**CALL, "occurredAt": "2999-01-01T00:00:00Z"}, {"occurredAt": "one day ahead"}),
    "C-63 year 10000": ({**CALL, "occurredAt": "+010000-01-01T00:00:00Z"}, {"occurredAt": "ISO 8601"}),
    "C-63 follow-up with a time": ({**CALL, "followUpDate": "2024-02-15T10:00:00Z"}, {"followUpDate": "YYYY-MM-DD"}),
    "C-63 follow-up no such day": ({**CALL, "followUpDate": "2024-02-30"}, {"followUpDate": "2024-03-01"}),
    "C-63 follow-up American": ({**CALL, "followUpDate": "03/01/2024"}, {"followUpDate": "YYYY-MM-DD"}),
    "C-63 contact": ({**CALL, "contactId": "me"}, {"contactId": "UUID"}),
    "C-63 contact a number": ({**CALL, "contactId": 5}, {"contactId": "UUID"}),
    "C-63 opportunity": ({**CALL, "opportunityId": ""}, {"opportunityId": "UUID"}),
}


@pytest.mark.parametrize(("body", "told"), BAD_INTERACTIONS.values(), ids=BAD_INTERACTIONS)
def test_bad_interaction_is_refused(owner: Member, client_id: str, body: dict[str, Any], told: dict[str, str]) -> None:
    told_just(refused(owner.post(f"/clients/{client_id}/interactions", body), 400, "VALIDATION_ERROR"), told)


@pytest.mark.parametrize("row", [row for row in BAD_INTERACTIONS if row != "C-60 nothing"])
def test_patch_refuses_what_logging_refuses(owner: Member, client_id: str, row: str) -> None:
    body, told = BAD_INTERACTIONS[row]
    made = make.interaction(owner, client_id)
    told_just(refused(owner.patch(f"/interactions/{made['id']}", body), 400, "VALIDATION_ERROR"), told)


def test_metadata_too_deep_is_refused(owner: Member, client_id: str) -> None:
    refused(owner.post(f"/clients/{client_id}/interactions", {**CALL, "metadata": DEEP}), 400, "MALFORMED_JSON", "32")


METADATA: dict[str, dict[str, Any]] = {
    "C-62 __proto__": {"__proto__": {"admin": True}, "constructor": {"prototype": {}}},
    "C-62 full": {"x": "y" * (16_384 - 8)},
    "C-62 empty": {},
    "C-62 empty key": {"": None},
    "C-62 odd keys": {"a.b": 1, "$where": "1", "'; drop table clients": 1, "🎉": [None, True, 1.25, "\u007f"]},
}


@pytest.mark.parametrize("metadata", METADATA.values(), ids=METADATA)
def test_odd_metadata_is_kept_as_it_is(owner: Member, client_id: str, metadata: dict[str, Any]) -> None:
    made = make.interaction(owner, client_id, metadata=metadata)
    assert made["metadata"] == metadata
    assert data(owner.get(f"/interactions/{made['id']}"))["metadata"] == metadata
