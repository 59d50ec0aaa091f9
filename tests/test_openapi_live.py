"""The OpenAPI document against the running server: its examples work, and every answer is one it tells of."""

import json
import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any
from uuid import uuid4

import httpx2
import pytest

from soloist.examples.parts import MADE
from soloist.infra.http import BASE
from tests.databases import clone
from tests.described import Told, examples_in, faults_of, told_in
from tests.market.fair import fair
from tests.market.stock import stocked
from tests.people import Member, Person, register
from tests.serving import Served, serving, settings_for, syncing

# What an operation needs to have happened before its example can work.
BEFORE: dict[str, tuple[str, str, Any]] = {
    "reopenOpportunity": ("POST", "/opportunities/{opportunityId}/stage", {"stage": "LOST"}),
    "snoozeReminder": ("POST", "/reminders/{reminderId}/reopen", None),
    "skipReminder": (
        "PATCH",
        "/reminders/{reminderId}",
        {"isRecurring": True, "recurringPattern": {"frequency": "monthly"}},
    ),
}
# Their examples hold a token that nobody has given out.
REFUSED = {"refreshTokens": 401, "resetPassword": 400}
# Actions that make something others ask for by its id; they are no creations.
MAKES = {"sendSample": ("deliveryId", "id"), "syncClients": ("runId", "runId")}


@pytest.fixture(scope="module")
def served(postgres: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server of this module's own, at the time and with the e-mail addresses that the examples speak of."""
    folder = tmp_path_factory.mktemp("described")
    with fair(clients=0) as market:
        stocked(market)
        settings = settings_for(folder, market_url=market.url, market_token=market.token)
        with serving(settings, clone(postgres)) as own, syncing(settings, own):
            own.clock.freeze(datetime.fromisoformat(MADE))
            yield own


@pytest.fixture(scope="module")
def document(served: Served) -> dict[str, Any]:
    answer = Person(served.url).get("/openapi.json")
    assert answer.status_code == 200
    parsed: dict[str, Any] = answer.json()
    return parsed


@pytest.fixture(scope="module")
def told(document: dict[str, Any]) -> list[Told]:
    return told_in(document)


@pytest.fixture
def alice(served: Served) -> Member:
    return register(served.url, "alice")


def check_answer(document: dict[str, Any], one: Told, answer: httpx2.Response) -> None:
    """The answer's status, headers and body are among those that the document names."""
    name = one.name
    responses = one.operation["responses"]
    assert str(answer.status_code) in responses, f"{name}: {answer.status_code} {answer.text}"
    response = responses[str(answer.status_code)]
    if "$ref" in response:
        response = document["components"]["responses"][response["$ref"].rpartition("/")[2]]
    assert answer.headers["content-type"] == "application/json"
    schema = response["content"]["application/json"]["schema"]
    assert faults_of(document, schema, answer.json()) == [], f"{name}: {answer.text}"
    for header, shared in response["headers"].items():
        known = document["components"]["headers"][shared["$ref"].rpartition("/")[2]]
        assert header in answer.headers or not known.get("required"), f"{name} lacks {header}"
        if header in answer.headers:
            assert faults_of(document, known["schema"], answer.headers[header]) == [], f"{name}: {header}"


def send(person: Person, method: str, path: str, body: object) -> httpx2.Response:
    return person.request(method.upper(), path, **({} if body is None else {"json": body}))


def replaced(value: object, names: dict[str, str]) -> object:
    """The value with every name that it holds, however deep, replaced."""
    text = json.dumps(value)
    for name, other in names.items():
        text = text.replace(name, other)
    parsed: object = json.loads(text)
    return parsed


def filled(path: str, ids: dict[str, str]) -> str:
    return re.sub(r"\{(\w+)\}", lambda found: ids.get(found[1]) or str(uuid4()), path)


def learn_ids(one: Told, answer: httpx2.Response, ids: dict[str, str]) -> None:
    """From the links of a creation: under which names other operations know what was made."""
    for link in one.operation["responses"]["201"].get("links", {}).values():
        for name, place in link["parameters"].items():
            if place == "$response.body#/data/id":
                ids[name] = answer.json()["data"]["id"]


def by_life(told: list[Told]) -> list[Told]:
    """Creations first, parents before children; deletions and signing out last."""

    def age(one: Told) -> tuple[int, int]:
        if one.name == "logout":
            return 3, 0
        creates = one.success == "201" or one.name in MAKES
        return (0 if creates else 2 if one.method == "delete" else 1), one.path.count("/") if creates else 0

    return sorted(told, key=age)


def test_every_example_works_and_is_answered_as_told(
    served: Served, document: dict[str, Any], told: list[Told], alice: Member
) -> None:
    ids: dict[str, str] = {}
    real: dict[str, str] = {}  # an id of the examples → that of the record which was made of it
    for one in by_life(told):
        if one.name in BEFORE:
            method, path, step = BEFORE[one.name]
            assert send(alice, method, filled(path, ids), step).status_code == 200, one.name
        for example in reversed(one.requests or [None]):  # the plain one last: what it makes is gone on with
            answer = send(alice, one.method, filled(one.path, ids), replaced(example, real))
            check_answer(document, one, answer)
            expected = REFUSED.get(one.name, int(one.success))
            assert answer.status_code == expected, f"{one.name}: {answer.text}"
        if one.name in MAKES:
            parameter, field = MAKES[one.name]
            ids[parameter] = answer.json()["data"][field]
        if one.success == "201":
            learn_ids(one, answer, ids)
            (shown,) = examples_in(one.operation["responses"]["201"]["content"]["application/json"])
            if "id" in shown["data"]:
                real[shown["data"]["id"]] = answer.json()["data"]["id"]
    assert {"clientId", "contactId", "interactionId", "opportunityId", "keyId"} <= ids.keys()


def test_every_refusal_of_a_stranger_is_told(served: Served, document: dict[str, Any], told: list[Told]) -> None:
    stranger = Person(served.url)
    for one in told:
        if one.operation["security"]:
            answer = stranger.request(one.method.upper(), filled(one.path, {}))
            assert answer.status_code == 401, one.name
            check_answer(document, one, answer)


def test_every_refusal_of_an_unknown_id_is_told(document: dict[str, Any], told: list[Told], alice: Member) -> None:
    checked = 0
    for one in told:
        if "{" in one.path:
            answer = send(alice, one.method, filled(one.path, {}), (one.requests or [None])[0])
            assert answer.status_code == 404, one.name
            check_answer(document, one, answer)
            checked += 1
    assert checked > 10


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        ({"content": b"{", "headers": {"Content-Type": "application/json"}}, 400),
        ({"content": b"[]", "headers": {"Content-Type": "application/json"}}, 400),
        ({"content": b'{"nobodyKnowsThis": 1}', "headers": {"Content-Type": "application/json"}}, 400),
        ({"content": b"a=b", "headers": {"Content-Type": "text/plain"}}, 415),
        ({"content": b" " * 1_100_000, "headers": {"Content-Type": "application/json"}}, 413),
        ({"headers": {"Idempotency-Key": "k" * 256}}, 400),
        ({"headers": {"If-Match": "3"}}, 400),
    ],
    ids=["broken", "list", "unknown-field", "media-type", "too-large", "bad-key", "bad-version"],
)
def test_every_refusal_of_a_bad_request_is_told(
    document: dict[str, Any], told: list[Told], alice: Member, sent: dict[str, Any], status: int
) -> None:
    for one in told:
        headers = {each["$ref"].rpartition("/")[2] for each in one.operation["parameters"] if "$ref" in each}
        if one.method == "get" or ("If-Match" in sent["headers"] and "IfMatch" not in headers):
            continue
        if "Idempotency-Key" in sent["headers"] and "IdempotencyKey" not in headers:
            continue
        answer = alice.request(one.method.upper(), filled(one.path, {}), **_with_body(one, sent))
        assert answer.status_code == status, f"{one.name}: {answer.text}"
        check_answer(document, one, answer)


def _with_body(one: Told, sent: dict[str, Any]) -> dict[str, Any]:
    return sent if "content" in sent or not one.requests else {**sent, "json": one.requests[0]}


def test_unknown_parameter_is_refused_by_every_list(document: dict[str, Any], told: list[Told], alice: Member) -> None:
    checked = 0
    for one in told:
        if any(each.get("in") == "query" for each in one.operation["parameters"]):
            answer = alice.get(filled(one.path, {}), params={"nobodyKnowsThis": "1"})
            assert answer.status_code == 400, one.name
            check_answer(document, one, answer)
            checked += 1
    assert checked >= 4


def test_document_is_public_cacheable_and_outside_the_envelope(served: Served) -> None:
    stranger = Person(served.url)
    answer = stranger.get("/openapi.json")
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["cache-control"] == "no-cache"
    assert answer.json()["openapi"] == "3.1.0"
    again = stranger.get("/openapi.json", headers={"If-None-Match": answer.headers["etag"]})
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", answer.headers["etag"])
    assert stranger.get("/openapi.json", headers={"If-None-Match": '"other"'}).status_code == 200


def test_docs_page_is_public_and_loads_only_our_own_files(served: Served) -> None:
    answer = Person(served.url).get("/docs")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/html")
    assert f'data-openapi-url="{BASE}/openapi.json"' in answer.text
    assert "script-src 'self'" in answer.headers["content-security-policy"]
    sources = re.findall(r'(?:src|href)="([^"]+)"', answer.text)
    assert sources
    for source in sources:
        assert source.startswith("/")
        assert httpx2.get(served.url + source, trust_env=False).status_code == 200, source


@pytest.mark.parametrize(
    ("body", "fits"),
    [
        ({"clientType": "COMPANY", "source": "MANUAL", "companyName": "Acme"}, True),
        ({"clientType": "COMPANY", "source": "MANUAL", "firstName": "Ada"}, False),
        ({"clientType": "COMPANY", "source": "MANUAL", "companyName": None}, False),
        ({"clientType": "INDIVIDUAL", "source": "MANUAL", "lastName": "Lovelace"}, True),
        ({"clientType": "INDIVIDUAL", "source": "MANUAL", "companyName": "Acme"}, False),
        ({"clientType": "COMPANY", "source": "MANUAL", "companyName": "x" * 255}, True),
        ({"clientType": "COMPANY", "source": "MANUAL", "companyName": "x" * 256}, False),
        ({"clientType": "COMPANY", "source": "MANUAL", "companyName": " "}, False),
        ({"clientType": "COMPANY", "source": "MANUAL", "companyName": "a\u0007b"}, False),
        ({"clientType": "COMPANY", "source": "MANUAL", "companyName": "株式会社"}, True),
        ({"clientType": "COMPANY", "source": "manual", "companyName": "Acme"}, False),
        ({"clientType": "COMPANY", "source": "MANUAL", "companyName": "Acme", "status": "ARCHIVED"}, False),
        ({"clientType": "COMPANY", "source": "MANUAL", "companyName": "Acme", "website": "ftp://acme.com"}, False),
        ({"clientType": "COMPANY", "source": "MANUAL", "companyName": "Acme", "website": "HTTPS://acme.com"}, True),
        ({"clientType": "COMPANY", "source": "MANUAL", "companyName": "Acme", "timezone": "Berlin"}, False),
        ({"clientType": "COMPANY", "source": "MANUAL", "companyName": "Acme", "phone": "12"}, False),
        ({"clientType": "COMPANY", "source": "MANUAL", "companyName": "Acme", "tags": ["a"] * 51}, False),
        ({"clientType": "COMPANY", "source": "MANUAL", "companyName": "Acme", "tags": None}, False),
        ({"clientType": "COMPANY", "source": "MANUAL", "companyName": "Acme", "address": {"zip": "1"}}, False),
        ({"clientType": "COMPANY", "source": "MANUAL", "companyName": "Acme", "address": {}}, True),
        ({}, False),
    ],
)
def test_schema_and_server_agree_on_what_a_client_is(
    document: dict[str, Any], alice: Member, body: dict[str, Any], fits: bool
) -> None:
    assert (faults_of(document, {"$ref": "#/components/schemas/NewClient"}, body) == []) is fits
    answer = alice.post("/clients", body)
    assert answer.status_code == (201 if fits else 400), answer.text
