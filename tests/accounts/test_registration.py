"""Opening an account: who may, with what, and what two at once come to."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from tests.people import PASSWORD, Person, data, faults, refusal, register
from tests.serving import Served, serving, settings_for


def test_a_new_account_has_the_usual_settings(server: Served) -> None:
    alice = register(server.url, "alice")
    assert alice.account["email"] == alice.email
    own = ("id", "email", "createdAt", "updatedAt")
    assert {name: value for name, value in alice.account.items() if name not in own} == {
        "name": None,
        "timeZone": "UTC",
        "baseCurrency": "USD",
        "locale": "en",
        "weekStart": "MONDAY",
        "emailNotices": True,
        "digestHour": 7,
        "monetaryScale": [1000, 5000, 10000, 25000, 50000],
        "recalculating": False,
        "status": "ACTIVE",
        "version": 1,
    }
    assert data(alice.get("/me")) == alice.account


def test_settings_can_be_given_at_once(server: Served) -> None:
    given = {
        "name": "Ada Lovelace",
        "timeZone": "Europe/London",
        "baseCurrency": "gbp",
        "locale": "EN-gb",
        "weekStart": "SUNDAY",
    }
    body = {"email": "ada@example.com", "password": PASSWORD, **given}
    account = data(Person(server.url).post("/auth/register", body), 201)["account"]
    assert {name: account[name] for name in given} == given | {"baseCurrency": "GBP", "locale": "en-GB"}


def test_registering_signs_in(server: Served) -> None:
    body = {"email": "new.person@example.com", "password": PASSWORD}
    answer = Person(server.url).post("/auth/register", body)
    signed_in = data(answer, 201)
    assert signed_in.keys() == {"accessToken", "refreshToken", "expiresIn", "account"}
    assert signed_in["expiresIn"] == 900
    location = answer.headers["location"].removeprefix("/api/cockpit")
    assert data(Person(server.url, signed_in["accessToken"]).get(location)) == signed_in["account"]


def test_all_faults_are_named_at_once(server: Served) -> None:
    answer = Person(server.url).post(
        "/auth/register",
        {"email": "nobody", "password": "short", "timeZone": "Mars/Olympus", "baseCurrency": "XXX", "pasword": "x"},
    )
    found = faults(answer)
    assert found.keys() == {"email", "password", "timeZone", "baseCurrency", "pasword"}
    assert "did you mean password?" in found["pasword"]
    assert "10 to 1,024" in found["password"]


@pytest.mark.parametrize(
    ("password", "accepted"),
    [
        ("p" * 9, False),
        ("p" * 10, True),
        ("p" * 1024, True),
        ("p" * 1025, False),
        ("ä" * 10, True),
        ("😀" * 1024, True),
    ],
)
def test_a_password_has_10_to_1024_characters(server: Served, password: str, accepted: bool) -> None:
    email = f"length{len(password)}{ord(password[0])}@example.com"
    answer = Person(server.url).post("/auth/register", {"email": email, "password": password})
    if accepted:
        data(answer, 201)
        data(Person(server.url).post("/auth/login", {"email": email, "password": password}))
    else:
        assert faults(answer).keys() == {"password"}


@pytest.mark.parametrize("password", [None, 1234567890, ["p" * 10], {"a": 1}, True, ""])
def test_a_password_is_a_string(server: Served, password: Any) -> None:
    answer = Person(server.url).post("/auth/register", {"email": "a@example.com", "password": password})
    assert faults(answer).keys() == {"password"}
    assert str(password) not in answer.text or password in ("", None, True)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("mixed.case@example.com", "Mixed.CASE@EXAMPLE.com"),
        ("sp\u00e4t@example.com", "spa\u0308t@example.com"),
        ("stra\u00dfe@example.com", "STRASSE@example.com"),
        ("host@b\u00fccher.example", "host@xn--bcher-kva.example"),
        ("spaces@example.com", "  spaces@example.com "),
    ],
)
def test_an_address_is_registered_once_however_it_is_written(server: Served, first: str, second: str) -> None:
    register(server.url, email=first)
    answer = Person(server.url).post("/auth/register", {"email": second, "password": PASSWORD})
    refusal(answer, 409, "EMAIL_ALREADY_REGISTERED")
    data(Person(server.url).post("/auth/login", {"email": second, "password": PASSWORD}))


def test_of_many_at_once_with_one_address_one_registers(server: Served) -> None:
    def attempt(number: int) -> int:
        email = "crowd@example.com" if number % 2 else "CROWD@example.com"
        return Person(server.url).post("/auth/register", {"email": email, "password": PASSWORD}).status_code

    with ThreadPoolExecutor(8) as pool:
        statuses = list(pool.map(attempt, range(16)))
    assert sorted(statuses) == [201] + [409] * 15


async def test_of_many_first_registrations_at_once_exactly_one_gets_in(db_url: str, tmp_path: Path) -> None:
    settings = settings_for(tmp_path, registration="first")
    with serving(settings, db_url) as one, serving(settings, db_url) as two:
        doors = [Person(served.url) for served in (one, two)]

        def attempt(number: int) -> str:
            body = {"email": f"first{number}@example.com", "password": PASSWORD}
            answer = doors[number % 2].post("/auth/register", body).json()
            return "in" if answer["success"] else str(answer["error"]["code"])

        with ThreadPoolExecutor(12) as pool:
            results = list(pool.map(attempt, range(12)))
        assert sorted(results) == ["REGISTRATION_CLOSED"] * 11 + ["in"]
        conn = await asyncpg.connect(db_url)
        counts = await conn.fetchrow(
            "select (select count(*) from accounts) as accounts, (select count(*) from logins) as logins,"
            " (select count(*) from account_counters) as counters, (select count(*) from sessions) as sessions"
        )
        await conn.close()
        assert counts is not None
        assert set(counts.values()) == {1}


def test_closed_registration_lets_nobody_in(db_url: str, tmp_path: Path) -> None:
    with serving(settings_for(tmp_path, registration="closed"), db_url) as closed:
        answer = Person(closed.url).post("/auth/register", {"email": "a@example.com", "password": PASSWORD})
        refusal(answer, 403, "REGISTRATION_CLOSED")
