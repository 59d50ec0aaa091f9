"""The only way to an address that an account gave: checked, pinned, bounded in time and size.

No redirects, no proxies, no cookies, no decompression. Made once for each process from `settings.outbound_allow`.
"""

import asyncio
import contextlib
import ssl
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

import httpcore2

from soloist.infra.outbound_dialling import (
    BadAnswer,
    Dialler,
    Failure,
    NotAllowed,
    Resolver,
    SystemResolver,
    TimedOut,
    TlsFailed,
    Unreachable,
)
from soloist.infra.outbound_urls import URL_NOT_ALLOWED, Target, UrlNotAllowed, check_url, target_of
from soloist.infra.settings import Networks

__all__ = [
    "URL_NOT_ALLOWED",
    "Answer",
    "BadAnswer",
    "Failure",
    "NotAllowed",
    "Outbound",
    "Resolver",
    "TimedOut",
    "TlsFailed",
    "Unreachable",
    "UrlNotAllowed",
    "check_url",
]

AT_ONCE = 150  # requests of one process; further ones wait for their turn
AT_ONCE_PER_HOST = 50
MOST_IDLE = 50  # connections kept; with those of AT_ONCE, all there are
IDLE_SECONDS = 4.0  # below the five after which common servers close
OLDEST_SECONDS = 60.0  # a busy connection, too, is made anew, so that a change in the DNS is seen
MOST_READ = 16 * 1024
CHECK_SECONDS = 2.0
_TOLD = (b"retry-after", b"content-type")


@dataclass(frozen=True, slots=True)
class Answer:
    """What the receiver answered, never to be trusted.

    `complete` is False where the body was longer than what was to be kept, or broke off.
    """

    status: int
    headers: Mapping[str, str]  # `retry-after` and `content-type`, where sent
    body: bytes
    complete: bool


@dataclass(frozen=True, slots=True)
class _Limits:
    """Of one request: wall time, bytes of the body kept, bytes read at all."""

    seconds: float
    connect_seconds: float
    keep: int
    most: int


@dataclass(slots=True)
class _Line:
    """A connection, made when the first request needs it."""

    http: httpcore2.AsyncHTTPConnection
    dialler: Dialler
    made_at: float


@dataclass(slots=True)
class _Host:
    """The lines to one scheme, host and port."""

    turn: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(AT_ONCE_PER_HOST))
    users: int = 0
    idle: list[_Line] = field(default_factory=list)


class Outbound:
    """Requests to addresses that accounts gave; as an async context manager, one for each process.

    `check_save` needs no entering.
    `resolve` gives a name's addresses (the operating system's by default), `tls` says whose certificates are
    believed (the system's by default).
    """

    def __init__(self, allow: Networks, *, resolve: Resolver | None = None, tls: ssl.SSLContext | None = None) -> None:
        self._allow = allow
        self._resolve = resolve or SystemResolver()
        self._tls = tls
        self._turn = asyncio.Semaphore(AT_ONCE)
        self._hosts: dict[tuple[str, str, int], _Host] = {}
        self._sweeping: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._tls = self._tls or httpcore2.default_ssl_context()  # takes a tenth of a second
        self._sweeping = asyncio.create_task(self._sweep())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._sweeping is not None:
            self._sweeping.cancel()
            await asyncio.wait({self._sweeping})
        for host in self._hosts.values():
            while host.idle:
                await host.idle.pop().dialler.hang_up()

    async def post(
        self,
        url: str,
        body: bytes,
        headers: Mapping[str, str],
        *,
        seconds: float = 15.0,
        connect_seconds: float = 5.0,
        keep: int = 2048,
    ) -> Answer:
        """Send `body` as it is, and answer the status with the first `keep` bytes of what came back.

        Raises a Failure where there is no whole answer within `seconds`, which count from the moment the request has
        its turn among AT_ONCE. Redirects are answers like any other. At most MOST_READ bytes are read. A connection
        that was kept and turns out dead is replaced once: the receiver may get the same request twice.
        """
        request = {**headers, "Content-Length": str(len(body))}
        limits = _Limits(seconds, connect_seconds, keep, MOST_READ)
        return await self._send(url, limits, "POST", request, body)

    async def get(
        self,
        url: str,
        headers: Mapping[str, str],
        *,
        most: int,
        seconds: float = 15.0,
        connect_seconds: float = 5.0,
    ) -> Answer:
        """Fetch the first `most` bytes of what is there, by the rules of `post`; a longer one is not `complete`."""
        limits = _Limits(seconds, connect_seconds, most, most + MOST_READ)
        return await self._send(url, limits, "GET", headers, None)

    async def check_save(self, url: str) -> None:
        """Raises UrlNotAllowed for an address that can't be sent to, or whose name leads to where none may go.

        A name that does not resolve (within CHECK_SECONDS) is accepted: it is judged again at every connection.
        Not to be called while a transaction is open.
        """
        check_url(url, self._allow)
        dialler = Dialler(target_of(url), self._allow, self._resolve)
        try:
            async with asyncio.timeout(CHECK_SECONDS):
                await dialler.addresses()
        except NotAllowed:
            raise UrlNotAllowed from None
        except (Unreachable, TimeoutError):
            return

    async def _send(
        self, url: str, limits: _Limits, method: str, headers: Mapping[str, str], body: bytes | None
    ) -> Answer:
        try:
            check_url(url, self._allow)
        except UrlNotAllowed:
            raise NotAllowed from None
        target = target_of(url)
        every: dict[bytes | str, bytes | str] = {"Host": target.authority, "Accept-Encoding": "identity"}
        every.update(headers.items())
        request = httpcore2.Request(
            method,
            httpcore2.URL(scheme=target.scheme, host=target.host, port=target.port, target=target.path),
            headers=every,
            content=body,
            extensions={"timeout": {"connect": limits.connect_seconds}},
        )
        async with self._turn_at(target) as host:
            try:
                async with asyncio.timeout(limits.seconds):
                    if (kept := await _kept(host)) is not None:
                        try:
                            return await self._exchange(kept, host, request, limits)
                        except Unreachable:
                            if kept.dialler.heard:
                                raise
                    return await self._exchange(self._new(target), host, request, limits)
            except TimeoutError:
                raise TimedOut from None

    @contextlib.asynccontextmanager
    async def _turn_at(self, target: Target) -> AsyncIterator[_Host]:
        host = self._hosts.setdefault((target.scheme, target.host, target.port), _Host())
        host.users += 1
        try:
            async with host.turn, self._turn:
                yield host
        finally:
            host.users -= 1

    def _new(self, target: Target) -> _Line:
        dialler = Dialler(target, self._allow, self._resolve)
        connection = httpcore2.AsyncHTTPConnection(
            httpcore2.Origin(target.scheme.encode(), target.host.encode(), target.port),
            ssl_context=self._tls,
            keepalive_expiry=IDLE_SECONDS,
            network_backend=dialler,
        )
        return _Line(connection, dialler, time.monotonic())

    async def _exchange(self, line: _Line, host: _Host, request: httpcore2.Request, limits: _Limits) -> Answer:
        line.dialler.most, line.dialler.heard = limits.most, 0
        try:
            with _in_our_words(line.dialler):
                response = await line.http.handle_async_request(request)
            return await _answer(response, limits.keep)
        finally:
            young = time.monotonic() - line.made_at < OLDEST_SECONDS
            if line.http.is_available() and young and sum(len(each.idle) for each in self._hosts.values()) < MOST_IDLE:
                host.idle.append(line)
            else:
                await line.dialler.hang_up()

    async def _sweep(self) -> None:
        """Close what has been idle for too long, and forget hosts nobody asks for."""
        while True:
            await asyncio.sleep(IDLE_SECONDS / 2)
            for key, host in list(self._hosts.items()):
                ended = [line for line in host.idle if line.http.has_expired()]
                host.idle = [line for line in host.idle if line not in ended]
                for line in ended:
                    await line.dialler.hang_up()
                if not host.users and not host.idle:
                    del self._hosts[key]


async def _kept(host: _Host) -> _Line | None:
    """The connection used last that is still good; older ones are left to the sweep."""
    while host.idle:
        line = host.idle.pop()
        if not line.http.has_expired():
            return line
        await line.dialler.hang_up()
    return None


async def _answer(response: httpcore2.Response, keep: int) -> Answer:
    """Read on to the end, so that the connection can serve again, or to where the dialler stops it."""
    body, size, complete = bytearray(), 0, False
    try:
        async with contextlib.aclosing(response.aiter_stream()) as chunks:
            async for chunk in chunks:
                size += len(chunk)
                body += chunk[: keep - len(body)]
        complete = size <= keep
    except (httpcore2.NetworkError, httpcore2.RemoteProtocolError, OSError):
        pass  # the status stands
    finally:
        await response.aclose()
    told = {
        name.lower().decode(): value.decode("latin-1")[:200]
        for name, value in response.headers
        if name.lower() in _TOLD
    }
    return Answer(response.status, told, bytes(body), complete)


@contextlib.contextmanager
def _in_our_words(dialler: Dialler) -> Iterator[None]:
    try:
        yield
    except httpcore2.RemoteProtocolError:
        raise (BadAnswer if dialler.heard else Unreachable)() from None
    except httpcore2.NetworkError:
        raise (BadAnswer if dialler.heard >= dialler.most else Unreachable)() from None
    except ssl.SSLError:  # after the handshake: a client certificate is asked for
        raise TlsFailed from None
    except OSError:
        raise Unreachable from None
