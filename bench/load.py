"""The load: HTTP/1.1 on plain keep-alive sockets, from a process of its own whose CPU time does not count.

As a program it reads one `Plan` as JSON from standard input and answers one `Report` as JSON.
"""

import asyncio
import subprocess
import sys
import time
from dataclasses import asdict, dataclass, field
from itertools import count, cycle
from typing import cast

import orjson
import uvloop

NUMBER = "@N@"  # in a body: replaced by a number that no other request has
_END_OF_HEAD = b"\r\n\r\n"


@dataclass(frozen=True)
class Plan:
    """What to ask for, over and over, on how many connections, and for how long.

    `once` asks for each path a single time instead, and ends with the last answer.
    """

    port: int
    paths: list[str]
    seconds: float
    connections: int = 16
    method: str = "GET"
    headers: dict[str, str] = field(default_factory=dict)
    body: str = ""
    first_number: int = 0
    once: bool = False


@dataclass(frozen=True)
class Report:
    """What came back: how many answers of which status, and how long each took, in milliseconds."""

    requests: int
    seconds: float
    statuses: dict[str, int]
    p50: float
    p95: float
    p99: float

    @property
    def per_second(self) -> float:
        return self.requests / self.seconds


def run(plan: Plan) -> Report:
    """Carry out the plan in another process; raises RuntimeError if anything but 2xx came back."""
    done = subprocess.run(
        [sys.executable, "-m", "bench.load"], input=orjson.dumps(asdict(plan)), capture_output=True, check=False
    )
    if done.returncode:
        raise RuntimeError(f"the load generator failed:\n{done.stderr.decode()}")
    report = Report(**orjson.loads(done.stdout))
    if any(not status.startswith("2") for status in report.statuses):
        raise RuntimeError(f"{plan.method} {plan.paths[0]} was answered {report.statuses}")
    return report


class _Requests:
    """The bytes of one request after the other."""

    def __init__(self, plan: Plan) -> None:
        lines = "".join(f"{name}: {value}\r\n" for name, value in plan.headers.items())
        heads = [f"{plan.method} {path} HTTP/1.1\r\nHost: bench\r\n{lines}" for path in plan.paths]
        self._heads = iter(heads) if plan.once else cycle(heads)
        self._body = plan.body
        self._numbers = count(plan.first_number)

    def next(self) -> bytes | None:
        """None when there is nothing more to ask for."""
        head = next(self._heads, None)
        if head is None:
            return None
        if not self._body:
            return (head + "\r\n").encode()
        body = self._body.replace(NUMBER, str(next(self._numbers))).encode()
        return f"{head}Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


class _Connection(asyncio.Protocol):
    """Sends a request, waits for its whole answer, sends the next, until the time is over."""

    def __init__(self, requests: _Requests, end: float, done: "asyncio.Future[None]") -> None:
        self._requests = requests
        self._end = end
        self._done = done
        self._transport: asyncio.Transport
        self._buffer = b""
        self._sent = 0.0
        self._finished = False
        self.taken: list[float] = []
        self.statuses: dict[str, int] = {}

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's does not say that it is one
        self._send()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head_ends = self._buffer.find(_END_OF_HEAD)
        if head_ends < 0:
            return
        head = self._buffer[:head_ends].lower()
        length = int(head.partition(b"content-length:")[2].partition(b"\r\n")[0])
        if len(self._buffer) < head_ends + len(_END_OF_HEAD) + length:
            return
        now = time.perf_counter()
        self.taken.append(now - self._sent)
        status = head[9:12].decode()
        self.statuses[status] = self.statuses.get(status, 0) + 1
        if now < self._end:
            self._send()
        else:
            self._finish()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._done.done():
            if not self._finished:
                self._done.set_exception(exc or ConnectionError("the server closed a connection"))
            else:
                self._done.set_result(None)

    def _send(self) -> None:
        request = self._requests.next()
        if request is None:
            self._finish()
            return
        self._buffer = b""
        self._sent = time.perf_counter()
        self._transport.write(request)

    def _finish(self) -> None:
        self._finished = True
        self._transport.close()


async def _carry_out(plan: Plan) -> Report:
    loop = asyncio.get_running_loop()
    requests = _Requests(plan)
    started = time.perf_counter()
    ends = [loop.create_future() for _ in range(plan.connections)]
    connections = [_Connection(requests, started + plan.seconds, end) for end in ends]
    for connection in connections:
        await loop.create_connection(lambda connection=connection: connection, "127.0.0.1", plan.port)  # type: ignore[misc]
    async with asyncio.timeout(plan.seconds + 30):
        await asyncio.gather(*ends)
    seconds = time.perf_counter() - started
    taken = sorted(seconds for connection in connections for seconds in connection.taken)
    statuses: dict[str, int] = {}
    for connection in connections:
        for status, number in connection.statuses.items():
            statuses[status] = statuses.get(status, 0) + number
    at = {share: round(taken[min(len(taken) - 1, int(len(taken) * share))] * 1000, 3) for share in (0.5, 0.95, 0.99)}
    return Report(len(taken), seconds, statuses, at[0.5], at[0.95], at[0.99])


def main() -> None:
    plan = Plan(**orjson.loads(sys.stdin.buffer.read()))
    report = uvloop.run(_carry_out(plan))
    sys.stdout.buffer.write(orjson.dumps(asdict(report)))


if __name__ == "__main__":
    main()
