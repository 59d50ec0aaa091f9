"""Bad bodies, whatever the endpoint: what is no JSON by our rules, too large, or of another kind."""

import gzip
import json
import time
from collections.abc import Iterator
from contextlib import suppress
from decimal import Decimal
from typing import Any

import pytest

from soloist.infra import jsonbody
from soloist.infra.errors import Problem
from soloist.infra.http import BASE
from tests import make
from tests.people import Member, data, register
from tests.serving import Served
from tests.wire import chunked, raw, refused

JSON = {"Content-Type": "application/json"}
MIB = 1024 * 1024
ENOUGH = {"clientType": "COMPANY", "source": "MANUAL", "companyName": "Acme"}


@pytest.fixture(scope="module")
def owner(server: Served) -> Member:
    """One book for all rows."""
    return register(server.url, "a.bodies")


@pytest.fixture(scope="module")
def client_id(owner: Member) -> str:
    made: str = make.client(owner)["id"]
    return made


# --- the body as text ---

MALFORMED = {
    "A-6": (b'{"companyName": "Ac', ["line 1", "column 17"]),
    "A-6 in the third line": (b'{\n"source": "MANUAL",\n"clientType": COMPANY}', ["line 3", "column 15"]),
    "A-6 comma at the end": (b'{"a": 1,}', ["line 1"]),
    "A-6 single quotes": (b"{'a': 1}", ["line 1"]),
    "A-6 two values": (b"{} {}", ["line 1", "column 4"]),
    "A-6 a comment": (b'{"a": 1} // no', ["line 1"]),
    "A-6 key without a value": (b'{"a"}', ["line 1"]),
    "A-6 only spaces": (b"   ", ["line 1"]),
    "A-6 line break in a string": (b'{"companyName": "a\nb"}', ["line 1"]),
    "A-6 unknown escape": (rb'{"companyName": "\x41"}', ["line 1"]),
    "A-6 half an escape": (rb'{"companyName": "\u12"}', ["line 1"]),
    "A-6 leading zero": (b'{"duration": 060}', ["line 1"]),
    "A-6 leading plus": (b'{"duration": +60}', ["line 1"]),
    "A-6 hexadecimal": (b'{"duration": 0x10}', ["line 1"]),
    "A-8 key twice": (b'{"companyName": "A", "companyName": "B"}', ["companyName", "twice"]),
    "A-8 key twice, inside": (b'{"address": {"city": "A", "city": "B"}}', ["city", "twice"]),
    "A-8 key twice by escape": (rb'{"source": "A", "\u0073ource": "B"}', ["source", "twice"]),
    "A-8 half a pair as key, twice": (rb'{"\ud800": 1, "\ud800": 2}', ["twice"]),
    "A-9 NaN": (b'{"duration": NaN}', ["NaN"]),
    "A-9 Infinity": (b'{"duration": Infinity}', ["Infinity"]),
    "A-9 -Infinity": (b'{"duration": -Infinity}', ["-Infinity"]),
    "A-9 5,000 digits": (b'{"duration": ' + b"9" * 5000 + b"}", ["5000 digits"]),
    "A-10": (b"[" * 10_000, ["32"]),
    "A-10 objects": (b'{"a":' * 10_000, ["32"]),
    "A-10 closed": (b'{"a":' + b"[" * 10_000 + b"]" * 10_000 + b"}", ["32"]),
    "A-10 33 levels": (b'{"metadata":' + b"[" * 32 + b"]" * 32 + b"}", ["32"]),
    "A-10 a whole body of them": (b"[" * MIB, ["32"]),
    "A-10 behind a string": (rb'{"a": "\"[", "b":' + b"[" * 40 + b"]" * 40 + b"}", ["32"]),
    "A-11 Latin-1": ('{"companyName": "Müller"}'.encode("latin-1"), ["UTF-8", "18"]),
    "A-11 UTF-16": ('{"companyName": "A"}'.encode("utf-16"), ["UTF-8"]),
    "A-11 overlong": (b'{"companyName": "\xc0\xaf"}', ["UTF-8"]),
    "A-11 byte order mark": (b"\xef\xbb\xbf{}", ["byte order mark"]),
    "A-11 surrogate as bytes": (b'{"companyName": "\xed\xa0\x80"}', ["UTF-8"]),
    "A-11 half a pair": (rb'{"companyName": "a\ud800b"}', ["companyName", "surrogate"]),
    "A-11 the other half": (rb'{"tags": ["\udc00"]}', ["tags.0", "surrogate"]),
    "A-11 half a pair in a key": (rb'{"\ud800": 1}', ["surrogate"]),
    "A-12 bare NUL": (b'{"companyName": "a\x00b"}', ["line 1"]),
}


@pytest.mark.parametrize(("body", "says"), MALFORMED.values(), ids=MALFORMED)
def test_unreadable_body_is_refused_with_its_place(owner: Member, body: bytes, says: list[str]) -> None:
    answer = owner.request("POST", "/clients", content=body, headers=JSON)
    refused(answer, 400, "MALFORMED_JSON", *says)


NOT_OBJECTS = {
    "A-7 list": (b"[]", "a list"),
    "A-7 string": (b'"x"', "a string"),
    "A-7 null": (b"null", "null"),
    "A-7 number": (b"1", "a number"),
    "A-7 fraction": (b"1.5", "a number"),
    "A-7 boolean": (b"true", "a boolean"),
    "A-7 nothing": (b"", "nothing"),
}


@pytest.mark.parametrize("method", ["POST", "PATCH"])
@pytest.mark.parametrize(("body", "found"), NOT_OBJECTS.values(), ids=NOT_OBJECTS)
def test_body_must_be_an_object(owner: Member, client_id: str, method: str, body: bytes, found: str) -> None:
    path = "/clients" if method == "POST" else f"/clients/{client_id}"
    answer = owner.request(method, path, content=body, headers=JSON)
    refused(answer, 400, "VALIDATION_ERROR", "body must be a JSON object", found)


def test_32_levels_are_read(owner: Member, client_id: str) -> None:
    metadata: object = 1
    for _ in range(31):
        metadata = {"a": metadata}
    body = {"interactionType": "CALL", "subject": "deep", "metadata": metadata}
    shown = data(owner.post(f"/clients/{client_id}/interactions", body), 201)
    assert shown["metadata"] == metadata


NUMBERS = {
    "A-9 1e400": ('"duration": 1e400', "duration"),
    "A-9 -1e400": ('"duration": -1e400', "duration"),
    "A-9 400 digits": ('"duration": ' + "9" * 400, "duration"),
    "A-9 1e999999999": ('"duration": 1e999999999', "duration"),
    "A-9 1e-999999999": ('"duration": 1e-999999999', "duration"),
    "A-9 5,000 decimals": ('"duration": 0.' + "1" * 5000, "duration"),
    "A-9 money of 400 digits": ('"metadata": {"amount": 1e400, "currency": "USD"}', "metadata.amount"),
    "A-9 money with 400 decimals": ('"metadata": {"amount": 1e-400, "currency": "USD"}', "metadata.amount"),
    "A-9 metadata 1e999999999": ('"metadata": {"x": 1e999999999}', "metadata.x"),
    "A-9 metadata 1e-999999999": ('"metadata": {"x": 1e-999999999}', "metadata.x"),
    "A-9 metadata, deep": ('"metadata": {"a": [0, {"x": -1e308}]}', "metadata.a.1.x"),
    "A-9 metadata, 400 digits": ('"metadata": {"x": ' + "9" * 400 + "}", "metadata.x"),
    "A-9 metadata, many": ('"metadata": {"a": [' + ",".join(["1e300"] * 60) + "]}", "metadata"),
    "A-9 metadata, many small": ('"metadata": {"a": [' + ",".join(["1e-300"] * 60) + "]}", "metadata"),
}


@pytest.mark.parametrize(("field", "name"), NUMBERS.values(), ids=NUMBERS)
def test_number_out_of_range_names_its_field(owner: Member, client_id: str, field: str, name: str) -> None:
    body = '{"interactionType": "PAYMENT_RECEIVED", "subject": "x", ' + field + "}"
    answer = owner.request("POST", f"/clients/{client_id}/interactions", content=body.encode(), headers=JSON)
    error = refused(answer, 400, "VALIDATION_ERROR")
    assert [fault["field"] for fault in error["details"]] == [name]


@pytest.mark.parametrize("number", ["1e307", "-9.99e307", "9" * 307, "0." + "1" * 5000, "1e-307", "-0", "0e9", "0.1"])
def test_metadata_keeps_a_number_exactly(owner: Member, client_id: str, number: str) -> None:
    body = '{"interactionType": "CALL", "subject": "x", "metadata": {"x": ' + number + "}}"
    answer = owner.request("POST", f"/clients/{client_id}/interactions", content=body.encode(), headers=JSON)
    assert answer.status_code == 201, answer.text
    assert json.loads(answer.content, parse_float=Decimal, parse_int=Decimal)["data"]["metadata"]["x"] == Decimal(
        number
    )


def test_exponent_beyond_any_number_is_malformed(owner: Member) -> None:
    answer = owner.request("POST", "/clients", content=b'{"notes": 1e99999999999999999999}', headers=JSON)
    refused(answer, 400, "MALFORMED_JSON", "1e99999999999999999999", "range")


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"[" * MIB, id="open lists"),
        pytest.param(b'{"a":' * (MIB // 5), id="open objects"),
        pytest.param(b'["' * (MIB // 2), id="open strings"),
        pytest.param(b'{"a": ' + b"9" * (MIB // 2) + b"}", id="a long number"),
        pytest.param(b'{"a": 0.' + b"9" * 4000 + b"e999999}", id="a long fraction"),
        pytest.param(b"\\" * MIB, id="backslashes"),
        pytest.param(b'"' + b"\\" * MIB, id="an open string of backslashes"),
    ],
)
def test_hostile_body_costs_little_time(body: bytes) -> None:
    took = []
    for _ in range(3):
        started = time.process_time()
        with suppress(Problem):
            jsonbody.parse(body)
        took.append(time.process_time() - started)
    assert min(took) < 0.1


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/clients", {"companyName": "Acme\0Inc"}),
        ("/clients", {"tags": ["a", "b\0"]}),
        ("/clients", {"address": {"city": "\0"}}),
        ("/clients", {"email": "a\0@example.com"}),
        ("/clients", {"notes": "\0" * 5}),
        ("/clients", {"clientType": "COMPANY\0"}),
        ("/clients", {"no\0such": "x"}),
        ("/clients/{id}/contacts", {"firstName": "J\0hn"}),
        ("/clients/{id}/interactions", {"subject": "\0"}),
        ("/clients/{id}/interactions", {"metadata": {"a": {"b": ["\0"]}}}),
        ("/clients/{id}/interactions", {"metadata": {"k\0": 1}}),
        ("/clients/{id}/archive", {"why": "\0"}),
    ],
    ids=lambda value: f"A-12 {next(iter(value))!a}" if isinstance(value, dict) else "",
)
def test_nul_is_refused_in_every_string(owner: Member, client_id: str, path: str, body: dict[str, Any]) -> None:
    answer = owner.post(path.replace("{id}", client_id), body)
    error = refused(answer, 400, "VALIDATION_ERROR", "NUL", "not allowed")
    field = error["details"][0]["field"]
    assert field.split(".")[0].replace("\\u0000", "\0") == next(iter(body))


# --- the body's size and kind ---


def filled(size: int) -> bytes:
    """A body of `size` bytes that is right but for what the schema says."""
    head = b'{"notes":"'
    return head + b"x" * (size - len(head) - 2) + b'"}'


def test_body_of_one_mebibyte_is_read_and_one_byte_more_is_not(owner: Member) -> None:
    answer = owner.request("POST", "/clients", content=filled(MIB), headers=JSON)
    refused(answer, 400, "VALIDATION_ERROR", "5000 characters")
    answer = owner.request("POST", "/clients", content=filled(MIB + 1), headers=JSON)
    refused(answer, 413, "PAYLOAD_TOO_LARGE", "1,048,576 bytes")
    assert answer.headers["connection"] == "close"


def pieces(size: int) -> Iterator[bytes]:
    for _ in range(size // 65536):
        yield b" " * 65536
    yield b" " * (size % 65536)


LARGE = {
    "A-13 announced": ([("Content-Length", "1048577")], [b"{"]),
    "A-13 announced, 10 GB": ([("Content-Length", "10000000000")], [b"{"]),
    "A-13 chunked": ([("Transfer-Encoding", "chunked")], list(chunked(pieces(MIB + 1)))),
    "A-13 chunked, without an end": ([("Transfer-Encoding", "chunked")], list(chunked(pieces(3 * MIB)))[:-1]),
    "A-13 gzip over the limit": (
        [("Content-Encoding", "gzip"), ("Content-Length", "1048577")],
        [gzip.compress(b" ") + b"\0" * MIB],
    ),
}


@pytest.mark.parametrize(("headers", "body"), LARGE.values(), ids=LARGE)
def test_large_body_is_refused_without_reading_it_all(
    server: Served, owner: Member, headers: list[tuple[str, str | bytes]], body: list[bytes]
) -> None:
    sent = [("Authorization", f"Bearer {owner.token}"), ("Content-Type", "application/json"), *headers]
    answer = raw(server.url, "POST", f"{BASE}/clients", sent, body)
    refused(answer, 413, "PAYLOAD_TOO_LARGE", "1,048,576 bytes")


KINDS = {
    "A-14 text": ("text/plain", []),
    "A-14 form": ("application/x-www-form-urlencoded", []),
    "A-14 multipart": ("multipart/form-data; boundary=x", []),
    "A-14 XML": ("application/xml", []),
    "A-14 merge patch": ("application/merge-patch+json", []),
    "A-14 JSON in a parameter": ("text/plain; application/json", []),
    "A-14 two kinds": ("application/json, text/plain", []),
    "A-14 empty": ("", []),
    "A-14 gzip bomb": ("application/json", [("Content-Encoding", "gzip")]),
    "A-14 brotli": ("application/json", [("Content-Encoding", "br")]),
}


@pytest.mark.parametrize(("kind", "more"), KINDS.values(), ids=KINDS)
def test_body_of_another_kind_is_refused(server: Served, owner: Member, kind: str, more: list[tuple[str, str]]) -> None:
    body = gzip.compress(b" " * 50 * MIB) if more else json.dumps(ENOUGH).encode()
    headers = [
        ("Authorization", f"Bearer {owner.token}"),
        ("Content-Type", kind),
        ("Content-Length", str(len(body))),
        *more,
    ]
    answer = raw(server.url, "POST", f"{BASE}/clients", headers, [body])
    refused(answer, 415, "UNSUPPORTED_MEDIA_TYPE", "uncompressed" if more else "application/json")


@pytest.mark.parametrize(
    "kind",
    ["application/json", "APPLICATION/JSON", "application/json; charset=utf-8", "application/json;charset=UTF-8"],
)
def test_json_by_any_of_its_spellings_is_read(owner: Member, kind: str) -> None:
    body = json.dumps(ENOUGH).encode()
    data(owner.request("POST", "/clients", content=body, headers={"Content-Type": kind}), 201)


def test_post_that_needs_no_body_takes_none_or_an_empty_object(owner: Member, client_id: str) -> None:
    for given in ({}, {"content": b"{}", "headers": JSON}):
        data(owner.request("POST", f"/clients/{client_id}/restore", **given))
    answer = owner.post(f"/clients/{client_id}/restore", {"why": "x"})
    refused(answer, 400, "VALIDATION_ERROR", "why", "takes no fields")
