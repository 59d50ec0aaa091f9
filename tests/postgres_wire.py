"""A wire between a program and PostgreSQL that fails at a chosen moment: when certain bytes are about to pass.

So a commit can be lost on its way, or happen without the program ever hearing of it, and the product needs no hook.
"""

import asyncio
import contextlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum
from typing import NamedTuple
from urllib.parse import parse_qs, urlsplit

CHUNK = 65_536
# In PostgreSQL's protocol: how asyncpg asks for a commit, and the news that one has happened.
COMMIT = b"COMMIT;\x00"
COMMITTED = b"C\x00\x00\x00\x0bCOMMIT\x00"


class Towards(Enum):
    DATABASE = 1
    PROGRAM = 2


class _Trap(NamedTuple):
    towards: Towards
    mark: bytes
    cuts: bool


class Wire:
    """Passes bytes on. Once armed, it fails at the next bytes that hold the mark, in that direction, and says so."""

    def __init__(self, socket: str, database: str) -> None:
        self._socket = socket
        self._database = database
        self._port = 0
        self._trap: _Trap | None = None
        self._caught = threading.Event()

    @property
    def dsn(self) -> str:
        """The database at the other end."""
        return f"postgresql://postgres@127.0.0.1:{self._port}/{self._database}?sslmode=disable"

    def hold(self, towards: Towards, mark: bytes) -> None:
        """Fall silent at the mark: the bytes never arrive, and the connection stays open until the program ends it."""
        self._arm(_Trap(towards, mark, cuts=False))

    def cut(self, towards: Towards, mark: bytes) -> None:
        """Break that connection off at the mark: the bytes never arrive. New connections are good."""
        self._arm(_Trap(towards, mark, cuts=True))

    def _arm(self, trap: _Trap) -> None:
        self._caught.clear()
        self._trap = trap

    def caught(self, seconds: float) -> bool:
        """Wait until it has failed."""
        return self._caught.wait(seconds)

    async def listen(self) -> asyncio.Server:
        server = await asyncio.start_server(self._connection, "127.0.0.1", 0)
        self._port = server.sockets[0].getsockname()[1]
        return server

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            back, forth = await asyncio.open_unix_connection(self._socket)
        except OSError:
            writer.transport.abort()
            return
        ways = (self._pass_on(reader, forth, Towards.DATABASE), self._pass_on(back, writer, Towards.PROGRAM))
        tasks = [asyncio.create_task(way) for way in ways]
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            task.cancel()
        for end in (forth, writer):
            end.transport.abort()

    async def _pass_on(self, source: asyncio.StreamReader, target: asyncio.StreamWriter, towards: Towards) -> None:
        with contextlib.suppress(ConnectionError):
            while data := await source.read(CHUNK):
                trap = self._trap
                if trap and trap.towards is towards and trap.mark in data:
                    self._trap = None
                    self._caught.set()
                    while not trap.cuts and await source.read(CHUNK):
                        pass
                    return
                target.write(data)
                await target.drain()


@contextmanager
def wire(dsn: str) -> Iterator[Wire]:
    """A wire to the database at `dsn`, which names a unix socket, until the block ends."""
    parts = urlsplit(dsn)
    asked = parse_qs(parts.query)
    made = Wire(f"{asked['host'][0]}/.s.PGSQL.{asked['port'][0]}", parts.path.lstrip("/"))
    loop = asyncio.new_event_loop()
    ready, ending = threading.Event(), asyncio.Event()

    async def run() -> None:
        server = await made.listen()
        ready.set()
        await ending.wait()
        server.close()
        rest = asyncio.all_tasks() - {asyncio.current_task()}
        for task in rest:
            task.cancel()
        await asyncio.gather(*rest, return_exceptions=True)

    thread = threading.Thread(target=lambda: loop.run_until_complete(run()), daemon=True)
    thread.start()
    assert ready.wait(10)
    try:
        yield made
    finally:
        loop.call_soon_threadsafe(ending.set)
        thread.join(10)
        loop.close()
