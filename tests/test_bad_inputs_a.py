"""Bad input of any endpoint: credentials, JSON, headers, paths. Each is refused with words that help."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from soloist.infra.http import BASE
from tests import make
from tests.databases import clone
from tests.people import Member, Person, data, register
from tests.serving import Served, serving, settings_for
from tests.wire import raw, refused, sound

JSON = {"Content-Type": "application/json"}
MIB = 1024 * 1024
ENOUGH = {"clientType": "COMPANY", "source": "MANUAL", "companyName": "Acme"}


@pytest.fixture(scope="module")
def owner(server: Served) -> Member:
    """One book for all rows that change nothing."""
    return register(server.url, "a.rows")


@pytest.fixture(scope="module")
def client_id(owner: Member) -> str:
    made: str = make.client(owner)["id"]
    return made


def bearer(owner: Person) -> tuple[str, str]:
    return ("Authorization", f"Bearer {owner.token}")


# --- paths ---


@pytest.mark.parametrize(
    ("method", "path"),
    [
        pytest.param("GET", "/nothing", id="A-15"),
        pytest.param("GET", "", id="A-15 the base itself"),
        pytest.param("GET", "/", id="A-15 the base with a slash"),
        pytest.param("GET", "/Clients", id="A-15 capitals"),
        pytest.param("GET", "/clients/", id="A-15 slash at the end"),
        pytest.param("GET", "//clients", id="A-15 two slashes"),
        pytest.param("POST", "/nothing", id="A-15 POST"),
        pytest.param("PROPFIND", "/nothing", id="A-15 foreign method"),
        pytest.param("GET", "/clients/a/b/c/d", id="A-15 too deep"),
        pytest.param("GET", "/../cockpit", id="A-15 dots"),
        pytest.param("GET", "/%F0%9F%98%80", id="A-15 emoji"),
        pytest.param("GET", "/%FF", id="A-15 not UTF-8"),
    ],
)
def test_unknown_path_is_answered_in_the_envelope(server: Served, owner: Member, method: str, path: str) -> None:
    answer = raw(server.url, method, BASE + path, [bearer(owner), ("Content-Length", "0")])
    refused(answer, 404, "NOT_FOUND", method)


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        pytest.param("DELETE", "/clients/{id}", "GET, HEAD, PATCH", id="A-15 clients have no DELETE"),
        pytest.param("PUT", "/clients", "GET, HEAD, POST", id="A-15 PUT"),
        pytest.param("GET", "/clients/{id}/archive", "POST", id="A-15 GET of an action"),
        pytest.param("OPTIONS", "/clients", "GET, HEAD, POST", id="A-15 OPTIONS"),
        pytest.param("TRACE", "/clients", "GET, HEAD, POST", id="A-15 TRACE"),
        pytest.param("PROPFIND", "/clients", "GET, HEAD, POST", id="A-15 foreign method"),
        pytest.param("PATCH", "/me/exchange-rates", "GET, HEAD, PUT", id="A-15 PATCH of a list"),
    ],
)
def test_wrong_method_is_told_the_right_ones(
    server: Served, owner: Member, client_id: str, method: str, path: str, allowed: str
) -> None:
    target = BASE + path.replace("{id}", client_id)
    answer = raw(server.url, method, target, [bearer(owner), ("Content-Length", "0")])
    refused(answer, 405, "METHOD_NOT_ALLOWED", allowed)
    assert answer.headers["allow"] == allowed


IDS = {
    "A-16": "not-a-uuid",
    "A-16 zeros": "00000000-0000-0000-0000-000000000000",
    "A-16 NUL": "%00",
    "A-16 up": "..%2f",
    "A-16 up, capitals": "..%2F..%2Fetc%2Fpasswd",
    "A-16 backslash": "..%5c",
    "A-16 one digit short": "0190b5a4-7c1e-7b3a-9d55-2f6c1f0a8e2",
    "A-16 SQL": "'%20or%201=1--",
    "A-16 not UTF-8": "%ff%fe",
    "A-16 emoji": "%F0%9F%98%80",
    "A-16 percent": "%2500",
    "A-16 10 kB": "x" * 10_000,
    "A-16 number": "1",
    "A-16 wrong letters": "stats%20",
}


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/clients/{}", "CLIENT_NOT_FOUND"),
        ("/clients/{}/contacts", "CLIENT_NOT_FOUND"),
        ("/clients/{id}/contacts/{}", "CONTACT_NOT_FOUND"),
        ("/clients/{}/health-score", "CLIENT_NOT_FOUND"),
        ("/clients/{}/timeline", "CLIENT_NOT_FOUND"),
        ("/interactions/{}", "INTERACTION_NOT_FOUND"),
        ("/me/api-keys/{}", "API_KEY_NOT_FOUND"),
    ],
)
@pytest.mark.parametrize("odd", IDS.values(), ids=IDS)
def test_id_that_is_none_answers_as_a_missing_record(
    server: Served, owner: Member, client_id: str, path: str, code: str, odd: str
) -> None:
    target = BASE + path.replace("{id}", client_id).replace("{}", odd)
    error = refused(raw(server.url, "GET", target, [bearer(owner)]), 404, code)
    missing = BASE + path.replace("{id}", client_id).replace("{}", "01900000-0000-7000-8000-000000000000")
    plain = refused(raw(server.url, "GET", missing, [bearer(owner)]), 404, code)
    assert error["message"] == plain["message"]


# --- fields ---


@pytest.mark.parametrize(
    ("path", "body", "says"),
    [
        pytest.param("/clients", {"compnyName": "x"}, "did you mean companyName?", id="A-17"),
        pytest.param("/clients", {"company_name": "x"}, "did you mean companyName?", id="A-17 snake case"),
        pytest.param("/clients", {"CompanyName": "x"}, "did you mean companyName?", id="A-17 capital"),
        pytest.param("/clients", {"e-mail": "x"}, "did you mean email?", id="A-17 e-mail"),
        pytest.param("/clients", {"address": {"postcode": "x"}}, "did you mean postalCode?", id="A-17 inside"),
        pytest.param("/clients", {"": "x"}, "unknown field", id="A-17 empty name"),
        pytest.param("/clients", {"__proto__": {}}, "unknown field __proto__", id="A-17 __proto__"),
        pytest.param("/clients", {"x" * 5000: 1}, "unknown field", id="A-17 long name"),
        pytest.param("/clients/{id}/contacts", {"jobtitle": "x"}, "did you mean jobTitle?", id="A-17 contact"),
        pytest.param("/clients/{id}/interactions", {"type": "CALL"}, "unknown field type", id="A-17 interaction"),
        pytest.param("/clients/{id}/interactions", {"ocurredAt": 1}, "did you mean occurredAt?", id="A-17 typing slip"),
    ],
)
def test_unknown_field_is_refused_with_the_nearest_name(
    owner: Member, client_id: str, path: str, body: dict[str, Any], says: str
) -> None:
    refused(owner.post(path.replace("{id}", client_id), body), 400, "VALIDATION_ERROR", "unknown field", says)


HOSTILE: dict[str, dict[str, Any]] = {
    "A-17 50,000 unknown fields": {f"companyName{number}": 1 for number in range(50_000)},
    "A-17 50,000 unknown fields inside": {"address": {f"street{number}": 1 for number in range(50_000)}},
    "A-12 50,000 strings with NUL": {"tags": ["\0"] * 50_000},
}


@pytest.mark.parametrize("body", HOSTILE.values(), ids=HOSTILE)
def test_of_very_many_faults_the_first_hundred_are_told(owner: Member, body: dict[str, Any]) -> None:
    error = refused(owner.post("/clients", body), 400, "VALIDATION_ERROR")
    assert 100 <= len(error["details"]) <= 101
    answer = owner.post("/me/api-keys", {f"k{number}": 1 for number in range(50_000)})
    assert "more faults are not shown" in refused(answer, 400, "VALIDATION_ERROR")["details"][-1]["message"]


def test_long_name_is_not_repeated_at_length(owner: Member) -> None:
    answer = owner.post("/clients", {"x" * 500_000: 1})
    refused(answer, 400, "VALIDATION_ERROR", "unknown field xxx")
    assert len(answer.content) < 2000


def test_action_without_fields_names_what_was_sent(owner: Member, client_id: str) -> None:
    body = {f"k{number}": 1 for number in range(5000)}
    error = refused(owner.post(f"/clients/{client_id}/restore", body), 400, "VALIDATION_ERROR", "takes no fields")
    assert len(error["details"]) == 100


READ_ONLY = {
    "/clients": [
        "id", "accountId", "ownerId", "displayName", "totalRevenue", "healthScore", "lastInteractionAt", "version",
        "createdAt", "updatedAt", "archivedAt", "platformClientId", "contacts", "recentInteractions", "opportunities",
        "unconverted", "currency",
    ],
    "/clients/{id}/contacts": ["id", "clientId", "accountId", "version", "createdAt", "updatedAt"],
    "/clients/{id}/interactions": [
        "id", "clientId", "accountId", "sentimentSource", "version", "createdAt", "updatedAt"
    ],
}  # fmt: skip


@pytest.mark.parametrize(("path", "field"), [(path, field) for path, fields in READ_ONLY.items() for field in fields])
def test_read_only_field_is_refused_as_such(owner: Member, client_id: str, path: str, field: str) -> None:
    answer = owner.post(path.replace("{id}", client_id), {field: None})
    error = refused(answer, 400, "VALIDATION_ERROR", f"{field} is read-only")
    assert {"field": field, "code": "read_only", "message": f"{field} is read-only; leave it out"} in error["details"]


def test_value_that_says_read_only_is_no_read_only_field(owner: Member) -> None:
    error = refused(owner.post("/clients", {**ENOUGH, "source": "read-only"}), 400, "VALIDATION_ERROR", "MANUAL")
    assert [fault["code"] for fault in error["details"]] == ["not_allowed"]
    error = refused(owner.post("/clients", {**ENOUGH, "read-only": 1}), 400, "VALIDATION_ERROR")
    assert [fault["code"] for fault in error["details"]] == ["unknown_field"]


# --- headers ---


@pytest.mark.parametrize(
    "values",
    [
        pytest.param(["k" * 300], id="A-19 300 characters"),
        pytest.param(["k" * 256], id="A-19 256 characters"),
        pytest.param([""], id="A-19 empty"),
        pytest.param(['""'], id="A-19 empty in quotes"),
        pytest.param(["two words"], id="A-19 a space"),
        pytest.param([b"caf\xc3\xa9"], id="A-19 not ASCII"),
        pytest.param([b"tab\there"], id="A-19 control character"),
        pytest.param(["one", "two"], id="A-19 two headers"),
        pytest.param(["one", "one"], id="A-19 the same twice"),
    ],
)
def test_unusable_idempotency_key_is_refused(server: Served, owner: Member, values: list[str | bytes]) -> None:
    body = json.dumps(ENOUGH).encode()
    headers: list[tuple[str, str | bytes]] = [
        bearer(owner), ("Content-Type", "application/json"), ("Content-Length", str(len(body))),
        *(("Idempotency-Key", value) for value in values),
    ]  # fmt: skip
    answer = raw(server.url, "POST", f"{BASE}/clients", headers, [body])
    error = refused(answer, 400, "VALIDATION_ERROR", "1 to 255")
    assert error["details"][0]["field"] == "Idempotency-Key"


@pytest.mark.parametrize("value", [b"a\x01b", b"a\x00b", b"a\x7fb"], ids=["A-19 SOH", "A-19 NUL", "A-19 DEL"])
def test_control_character_in_a_header_never_reaches_a_record(server: Served, owner: Member, value: bytes) -> None:
    body = json.dumps(ENOUGH).encode()
    headers = [bearer(owner), ("Content-Type", "application/json"), ("Content-Length", str(len(body)))]
    answer = raw(server.url, "POST", f"{BASE}/clients", [*headers, ("Idempotency-Key", value)], [body])
    assert answer.status_code == 400


@pytest.mark.parametrize(
    ("value", "status", "code", "says"),
    [
        pytest.param('"3"', 412, "PRECONDITION_FAILED", '"currentVersion": 5', id="A-22"),
        pytest.param('W/"5"', 412, "PRECONDITION_FAILED", '"currentVersion": 5', id="A-22 weak"),
        pytest.param('"abc"', 412, "PRECONDITION_FAILED", '"currentVersion": 5', id="A-22 foreign tag"),
        pytest.param('"05x"', 412, "PRECONDITION_FAILED", '"currentVersion": 5', id="A-22 nearly"),
        pytest.param('""', 412, "PRECONDITION_FAILED", '"currentVersion": 5', id="A-22 empty tag"),
        pytest.param('"99999999999999999999"', 412, "PRECONDITION_FAILED", "version 5", id="A-22 20 digits"),
        pytest.param("abc", 400, "VALIDATION_ERROR", "If-Match", id="A-22 no tag"),
        pytest.param("5", 400, "VALIDATION_ERROR", "in quotes", id="A-22 no quotes"),
        pytest.param("", 400, "VALIDATION_ERROR", "If-Match", id="A-22 empty"),
        pytest.param('"5', 400, "VALIDATION_ERROR", "in quotes", id="A-22 half quoted"),
    ],
)
def test_if_match_holds_the_version_or_refuses(owner: Member, value: str, status: int, code: str, says: str) -> None:
    client = make.client(owner)
    for number in range(4):
        data(owner.patch(f"/clients/{client['id']}", {"notes": str(number)}))
    answer = owner.patch(f"/clients/{client['id']}", {"notes": "lost"}, headers={"If-Match": value})
    refused(answer, status, code)
    assert (
        says.replace('"currentVersion": ', '"currentVersion":') in answer.text.replace('\\"', '"')
        or says in answer.text
    )
    assert data(owner.get(f"/clients/{client['id']}"))["notes"] == "3"


# --- limits ---


@pytest.fixture(scope="module")
def limited(postgres: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server with the document's limits."""
    rates = {"rate_limit_read": "100/minute", "rate_limit_write": "50/minute"}
    with serving(settings_for(tmp_path_factory.mktemp("limited"), **rates), clone(postgres)) as served:
        yield served


@pytest.mark.parametrize(
    ("method", "amount", "policy"),
    [pytest.param("GET", 100, "read", id="A-23 GET"), pytest.param("POST", 50, "write", id="A-23 POST")],
)
def test_request_over_the_limit_is_told_when_to_come_back(
    limited: Served, method: str, amount: int, policy: str
) -> None:
    limited.clock.freeze()
    person = register(limited.url, "busy")
    for _ in range(amount):
        assert sound(person.request(method, "/nothing"))["error"]["code"] == "NOT_FOUND"
    limited.clock.advance(seconds=13)
    answer = person.request(method, "/clients")
    error = refused(answer, 429, "RATE_LIMITED", "47 seconds", str(amount))
    assert error["details"] == {"policy": policy, "limit": amount, "windowSeconds": 60, "retryAfter": 47}
    assert answer.headers["retry-after"] == "47"
    assert answer.headers["ratelimit"] == f'"{policy}";r=0;t=47'
