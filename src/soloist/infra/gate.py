"""In front of the API's routes: finds out who asks, and charges the request to that account's rate limits.

Nobody is turned away here for a missing token: a handler that needs an actor asks for one.
"""

from collections.abc import Awaitable, Callable, Mapping
from ipaddress import IPv4Network, IPv6Network, ip_address

from starlette.types import ASGIApp, Receive, Scope, Send

from soloist.infra.db import Caller
from soloist.infra.errors import Problem
from soloist.infra.http import BASE, refused
from soloist.infra.limits import Limiter

Identify = Callable[[Scope], Awaitable[Caller | None]]
_READS = ("GET", "HEAD", "OPTIONS")


class Gate:
    """`identify` answers the caller, None without credentials, or raises the Problem that a handler will answer."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        identify: Identify,
        limiter: Limiter,
        extra_classes: Mapping[tuple[str, str], str],
        trusted: tuple[IPv4Network | IPv6Network, ...] = (),
    ) -> None:
        self.app = app
        self._identify = identify
        self._limiter = limiter
        self._extra = extra_classes
        self._trusted = trusted

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not scope["path"].startswith(BASE):
            await self.app(scope, receive, send)
            return
        state = scope["state"]
        state["address"] = client_address(scope, self._trusted)
        caller: Caller | None = None
        try:
            caller = await self._identify(scope)
        except Problem as problem:
            state["refusal"] = problem
        state["actor"] = caller
        if caller is None:
            charge = await self._limiter.charge(state["address"], ("anonymous",))
        else:
            charge = await self._limiter.charge(str(caller.account_id), self._classes(scope))
        state["extra_headers"] = charge.headers
        if charge.refusal is not None:
            await refused(charge.refusal, state["request_id"])(scope, receive, send)
            return
        await self.app(scope, receive, send)

    def _classes(self, scope: Scope) -> tuple[str, ...]:
        method = scope["method"]
        first = "read" if method in _READS else "write"
        extra = self._extra.get((method, scope["path"]))
        return (first, extra) if extra else (first,)


def client_address(scope: Scope, trusted: tuple[IPv4Network | IPv6Network, ...]) -> str:
    """The address a request comes from; X-Forwarded-For counts only from trusted proxies, read from the right."""
    peer = str(scope["client"][0]) if scope.get("client") else "unknown"
    if not trusted or not _inside(peer, trusted):
        return peer
    chain: list[str] = [
        part.strip()
        for name, value in scope["headers"]
        if name == b"x-forwarded-for"
        for part in value.decode("latin-1").split(",")
    ]
    for hop in reversed(chain):
        if not _inside(hop, trusted):
            return hop[:64]
    return peer


def _inside(address: str, networks: tuple[IPv4Network | IPv6Network, ...]) -> bool:
    try:
        parsed = ip_address(address)
    except ValueError:
        return False
    return any(parsed in network for network in networks)
