"""A receiver on a raw socket: what it got, how often it was connected to, and whatever it likes to answer."""

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self

Script = Callable[[socket.socket], None]

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class Receiver:
    """Listens on a port of its own. Bytes are sent after each request; a script is run once, then it hangs up."""

    def __init__(self, answer: bytes | Script = OK, host: str = "127.0.0.1", tls: ssl.SSLContext | None = None) -> None:
        self.answer = answer
        self._tls = tls
        if host == "::":  # both families, all addresses of this machine
            self._listening = socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True)
        else:
            self._listening = socket.create_server((host, 0), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
        self._open: list[socket.socket] = []
        self.port: int = self._listening.getsockname()[1]
        self.connections = 0
        self.asked = threading.Semaphore(0)  # released at each request
        self.hung_up = threading.Semaphore(0)  # released when the other side closes
        self.requests: list[bytes] = []

    def url(self, host: str = "127.0.0.1", path: str = "/hook") -> str:
        return f"{'http' if self._tls is None else 'https'}://{host}:{self.port}{path}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        for each in (self._listening, *self._open):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listening.accept()
                self.connections += 1
                self._open.append(connection)
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError):  # ssl.SSLError is one
            if self._tls is not None:
                connection = self._tls.wrap_socket(connection, server_side=True)
                self._open.append(connection)
            while (request := _request(connection)) is not None:
                self.requests.append(request)
                self.asked.release()
                if not isinstance(self.answer, bytes):
                    self.answer(connection)
                    break
                connection.sendall(self.answer)
        self.hung_up.release()
        connection.close()


def hang(connection: socket.socket) -> None:
    """Say nothing until the other side goes."""
    connection.recv(1)


def _request(connection: socket.socket) -> bytes | None:
    got = b""
    while b"\r\n\r\n" not in got:
        if not (more := connection.recv(65536)):
            return None
        got += more
    head = got.split(b"\r\n\r\n")[0].lower()
    size = int(head.split(b"content-length:")[1].split(b"\r\n")[0]) if b"content-length:" in head else 0
    while len(got) < len(head) + 4 + size:
        if not (more := connection.recv(65536)):
            return None
        got += more
    return got
