"""A local HTTP server that receives webhooks: keeps what came, and answers as a test tells it."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import orjson

MEGABYTE = b"x" * (1024 * 1024)


@dataclass(frozen=True, slots=True)
class Received:
    """One request as it came."""

    method: str
    path: str
    headers: Mapping[str, str]  # names in small letters
    body: bytes
    at: float  # monotonic

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    @property
    def json(self) -> Any:
        return orjson.loads(self.body)


@dataclass(frozen=True, slots=True)
class Reply:
    """What is answered: after `wait` seconds a status and a body of `megabytes` or `body`."""

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b"thank you"
    wait: float = 0
    megabytes: int = 0
    reset: bool = False  # no answer: the connection is cut


OK = Reply()
HANG = Reply(wait=60)
RESET = Reply(reset=True)


class Receiver:
    """The server's address, what it has received, and how it answers each path."""

    def __init__(self) -> None:
        self.port = 0
        self.received: list[Received] = []
        self._plans: dict[str, list[Reply]] = {}
        self._choose: dict[str, Callable[[Received], Reply]] = {}
        self._news = threading.Condition()

    def url(self, path: str = "/hook") -> str:
        return f"http://127.0.0.1:{self.port}{path}"

    def plan(self, path: str, *replies: Reply) -> None:
        """Answer requests to `path` so in turn; the last goes on for all that follow."""
        self._plans[path] = list(replies)

    def choose(self, path: str, choice: Callable[[Received], Reply]) -> None:
        """Answer each request to `path` as `choice` says."""
        self._choose[path] = choice

    def at(self, path: str = "/hook") -> list[Received]:
        """What has come to `path`."""
        return [one for one in list(self.received) if one.path == path]

    def wait_for(self, count: int, path: str = "/hook", seconds: float = 15) -> list[Received]:
        """What has come to `path` when it is `count` or more; fails if they don't come in time."""
        deadline = time.monotonic() + seconds
        with self._news:
            while len(found := self.at(path)) < count:
                left = deadline - time.monotonic()
                assert left > 0, f"{len(found)} of {count} requests came to {path}"
                self._news.wait(left)
        return found

    def _reply(self, request: Received) -> Reply:
        if request.path in self._choose:
            return self._choose[request.path](request)
        plan = self._plans.get(request.path, [OK])
        return plan.pop(0) if len(plan) > 1 else plan[0]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection: requests after one another."""
        try:
            while request := await _request(reader):
                reply = self._reply(request)
                with self._news:
                    self.received.append(request)
                    self._news.notify_all()
                if reply.wait:
                    await asyncio.sleep(reply.wait)
                if reply.reset:
                    writer.transport.abort()
                    return
                await _answer(writer, reply)
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            return
        finally:
            writer.close()


async def _request(reader: asyncio.StreamReader) -> Received | None:
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    except asyncio.IncompleteReadError:
        return None
    first, *lines = head.split("\r\n")
    method, path, _ = first.split(" ")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines if line)}
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    return Received(method, path, headers, body, time.monotonic())


async def _answer(writer: asyncio.StreamWriter, reply: Reply) -> None:
    length = reply.megabytes * len(MEGABYTE) or len(reply.body)
    headers = {**reply.headers, "Content-Length": str(length)}
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    head = f"HTTP/1.1 {reply.status} Said\r\n{lines}\r\n".encode()
    if not reply.megabytes:
        writer.write(head + reply.body)
        return
    writer.write(head)
    for _ in range(reply.megabytes):
        writer.write(MEGABYTE)
        await writer.drain()


@contextmanager
def receiving() -> Iterator[Receiver]:
    """A receiver on a free port, in a thread of its own, until the block ends."""
    receiver = Receiver()
    loop = asyncio.new_event_loop()
    ready, ending = threading.Event(), asyncio.Event()

    async def run() -> None:
        server = await asyncio.start_server(receiver.serve, "127.0.0.1", 0)
        receiver.port = server.sockets[0].getsockname()[1]
        ready.set()
        await ending.wait()
        server.close()
        connections = asyncio.all_tasks() - {asyncio.current_task()}
        for task in connections:
            task.cancel()
        await asyncio.gather(*connections, return_exceptions=True)
        await asyncio.sleep(0)  # until the last connection is really closed

    thread = threading.Thread(target=lambda: loop.run_until_complete(run()), daemon=True)
    thread.start()
    assert ready.wait(10)
    try:
        yield receiver
    finally:
        loop.call_soon_threadsafe(ending.set)
        thread.join(10)
        loop.close()


def sent_at(request: Received) -> datetime:
    """The moment that a request says it was sent."""
    return datetime.fromtimestamp(int(request.headers["webhook-timestamp"]), UTC)
