"""The OpenAPI document: it tells of every route, holds only what is true, and its examples fit its schemas."""

import json
import re
import time
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.routing import iter_route_contexts
from openapi_spec_validator import OpenAPIV31SpecValidator
from pydantic.alias_generators import to_camel

from scripts import write_reference
from soloist.api_words import ERRORS, WORDS
from soloist.examples import EXAMPLES
from soloist.infra import openapi, routing
from soloist.infra.changes import Deleted
from soloist.infra.errors import REGISTRY
from soloist.infra.http import BASE
from soloist.infra.openapi_operations import operations
from tests.described import Told, examples_in, faults_of, told_in

NOT_DESCRIBED = {("GET", f"{BASE}/openapi.json"), ("GET", f"{BASE}/docs")}


@pytest.fixture(scope="module")
def app() -> FastAPI:
    return write_reference.described()


@pytest.fixture(scope="module")
def document(app: FastAPI) -> dict[str, Any]:
    """The document as it goes over the wire."""
    parsed: dict[str, Any] = json.loads(json.dumps(app.openapi()))
    return parsed


@pytest.fixture(scope="module")
def told(document: dict[str, Any]) -> list[Told]:
    return told_in(document)


def everywhere(node: Any, path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every object of the document with its place; examples are no part of it."""
    if isinstance(node, dict):
        yield path, node
        for key, inner in node.items():
            if key not in ("example", "examples"):
                yield from everywhere(inner, f"{path}/{key}")
    elif isinstance(node, list):
        for index, inner in enumerate(node):
            yield from everywhere(inner, f"{path}/{index}")


def test_document_is_valid_openapi_31(document: dict[str, Any]) -> None:
    assert document["openapi"].startswith("3.1")
    assert list(OpenAPIV31SpecValidator(document).iter_errors()) == []


def test_every_route_is_described_and_every_description_has_its_route(app: FastAPI, told: list[Told]) -> None:
    routes = {
        (method, re.sub(r"\{(\w+)\}", lambda found: f"{{{to_camel(found[1])}}}", str(route.path)))
        for route in iter_route_contexts(app.routes)
        if (route.path or "").startswith(BASE)
        for method in route.methods or ()
    }
    described = {(one.method.upper(), BASE + one.path) for one in told}
    assert described == routes - NOT_DESCRIBED
    assert routes >= NOT_DESCRIBED


def test_operation_ids_are_unique_and_named_after_their_handlers(app: FastAPI, told: list[Told]) -> None:
    names = [one.name for one in told]
    assert len(names) == len(set(names))
    assert "createClient" in names
    assert sorted(names) == sorted(operation.name for operation in operations(app))
    assert [name for name in names if not re.fullmatch("[a-z]+([A-Z][a-z]+)*", name)] == []


def test_every_operation_has_a_summary_a_known_tag_and_an_example(document: dict[str, Any], told: list[Told]) -> None:
    meanings = {tag["name"]: tag["description"] for tag in document["tags"]}
    assert {one.operation["tags"][0] for one in told} == set(meanings)
    assert all(meanings.values())
    for one in told:
        name = one.name
        assert one.operation["summary"], name
        assert name in EXAMPLES, f"{name}: add its example to soloist.examples"
        success = one.operation["responses"][one.success]
        assert examples_in(success["content"]["application/json"]), name
        assert bool(one.requests) is ("requestBody" in one.operation), name
    assert EXAMPLES.keys() == {one.name for one in told}


def test_every_example_fits_its_schema(document: dict[str, Any], told: list[Told]) -> None:
    contents = [
        (f"{one.name} {status}", response["content"]["application/json"])
        for one in told
        for status, response in one.operation["responses"].items()
        if "content" in response
    ]
    contents += [
        (one.name, one.operation["requestBody"]["content"]["application/json"])
        for one in told
        if "requestBody" in one.operation
    ]
    contents += [
        (name, response["content"]["application/json"])
        for name, response in document["components"]["responses"].items()
    ]
    checked = 0
    for place, content in contents:
        for example in examples_in(content):
            assert faults_of(document, content["schema"], example) == [], place
            checked += 1
    assert checked > 100


def test_examples_inside_schemas_and_headers_fit_them(document: dict[str, Any]) -> None:
    checked = 0
    for place, node in everywhere(document):
        if isinstance(node.get("examples"), list):
            for example in node["examples"]:
                assert faults_of(document, node, example) == [], place
                checked += 1
    for name, header in document["components"]["headers"].items():
        if "example" in header:
            assert faults_of(document, header["schema"], header["example"]) == [], name
            checked += 1
    assert checked > 10


def test_schemas_carry_no_noise(document: dict[str, Any]) -> None:
    text = json.dumps(document)
    assert "$defs" not in text
    assert "HTTPValidationError" not in text
    for place, node in everywhere(document["components"]["schemas"]):
        assert not isinstance(node.get("title"), str), place
        assert node.get("default", ...) is not None, place
        assert not node.keys() & {"ge", "gt", "le", "lt"} or place.endswith("/properties"), place
    assert [name for name in document["components"]["schemas"] if not re.fullmatch("[A-Z][A-Za-z]+", name)] == []


def test_every_component_is_used(document: dict[str, Any]) -> None:
    text = json.dumps(document)
    for kind in ("schemas", "responses", "headers", "parameters"):
        unused = [name for name in document["components"][kind] if f'"#/components/{kind}/{name}"' not in text]
        assert unused == [], kind


def test_requests_refuse_unknown_fields_and_answers_allow_new_ones(
    app: FastAPI, document: dict[str, Any], told: list[Told]
) -> None:
    schemas = document["components"]["schemas"]
    sent = {
        one.operation["requestBody"]["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]
        for one in told
        if "requestBody" in one.operation
    }
    assert "NewClient" in sent
    for name in sent:
        assert schemas[name]["additionalProperties"] is False, name
    for name in ("ClientDetail", "AddressShown", "Contact", "HealthReport", "Account"):
        assert "additionalProperties" not in schemas[name], name
    for name in ("ClientDetail", "Contact", "HealthReport", "Account"):
        assert set(schemas[name]["required"]) == set(schemas[name]["properties"]), name


def test_limits_are_stated(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    client = schemas["NewClient"]["properties"]
    assert client["companyName"]["maxLength"] == 255
    assert (client["phone"]["minLength"], client["phone"]["maxLength"]) == (3, 50)
    assert client["notes"]["maxLength"] == 5000
    assert client["tags"]["maxItems"] == 50
    assert client["tags"]["items"]["maxLength"] == 50
    assert client["status"]["enum"] == ["LEAD", "PROSPECT", "ACTIVE", "INACTIVE"]
    assert client["status"]["default"] == "ACTIVE"
    assert schemas["ClientChange"]["minProperties"] == 1
    interaction = schemas["NewInteraction"]["properties"]
    assert (interaction["duration"]["minimum"], interaction["duration"]["maximum"]) == (0, 1440)
    assert interaction["contactId"]["format"] == "uuid"
    assert schemas["ClientDetail"]["properties"]["healthScore"] == {"type": "integer", "minimum": 0, "maximum": 100}


def test_query_parameters_are_those_of_the_list(told: list[Told]) -> None:
    (search,) = [one.operation for one in told if one.name == "searchClients"]
    found = {each["name"]: each for each in search["parameters"] if each.get("in") == "query"}
    assert found.keys() == {
        "query", "status", "source", "clientType", "tags", "minTotalRevenue", "minHealthScore",
        "lastInteractionBefore", "sortBy", "sortOrder", "page", "limit", "cursor", "facets",
    }  # fmt: skip
    assert found["limit"]["schema"] == {"type": "integer", "minimum": 1, "maximum": 100, "default": 20}
    assert (found["status"]["style"], found["status"]["explode"]) == ("form", True)
    assert "ARCHIVED" in found["status"]["schema"]["items"]["enum"]
    assert all(each["description"] for each in found.values())
    assert not any(each["required"] for each in found.values())


HEADERS = {"#/components/parameters/IdempotencyKey": "key", "#/components/parameters/IfMatch": "version"}


@pytest.mark.parametrize(
    ("name", "taken"),
    [
        ("createClient", {"key"}),
        ("updateClient", {"key", "version"}),
        ("archiveClient", {"key", "version"}),
        ("deleteContact", {"key", "version"}),
        ("addContact", {"key"}),
        ("replaceExchangeRates", {"key"}),
        ("updateAccount", {"key", "version"}),
        ("getClient", set()),
        ("login", set()),
    ],
)
def test_headers_are_offered_where_they_are_honoured(told: list[Told], name: str, taken: set[str]) -> None:
    (operation,) = [one.operation for one in told if one.name == name]
    assert {HEADERS[each["$ref"]] for each in operation["parameters"] if each.get("$ref") in HEADERS} == taken


def codes_of(document: dict[str, Any], operation: dict[str, Any]) -> set[str]:
    """Every code that the operation says it can answer."""
    names = [each["$ref"].rpartition("/")[2] for each in operation["responses"].values() if "$ref" in each]
    shared = document["components"]["responses"]
    return {code for name in names for code in shared[name]["content"]["application/json"]["examples"]}


ALWAYS = {"VALIDATION_ERROR", "RATE_LIMITED", "INTERNAL_ERROR", "SERVICE_UNAVAILABLE"}
OF_MEMBERS = ALWAYS | {"UNAUTHORIZED", "TOKEN_EXPIRED", "ACCESS_DENIED"}
OF_BODIES = {"MALFORMED_JSON", "PAYLOAD_TOO_LARGE", "UNSUPPORTED_MEDIA_TYPE"}
OF_CHANGES = OF_MEMBERS | OF_BODIES | {"IDEMPOTENCY_KEY_IN_USE", "IDEMPOTENCY_KEY_REUSED"}


@pytest.mark.parametrize(
    ("name", "codes"),
    [
        ("getClient", OF_MEMBERS | {"CLIENT_NOT_FOUND"}),
        ("getClientStats", OF_MEMBERS),
        ("searchClients", OF_MEMBERS),
        ("createClient", OF_CHANGES | {"CLIENT_ALREADY_EXISTS"}),
        (
            "updateClient",
            OF_CHANGES | {"CLIENT_NOT_FOUND", "CLIENT_ALREADY_EXISTS", "CLIENT_ARCHIVED", "PRECONDITION_FAILED"},
        ),
        ("restoreClient", OF_CHANGES | {"CLIENT_NOT_FOUND", "PRECONDITION_FAILED"}),
        ("getContact", OF_MEMBERS | {"CLIENT_NOT_FOUND", "CONTACT_NOT_FOUND"}),
        ("login", ALWAYS | OF_BODIES | {"INVALID_CREDENTIALS", "ACCESS_DENIED"}),
    ],
)
def test_every_code_that_an_operation_can_answer_is_named(
    document: dict[str, Any], told: list[Told], name: str, codes: set[str]
) -> None:
    (operation,) = [one.operation for one in told if one.name == name]
    assert codes_of(document, operation) == codes


def test_registry_of_codes_is_in_the_document_and_each_code_under_its_status(document: dict[str, Any]) -> None:
    assert set(document["components"]["schemas"]["ErrorCode"]["enum"]) == set(REGISTRY)
    assert ERRORS.keys() <= REGISTRY.keys()
    shared = document["components"]["responses"]
    for path, methods in document["paths"].items():
        for operation in methods.values():
            for status, response in operation["responses"].items():
                if "$ref" in response:
                    content = shared[response["$ref"].rpartition("/")[2]]["content"]["application/json"]
                    statuses = {REGISTRY[code].status for code in content["examples"]}
                    assert statuses == {int(status)}, path


def test_tokens_are_asked_for_where_the_api_asks_for_them(document: dict[str, Any], told: list[Told]) -> None:
    public = {one.name for one in told if one.operation["security"] == []}
    assert public == {"register", "login", "refreshTokens", "forgotPassword", "resetPassword"}
    assert document["security"] == [{"accessToken": []}, {"apiKey": []}]
    scopes = {one.name: one.operation["security"] for one in told}
    assert scopes["getClient"] == [{"accessToken": []}, {"apiKey": ["read"]}]
    assert scopes["updateClient"] == [{"accessToken": []}, {"apiKey": ["write"]}]


def test_created_records_link_to_what_can_be_done_with_them(told: list[Told]) -> None:
    links = {
        one.name: one.operation["responses"]["201"].get("links", {})
        for one in told
        if "201" in one.operation["responses"]
    }
    assert links["createClient"]["archiveClient"]["parameters"] == {"clientId": "$response.body#/data/id"}
    assert {"getClient", "updateClient", "addContact", "listInteractions"} <= links["createClient"].keys()
    assert links["addContact"]["deleteContact"]["parameters"] == {
        "clientId": "$request.path.clientId",
        "contactId": "$response.body#/data/id",
    }
    assert links["addInteraction"]["getInteraction"]["parameters"] == {"interactionId": "$response.body#/data/id"}
    assert "getContact" not in links["createClient"]
    assert links["register"] == {}


def test_document_is_built_when_it_is_first_asked_for_and_kept() -> None:
    app = write_reference.described()

    @routing.answers(Deleted)
    async def come_late() -> None:
        """Come late"""

    app.add_api_route(f"{BASE}/late", come_late, tags=["Clients"])
    first = app.openapi()
    assert first["paths"]["/late"]["get"]["operationId"] == "comeLate"
    assert app.openapi() is first


def test_route_that_does_not_say_what_it_answers_is_told_so() -> None:
    app = write_reference.described()

    async def say_nothing() -> None:
        """Say nothing"""

    app.add_api_route(f"{BASE}/silent", say_nothing, tags=["Clients"])
    with pytest.raises(TypeError, match=r"say_nothing: say what it answers, with @routing\.answers"):
        app.openapi()


def test_document_is_built_in_less_than_a_fifth_of_a_second(app: FastAPI) -> None:
    assert min(_cpu_of_building(app) for _ in range(3)) < 0.2


def _cpu_of_building(app: FastAPI) -> float:
    started = time.process_time()
    openapi.document(app, WORDS)
    return time.process_time() - started
