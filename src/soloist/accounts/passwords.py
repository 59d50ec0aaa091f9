"""Passwords: argon2id (RFC 9106), hashed in threads of their own so that a flood of logins can't eat the memory."""

import asyncio
import base64
import os
import unicodedata
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from pydantic import SecretStr

from soloist.infra.errors import ServiceUnavailable

T = TypeVar("T")
AT_ONCE, MOST_WAITING = 2, 50


class Passwords:
    """Hashes and checks passwords, at most two at once in a process; `memory_kib` and `passes` are argon2's."""

    def __init__(self, memory_kib: int = 65536, passes: int = 3) -> None:
        # Four lanes as in RFC 9106; argon2 needs 8 KiB for each.
        lanes = 4 if memory_kib >= 32 else 1
        self._hasher = PasswordHasher(time_cost=passes, memory_cost=memory_kib, parallelism=lanes)
        self._threads = ThreadPoolExecutor(AT_ONCE, "password")
        self._waiting = 0
        # Has our parameters, and no password: checking one against it takes the usual time and fails.
        salt, tag = _base64(os.urandom(16)), _base64(os.urandom(32))
        self._nobody = f"$argon2id$v=19$m={memory_kib},t={passes},p={lanes}${salt}${tag}"

    async def hash(self, password: SecretStr) -> str:
        """What to store of a password; raises ServiceUnavailable when too many wait."""
        return await self._in_thread(lambda: self._hasher.hash(_bytes(password)))

    async def verify(self, stored: str | None, password: SecretStr) -> bool:
        """Whether the password is the stored one; without one (None) the answer is no, after the same time."""
        return await self._in_thread(lambda: self._matches(stored or self._nobody, _bytes(password)))

    def outdated(self, stored: str) -> bool:
        """Whether a stored hash was made with other parameters than those that are set now."""
        return self._hasher.check_needs_rehash(stored)

    def _matches(self, stored: str, password: bytes) -> bool:
        try:
            return self._hasher.verify(stored, password)
        except (VerificationError, InvalidHashError):
            return False

    async def _in_thread(self, work: Callable[[], T]) -> T:
        if self._waiting >= MOST_WAITING:
            raise ServiceUnavailable("Too many people are signing in at the moment. Try again in a few seconds.")
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, work)
        finally:
            self._waiting -= 1


def _bytes(password: SecretStr) -> bytes:
    # The same characters typed on different systems may come in different forms (NIST SP 800-63B).
    return unicodedata.normalize("NFKC", password.get_secret_value()).encode()


def _base64(raw: bytes) -> str:
    return base64.b64encode(raw).rstrip(b"=").decode()
