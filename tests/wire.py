"""Requests byte by byte, for what a well-behaved client can't send, and what holds of every answer."""

import json
import socket
from collections.abc import Iterable
from http.client import HTTPResponse
from typing import Any
from urllib.parse import urlsplit

import httpx2

SAFETY_HEADERS = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "x-frame-options": "DENY",
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "cross-origin-resource-policy": "same-origin",
    "strict-transport-security": "max-age=31536000",
}
Header = tuple[str, str | bytes]


def raw(
    url: str, method: str, target: str, headers: Iterable[Header] = (), body: Iterable[bytes] = ()
) -> httpx2.Response:
    """The answer to a request sent as it stands: nothing is added but Host and Connection, nothing is checked.

    `body` is sent piece by piece until the server has answered; it may hold less than the headers promise.
    """
    place = urlsplit(url)
    assert place.hostname is not None
    lines = [f"{method} {target} HTTP/1.1".encode("latin-1"), f"Host: {place.netloc}".encode(), b"Connection: close"]
    for name, value in headers:
        lines.append(name.encode() + b": " + (value if isinstance(value, bytes) else value.encode("latin-1")))
    with socket.create_connection((place.hostname, place.port or 80), timeout=20) as sock:
        sock.sendall(b"\r\n".join(lines) + b"\r\n\r\n")
        try:
            for piece in body:
                sock.sendall(piece)
        except (BrokenPipeError, ConnectionResetError):
            pass  # answered and closed before all was sent
        answer = HTTPResponse(sock, method=method)
        answer.begin()
        return httpx2.Response(answer.status, headers=answer.getheaders(), content=answer.read())


def chunked(pieces: Iterable[bytes]) -> Iterable[bytes]:
    """The pieces in HTTP's chunked coding."""
    for piece in pieces:
        yield f"{len(piece):x}\r\n".encode() + piece + b"\r\n"
    yield b"0\r\n\r\n"


def sound(answer: httpx2.Response) -> dict[str, Any]:
    """The envelope of an answer of the API, after checking what every answer must have.

    A 500 is never sound, but that of a Market which fails: the document has it so.
    """
    assert answer.status_code < 500 or '"SYNC_FAILED"' in answer.text, answer.text
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-request-id"]
    for name, value in SAFETY_HEADERS.items():
        assert answer.headers.get(name, "").startswith(value), name
    envelope: dict[str, Any] = json.loads(answer.content)
    if answer.status_code < 400:
        assert envelope.keys() == {"success", "data"}
        assert envelope["success"] is True
    else:
        assert envelope.keys() == {"success", "error"}
        assert envelope["success"] is False
        assert envelope["error"].keys() - {"details"} == {"code", "message", "requestId"}
        assert envelope["error"]["requestId"] == answer.headers["x-request-id"]
    return envelope


def refused(answer: httpx2.Response, status: int, code: str, *says: str) -> dict[str, Any]:
    """The error of a sound refusal whose message and details contain every one of `says`, in any case."""
    envelope = sound(answer)
    assert answer.status_code == status, answer.text
    error: dict[str, Any] = envelope["error"]
    assert error["code"] == code, answer.text
    told = json.dumps([error["message"], error.get("details")], ensure_ascii=False).lower()
    for words in says:
        assert json.dumps(words, ensure_ascii=False)[1:-1].lower() in told, f"{words!r} is not in {told}"
    return error


def told_just(error: dict[str, Any], told: dict[str, str]) -> None:
    """The faults of a VALIDATION_ERROR are on just these fields, each with these words in its message."""
    found = {fault["field"]: fault["message"] for fault in error["details"]}
    assert found.keys() == told.keys()
    for field, words in told.items():
        assert words.lower() in found[field].lower(), found[field]
    if len(told) == 1:
        [(field, message)] = found.items()
        assert error["message"] == (f"{field}: {message}" if field else message)
    else:
        assert f"{len(told)} faults" in error["message"]
