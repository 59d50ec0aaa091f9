"""Hashing passwords: the promise of argon2id, and that nobody can use it to stop the house."""

import asyncio
import statistics
import threading
import time

import pytest
from argon2 import PasswordHasher, extract_parameters
from pydantic import SecretStr

from soloist.accounts.passwords import MOST_WAITING, Passwords
from soloist.infra.errors import ServiceUnavailable

GOOD, BAD = SecretStr("correct horse battery"), SecretStr("correct horse batterx")


async def test_only_the_right_password_fits() -> None:
    passwords = Passwords(64, 1)
    stored = await passwords.hash(GOOD)
    assert stored.startswith("$argon2id$v=19$m=64,t=1,")
    assert GOOD.get_secret_value() not in stored
    assert await passwords.verify(stored, GOOD)
    assert not await passwords.verify(stored, BAD)


async def test_without_a_stored_hash_no_password_fits() -> None:
    assert not await Passwords(64, 1).verify(None, GOOD)


async def test_a_damaged_hash_fits_no_password() -> None:
    assert not await Passwords(64, 1).verify("$argon2id$v=19$broken", GOOD)


async def test_the_same_characters_fit_however_they_are_composed() -> None:
    passwords = Passwords(64, 1)
    stored = await passwords.hash(SecretStr("Stra\u00dfe nach K\u00f6ln"))
    assert await passwords.verify(stored, SecretStr("Stra\u00dfe nach Ko\u0308ln"))


async def test_the_usual_parameters_are_those_of_rfc_9106() -> None:
    found = extract_parameters(await Passwords().hash(GOOD))
    assert (found.memory_cost, found.time_cost, found.parallelism) == (65536, 3, 4)


async def test_a_hash_with_other_parameters_is_outdated() -> None:
    stored = await Passwords(64, 1).hash(GOOD)
    assert not Passwords(64, 1).outdated(stored)
    assert Passwords(128, 1).outdated(stored)
    assert Passwords(64, 2).outdated(stored)


async def test_at_most_two_are_hashed_at_once() -> None:
    before = set(threading.enumerate())
    passwords = Passwords(8192, 2)
    work = asyncio.gather(*(passwords.hash(GOOD) for _ in range(8)))
    most = 0
    while not work.done():
        hashing = [thread for thread in set(threading.enumerate()) - before if thread.name.startswith("password")]
        most = max(most, len(hashing))
        await asyncio.sleep(0.001)
    assert len(await work) == 8
    assert most == 2


async def test_a_flood_is_turned_away_and_does_not_pile_up() -> None:
    passwords = Passwords(64, 1)
    results = await asyncio.gather(*(passwords.hash(GOOD) for _ in range(MOST_WAITING + 10)), return_exceptions=True)
    refused = [result for result in results if isinstance(result, ServiceUnavailable)]
    assert len(refused) == 10
    assert await passwords.hash(GOOD)


@pytest.mark.slow
async def test_nobody_takes_as_long_as_somebody() -> None:
    passwords = Passwords(4096, 2)
    stored = PasswordHasher(memory_cost=4096, time_cost=2, parallelism=4).hash(GOOD.get_secret_value())
    known: list[float] = []
    unknown: list[float] = []
    for _ in range(60):
        for hashed, times in ((stored, known), (None, unknown)):
            started = time.perf_counter()
            await passwords.verify(hashed, BAD)
            times.append(time.perf_counter() - started)
    assert abs(statistics.median(known) - statistics.median(unknown)) < 0.25 * statistics.median(known)
