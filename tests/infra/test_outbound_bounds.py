"""What a receiver answers is bounded in bytes, memory and time, whatever it sends."""

import gzip
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from ipaddress import ip_network

import pytest

from soloist.infra.outbound import MOST_READ, Answer, BadAnswer, Outbound, TimedOut
from tests.infra.outbound_receiver import Receiver, hang

LOOPBACK = (ip_network("127.0.0.0/8"),)
MB = 1024 * 1024
BLOCK = b"a" * 65536
OK_HEAD = b"HTTP/1.1 200 OK\r\n"


def long_body(connection: socket.socket) -> None:
    connection.sendall(OK_HEAD + b"Content-Length: %d\r\n\r\n" % (100 * MB))
    _flood(connection, BLOCK)


def endless_chunks(connection: socket.socket) -> None:
    connection.sendall(OK_HEAD + b"Transfer-Encoding: chunked\r\n\r\n")
    _flood(connection, b"10000\r\n" + BLOCK + b"\r\n")


def one_huge_chunk(connection: socket.socket) -> None:
    connection.sendall(OK_HEAD + b"Transfer-Encoding: chunked\r\n\r\nfffffffff\r\n")
    _flood(connection, BLOCK)


def body_without_an_end(connection: socket.socket) -> None:
    connection.sendall(OK_HEAD + b"Connection: close\r\n\r\n")
    _flood(connection, BLOCK)


def gzip_bomb(connection: socket.socket) -> None:
    packed = gzip.compress(bytes(100 * MB), 9)
    connection.sendall(OK_HEAD + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(packed) + packed)


def small_gzip_bomb(connection: socket.socket) -> None:
    packed = gzip.compress(bytes(10 * MB), 9)
    assert len(packed) < MOST_READ
    connection.sendall(OK_HEAD + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(packed) + packed)


def endless_header(connection: socket.socket) -> None:
    connection.sendall(OK_HEAD + b"X-Long: ")
    _flood(connection, BLOCK)


def endless_headers(connection: socket.socket) -> None:
    connection.sendall(OK_HEAD)
    _flood(connection, b"X-More: yes\r\n" * 5000)


def endless_preludes(connection: socket.socket) -> None:
    _flood(connection, b"HTTP/1.1 100 Continue\r\n\r\n" * 2000)


def _flood(connection: socket.socket, block: bytes) -> None:
    for _ in range(100 * MB // len(block)):
        connection.sendall(block)


LONG_BODIES: tuple[Callable[[socket.socket], None], ...] = (
    long_body,
    endless_chunks,
    one_huge_chunk,
    body_without_an_end,
    gzip_bomb,
)
LONG_HEADS: tuple[Callable[[socket.socket], None], ...] = (endless_header, endless_headers, endless_preludes)


@pytest.mark.parametrize("script", LONG_BODIES)
async def test_long_body_is_cut_off_and_its_status_stands(script: Callable[[socket.socket], None]) -> None:
    with Receiver(script) as receiver:
        async with Outbound(LOOPBACK) as outbound:
            started = time.monotonic()
            answer = await outbound.post(receiver.url(), b"{}", {}, seconds=10)
            assert time.monotonic() - started < 5
            assert (answer.status, len(answer.body), answer.complete) == (200, 2048, False)
            assert receiver.hung_up.acquire(timeout=10), "the connection stays open"


async def test_nothing_is_unpacked() -> None:
    with Receiver(small_gzip_bomb) as receiver:
        async with Outbound(LOOPBACK) as outbound:
            answer = await outbound.post(receiver.url(), b"{}", {}, keep=MOST_READ)
    assert answer.complete
    assert gzip.decompress(answer.body) == bytes(10 * MB)


@pytest.mark.parametrize("script", LONG_HEADS)
async def test_long_head_is_a_bad_answer(script: Callable[[socket.socket], None]) -> None:
    with Receiver(script) as receiver:
        async with Outbound(LOOPBACK) as outbound:
            with pytest.raises(BadAnswer):
                await outbound.post(receiver.url(), b"{}", {}, seconds=10)
            assert receiver.hung_up.acquire(timeout=10), "the connection stays open"


@pytest.mark.skipif(sys.platform != "linux", reason="reads the peak from /proc")
def test_memory_does_not_grow_by_what_receivers_send() -> None:
    """A process of its own: its peak counts, which one that ran other tests would hide."""
    scripts = (*LONG_BODIES, small_gzip_bomb, *LONG_HEADS)
    receivers = [Receiver(script) for script in scripts]
    try:
        urls = [receiver.__enter__().url() for receiver in receivers]
        done = subprocess.run(
            [sys.executable, "-c", _POSTS, *urls], capture_output=True, text=True, timeout=60, check=True
        )
    finally:
        for receiver in receivers:
            receiver.__exit__(None, None, None)
    assert [receiver.connections for receiver in receivers] == [3] * len(scripts)
    assert int(done.stdout) < 50 * MB


_POSTS = """
import asyncio, re, sys
from ipaddress import ip_network
from pathlib import Path
from soloist.infra.outbound import BadAnswer, Outbound

def peak():
    return int(re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1]) * 1024

async def run():
    async with Outbound((ip_network("127.0.0.0/8"),)) as outbound:
        before = peak()
        answers = await asyncio.gather(
            *(outbound.post(url, b"{}", {}) for url in sys.argv[1:] * 3), return_exceptions=True
        )
        for answer in answers:
            if isinstance(answer, Exception) and not isinstance(answer, BadAnswer):
                raise answer
        print(peak() - before)

asyncio.run(run())
"""


@pytest.mark.parametrize("size", [0, 2047, 2048, 2049, 10_000])
async def test_first_bytes_are_kept_and_the_connection_too(size: int) -> None:
    body = bytes(index % 251 for index in range(size))
    with Receiver(OK_HEAD + b"Content-Length: %d\r\n\r\n" % size + body) as receiver:
        async with Outbound(LOOPBACK) as outbound:
            for _ in range(3):
                answer = await outbound.post(receiver.url(), b"{}", {})
                assert answer == Answer(200, {}, body[:2048], complete=size <= 2048)
        assert receiver.connections == 1


@pytest.mark.parametrize(("size", "complete"), [(99_999, True), (100_000, True), (100_001, False), (900_000, False)])
async def test_get_reads_as_much_as_it_is_told(size: int, complete: bool) -> None:
    with Receiver(
        OK_HEAD + b"Content-Type: text/calendar\r\nContent-Length: %d\r\n\r\n" % size + b"a" * size
    ) as receiver:
        async with Outbound(LOOPBACK) as outbound:
            answer = await outbound.get(receiver.url(), {}, most=100_000)
    assert (answer.status, answer.headers) == (200, {"content-type": "text/calendar"})
    assert (len(answer.body), answer.complete) == (min(size, 100_000), complete)


async def test_body_that_breaks_off_leaves_its_status() -> None:
    with Receiver(lambda connection: connection.sendall(OK_HEAD + b"Content-Length: 9\r\n\r\nhalf")) as receiver:
        async with Outbound(LOOPBACK) as outbound:
            assert await outbound.post(receiver.url(), b"{}", {}) == Answer(200, {}, b"half", complete=False)


def drip_body(connection: socket.socket) -> None:
    connection.sendall(OK_HEAD + b"Content-Length: 1000\r\n\r\n")
    _drip(connection)


def drip_head(connection: socket.socket) -> None:
    connection.sendall(OK_HEAD + b"X-Slow: ")
    _drip(connection)


def drip_preludes(connection: socket.socket) -> None:
    while True:
        connection.sendall(b"HTTP/1.1 102 Processing\r\n\r\n")
        time.sleep(0.1)


def _drip(connection: socket.socket) -> None:
    while True:
        connection.sendall(b"a")
        time.sleep(0.1)


@pytest.mark.parametrize("script", [hang, drip_body, drip_head, drip_preludes])
async def test_slow_answer_ends_with_its_time(script: Callable[[socket.socket], None]) -> None:
    with Receiver(script) as receiver:
        async with Outbound(LOOPBACK) as outbound:
            started = time.monotonic()
            with pytest.raises(TimedOut):
                await outbound.post(receiver.url(), b"{}", {}, seconds=0.7)
            assert 0.6 < time.monotonic() - started < 8
            assert receiver.hung_up.acquire(timeout=5), "the connection stays open"


async def test_receiver_that_reads_nothing_ends_with_its_time() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        async with Outbound(LOOPBACK) as outbound:
            started = time.monotonic()
            with pytest.raises(TimedOut):
                await outbound.post(f"http://127.0.0.1:{listening.getsockname()[1]}/", bytes(30 * MB), {}, seconds=0.7)
            assert time.monotonic() - started < 8


async def test_connection_that_is_not_taken_ends_with_the_time_to_connect() -> None:
    """A full queue: the system leaves further connections without a word, as a firewall does."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listening:
        address = listening.getsockname()
        waiting = [socket.socket() for _ in range(4)]
        for each in waiting:
            each.setblocking(False)
            each.connect_ex(address)
        async with Outbound(LOOPBACK) as outbound:
            started = time.monotonic()
            with pytest.raises(TimedOut):
                await outbound.post(f"http://127.0.0.1:{address[1]}/", b"{}", {}, connect_seconds=0.5)
            assert time.monotonic() - started < 8
        for each in waiting:
            each.close()
