"""The brake on guessing passwords: failed logins are counted by address, and by address with e-mail.

Only the guesser's address is held up, so nobody can lock an owner out from elsewhere.
"""

import asyncio
import hashlib
import math
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from ipaddress import IPv6Address, ip_address, ip_network
from weakref import WeakValueDictionary

from soloist.infra.db import Database
from soloist.infra.errors import RateLimited
from soloist.infra.limits import DatabaseWindow
from soloist.infra.settings import Rate
from soloist.infra.statement import crossing

PER_LOGIN, PER_ADDRESS = Rate(5, 900), Rate(20, 900)
Failed = Callable[[], Awaitable[None]]

_FAILURES = crossing(
    "failed logins",
    "counts failures by address and e-mail before it is known whose they are",
    "select key, hits from rate_windows where key = any($1::text[])",
)


class Throttle:
    """Counts failures in the database, exact across processes; while that is away nobody signs in."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._window = DatabaseWindow(db)
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    @asynccontextmanager
    async def attempt(self, address: str, login: str) -> AsyncIterator[Failed]:
        """Allow one guess at a login, or raise RateLimited; whoever guesses calls what this yields upon a failure.

        An address guesses one at a time: of twenty simultaneous wrong guesses only five are looked at.
        """
        origin = _origin(address)
        mark = hashlib.sha256(login.encode()).hexdigest()[:32]
        limits = {f"login:{origin}:{mark}": PER_LOGIN, f"login:{origin}": PER_ADDRESS}
        turn = self._turns.setdefault(origin, asyncio.Lock())

        async def failed() -> None:
            for key, rate in limits.items():
                await self._window.hit(key, rate)

        async with turn:
            await self._refuse_when_full(limits)
            yield failed

    async def _refuse_when_full(self, limits: dict[str, Rate]) -> None:
        now = self._db.clock().timestamp()
        for row in await self._db.cross_rows(_FAILURES, list(limits)):
            rate = limits[row["key"]]
            recent = [hit for hit in row["hits"] if hit > now - rate.seconds]
            if len(recent) >= rate.amount:
                raise _refusal(max(1, math.ceil(min(recent) + rate.seconds - now)))


def _origin(address: str) -> str:
    """The address, or for IPv6 its /64: one customer has that many addresses to guess from."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return address
    return str(ip_network((parsed, 64), strict=False)) if isinstance(parsed, IPv6Address) else address


def _refusal(seconds: int) -> RateLimited:
    return RateLimited(
        f"Too many failed sign-ins from your address. Try again in {seconds} seconds.",
        details={"policy": "login", "windowSeconds": PER_LOGIN.seconds, "retryAfter": seconds},
        headers={"Retry-After": str(seconds)},
    )
