"""The API document's section "Clients": its examples are sent as they stand there, its tables and numbers hold."""

import json
from typing import Any
from uuid import UUID

import pytest

from soloist.clients.model import ClientStatus, ClientType
from soloist.clients.shapes import ClientSort
from soloist.contacts.model import ContactRole
from soloist.health.model import WEIGHTS, overall_score
from soloist.infra.http import BASE
from soloist.infra.settings import Rate, Settings
from soloist.interactions.model import InteractionType
from tests import make
from tests.people import Member, data
from tests.wire import refused

# The bodies of the document, letter by letter.
CREATE_CLIENT = """{
  "clientType": "COMPANY",
  "source": "MANUAL",
  "companyName": "Acme Corporation",
  "email": "contact@acme.com",
  "phone": "+1234567890",
  "website": "https://acme.com",
  "industry": "Technology",
  "companySize": "MEDIUM",
  "timezone": "America/New_York",
  "notes": "Great client, referred by John",
  "tags": ["enterprise", "tech"],
  "address": {
    "street": "123 Main St",
    "city": "New York",
    "state": "NY",
    "country": "USA",
    "postalCode": "10001"
  }
}"""
UPDATE_CLIENT = """{
  "notes": "Updated notes",
  "tags": ["enterprise", "tech", "priority"],
  "status": "ACTIVE"
}"""
ADD_INTERACTION = """{
  "interactionType": "MEETING",
  "subject": "Project Kickoff Meeting",
  "notes": "Discussed project requirements and timeline",
  "sentiment": "POSITIVE",
  "isOutbound": true,
  "duration": 60,
  "metadata": {
    "location": "Zoom",
    "attendees": ["John", "Jane"]
  }
}"""
ADD_CONTACT = """{
  "firstName": "John",
  "lastName": "Doe",
  "email": "john@acme.com",
  "phone": "+1234567890",
  "role": "DECISION_MAKER",
  "jobTitle": "CEO",
  "isPrimary": true,
  "preferredContactMethod": "email"
}"""


def send(person: Member, method: str, path: str, example: str, status: int) -> dict[str, Any]:
    answer = person.request(method, path, content=example.encode(), headers={"Content-Type": "application/json"})
    shown: dict[str, Any] = data(answer, status)
    sent = json.loads(example)
    assert {name: shown[name] for name in sent} == sent
    return shown


def test_base_url_is_the_documents() -> None:
    assert BASE == "/api/cockpit"


def test_create_client(alice: Member) -> None:
    shown = send(alice, "POST", "/clients", CREATE_CLIENT, 201)
    assert UUID(shown["id"])
    assert shown["status"] == "ACTIVE"


def test_search_clients(alice: Member) -> None:
    send(alice, "POST", "/clients", CREATE_CLIENT, 201)
    shown = data(alice.get("/clients"))
    assert (shown["total"], shown["page"], shown["limit"]) == (1, 1, 20)
    assert shown["clients"][0]["companyName"] == "Acme Corporation"


PARAMETERS = {
    "query": "acme",
    "status": "ACTIVE",
    "source": "MANUAL",
    "clientType": "COMPANY",
    "tags": "tech",
    "minTotalRevenue": "0",
    "minHealthScore": "0",
    "lastInteractionBefore": "2024-01-15",
    "sortBy": "name",
    "sortOrder": "asc",
    "page": "1",
    "limit": "20",
}


@pytest.mark.parametrize("parameter", list(PARAMETERS))
def test_every_query_parameter_of_the_table_is_known(alice: Member, parameter: str) -> None:
    send(alice, "POST", "/clients", CREATE_CLIENT, 201)
    assert data(alice.get("/clients", params={parameter: PARAMETERS[parameter]}))["total"] == 1


def test_query_searches_name_email_and_company(alice: Member) -> None:
    person = {"clientType": "INDIVIDUAL", "companyName": "Analytical", "firstName": "Ada", "email": "king@example.com"}
    made = make.client(alice, **person)
    for word in ("ada", "king@example.com", "analytical"):
        [found] = data(alice.get(f"/clients?query={word}"))["clients"]
        assert found["id"] == made["id"]


def test_get_client(alice: Member) -> None:
    made = send(alice, "POST", "/clients", CREATE_CLIENT, 201)
    shown = data(alice.get(f"/clients/{made['id']}"))
    for name in ("contacts", "recentInteractions", "opportunities"):
        assert shown[name] == []
    assert isinstance(shown["healthScore"], int)


def test_get_client_health_score(alice: Member) -> None:
    made = send(alice, "POST", "/clients", CREATE_CLIENT, 201)
    shown = data(alice.get(f"/clients/{made['id']}/health-score"))
    assert {"overallScore", "components", "recommendations", "lastCalculated"} <= shown.keys()
    assert list(shown["components"]) == ["recency", "frequency", "monetary", "satisfaction", "responsiveness"]
    assert all(isinstance(one, str) for one in shown["recommendations"])


def test_health_example_adds_up_by_the_weights() -> None:
    """90, 80, 85, 90 and 75 make 84.75, which is 85."""
    assert WEIGHTS == {"recency": 25, "frequency": 20, "monetary": 20, "satisfaction": 20, "responsiveness": 15}
    assert overall_score(90, 80, 85, 90, 75) == 85


def test_update_client(alice: Member) -> None:
    made = send(alice, "POST", "/clients", CREATE_CLIENT, 201)
    shown = send(alice, "PATCH", f"/clients/{made['id']}", UPDATE_CLIENT, 200)
    assert shown["companyName"] == "Acme Corporation"


def test_archive_and_restore_client(alice: Member) -> None:
    made = send(alice, "POST", "/clients", CREATE_CLIENT, 201)
    assert data(alice.post(f"/clients/{made['id']}/archive"))["status"] == "ARCHIVED"
    assert data(alice.post(f"/clients/{made['id']}/restore"))["status"] == "ACTIVE"


def test_add_interaction_and_contact(alice: Member) -> None:
    made = send(alice, "POST", "/clients", CREATE_CLIENT, 201)
    interaction = send(alice, "POST", f"/clients/{made['id']}/interactions", ADD_INTERACTION, 201)
    contact = send(alice, "POST", f"/clients/{made['id']}/contacts", ADD_CONTACT, 201)
    shown = data(alice.get(f"/clients/{made['id']}"))
    assert (shown["contacts"], shown["recentInteractions"]) == ([contact], [interaction])


def test_get_client_statistics(alice: Member) -> None:
    send(alice, "POST", "/clients", CREATE_CLIENT, 201)
    shown = data(alice.get("/clients/stats"))
    assert {
        "totalClients",
        "activeClients",
        "leads",
        "prospects",
        "totalRevenue",
        "averageClientValue",
        "averageHealthScore",
        "clientsNeedingAttention",
        "bySource",
    } <= shown.keys()
    assert shown["bySource"] == {"MANUAL": 1}


def test_get_clients_needing_attention(alice: Member) -> None:
    assert data(alice.get("/clients/needs-attention")) == []
    assert data(alice.get("/clients/needs-attention?limit=1")) == []


def test_lists_of_values_are_the_documents() -> None:
    assert set(ClientStatus) == {"ACTIVE", "LEAD", "PROSPECT", "INACTIVE", "ARCHIVED"}
    assert set(ClientType) == {"INDIVIDUAL", "COMPANY"}
    assert list(ClientSort) == ["name", "createdAt", "lastInteractionAt", "totalRevenue", "healthScore"]
    assert list(InteractionType) == [
        "EMAIL", "CALL", "MEETING", "VIDEO_CALL", "MESSAGE", "PROPOSAL_SENT", "INVOICE_SENT", "PAYMENT_RECEIVED",
        "CONTRACT_SIGNED", "PROJECT_COMPLETED", "FEEDBACK_RECEIVED", "OTHER",
    ]  # fmt: skip
    assert list(ContactRole) == [
        "OWNER", "DECISION_MAKER", "INFLUENCER", "TECHNICAL", "BILLING", "PROJECT_MANAGER", "OTHER",
    ]  # fmt: skip


def test_rate_limits_are_the_documents() -> None:
    rates = Settings().rates()
    assert (rates["read"], rates["write"], rates["sync"]) == (Rate(100, 60), Rate(50, 60), Rate(5, 60))


def test_error_codes_of_clients_have_the_documents_status(alice: Member) -> None:
    made = send(alice, "POST", "/clients", CREATE_CLIENT, 201)
    missing = "01900000-0000-7000-8000-000000000000"
    refused(alice.get(f"/clients/{missing}"), 404, "CLIENT_NOT_FOUND")
    refused(alice.get(f"/clients/{made['id']}/contacts/{missing}"), 404, "CONTACT_NOT_FOUND")
    again = alice.post("/clients", json.loads(CREATE_CLIENT))
    refused(again, 409, "CLIENT_ALREADY_EXISTS")
