"""The only way to the Market: requests bounded, repeated and, after failures in a row, held back for a while.

`Markets` is made once for each process. No request is made while a transaction is open.
"""

import contextlib
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from ipaddress import ip_network
from math import ceil
from types import TracebackType
from typing import Self
from urllib.parse import quote, urlencode

import stamina
from circuitbreaker import CircuitBreaker  # type: ignore[import-untyped]

from soloist.infra.clock import Clock
from soloist.infra.outbound import Answer, Failure, NotAllowed, Outbound, TimedOut, TlsFailed, UrlNotAllowed
from soloist.market.faults import (
    MarketBusy,
    MarketFault,
    MarketGarbled,
    MarketNonsense,
    MarketRefused,
    MarketSilent,
    MarketUnreachable,
)
from soloist.market.pages import MOST_BYTES, PAGE_ITEMS, Broken, Item, Page, judged, page_of, told, value_of
from soloist.market.walk import Bounds, Walk
from soloist.market.wire import MarketClient, MarketContract, MarketMe, MarketPayment, MarketReview

__all__ = [
    "Broken",
    "Market",
    "MarketFault",
    "MarketNonsense",
    "MarketRefused",
    "MarketUnreachable",
    "Markets",
    "Patience",
    "Walk",
]

MOST_CLIENTS = 100_000
MOST_FACTS = 500_000
MOST_BREAKERS = 1000  # addresses remembered as failing or not; the one asked the longest ago is forgotten

# The operator's own address may be anywhere; bounds of time and size, and no redirects, hold for it as well.
_EVERYWHERE = (ip_network("0.0.0.0/0"), ip_network("::/0"))


@dataclass(frozen=True, slots=True)
class Patience:
    """How long is waited, in seconds, how often is tried, and how long a Market that fails is left alone."""

    seconds: float = 10.0  # for one answer
    attempts: int = 3
    first_wait: float = 0.5  # doubled with each attempt, and up to as much by chance on top
    longest_wait: float = 20.0  # that a Market may ask for
    failures: int = 5  # in a row, until it is left alone
    rest: int = 30
    walk: float = 1800.0  # for all pages of a list


class Markets:
    """Every Market this process asks; as an async context manager.

    `outbound` is the guarded way, for addresses that accounts give; `operator_url` is the operator's own Market, which
    may be in a private network. `check_save` needs no entering.
    """

    def __init__(
        self, outbound: Outbound, clock: Clock, operator_url: str | None = None, patience: Patience | None = None
    ) -> None:
        self._outbound = outbound
        self._clock = clock
        self._operator_url = operator_url.rstrip("/") if operator_url else None
        self._patience = patience or Patience()
        self._trusted = Outbound(_EVERYWHERE)
        self._breakers: OrderedDict[str, CircuitBreaker] = OrderedDict()
        self._open = contextlib.AsyncExitStack()

    async def __aenter__(self) -> Self:
        if self._operator_url is not None:
            await self._open.enter_async_context(self._trusted)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._open.aclose()

    async def check_save(self, base_url: str) -> None:
        """Raises UrlNotAllowed for an address that may not be asked, or that can't be the base of others.

        Not to be called while a transaction is open.
        """
        if "?" in base_url or "#" in base_url:
            raise UrlNotAllowed
        if base_url.rstrip("/") != self._operator_url:
            await self._outbound.check_save(base_url)

    def at(self, base_url: str, token: str) -> "Market":
        """The Market behind an address, as the freelancer of the token sees it. Asks nothing yet."""
        base = base_url.rstrip("/")
        outbound = self._trusted if base == self._operator_url else self._outbound
        return Market(_Line(base, token, outbound, self._breaker(base), self._patience), self._clock)

    def _breaker(self, base: str) -> CircuitBreaker:
        if base not in self._breakers:
            self._breakers[base] = CircuitBreaker(self._patience.failures, self._patience.rest, _is_failure, base)
        self._breakers.move_to_end(base)
        if len(self._breakers) > MOST_BREAKERS:
            self._breakers.popitem(last=False)
        return self._breakers[base]


class Market:
    """One freelancer's side of a Market. Every method may raise a MarketFault."""

    def __init__(self, line: "_Line", clock: Clock) -> None:
        self._line = line
        self._clock = clock

    async def me(self) -> MarketMe:
        """Whose token it is."""
        return told(MarketMe, await self._line.ask("/v1/me"))

    async def client(self, client_id: str) -> MarketClient | None:
        """The client, or None for an id the Market does not know."""
        if client_id in (".", ".."):  # would be another path
            return None
        try:
            value = await self._line.ask(f"/v1/clients/{quote(client_id, safe='')}")
        except _NotThere:
            return None
        client = judged(MarketClient, value, self._clock())
        if isinstance(client, Broken):
            raise MarketNonsense(f"The Market's client can't be taken over: {client.reason}")
        if client.id != client_id:
            raise MarketNonsense("The Market answered with another client than the one asked for.")
        return client

    def clients(self, updated_since: datetime | None = None) -> Walk[MarketClient]:
        """All clients, or those with a change at or after a time."""
        return self._walk("clients", MarketClient, updated_since, Bounds(MOST_CLIENTS, self._line.patience.walk))

    def contracts(self, updated_since: datetime | None = None, *, client_id: str | None = None) -> Walk[MarketContract]:
        """Contracts, of one client or all."""
        return self._walk("contracts", MarketContract, updated_since, self._facts(client_id))

    def payments(self, updated_since: datetime | None = None, *, client_id: str | None = None) -> Walk[MarketPayment]:
        """Payments, of one client or all."""
        return self._walk("payments", MarketPayment, updated_since, self._facts(client_id))

    def reviews(self, updated_since: datetime | None = None, *, client_id: str | None = None) -> Walk[MarketReview]:
        """Reviews, by one client or all."""
        return self._walk("reviews", MarketReview, updated_since, self._facts(client_id))

    def _facts(self, client_id: str | None) -> Bounds:
        return Bounds(MOST_FACTS, self._line.patience.walk, client_id)

    def _walk(self, name: str, kind: type[Item], since: datetime | None, bounds: Bounds) -> Walk[Item]:
        query = {"limit": str(PAGE_ITEMS)}
        if since is not None:
            query["updatedSince"] = since.astimezone(UTC).isoformat().replace("+00:00", "Z")
        if bounds.client_id is not None:
            query["clientId"] = bounds.client_id

        async def fetch(token: str | None) -> Page:
            return page_of(await self._line.ask(f"/v1/{name}", query if token is None else {**query, "page": token}))

        return Walk(kind, fetch, self._clock, bounds)


class _NotThere(MarketNonsense):
    """404."""


@dataclass(frozen=True, slots=True)
class _Line:
    """Requests to one base URL with one token."""

    base: str
    token: str = field(repr=False)
    outbound: Outbound
    breaker: CircuitBreaker
    patience: Patience

    async def ask(self, path: str, query: Mapping[str, str] | None = None) -> object:
        """The JSON value at a path; what may get better is tried again."""
        url = f"{self.base}{path}" + (f"?{urlencode(query)}" if query else "")
        caller = stamina.AsyncRetryingCaller(
            attempts=self.patience.attempts,
            timeout=None,
            wait_initial=self.patience.first_wait,
            wait_max=self.patience.longest_wait,
            wait_jitter=self.patience.first_wait,
        )
        return await caller(self._again, self._ask_once, url)

    def _again(self, fault: Exception) -> bool | float:
        """Whether to try again, or after how many seconds."""
        if isinstance(fault, MarketSilent | MarketBusy) and fault.retry_after is not None:
            return fault.retry_after <= self.patience.longest_wait and float(fault.retry_after)
        return isinstance(fault, MarketSilent | MarketBusy | MarketGarbled)

    async def _ask_once(self, url: str) -> object:
        if self.breaker.opened:
            raise MarketUnreachable(
                f"The Market failed {self.patience.failures} times in a row, and is left alone for a moment.",
                retry_after=max(int(self.breaker.open_remaining), 1),
            )
        headers = {"Authorization": f"Bearer {self.token}", "Accept": "application/json", "User-Agent": "soloist"}
        with self.breaker:
            try:
                answer = await self.outbound.get(url, headers, most=MOST_BYTES, seconds=self.patience.seconds)
            except Failure as failure:
                raise _in_our_words(failure) from None
            _check_status(answer)
            if not answer.complete and len(answer.body) < MOST_BYTES:
                raise MarketSilent("The Market's answer broke off.")
        if not answer.complete:
            raise MarketGarbled(f"The Market's answer is longer than {MOST_BYTES // 1024**2} MB.")
        return value_of(answer.body)


def _is_failure(kind: type[BaseException], _fault: BaseException) -> bool:
    return issubclass(kind, MarketUnreachable) and not issubclass(kind, MarketBusy)


def _in_our_words(failure: Failure) -> MarketUnreachable:
    if isinstance(failure, TimedOut):
        return MarketSilent("The Market did not answer in time.")
    if isinstance(failure, NotAllowed):
        return MarketUnreachable(failure.text)
    if isinstance(failure, TlsFailed):
        return MarketUnreachable("No safe connection to the Market: its certificate must be valid and bear its name.")
    return MarketSilent("The Market could not be reached, or broke the connection off.")


def _check_status(answer: Answer) -> None:
    status = answer.status
    if status == 200:
        return
    if status in (401, 403):
        raise MarketRefused("The Market does not accept the token. Give a valid one (PUT /me/market).")
    if status == 404:
        raise _NotThere("The Market has nothing at this address (404). Is the base URL right?")
    if status == 429:
        raise MarketBusy("The Market asks to be asked less often (429).", retry_after=_retry_after(answer))
    if status >= 500:
        raise MarketSilent(f"The Market has a fault of its own ({status}).", retry_after=_retry_after(answer))
    raise MarketNonsense(f"The Market answered {status} where only 200 makes sense; redirects are not followed.")


def _retry_after(answer: Answer) -> int | None:
    """Seconds, from a number or a date; None where there is nothing that can be used."""
    text = answer.headers.get("retry-after", "").strip()
    if text.isascii() and text.isdigit() and len(text) < 7:
        return int(text)
    try:
        return max(ceil((parsedate_to_datetime(text) - datetime.now(UTC)).total_seconds()), 0)
    except (ValueError, TypeError, OverflowError):
        return None
