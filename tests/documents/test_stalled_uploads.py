"""An upload that stops coming is cut off and leaves nothing; one that is only slow is taken."""

import socket
import time
from collections.abc import Iterator
from http.client import HTTPResponse
from itertools import pairwise
from urllib.parse import urlsplit

import httpx2
import pytest

from tests import make
from tests.book import until
from tests.databases import clone
from tests.documents.samples import noise, pdf
from tests.documents.sending import download, files, record, send, target
from tests.people import Member, data, faults, refusal, register
from tests.serving import Served, serving, settings_for

PATIENCE = 1  # seconds, of this module's server
CONTENT = pdf(noise(300_000))
HEADS = {
    "of a known length": f"Content-Length: {len(CONTENT)}",
    "in chunks": "Transfer-Encoding: chunked",
}


@pytest.fixture(scope="module")
def impatient(postgres: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server that waits a second for the next byte of a file."""
    settings = settings_for(tmp_path_factory.mktemp("impatient"), upload_stall_seconds=PATIENCE)
    with serving(settings, clone(postgres)) as served:
        yield served


@pytest.fixture
def owner(impatient: Served) -> Member:
    return register(impatient.url, "slow")


def begin(upload_url: str, head: str) -> socket.socket:
    """A connection on which the upload's head was sent, and nothing of the file yet."""
    url = urlsplit(upload_url)
    sock = socket.create_connection((url.hostname or "", url.port or 0), timeout=10)
    sock.sendall(f"PUT {url.path}?{url.query} HTTP/1.1\r\nHost: {url.netloc}\r\n{head}\r\n\r\n".encode())
    return sock


def piece(head: str, content: bytes) -> bytes:
    """A part of the file as it goes over the wire."""
    return content if "Length" in head else f"{len(content):x}\r\n".encode() + content + b"\r\n"


def answered(sock: socket.socket) -> httpx2.Response:
    """What comes back; the end of the connection is read, too."""
    answer = HTTPResponse(sock, method="PUT")
    answer.begin()
    return httpx2.Response(answer.status, headers=answer.getheaders(), content=answer.read())


@pytest.mark.parametrize("name", HEADS)
@pytest.mark.parametrize("sent", [0, 1, 200_000])
def test_upload_that_stalls_is_cut_off_and_leaves_nothing(
    impatient: Served, owner: Member, name: str, sent: int
) -> None:
    client_id = make.client(owner)["id"]
    place = target(owner, client_id)
    before = files(impatient)
    started = time.monotonic()
    with begin(place["uploadUrl"], HEADS[name]) as sock:
        if sent:
            sock.sendall(piece(HEADS[name], CONTENT[:sent]))
            until(lambda: any(found.endswith(".part") for found in files(impatient) - before))
        answer = answered(sock)
        assert PATIENCE <= time.monotonic() - started < PATIENCE + 8
        error = refusal(answer, 400, "VALIDATION_ERROR")
        assert error["message"] == "nothing came for 1 s; nothing was kept, send the file again"
        assert error["details"][0]["code"] == "cut_off"
        assert answer.headers["connection"] == "close"
        assert sock.recv(1) == b""
    until(lambda: files(impatient) == before)
    assert "nothing yet" in faults(record(owner, client_id, place["fileUrl"]))["fileUrl"]
    assert send(place, CONTENT).status_code == 200  # the address is as good as before
    document = data(record(owner, client_id, place["fileUrl"]), 201)
    assert download(owner, document["id"]).content == CONTENT


def test_slow_upload_that_goes_on_is_taken(owner: Member) -> None:
    """It takes longer than the patience, but no gap between two of its pieces does."""
    client_id = make.client(owner)["id"]
    place = target(owner, client_id)
    bounds = [len(CONTENT) * part // 6 for part in range(7)]
    started = time.monotonic()
    with begin(place["uploadUrl"], HEADS["of a known length"]) as sock:
        for start, end in pairwise(bounds):
            sock.sendall(CONTENT[start:end])
            time.sleep(PATIENCE / 4)
        answer = answered(sock)
    assert time.monotonic() - started > PATIENCE
    assert answer.status_code == 200
    document = data(record(owner, client_id, place["fileUrl"]), 201)
    assert download(owner, document["id"]).content == CONTENT


def test_server_waits_a_minute_unless_told_otherwise(server: Served) -> None:
    assert server.app.state.files.patience == 60
