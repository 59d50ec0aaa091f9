"""The address of an upload: it takes one file, of one size and type, for a quarter of an hour, from start to end."""

import http.client
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import httpx2
import pytest

from soloist.infra.times import wire
from tests import make
from tests.book import run, until
from tests.documents.hostile import MB
from tests.documents.samples import archive, noise, pdf
from tests.documents.sending import download, fetch, files, folder, record, send, target, upload
from tests.people import Member, data, faults, refusal, register
from tests.serving import Served, SettableClock, serving, settings_for
from tests.wire import chunked, raw


@pytest.fixture
def client(alice: Member) -> str:
    return str(make.client(alice)["id"])


def changed(url: str, **query: str | None) -> str:
    """The address with other query parameters; None leaves one out."""
    parts = urlsplit(url)
    pairs = {**dict(parse_qsl(parts.query)), **query}
    return urlunsplit(parts._replace(query=urlencode({name: text for name, text in pairs.items() if text is not None})))


def at_once(count: int, act: Callable[[int], httpx2.Response]) -> list[httpx2.Response]:
    """What `count` callers are answered who act in the same moment."""
    start = threading.Barrier(count)

    def one(number: int) -> httpx2.Response:
        start.wait(10)
        return act(number)

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(one, range(count)))


def test_address_says_how_to_send(alice: Member, client: str, clock: SettableClock) -> None:
    now = clock.freeze()
    place = target(alice, client)
    assert place["method"] == "PUT"
    assert place["headers"] == {"Content-Type": "application/pdf"}
    assert place["fields"] == {}
    assert place["maxSize"] == 52_428_800
    assert place["uploadUrl"].startswith(place["fileUrl"] + "?")
    assert f"{alice.url}/files/crm/{alice.account['id']}/{client}/" in place["fileUrl"]
    assert place["expiresAt"] == wire((now + timedelta(minutes=15)).replace(microsecond=0))
    sent = send(place, pdf())
    assert data(sent) == {"fileUrl": place["fileUrl"], "fileSize": len(pdf()), "mimeType": "application/pdf"}
    assert "contract" not in place["fileUrl"]


def test_address_of_a_file_shows_it_to_nobody(alice: Member, client: str) -> None:
    document = upload(alice, client)
    refusal(fetch(document["fileUrl"]), 404, "NOT_FOUND")
    refusal(fetch(document["fileUrl"], Authorization=f"Bearer {alice.token}"), 404, "NOT_FOUND")


def test_used_address_is_refused(server: Served, alice: Member, client: str) -> None:
    place = target(alice, client)
    assert send(place, pdf(b"first")).status_code == 200
    error = refusal(send(place, pdf(b"second")), 403, "ACCESS_DENIED")
    assert "was used" in error["message"]
    document = data(record(alice, client, place["fileUrl"]), 201)
    refusal(send(place, pdf(b"third")), 403, "ACCESS_DENIED")
    assert download(alice, document["id"]).content == pdf(b"first")
    data(alice.delete(f"/documents/{document['id']}"))
    before = files(server)
    refusal(send(place, pdf(b"fourth")), 403, "ACCESS_DENIED")
    assert files(server) == before


def test_address_expires_after_15_minutes(alice: Member, client: str, clock: SettableClock) -> None:
    clock.freeze()
    place, late = target(alice, client), target(alice, client)
    clock.advance(minutes=14, seconds=58)
    assert send(place, pdf()).status_code == 200
    clock.advance(seconds=2)
    error = refusal(send(late, pdf()), 403, "ACCESS_DENIED")
    assert f"expired at {late['expiresAt']}" in error["message"]
    data(record(alice, client, place["fileUrl"]), 201)  # what was sent in time can be recorded later


@pytest.mark.parametrize(
    "query",
    [
        {"signature": "A" * 43},
        {"signature": ""},
        {"signature": "ü"},
        {"signature": None},
        {"expires": "9999999999"},
        {"expires": "soon"},
        {"expires": None},
        {"max": "999999999999"},
        {"type": "text/html"},
        {"type": None},
        {"name": "x.html"},
    ],
)
def test_altered_address_is_refused(server: Served, alice: Member, client: str, query: dict[str, str | None]) -> None:
    place = target(alice, client)
    before = files(server)
    bad = {**place, "uploadUrl": changed(place["uploadUrl"], **query)}
    error = refusal(send(bad, pdf()), 403, "ACCESS_DENIED")
    assert "altered" in error["message"]
    assert files(server) == before
    assert send(place, pdf()).status_code == 200


def test_address_is_good_for_no_other_file(alice: Member, client: str) -> None:
    one, two = target(alice, client), target(alice, client)
    query = urlsplit(one["uploadUrl"]).query
    path = urlsplit(two["uploadUrl"]).path
    for place in (
        f"{two['fileUrl']}?{query}",
        f"{alice.url}{path.replace('.pdf', '.html')}?{query}",
        f"{alice.url}/files/x?{query}",
        f"{alice.url}/files/..%2f..%2fsecret.key?{query}",
    ):
        error = refusal(send({**one, "uploadUrl": place}, pdf()), 403, "ACCESS_DENIED")
        assert "for another file" in error["message"]


def test_address_of_a_download_takes_nothing_and_of_an_upload_gives_nothing(alice: Member, client: str) -> None:
    document = upload(alice, client)
    given = data(alice.get(f"/documents/{document['id']}/download"))["downloadUrl"]
    refusal(send({"method": "PUT", "headers": {}, "uploadUrl": given}, pdf()), 403, "ACCESS_DENIED")
    place = target(alice, client)
    send(place, pdf())
    refusal(fetch(place["uploadUrl"]), 404, "NOT_FOUND")


def test_other_methods_are_named(alice: Member, client: str) -> None:
    place = target(alice, client)
    for method in ("POST", "DELETE", "PATCH"):
        answer = httpx2.request(method, place["uploadUrl"], trust_env=False)
        refusal(answer, 405, "METHOD_NOT_ALLOWED")
        assert answer.headers["allow"] == "GET, HEAD, PUT"


def test_of_many_files_at_once_one_is_taken(alice: Member, client: str) -> None:
    place = target(alice, client)
    contents = [pdf(noise(200_000, seed)) for seed in range(5)]
    answers = at_once(5, lambda number: send(place, contents[number]))
    assert sorted(answer.status_code for answer in answers) == [200, 403, 403, 403, 403]
    [winner] = [number for number, answer in enumerate(answers) if answer.status_code == 200]
    document = data(record(alice, client, place["fileUrl"]), 201)
    assert download(alice, document["id"]).content == contents[winner]


def test_of_many_records_of_one_upload_one_succeeds(server: Served, alice: Member, client: str) -> None:
    place = target(alice, client)
    send(place, pdf())
    answers = at_once(6, lambda number: record(alice, client, place["fileUrl"], description=str(number)))
    assert sorted(answer.status_code for answer in answers) == [201, *[400] * 5]
    for answer in answers:
        if answer.status_code == 400:
            assert "already" in faults(answer)["fileUrl"]
    [document] = data(alice.get("/documents"))["documents"]
    assert download(alice, document["id"]).content == pdf()


def test_larger_than_announced_is_refused(server: Served, alice: Member, client: str) -> None:
    content = pdf(noise(5000))
    before = files(server)
    place = target(alice, client, fileSize=len(content) - 1)
    assert place["maxSize"] == len(content) - 1

    def pieces() -> Iterator[bytes]:
        yield content[:3000]
        yield content[3000:]

    for body in (content, pieces()):
        error = refusal(send(place, body), 400, "FILE_TOO_LARGE")
        assert error["details"]["maxSize"] == len(content) - 1
    assert files(server) == before
    exact = target(alice, client, fileSize=len(content))
    assert send(exact, content).status_code == 200


def test_endless_file_is_cut_off_at_the_limit(postgres_limited: Served) -> None:
    """It is answered while it still comes; on the disk there is never more of it than is allowed."""
    server = postgres_limited
    alice = register(server.url, "alice")
    place = target(alice, make.client(alice)["id"])
    assert place["maxSize"] == MB
    largest = 0
    sent = 0

    def endless() -> Iterator[bytes]:
        nonlocal largest, sent
        for _ in range(2000):
            sent += 64 * 1024
            largest = max([largest, *map(size, folder(server).rglob("*.part"))])
            yield b"x" * 64 * 1024

    url = urlsplit(place["uploadUrl"])
    answer = raw(server.url, "PUT", f"{url.path}?{url.query}", [("Transfer-Encoding", "chunked")], chunked(endless()))
    error = refusal(answer, 400, "FILE_TOO_LARGE")
    assert "1,048,576 bytes (1 MB)" in error["message"]
    assert answer.headers["connection"] == "close"
    assert largest <= MB
    assert sent < 64 * MB  # half of what was to come; what the sockets hold is on its way already
    until(lambda: not files(server))


def size(path: Path) -> int:
    """The bytes of a file, which may be gone since it was listed."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


@pytest.fixture
def postgres_limited(db_url: str, tmp_path: Path) -> Iterator[Served]:
    """A server that takes files up to 1 MiB, known to the world under another name."""
    settings = settings_for(tmp_path, max_upload_bytes=MB)
    with serving(settings, db_url) as served:
        yield served


def test_limit_is_a_setting(postgres_limited: Served) -> None:
    alice = register(postgres_limited.url, "alice")
    client = make.client(alice)["id"]
    body = {"clientId": client, "fileName": "a.pdf", "documentType": "CONTRACT", "fileSize": MB + 1}
    refusal(alice.post("/documents/upload-url", body), 400, "FILE_TOO_LARGE")
    refusal(alice.post("/documents", {**body, "fileUrl": "https://x.com/a.pdf"}), 400, "FILE_TOO_LARGE")


def test_upload_that_is_cut_off_leaves_nothing(server: Served, alice: Member, client: str) -> None:
    content = pdf(noise(3 * MB))
    before = files(server)
    place = target(alice, client)
    url = urlsplit(place["uploadUrl"])
    for head in (f"Content-Length: {len(content)}", "Transfer-Encoding: chunked"):
        with socket.create_connection((url.hostname or "", url.port or 0), timeout=10) as sock:
            sock.sendall(f"PUT {url.path}?{url.query} HTTP/1.1\r\nHost: {url.netloc}\r\n{head}\r\n\r\n".encode())
            sent = content[: 2 * MB]
            sock.sendall(sent if "Length" in head else f"{len(sent):x}\r\n".encode() + sent + b"\r\n")
            until(lambda: any(name.endswith(".part") for name in files(server) - before))
        until(lambda: files(server) == before)
    assert "nothing yet" in faults(record(alice, client, place["fileUrl"]))["fileUrl"]
    assert send(place, content).status_code == 200


def test_declared_length_over_the_limit_is_refused_before_a_byte_comes(alice: Member, client: str) -> None:
    url = urlsplit(target(alice, client)["uploadUrl"])
    connection = http.client.HTTPConnection(url.hostname or "", url.port, timeout=10)
    connection.putrequest("PUT", f"{url.path}?{url.query}")
    connection.putheader("Content-Length", str(50 * MB + 1))
    connection.putheader("Expect", "100-continue")
    connection.endheaders()
    answer = connection.getresponse()
    assert answer.status == 400
    assert b"FILE_TOO_LARGE" in answer.read()
    connection.close()


def test_content_type_goes_with_the_address(alice: Member, client: str) -> None:
    for sent, status in (
        ("text/html", 400),
        ("application/x-www-form-urlencoded", 400),
        ("application/pdf; charset=binary", 200),
        ("application/octet-stream", 200),
    ):
        answer = send(target(alice, client), pdf(), **{"Content-Type": sent})
        assert answer.status_code == status, sent
        if status == 400:
            error = refusal(answer, 400, "INVALID_DOCUMENT_TYPE")
            assert "application/pdf" in error["message"]
    assert httpx2.put(target(alice, client)["uploadUrl"], content=pdf(), trust_env=False).status_code == 200


def test_account_that_is_disabled_sends_nothing(server: Served, alice: Member, client: str) -> None:
    place = target(alice, client)
    run(server, "update accounts set status = 'DISABLED' where account_id = $1::text::uuid", alice.account["id"])
    assert "disabled" in refusal(send(place, pdf()), 403, "ACCESS_DENIED")["message"]


def test_nothing_sent_is_nothing_to_record(alice: Member, client: str) -> None:
    place = target(alice, client)
    assert "send the file to the uploadUrl" in faults(record(alice, client, place["fileUrl"]))["fileUrl"]


def test_refused_record_can_be_put_right(alice: Member, client: str) -> None:
    place = target(alice, client)
    send(place, pdf())
    refusal(record(alice, client, place["fileUrl"], fileName="a.docx"), 400, "INVALID_DOCUMENT_TYPE")
    refusal(record(alice, client, place["fileUrl"], mimeType="text/html"), 400, "INVALID_DOCUMENT_TYPE")
    refusal(record(alice, client, place["fileUrl"], fileSize=50 * MB + 1), 400, "FILE_TOO_LARGE")
    document = data(record(alice, client, place["fileUrl"]), 201)
    assert download(alice, document["id"]).content == pdf()


def test_addresses_begin_as_the_setting_says(db_url: str, tmp_path: Path) -> None:
    with serving(settings_for(tmp_path, public_url="https://crm.example.com/book/"), db_url) as served:
        alice = register(served.url, "alice")
        client = make.client(alice)["id"]
        place = target(alice, client)
        assert place["uploadUrl"].startswith("https://crm.example.com/book/files/crm/")
        local = place["uploadUrl"].replace("https://crm.example.com/book", served.url)
        assert send({**place, "uploadUrl": local}, pdf()).status_code == 200
        document = data(record(alice, client, place["fileUrl"]), 201)
        given = data(alice.get(f"/documents/{document['id']}/download"))["downloadUrl"]
        assert given.startswith("https://crm.example.com/book/files/")
        assert fetch(given.replace("https://crm.example.com/book", served.url)).content == pdf()


def test_addresses_begin_as_the_request_did(alice: Member, client: str) -> None:
    body = {"clientId": client, "fileName": "a.pdf", "documentType": "CONTRACT"}

    def asked(host: str) -> Any:
        return data(alice.post("/documents/upload-url", body, headers={"Host": host}))["uploadUrl"]

    assert asked("crm.example.com").startswith("http://crm.example.com/files/")
    assert asked("[::1]:8600").startswith("http://[::1]:8600/files/")
    assert asked('evil.com/"><x').startswith(f"{alice.url}/files/")


def test_big_file_comes_back_whole(alice: Member, client: str) -> None:
    content = archive({"a.bin": noise(20 * MB)})
    document = upload(alice, client, content, fileName="a.zip", documentType="DELIVERABLE")
    assert document["fileSize"] == len(content)
    assert download(alice, document["id"]).content == content
