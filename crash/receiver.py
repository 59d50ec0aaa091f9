"""A receiver of webhooks in a process of its own, good or bad by path, and what it told the harness of its visitors.

/well answers at once, /slow after SLOW seconds, /stuck never; /shaky fails one request in five, by a 500, by no
answer at all or by a reset. GET /report?after=N tells what has come since the Nth request.
"""

import asyncio
import random
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, cast

import httpx2
import orjson
import uvloop

from tests.cli.programs import environment

SLOW = 0.2
FAILING = 0.2  # share of the requests to /shaky
FAILURES = ("500", "no answer", "reset")
_END_OF_HEAD = b"\r\n\r\n"
_OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
_BROKEN = b"HTTP/1.1 500 Broken\r\nContent-Length: 6\r\n\r\nbroken"


@dataclass(frozen=True, slots=True)
class Visit:
    """One request as it came. `again`: this path had answered the same `id` with 200 before."""

    path: str
    id: str
    body: str
    at: float  # CLOCK_MONOTONIC, which all processes share
    answer: str
    again: bool


class Receiver:
    """The running receiver, from outside."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self._http = httpx2.Client(base_url=self.url, trust_env=False, timeout=30)
        self._visits: list[Visit] = []

    def visits(self) -> list[Visit]:
        """Everything that has come so far."""
        answer = self._http.get(f"/report?after={len(self._visits)}")
        self._visits += [Visit(*each) for each in orjson.loads(answer.content)]
        return list(self._visits)

    def close(self) -> None:
        self._http.close()


@contextmanager
def receiver(seed: int) -> Iterator[Receiver]:
    """A receiver on a free port of the loopback until the block ends; `seed` draws which requests /shaky fails."""
    process = subprocess.Popen(
        [sys.executable, "-m", "crash.receiver", str(seed)],
        env=environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert process.stdin
    assert process.stdout
    try:
        running = Receiver(int(process.stdout.readline()))
        yield running
        running.close()
    finally:
        process.stdin.close()
        process.wait(10)
        process.stdout.close()


class _House:
    """What all connections know together."""

    def __init__(self, seed: int) -> None:
        self._chance = random.Random(seed)
        self.accepted: set[tuple[str, str]] = set()
        self.visits: list[tuple[Any, ...]] = []

    def answer(self, path: str) -> str:
        """How to answer the next request to `path`."""
        kind = path.split("/")[1]
        if kind == "shaky" and self._chance.random() < FAILING:
            return self._chance.choice(FAILURES)
        return "no answer" if kind == "stuck" else "200"


class _Connection(asyncio.Protocol):
    def __init__(self, house: _House) -> None:
        self._house = house
        self._buffer = b""
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's does not say that it is one

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while (head_ends := self._buffer.find(_END_OF_HEAD)) >= 0:
            first, *lines = self._buffer[:head_ends].decode("latin-1").split("\r\n")
            headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
            begin = head_ends + len(_END_OF_HEAD)
            end = begin + int(headers.get("content-length", 0))
            if len(self._buffer) < end:
                return
            body, self._buffer = self._buffer[begin:end], self._buffer[end:]
            method, target, _ = first.split(" ")
            if method == "GET":
                self._report(int(target.rpartition("=")[2]))
            else:
                self._receive(target, headers["webhook-id"], body.decode())

    def _report(self, after: int) -> None:
        body = orjson.dumps(self._house.visits[after:])
        self._transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)

    def _receive(self, path: str, event_id: str, body: str) -> None:
        at = time.monotonic()
        key = path, event_id
        answer = self._house.answer(path)
        self._house.visits.append((path, event_id, body, at, answer, key in self._house.accepted))
        if answer == "200":
            self._house.accepted.add(key)
            if path.startswith("/slow"):
                asyncio.get_running_loop().call_later(SLOW, self._transport.write, _OK)
            else:
                self._transport.write(_OK)
        elif answer == "500":
            self._transport.write(_BROKEN)
        elif answer == "reset":
            raw = self._transport.get_extra_info("socket")
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # closing sends RST
            self._transport.abort()


async def _serve(seed: int) -> None:
    loop = asyncio.get_running_loop()
    house = _House(seed)
    server = await loop.create_server(lambda: _Connection(house), "127.0.0.1", 0)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await loop.run_in_executor(None, sys.stdin.read)  # until the harness has ended, in whatever way
    server.close()


if __name__ == "__main__":
    uvloop.run(_serve(int(sys.argv[1])))
