"""Bad credentials: each is told what is wrong with the header, a forged token never more than that it is not valid."""

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest

from soloist.infra.http import BASE
from tests.people import Member, Person, data, register
from tests.serving import Served, SettableClock
from tests.wire import raw, refused


@pytest.fixture(scope="module")
def owner(server: Served) -> Member:
    """Whose token is tried in all ways."""
    return register(server.url, "a.tokens")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        pytest.param("GET", "/clients", id="A-1"),
        pytest.param("POST", "/clients", id="A-1 before the body is judged"),
        pytest.param("DELETE", "/interactions/not-a-uuid", id="A-1 before the path is judged"),
        pytest.param("GET", "/clients?page=0", id="A-1 before the query is judged"),
    ],
)
def test_request_without_a_token_is_told_how_to_send_one(stranger: Person, method: str, path: str) -> None:
    answer = stranger.request(method, path, content=b"{" if method == "POST" else None)
    refused(answer, 401, "UNAUTHORIZED", "Authorization: Bearer <token>")
    assert answer.headers["www-authenticate"].startswith("Bearer")


@pytest.mark.parametrize(
    ("headers", "says"),
    [
        pytest.param([("Authorization", "Basic YWxpY2U6c2VjcmV0")], "other schemes", id="A-2 Basic"),
        pytest.param([("Authorization", "Bearer")], "Bearer <token>", id="A-2 no token"),
        pytest.param([("Authorization", "Bearer   ")], "Bearer <token>", id="A-2 only spaces"),
        pytest.param([("Authorization", "")], "Bearer <token>", id="A-2 empty"),
        pytest.param([("Authorization", "Digest username=x")], "other schemes", id="A-2 Digest"),
        pytest.param([("Authorization", "Token {token}")], "other schemes", id="A-2 Token"),
        pytest.param([("Authorization", "Bearer{token}")], "Bearer <token>", id="A-2 no space"),
        pytest.param([("Authorization", "Bearer {token}")] * 2, "exactly one", id="A-2 the same twice"),
        pytest.param(
            [("Authorization", "Bearer {token}"), ("authorization", "Bearer x")], "exactly one", id="A-2 two headers"
        ),
        pytest.param([("Authorization", "Bearer {token} {token}")], "not valid", id="A-2 two tokens"),
        pytest.param([("Authorization", "Bearer {token},{token}")], "not valid", id="A-2 a list"),
        pytest.param([("Authorization", b"Bearer \xff\xfe\xe9")], "not valid", id="A-2 not ASCII"),
        pytest.param([("Authorization", "Bearer " + "x" * 9000)], "8,192", id="A-2 9 kB"),
        pytest.param([("Authorization", "Bearer slk_" + "0" * 36)], "not valid", id="A-2 no key of ours"),
    ],
)
def test_authorization_that_is_no_bearer_token_is_refused(
    server: Served, owner: Member, headers: list[tuple[str, str | bytes]], says: str
) -> None:
    filled = [
        (name, value if isinstance(value, bytes) else value.replace("{token}", owner.token or ""))
        for name, value in headers
    ]
    answer = raw(server.url, "GET", f"{BASE}/clients", filled)
    refused(answer, 401, "UNAUTHORIZED", says)
    assert "www-authenticate" in answer.headers


def encoded(part: object) -> str:
    text = part if isinstance(part, str) else json.dumps(part)
    return base64.urlsafe_b64encode(text.encode()).rstrip(b"=").decode()


def decoded(part: str) -> dict[str, Any]:
    value: dict[str, Any] = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    return value


FORGERIES: dict[str, Callable[[str, str, str], str]] = {
    "A-3 alg none": lambda head, claims, _: f"{encoded({**decoded(head), 'alg': 'none'})}.{claims}.",
    "A-3 alg none, signed": lambda head, claims, sign: f"{encoded({**decoded(head), 'alg': 'none'})}.{claims}.{sign}",
    "A-3 alg NoNe": lambda head, claims, sign: f"{encoded({**decoded(head), 'alg': 'NoNe'})}.{claims}.{sign}",
    "A-3 another algorithm": lambda head, claims, sign: f"{encoded({**decoded(head), 'alg': 'RS256'})}.{claims}.{sign}",
    "A-3 unknown kid": lambda head, claims, sign: f"{encoded({**decoded(head), 'kid': '../key'})}.{claims}.{sign}",
    "A-3 unknown crit": lambda head, claims, sign: f"{encoded({**decoded(head), 'crit': ['x']})}.{claims}.{sign}",
    "A-3 own key in jwk": lambda head, claims, sign: f"{encoded({**decoded(head), 'jwk': {}})}.{claims}.{sign}",
    "A-3 other claims": lambda head, claims, sign: f"{head}.{encoded({**decoded(claims), 'exp': 9**10})}.{sign}",
    "A-3 no signature": lambda head, claims, _: f"{head}.{claims}.",
    "A-3 two parts": lambda head, claims, _: f"{head}.{claims}",
    "A-3 five parts": lambda head, claims, sign: f"{head}.{claims}.{sign}.{sign}.{sign}",
    "A-3 signature cut": lambda head, claims, sign: f"{head}.{claims}.{sign[:-2]}",
    "A-3 padded": lambda head, claims, sign: f"{head}.{claims}.{sign}=",
    "A-3 header is a list": lambda _, claims, sign: f"{encoded([])}.{claims}.{sign}",
    "A-3 header is no JSON": lambda _, claims, sign: f"{encoded('{')}.{claims}.{sign}",
    "A-3 issuer is a number": lambda head, claims, sign: f"{head}.{encoded({**decoded(claims), 'iss': 1})}.{sign}",
}


@pytest.mark.parametrize("forge", FORGERIES.values(), ids=FORGERIES)
def test_forged_token_gets_one_and_the_same_refusal(
    server: Served, owner: Member, forge: Callable[[str, str, str], str]
) -> None:
    head, claims, sign = (owner.token or "").split(".")
    answer = Person(server.url, forge(head, claims, sign)).get("/clients")
    error = refused(answer, 401, "UNAUTHORIZED")
    plain = refused(Person(server.url, "junk").get("/clients"), 401, "UNAUTHORIZED")
    assert error["message"] == plain["message"]


def test_token_is_good_until_29_seconds_after_its_end_and_no_longer(server: Served, clock: SettableClock) -> None:
    clock.freeze()
    person = register(server.url, "late")
    clock.advance(minutes=15, seconds=29)
    data(person.get("/clients"))
    clock.advance(seconds=2)
    refused(person.get("/clients"), 401, "TOKEN_EXPIRED", "expired")


@pytest.mark.parametrize("query", ["access_token={}", "page=1&access_token={}"], ids=["A-5", "A-5 among others"])
def test_token_is_not_taken_from_the_url(stranger: Person, owner: Member, query: str) -> None:
    refused(stranger.get("/clients?" + query.format(owner.token)), 401, "UNAUTHORIZED", "not taken from the URL")
