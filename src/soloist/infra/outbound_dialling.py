"""From a host's name to a connection with a checked address; what can fail on the way, in words for everybody.

The name is resolved once, every answer must be allowed, and the connection goes to one of just those answers.
"""

# ruff: noqa: ASYNC109 - the time-outs of httpcore2's interface

import asyncio
import contextlib
import socket
import ssl
import threading
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any, ClassVar

import httpcore2

from soloist.infra.outbound_addresses import Address, address_of, is_allowed, is_listed
from soloist.infra.outbound_urls import URL_NOT_ALLOWED, Target
from soloist.infra.settings import Networks

Resolver = Callable[[str], Awaitable[Sequence[str]]]  # a name's addresses as texts; OSError: it has none

TRIES = 4  # of a name's checked addresses, until one takes the connection
LOOK_UPS = 32  # at once in one process


class Failure(Exception):
    """A request that got no answer. `code` and `text` are for the account, and tell nothing of our own network."""

    code: ClassVar[str]
    text: ClassVar[str]

    def __init__(self) -> None:
        super().__init__(self.text)


class NotAllowed(Failure):
    code, text = "NOT_ALLOWED", URL_NOT_ALLOWED


class TimedOut(Failure):
    code, text = "TIMED_OUT", "The receiver did not answer in time."


class Unreachable(Failure):
    code, text = "UNREACHABLE", "The receiver could not be reached, or broke the connection off before it answered."


class TlsFailed(Failure):
    code, text = "TLS_FAILED", "No safe connection: the receiver's certificate must be valid and bear its host name."


class BadAnswer(Failure):
    code, text = "BAD_ANSWER", "What the receiver answered is not HTTP."


class SystemResolver:
    """The operating system's names, asked in threads of our own.

    An account's name server may take half a minute to say nothing. So a name is asked for once however many wait
    for it, nobody else's threads are used up, and the process does not wait for them when it ends.
    """

    def __init__(self) -> None:
        self._running: dict[str, asyncio.Task[list[str] | OSError]] = {}
        self._free = asyncio.Semaphore(LOOK_UPS)

    async def __call__(self, host: str) -> list[str]:
        task = self._running.get(host)
        if task is None:
            task = self._running[host] = asyncio.create_task(self._look_up(host))
            task.add_done_callback(lambda _: self._running.pop(host))
        found = await asyncio.shield(task)
        if isinstance(found, OSError):
            raise found
        return found

    async def _look_up(self, host: str) -> list[str] | OSError:
        loop = asyncio.get_running_loop()
        found: asyncio.Future[list[str] | OSError] = loop.create_future()

        def ask() -> None:
            answer = _ask_system(host)
            with contextlib.suppress(RuntimeError):  # the loop has been closed meanwhile
                loop.call_soon_threadsafe(lambda: None if found.done() else found.set_result(answer))

        async with self._free:
            threading.Thread(target=ask, name="resolve", daemon=True).start()
            return await found


class Dialler(httpcore2.AsyncNetworkBackend):
    """Connects to one target, once, and counts what comes back: at most `most` bytes, which each request sets anew."""

    def __init__(self, target: Target, allow: Networks, resolve: Resolver) -> None:
        self._target = target
        self._allow = allow
        self._resolve = resolve
        self._system = httpcore2.AnyIOBackend()
        self._stream: httpcore2.AsyncNetworkStream | None = None
        self.deadline = 0.0  # for TLS as well
        self.most = 0
        self.heard = 0

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        """A connection to an address of the target, all of them checked; `timeout` holds for names and TLS, too."""
        loop = asyncio.get_running_loop()
        self.deadline = loop.time() + (timeout or 0)
        try:
            async with asyncio.timeout_at(self.deadline):
                addresses = await self.addresses()
        except TimeoutError:
            raise TimedOut from None
        tries = addresses[:TRIES]
        fault: Failure = Unreachable()
        for index, address in enumerate(tries):
            share = max(self.deadline - loop.time(), 0) / (len(tries) - index)
            try:
                self._stream = await self._system.connect_tcp(str(address), port, share)
            except httpcore2.ConnectTimeout:
                fault = TimedOut()
            except httpcore2.ConnectError:
                fault = Unreachable()
            else:
                return Wire(self._stream, self)
        raise fault

    async def hang_up(self) -> None:
        """Close at once, also in the middle of the handshake."""
        if self._stream is not None:
            await self._stream.aclose()

    async def addresses(self) -> list[Address]:
        """Every address of the target. Raises NotAllowed if one of them is not to be reached, Unreachable for none."""
        target = self._target
        if target.literal is not None:
            found = [target.literal]
        else:
            try:
                found = [address_of(text) for text in await self._resolve(target.host)]
            except OSError:
                raise Unreachable from None
            if not found:
                raise Unreachable
        judge = is_allowed if target.scheme == "https" else is_listed
        if not all(judge(address, self._allow) for address in found):
            raise NotAllowed
        return list(dict.fromkeys(found))


class Wire(httpcore2.AsyncNetworkStream):
    """The bytes of a dialler's connection, plain or through TLS. What is written leaves when the answer is awaited."""

    def __init__(self, stream: httpcore2.AsyncNetworkStream, dialler: Dialler) -> None:
        self._stream = stream
        self._dialler = dialler
        self._unsent = b""

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        if self._unsent:
            unsent, self._unsent = self._unsent, b""
            # One packet for head and body. Where it can't be sent, an answer may still have come.
            with contextlib.suppress(httpcore2.WriteError):
                await self._stream.write(unsent)
        left = self._dialler.most - self._dialler.heard
        if left <= 0:
            raise httpcore2.ReadError
        data = await self._stream.read(min(max_bytes, left), timeout)
        self._dialler.heard += len(data)
        return data

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._unsent += buffer

    async def aclose(self) -> None:
        await self._stream.aclose()

    async def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore2.AsyncNetworkStream:
        left = max(self._dialler.deadline - asyncio.get_running_loop().time(), 0)
        try:
            return Wire(await self._stream.start_tls(ssl_context, server_hostname, left), self._dialler)
        except httpcore2.ConnectTimeout:
            raise TimedOut from None
        except (httpcore2.ConnectError, ssl.SSLError):
            raise TlsFailed from None

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


def _ask_system(host: str) -> list[str] | OSError:
    try:
        answers = socket.getaddrinfo(host.encode("ascii"), None, type=socket.SOCK_STREAM)
    except OSError as fault:
        return fault
    # The fourth part of an IPv6 answer is its interface: without it, fe80::1 would look like any address.
    return [
        f"{at[0]}%{at[3]}" if len(at) == 4 and at[3] and "%" not in str(at[0]) else str(at[0]) for *_, at in answers
    ]
