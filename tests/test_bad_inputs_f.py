"""Bad input of documents and uploads. Each is refused with what was wrong and what is allowed."""

from typing import Any

import pytest

from tests import make
from tests.documents.samples import archive, office, pdf
from tests.documents.sending import send, target
from tests.people import Member, data, faults, refusal, register
from tests.serving import Served
from tests.wire import refused

TYPES = "CONTRACT, PROPOSAL, INVOICE, RECEIPT, AGREEMENT, BRIEF, DELIVERABLE, FEEDBACK, OTHER"
ALLOWED = "pdf, doc or docx"


@pytest.fixture(scope="module")
def owner(server: Served) -> Member:
    return register(server.url, "f.rows")


@pytest.fixture(scope="module")
def client_id(owner: Member) -> str:
    return str(make.client(owner)["id"])


def fields(client_id: str, **given: Any) -> dict[str, Any]:
    body = {"clientId": client_id, "fileName": "contract.pdf", "documentType": "CONTRACT", **given}
    return {name: value for name, value in body.items() if value is not ...}


# What is sent instead → where the fault is, and what it must say.
INVALID: dict[str, tuple[dict[str, Any], str, str]] = {
    "F-91 unknown type": ({"documentType": "SELFIE"}, "documentType", TYPES),
    "F-91 small letters": ({"documentType": "contract"}, "documentType", "did you mean CONTRACT?"),
    "F-91 null": ({"documentType": None}, "documentType", TYPES),
    "F-91 number": ({"documentType": 1}, "documentType", TYPES),
    "F-91 missing": ({"documentType": ...}, "documentType", "required"),
    "F-92 negative": ({"fileSize": -1}, "fileSize", "at least 1"),
    "F-92 zero": ({"fileSize": 0}, "fileSize", "at least 1"),
    "F-92 words": ({"fileSize": "1MB"}, "fileSize", "whole number"),
    "F-92 in quotes": ({"fileSize": "1024"}, "fileSize", "whole number"),
    "F-92 half": ({"fileSize": 10.5}, "fileSize", "whole number"),
    "F-92 true": ({"fileSize": True}, "fileSize", "whole number"),
    "F-90 no name": ({"fileName": ...}, "fileName", "required"),
    "F-90 empty": ({"fileName": ""}, "fileName", "empty"),
    "F-90 spaces": ({"fileName": "   "}, "fileName", "empty"),
    "F-90 null": ({"fileName": None}, "fileName", "string"),
    "F-90 only an ending": ({"fileName": ".pdf"}, "fileName", "name before its ending"),
    "F-90 dots": ({"fileName": "...pdf"}, "fileName", "name before its ending"),
    "F-90 spaces and an ending": ({"fileName": "\u200b .pdf"}, "fileName", "name before its ending"),
    "F-90 dot dot": ({"fileName": ".."}, "fileName", "name before its ending"),
    "F-90 path": ({"fileName": "../../etc/passwd"}, "fileName", "plain name"),
    "F-90 path with an ending": ({"fileName": "../contract.pdf"}, "fileName", "plain name"),
    "F-90 root": ({"fileName": "/contract.pdf"}, "fileName", "plain name"),
    "F-90 Windows path": ({"fileName": "C:\\contract.pdf"}, "fileName", "plain name"),
    "F-90 NUL": ({"fileName": "a.pdf\x00.exe"}, "fileName", "NUL"),
    "F-90 line break": ({"fileName": "a\r\nb.pdf"}, "fileName", "U+000D"),
    "F-90 bell": ({"fileName": "a\x07.pdf"}, "fileName", "U+0007"),
    "F-90 turned round": ({"fileName": "cod\u202efdp.exe"}, "fileName", "U+202E"),
    "F-90 turned mark": ({"fileName": "a\u200f.pdf"}, "fileName", "U+200F"),
    "F-90 isolate": ({"fileName": "a\u2066b.pdf"}, "fileName", "U+2066"),
    "F-90 256 characters": ({"fileName": "x" * 252 + ".pdf"}, "fileName", "255"),
    "F-90 300 bytes of emoji": ({"fileName": "🎉" * 74 + ".pdf"}, "fileName", "255 bytes"),
    "F-97 no client": ({"clientId": ...}, "clientId", "required"),
    "F-97 client that is no id": ({"clientId": "acme"}, "clientId", "UUID"),
    "F-97 opportunity that is no id": ({"opportunityId": 7}, "opportunityId", "UUID"),
    "F unknown field": ({"filename": "a.pdf"}, "filename", "did you mean fileName?"),
}


@pytest.mark.parametrize("path", ["/documents/upload-url", "/documents"])
@pytest.mark.parametrize("row", INVALID)
def test_invalid_field_is_named(owner: Member, client_id: str, row: str, path: str) -> None:
    given, field, words = INVALID[row]
    link = {"fileUrl": "https://x.com/contract.pdf"} if path == "/documents" else {}
    error = refused(owner.post(path, fields(client_id, **link, **given)), 400, "VALIDATION_ERROR", words)
    assert [fault["field"] for fault in error["details"]] == [field]


LINKS: dict[str, tuple[Any, str]] = {
    "missing": (..., "required"),
    "null": (None, "string"),
    "empty": ("", "empty"),
    "script": ("javascript:alert(1)", "http:// or https://"),
    "data": ("data:application/pdf;base64,JVBERg==", "http:// or https://"),
    "file": ("file:///etc/passwd", "http:// or https://"),
    "FTP": ("ftp://x.com/a.pdf", "http:// or https://"),
    "no host": ("https:///a.pdf", "http:// or https://"),
    "path alone": ("/files/a.pdf", "http:// or https://"),
    "user": ("https://me:secret@x.com/a.pdf", "user name or password"),
    "line break": ("https://x.com/a.pdf\r\nX: y", "U+000D"),
    "markup": ('https://x.com/"><script>', "http:// or https://"),
    "2,049 characters": ("https://x.com/" + "a" * 2035, "2048"),
    "number": (7, "string"),
}


@pytest.mark.parametrize("row", LINKS)
def test_link_is_a_web_address(owner: Member, client_id: str, row: str) -> None:
    url, words = LINKS[row]
    error = refused(owner.post("/documents", fields(client_id, fileUrl=url)), 400, "VALIDATION_ERROR", words)
    assert [fault["field"] for fault in error["details"]] == ["fileUrl"]


MORE: dict[str, tuple[dict[str, Any], str, str]] = {
    "description of 5,001": ({"description": "x" * 5001}, "description", "5000"),
    "51 tags": ({"tags": [str(n) for n in range(51)]}, "tags", "50"),
    "long tag": ({"tags": ["x" * 51]}, "tags.0", "50"),
    "empty tag": ({"tags": [""]}, "tags.0", "empty"),
    "text as tags": ({"tags": "a"}, "tags", "list"),
    "media type with a line break": ({"mimeType": "application/pdf\nx"}, "mimeType", "U+000A"),
    "media type as number": ({"mimeType": 1}, "mimeType", "string"),
    "id": ({"id": "x"}, "id", "read-only"),
    "isExternal": ({"isExternal": False}, "isExternal", "read-only"),
    "version": ({"version": 2}, "version", "read-only"),
}


@pytest.mark.parametrize("row", MORE)
def test_invalid_detail_of_a_document_is_named(owner: Member, client_id: str, row: str) -> None:
    given, field, words = MORE[row]
    body = fields(client_id, fileUrl="https://x.com/a.pdf", **given)
    error = refused(owner.post("/documents", body), 400, "VALIDATION_ERROR", words)
    assert [fault["field"] for fault in error["details"]] == [field]


def test_all_faults_are_told_at_once(owner: Member, client_id: str) -> None:
    body = {"clientId": "x", "fileName": "a/b.pdf", "documentType": "SELFIE", "fileSize": 0, "tags": "a", "size": 1}
    found = faults(owner.post("/documents", body))
    assert found.keys() == {"clientId", "fileName", "documentType", "fileSize", "tags", "size", "fileUrl"}


# F-90, F-96: a valid request for a file that is not allowed → what must be said.
NOT_ALLOWED: dict[str, tuple[dict[str, Any], str]] = {
    "F-90 program": ({"fileName": "contract.exe"}, "ends in .exe"),
    "F-90 program behind": ({"fileName": "contract.pdf.exe"}, "ends in .exe"),
    "F-90 program inside": ({"fileName": "contract.exe.pdf"}, "ending of a program inside (.exe)"),
    "F-90 shortcut inside": ({"fileName": "contract.LNK.pdf"}, "ending of a program inside (.LNK)"),
    "F-90 no ending": ({"fileName": "contract"}, "has no ending"),
    "F-90 dot at the end": ({"fileName": "contract.pdf."}, "has no ending"),
    "F-90 space in the ending": ({"fileName": "contract. pdf"}, "ends in . pdf"),
    "F-90 page": ({"fileName": "contract.html"}, "ends in .html"),
    "F-90 picture": ({"fileName": "contract.svg"}, "ends in .svg"),
    "F-90 of another type": ({"fileName": "contract.zip"}, "ends in .zip"),
    "F-90 ending in other letters": ({"fileName": "contract.ⓟⓓⓕ"}, "ends in ."),
    "F-96 page": ({"mimeType": "text/html"}, "text/html"),
    "F-96 picture": ({"mimeType": "image/png"}, "image/png"),
    "F-96 of a neighbour": ({"mimeType": "application/msword"}, "application/msword"),
    "F-96 unknown": ({"mimeType": "application/octet-stream"}, "application/octet-stream"),
    "F-96 nonsense": ({"mimeType": "pdf"}, "pdf"),
}


@pytest.mark.parametrize("path", ["/documents/upload-url", "/documents"])
@pytest.mark.parametrize("row", NOT_ALLOWED)
def test_file_that_is_not_allowed_is_told_what_is(owner: Member, client_id: str, row: str, path: str) -> None:
    given, words = NOT_ALLOWED[row]
    link = {"fileUrl": "https://x.com/contract.pdf"} if path == "/documents" else {}
    error = refused(owner.post(path, fields(client_id, **link, **given)), 400, "INVALID_DOCUMENT_TYPE", words)
    assert error["details"]["allowed"] == ["pdf", "doc", "docx"]
    assert ALLOWED in error["message"] or "mimeType" in given or "inside" in words


@pytest.mark.parametrize("path", ["/documents/upload-url", "/documents"])
def test_f92_one_byte_more_than_the_limit(owner: Member, client_id: str, path: str) -> None:
    link = {"fileUrl": "https://x.com/contract.pdf"} if path == "/documents" else {}
    for size in (52_428_801, 10**30):
        body = fields(client_id, fileSize=size, **link)
        error = refused(owner.post(path, body), 400, "FILE_TOO_LARGE", "50 MB", "52,428,800")
        assert error["details"]["maxSize"] == 52_428_800
    assert owner.post(path, fields(client_id, fileSize=52_428_800, **link)).status_code in (200, 201)


def test_f90_ending_in_capitals_is_taken(owner: Member, client_id: str) -> None:
    place = target(owner, client_id, fileName="CONTRACT.PDF")
    assert place["fileUrl"].endswith(".pdf")
    assert send(place, pdf()).status_code == 200


ODD_NAMES = [
    "v1.2 (final).pdf",
    "next.js notes.pdf",
    "acme.com.pdf",
    "a'b\"c;d.pdf",
    "<b>.pdf",
    "合同.pdf",
    "x" * 251 + ".pdf",
    "\ufb01le.pdf",
    "=1+1.pdf",
    "-rf.pdf",
    "CON.pdf",
    " a .pdf",
]


@pytest.mark.parametrize("name", ODD_NAMES)
def test_odd_name_is_kept_as_it_is(owner: Member, client_id: str, name: str) -> None:
    body = fields(client_id, fileUrl="https://x.com/a.pdf", fileName=name)
    made = data(owner.post("/documents", body), 201)
    assert made["fileName"] == name.strip()


def test_names_that_look_the_same_are_the_same(owner: Member, client_id: str) -> None:
    body = fields(client_id, fileUrl="https://x.com/a.pdf", fileName="e\u0301tude.pdf")
    assert data(owner.post("/documents", body), 201)["fileName"] == "\u00e9tude.pdf"


def test_f93_other_content_than_the_ending_names_what_was_found(owner: Member, client_id: str) -> None:
    place = target(owner, client_id)
    for content, found in ((archive({"a": b"x"}), "zip"), (office("docx"), "docx"), (b"<html>", "web page")):
        error = refusal(send(place, content), 400, "INVALID_DOCUMENT_TYPE")
        assert found in error["message"]
        assert found in error["details"]["found"]


def test_f94_every_use_of_an_address_but_the_right_one_says_which(owner: Member, client_id: str) -> None:
    place, other = target(owner, client_id), target(owner, client_id)
    query = place["uploadUrl"].partition("?")[2]
    swapped = {**place, "uploadUrl": f"{other['fileUrl']}?{query}"}
    assert "for another file" in refusal(send(swapped, pdf()), 403, "ACCESS_DENIED")["message"]
    altered = {**place, "uploadUrl": place["uploadUrl"].replace("max=52428800", "max=99999999")}
    assert "altered" in refusal(send(altered, pdf()), 403, "ACCESS_DENIED")["message"]
    assert send(place, pdf()).status_code == 200
    assert "used" in refusal(send(place, pdf()), 403, "ACCESS_DENIED")["message"]


def test_f97_opportunity_of_another_client_is_told(owner: Member, client_id: str) -> None:
    other = make.client(owner, companyName="Other")["id"]
    deal = {"clientId": other, "title": "Site", "source": "REFERRAL"}
    opportunity = data(owner.post("/opportunities", deal), 201)["id"]
    for path in ("/documents/upload-url", "/documents"):
        link = {"fileUrl": "https://x.com/contract.pdf"} if path == "/documents" else {}
        body = fields(client_id, opportunityId=opportunity, **link)
        error = refused(owner.post(path, body), 400, "VALIDATION_ERROR", "belongs to another client")
        assert [fault["field"] for fault in error["details"]] == ["opportunityId"]


@pytest.mark.parametrize(
    "missing",
    ["not-a-uuid", "00000000-0000-0000-0000-000000000000", "%00", "..%2f", "0190b5a4-7c1e-7b3a-9d55-2f6c1f0a8e21"],
)
def test_document_that_is_not_there(owner: Member, missing: str) -> None:
    for method, path in (("GET", ""), ("GET", "/download"), ("PATCH", ""), ("DELETE", "")):
        body = {"json": {"tags": ["x"]}} if method == "PATCH" else {}
        refused(owner.request(method, f"/documents/{missing}{path}", **body), 404, "DOCUMENT_NOT_FOUND")


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("documentType=SELFIE", TYPES),
        ("documentType=", TYPES),
        ("clientId=acme", "UUID"),
        ("opportunityId=", "UUID"),
        ("tags=" + "x" * 51, "50"),
        ("query=" + "x" * 201, "200"),
        ("limit=101", "1 to 100"),
        ("page=0", "1"),
        ("documentTyp=CONTRACT", "did you mean documentType?"),
        ("clientId=a&clientId=b", "once"),
        ("cursor=abc", "not valid for this query"),
        ("page=5000&limit=100", "cursor"),
    ],
)
def test_list_parameter_is_refused(owner: Member, query: str, words: str) -> None:
    refused(owner.get(f"/documents?{query}"), 400, "VALIDATION_ERROR", words)
