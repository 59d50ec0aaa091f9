"""Guessing passwords is slowed down where it comes from; the owner elsewhere never notices."""

import logging
import statistics
import time
from concurrent.futures import ThreadPoolExecutor

import asyncpg
import httpx2
import pytest

from soloist.accounts.passwords import Passwords
from tests.people import PASSWORD, Member, Person, data, refusal, register
from tests.serving import Served


@pytest.fixture
def owner(behind_proxy: Served) -> Member:
    return register(behind_proxy.url, "owner")


def log_in(person: Person, email: str, password: str, address: str) -> httpx2.Response:
    body = {"email": email, "password": password}
    return person.post("/auth/login", body, headers={"X-Forwarded-For": address})


def test_the_sixth_failure_in_15_minutes_waits(behind_proxy: Served, owner: Member, address: str) -> None:
    for _ in range(5):
        refusal(log_in(owner, owner.email, "wrong", address), 401, "INVALID_CREDENTIALS")
    answer = log_in(owner, owner.email, "wrong", address)
    error = refusal(answer, 429, "RATE_LIMITED")
    assert 0 < int(answer.headers["retry-after"]) <= 900
    assert error["details"]["retryAfter"] == int(answer.headers["retry-after"])
    # Not even the right password is looked at: otherwise guessing could go on.
    refusal(log_in(owner, owner.email, PASSWORD, address), 429, "RATE_LIMITED")


def test_the_owner_is_not_locked_out_elsewhere(owner: Member, address: str) -> None:
    for _ in range(6):
        log_in(owner, owner.email, "wrong", address)
    data(log_in(owner, owner.email, PASSWORD, "192.0.2.7"))
    data(owner.get("/me"))


def test_the_wait_ends(behind_proxy: Served, owner: Member, address: str) -> None:
    for _ in range(5):
        log_in(owner, owner.email, "wrong", address)
    answer = log_in(owner, owner.email, PASSWORD, address)
    try:
        behind_proxy.clock.advance(seconds=int(answer.headers["retry-after"]) + 1)
        data(log_in(owner, owner.email, PASSWORD, address))
    finally:
        behind_proxy.clock.reset()


def test_success_does_not_count(owner: Member, address: str) -> None:
    for _ in range(30):
        data(log_in(owner, owner.email, PASSWORD, address))
    for _ in range(4):
        refusal(log_in(owner, owner.email, "wrong", address), 401, "INVALID_CREDENTIALS")
        data(log_in(owner, owner.email, PASSWORD, address))


def test_twenty_failures_stop_an_address_for_any_login(owner: Member, address: str) -> None:
    for number in range(20):
        answer = log_in(owner, f"guess{number}@example.com", "wrong", address)
        refusal(answer, 401, "INVALID_CREDENTIALS")
    refusal(log_in(owner, "guess21@example.com", "wrong", address), 429, "RATE_LIMITED")
    refusal(log_in(owner, owner.email, PASSWORD, address), 429, "RATE_LIMITED")


def test_an_address_in_ipv6_is_its_whole_network(owner: Member) -> None:
    for number in range(5):
        log_in(owner, owner.email, "wrong", f"2001:db8:7:7::{number:x}")
    refusal(log_in(owner, owner.email, "wrong", "2001:db8:7:7:ffff::1"), 429, "RATE_LIMITED")
    refusal(log_in(owner, owner.email, "wrong", "2001:db8:7:8::1"), 401, "INVALID_CREDENTIALS")


def test_of_twenty_wrong_guesses_at_once_five_are_looked_at(owner: Member, address: str) -> None:
    def guess(number: int) -> int:
        return log_in(Person(owner.url), owner.email, f"wrong {number}", address).status_code

    with ThreadPoolExecutor(20) as pool:
        statuses = sorted(pool.map(guess, range(20)))
    assert statuses == [401] * 5 + [429] * 15


def test_many_right_logins_at_once_all_get_in(owner: Member, address: str) -> None:
    def enter(_: int) -> int:
        return log_in(Person(owner.url), owner.email, PASSWORD, address).status_code

    with ThreadPoolExecutor(10) as pool:
        assert set(pool.map(enter, range(30))) == {200}


def test_an_unknown_address_is_refused_in_the_same_words(owner: Member, address: str) -> None:
    known = log_in(owner, owner.email, "wrong", address)
    unknown = log_in(owner, "nobody@example.com", "wrong", address)
    for answer in (known, unknown):
        refusal(answer, 401, "INVALID_CREDENTIALS")
    assert known.json()["error"]["message"] == unknown.json()["error"]["message"]
    assert dict(known.headers).keys() == dict(unknown.headers).keys()


async def test_the_count_keeps_no_address_in_the_clear(behind_proxy: Served, owner: Member, address: str) -> None:
    log_in(owner, owner.email, "wrong", address)
    conn = await asyncpg.connect(behind_proxy.dsn)
    keys = [row["key"] for row in await conn.fetch("select key from rate_windows where key like 'login:%'")]
    await conn.close()
    assert any(address in key for key in keys)
    assert not any("@" in key or owner.email in key for key in keys)


def test_a_hash_of_other_parameters_is_renewed_at_login(behind_proxy: Served, owner: Member, address: str) -> None:
    vault = behind_proxy.app.state.identifier.vault
    usual = vault.passwords
    assert isinstance(usual, Passwords)
    identifier = behind_proxy.app.state.identifier
    identifier.vault = vault._replace(passwords=Passwords(64, 2))
    try:
        data(log_in(owner, owner.email, PASSWORD, address))
    finally:
        identifier.vault = vault
    # Verified with its own parameters, then renewed again with the usual ones.
    data(log_in(owner, owner.email, PASSWORD, address))


@pytest.mark.slow
def test_an_unknown_address_takes_the_same_time(behind_proxy: Served, owner: Member) -> None:
    known: list[float] = []
    unknown: list[float] = []
    for number in range(100):
        origin = f"198.51.{number // 250}.{number % 250 + 1}"
        for email, times in ((owner.email, known), ("nobody.there@example.com", unknown)):
            started = time.perf_counter()
            refusal(log_in(owner, email, "wrong", origin), 401, "INVALID_CREDENTIALS")
            times.append(time.perf_counter() - started)
    assert abs(statistics.median(known) - statistics.median(unknown)) < 0.005
    logging.getLogger(__name__).info("known %s unknown %s", statistics.median(known), statistics.median(unknown))
