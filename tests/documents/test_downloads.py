"""The address of a download: it hands the file out to be saved, whole or in part, for five minutes."""

from urllib.parse import parse_qsl, unquote, urlencode, urlsplit, urlunsplit

import httpx2
import pytest

from tests import make
from tests.documents.samples import HONEST, pdf
from tests.documents.sending import fetch, upload
from tests.people import Member, data, refusal
from tests.serving import SettableClock


@pytest.fixture
def given(alice: Member) -> str:
    """The address of a contract."""
    document = upload(alice, make.client(alice)["id"])
    return str(data(alice.get(f"/documents/{document['id']}/download"))["downloadUrl"])


def test_file_is_saved_and_never_shown(given: str) -> None:
    answer = fetch(given)
    assert answer.status_code == 200
    assert answer.content == pdf()
    assert (
        answer.headers["content-disposition"] == "attachment; filename=\"contract.pdf\"; filename*=UTF-8''contract.pdf"
    )
    assert answer.headers["content-type"] == "application/pdf"
    assert answer.headers["content-security-policy"] == "sandbox; default-src 'none'"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cache-control"] == "private, no-store"
    assert answer.headers["content-length"] == str(len(pdf()))
    assert answer.headers["accept-ranges"] == "bytes"


@pytest.mark.parametrize(
    ("name", "plain"),
    [
        ("Größe.pdf", "Gr__e.pdf"),
        ("e\u0301tude.pdf", "_tude.pdf"),
        ('say "hi".pdf', "say _hi_.pdf"),
        ("100% of it; really=yes.pdf", "100_ of it; really=yes.pdf"),
        ("🎉 Angebot.PDF", "_ Angebot.PDF"),
        ("合同.pdf", "__.pdf"),
        ("it's.pdf", "it's.pdf"),
    ],
)
def test_name_survives_whatever_it_is(alice: Member, name: str, plain: str) -> None:
    document = upload(alice, make.client(alice)["id"], fileName=name)
    answer = fetch(data(alice.get(f"/documents/{document['id']}/download"))["downloadUrl"])
    assert answer.status_code == 200
    kind, old, new = answer.headers["content-disposition"].split("; filename")
    assert kind == "attachment"
    assert old == f'="{plain}"'
    assert unquote(new.removeprefix("*=UTF-8''")) == document["fileName"]


def test_text_is_text(alice: Member) -> None:
    document = upload(
        alice, make.client(alice)["id"], HONEST["md about pages"][2], fileName="a.md", documentType="BRIEF"
    )
    answer = fetch(data(alice.get(f"/documents/{document['id']}/download"))["downloadUrl"])
    assert answer.headers["content-type"].startswith("text/markdown")


def test_address_expires_after_five_minutes(alice: Member, clock: SettableClock) -> None:
    document = upload(alice, make.client(alice)["id"])
    clock.freeze()
    given = data(alice.get(f"/documents/{document['id']}/download"))
    clock.advance(minutes=4, seconds=58)
    assert fetch(given["downloadUrl"]).status_code == 200
    clock.advance(seconds=2)
    error = refusal(fetch(given["downloadUrl"]), 404, "NOT_FOUND")
    assert "GET /documents/:id/download" in error["message"]
    assert given["expiresAt"] <= clock().isoformat(timespec="milliseconds").replace("+00:00", "Z")


@pytest.mark.parametrize(
    "change",
    [
        {"signature": "A" * 43},
        {"signature": None},
        {"expires": "9999999999"},
        {"name": "contract.html"},
        {"type": "text/html"},
        {"type": None},
        {"inline": "1"},
    ],
)
def test_altered_address_answers_as_a_missing_one(given: str, change: dict[str, str | None]) -> None:
    parts = urlsplit(given)
    query = {**dict(parse_qsl(parts.query)), **change}
    kept = urlencode({name: text for name, text in query.items() if text is not None})
    altered = refusal(fetch(urlunsplit(parts._replace(query=kept))), 404, "NOT_FOUND")
    other_path = parts.path[:-5] + ("a" if parts.path[-5] != "a" else "b") + ".pdf"
    missing = refusal(fetch(urlunsplit(parts._replace(path=other_path))), 404, "NOT_FOUND")
    assert altered["message"] == missing["message"]


@pytest.mark.parametrize(
    "path", ["x", "", "crm/x.pdf", "../secret.key", "%2e%2e/secret.key", "crm/%00.pdf", ".incoming/x.part"]
)
def test_nothing_else_is_handed_out(given: str, path: str) -> None:
    parts = urlsplit(given)
    refusal(fetch(f"{parts.scheme}://{parts.netloc}/files/{path}?{parts.query}"), 404, "NOT_FOUND")


@pytest.mark.parametrize(
    ("asked", "first", "last"),
    [("bytes=0-3", 0, 3), ("bytes=10-", 10, None), ("bytes=-4", -4, None), ("bytes=5-999999", 5, None)],
)
def test_range_is_served(given: str, asked: str, first: int, last: int | None) -> None:
    whole = pdf()
    answer = fetch(given, Range=asked)
    start = first if first >= 0 else len(whole) + first
    end = len(whole) - 1 if last is None else last
    assert answer.status_code == 206
    assert answer.content == whole[start : end + 1]
    assert answer.headers["content-range"] == f"bytes {start}-{end}/{len(whole)}"
    assert answer.headers["content-disposition"].startswith("attachment")
    assert answer.headers["content-security-policy"].startswith("sandbox")


@pytest.mark.parametrize("asked", ["bytes=5-2", "bytes=a-b", "lines=1-2", "bytes=", "bytes=0-1,4-5", "bytes=-0", "x"])
def test_range_that_is_none_gets_the_whole_file(given: str, asked: str) -> None:
    answer = fetch(given, Range=asked)
    assert answer.status_code == 200
    assert answer.content == pdf()


def test_range_beyond_the_end_is_refused(given: str) -> None:
    answer = fetch(given, Range="bytes=999999-")
    assert answer.status_code == 416
    assert answer.headers["content-range"] == f"bytes */{len(pdf())}"


def test_broken_download_goes_on_where_it_was(given: str) -> None:
    tag = fetch(given).headers["etag"]
    assert fetch(given, **{"Range": "bytes=10-", "If-Range": tag}).status_code == 206
    assert fetch(given, **{"Range": "bytes=10-", "If-Range": '"other"'}).status_code == 200


def test_head_tells_without_sending(given: str) -> None:
    answer = httpx2.head(given, trust_env=False)
    assert answer.status_code == 200
    assert answer.headers["content-length"] == str(len(pdf()))
    assert answer.content == b""
