"""Rate limits: a strict moving window per key, so that no window of 60 seconds ever holds more than allowed.

Kept in memory when one process serves everything, in PostgreSQL when several do. (The `limits` library has
no PostgreSQL store, and its memory store takes longer the higher the limit; ADR 0005.)
"""

import math
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from soloist.infra.clock import Clock
from soloist.infra.db import Database
from soloist.infra.errors import RateLimited
from soloist.infra.settings import Rate
from soloist.infra.statement import crossing


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one hit came to: allowed or not, how many are left, seconds until the window has room again."""

    allowed: bool
    remaining: int
    reset: int


class Window(Protocol):
    """A store of hits. A refused hit does not count."""

    async def hit(self, key: str, rate: Rate) -> Verdict: ...


class MemoryWindow:
    """Hits of one process; forgets idle keys."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._hits: dict[str, deque[float]] = {}
        self._swept = 0.0

    async def hit(self, key: str, rate: Rate) -> Verdict:
        now = self._clock().timestamp()
        if now - self._swept > 60:
            self._sweep(now)
        hits = self._hits.get(key)
        if hits is None:
            hits = self._hits[key] = deque()
        while hits and hits[0] <= now - rate.seconds:
            hits.popleft()
        allowed = len(hits) < rate.amount
        if allowed:
            hits.append(now)
        return Verdict(allowed, rate.amount - len(hits), max(1, math.ceil(hits[0] + rate.seconds - now)))

    def _sweep(self, now: float) -> None:
        self._swept = now
        for key in [key for key, hits in self._hits.items() if not hits or hits[-1] < now - 86_400]:
            del self._hits[key]


# One row per key holds the moments of its hits. `on conflict do update` sees the newest row after waiting
# for its lock, so the count is exact however many processes hit at once.
_HIT = crossing(
    "rate limit",
    "counts hits by key before it is known whose they are",
    """
    insert into rate_windows as w (key, hits, allowed) values ($1, array[$2::float8], true)
    on conflict (key) do update set
        hits = case
            when cardinality(array(select h from unnest(w.hits) as h where h > $2 - $4)) < $3
            then array(select h from unnest(w.hits) as h where h > $2 - $4) || $2
            else array(select h from unnest(w.hits) as h where h > $2 - $4)
        end,
        allowed = cardinality(array(select h from unnest(w.hits) as h where h > $2 - $4)) < $3
    returning w.allowed, cardinality(w.hits) as used, w.hits[1] as oldest
    """,
)


class DatabaseWindow:
    """Hits of all processes, exact across them, in an unlogged table."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def hit(self, key: str, rate: Rate) -> Verdict:
        now = self._db.clock().timestamp()
        row = await self._db.cross_row(_HIT, key, now, rate.amount, float(rate.seconds))
        assert row is not None
        return Verdict(row["allowed"], rate.amount - row["used"], max(1, math.ceil(row["oldest"] + rate.seconds - now)))


@dataclass(frozen=True, slots=True)
class Charge:
    """The headers that a charged request's answer carries, and the refusal if it went over."""

    headers: tuple[tuple[bytes, bytes], ...]
    refusal: RateLimited | None


NO_CHARGE = Charge((), None)


class Limiter:
    """Charges a request to the windows of its classes. A class whose rate is None is not limited."""

    def __init__(self, window: Window, rates: Mapping[str, Rate | None]) -> None:
        self._window = window
        self._rates = rates
        self._policies = {name: f'"{name}";q={rate.amount};w={rate.seconds}' for name, rate in rates.items() if rate}

    async def charge(self, key: str, classes: tuple[str, ...]) -> Charge:
        """Count one request of `key` in each class; the first class that is full refuses it."""
        policies: list[str] = []
        states: list[str] = []
        refusal: RateLimited | None = None
        for name in classes:
            rate = self._rates.get(name)
            if rate is None:
                continue
            verdict = await self._window.hit(f"{name}:{key}", rate)
            policies.append(self._policies[name])
            states.append(f'"{name}";r={verdict.remaining};t={verdict.reset}')
            if not verdict.allowed:
                refusal = _refusal(name, rate, verdict)
                break
        if not policies:
            return NO_CHARGE
        headers = (
            (b"ratelimit-policy", ", ".join(policies).encode()),
            (b"ratelimit", ", ".join(states).encode()),
        )
        return Charge(headers, refusal)


def _refusal(name: str, rate: Rate, verdict: Verdict) -> RateLimited:
    return RateLimited(
        f"More than {rate.amount} {name} requests in {rate.seconds} seconds. Try again in {verdict.reset} seconds.",
        details={
            "policy": name,
            "limit": rate.amount,
            "windowSeconds": rate.seconds,
            "retryAfter": verdict.reset,
        },
        headers={"Retry-After": str(verdict.reset)},
    )


_SWEEP = crossing(
    "sweep rate windows",
    "forgets the hits of everybody who has not come for a day, longer than any window",
    "delete from rate_windows where hits[cardinality(hits)] < $1 or cardinality(hits) = 0",
)


async def sweep(db: Database) -> int:
    """Forget the windows without a hit for a day; answers how many."""
    return await db.cross_run(_SWEEP, db.clock().timestamp() - 86_400)
