"""Bad input of clients, contacts and interactions, one table; and odd input that must be taken as it is."""

from typing import Any

import pytest

from tests import make
from tests.people import Member, data, register
from tests.serving import Served
from tests.wire import refused, told_just

COMPANY = {"clientType": "COMPANY", "source": "MANUAL", "companyName": "Acme"}
PERSON = {"clientType": "INDIVIDUAL", "source": "MANUAL", "firstName": "Ada"}
SOURCES = "MANUAL, MARKET_IMPORT, REFERRAL, WEBSITE, LINKEDIN, SOCIAL_MEDIA, COLD_OUTREACH, REPEAT_CLIENT"


@pytest.fixture(scope="module")
def owner(server: Served) -> Member:
    """One book for all rows."""
    return register(server.url, "c.rows")


@pytest.fixture(scope="module")
def client_id(owner: Member) -> str:
    made: str = make.client(owner)["id"]
    return made


BAD_CLIENTS: dict[str, tuple[dict[str, Any], dict[str, str]]] = {
    # what is sent → field: what must be said
    "C-41": ({}, {"clientType": "required", "source": "required"}),
    "C-41 with faults of every kind": (
        {"clientType": "COMPANY", "email": "x", "tags": "a", "notes": 5, "colour": 1, "id": 1, "address": {"zip": 1}},
        {"source": "required", "companyName": "required for a client of type", "email": "e-mail", "tags": "list",
         "notes": "string", "colour": "unknown", "id": "read-only", "address.zip": "unknown"},
    ),
    "C-42 company": (
        {"clientType": "COMPANY", "source": "MANUAL"}, {"companyName": "required for a client of type COMPANY"}
    ),
    "C-42 individual": (
        {"clientType": "INDIVIDUAL", "source": "MANUAL"}, {"firstName": "firstName or lastName is required"}
    ),
    "C-42 individual with a company's name": (
        {"clientType": "INDIVIDUAL", "source": "MANUAL", "companyName": "Acme"}, {"firstName": "firstName or lastName"}
    ),
    "C-42 company with a person's name": (
        {"clientType": "COMPANY", "source": "MANUAL", "firstName": "Ada"}, {"companyName": "required"}
    ),
    "C-42 null": ({**COMPANY, "companyName": None}, {"companyName": "required"}),
    "C-42 empty": ({**COMPANY, "companyName": ""}, {"companyName": "empty"}),
    "C-42 spaces": ({**COMPANY, "companyName": " \t\n "}, {"companyName": "empty"}),
    "C-42 zero-width": ({**COMPANY, "companyName": "\u200b\u200d"}, {"companyName": "visible"}),
    "C-42 no-break space": ({**COMPANY, "companyName": "\u00a0"}, {"companyName": "empty"}),
    "C-42 a name of 256 characters": ({**COMPANY, "companyName": "x" * 256}, {"companyName": "255 characters"}),
    "C-42 a first name of 101": ({**PERSON, "firstName": "x" * 101}, {"firstName": "100 characters"}),
    "C-42 a number as name": ({**COMPANY, "companyName": 42}, {"companyName": "string"}),
    "C-42 a list as name": ({**COMPANY, "companyName": ["Acme"]}, {"companyName": "string"}),
    "C-42 line break": ({**COMPANY, "companyName": "Acme\nInc"}, {"companyName": "U+000A"}),
    "C-42 tab": ({**COMPANY, "companyName": "Acme\tInc"}, {"companyName": "U+0009"}),
    "C-42 escape character": ({**COMPANY, "companyName": "Acme\x1b[31m"}, {"companyName": "U+001B"}),
    "C-42 line separator": ({**COMPANY, "companyName": "Acme\u2028Inc"}, {"companyName": "U+2028"}),
    "C-43 lower case": ({**COMPANY, "clientType": "company"}, {"clientType": "INDIVIDUAL, COMPANY"}),
    "C-43 number": ({**COMPANY, "clientType": 1}, {"clientType": "INDIVIDUAL, COMPANY"}),
    "C-43 null": ({**COMPANY, "clientType": None}, {"clientType": "INDIVIDUAL, COMPANY"}),
    "C-43 list": ({**COMPANY, "clientType": ["COMPANY"]}, {"clientType": "INDIVIDUAL, COMPANY"}),
    "C-43 with a space": ({**COMPANY, "clientType": "COMPANY "}, {"clientType": "did you mean COMPANY?"}),
    "C-43 braces": ({**COMPANY, "clientType": "{text} %s {0}"}, {"clientType": "{text} %s {0}"}),
    "C-43 source": ({**COMPANY, "source": "MANUEL"}, {"source": SOURCES}),
    "C-43 source null": ({**COMPANY, "source": None}, {"source": SOURCES}),
    "C-43 source by hand": ({**COMPANY, "source": ""}, {"source": SOURCES}),
    "C-43 status": ({**COMPANY, "status": "OPEN"}, {"status": "LEAD, PROSPECT, ACTIVE, INACTIVE"}),
    "C-43 status null": ({**COMPANY, "status": None}, {"status": "LEAD, PROSPECT, ACTIVE, INACTIVE"}),
    "C-43 company size": ({**COMPANY, "companySize": "HUGE"}, {"companySize": "SOLO, SMALL, MEDIUM, LARGE"}),
    "C-44 e-mail without @": ({**COMPANY, "email": "acme.com"}, {"email": "@"}),
    "C-44 e-mail, two": ({**COMPANY, "email": "a@b.com, c@d.com"}, {"email": "e-mail"}),
    "C-44 e-mail with a name": ({**COMPANY, "email": "Ada <ada@b.com>"}, {"email": "e-mail"}),
    "C-44 e-mail, local host": ({**COMPANY, "email": "ada@localhost"}, {"email": "e-mail"}),
    "C-44 e-mail, two dots": ({**COMPANY, "email": "a..b@example.com"}, {"email": "e-mail"}),
    "C-44 e-mail, empty": ({**COMPANY, "email": ""}, {"email": "e-mail"}),
    "C-44 e-mail, number": ({**COMPANY, "email": 5}, {"email": "e-mail"}),
    "C-44 e-mail, long": ({**COMPANY, "email": "a" * 250 + "@example.com"}, {"email": "e-mail"}),
    "C-44 e-mail, a header": ({**COMPANY, "email": "a@b.com\r\nBcc: c@d.com"}, {"email": "e-mail"}),
    "C-47 two characters": ({**COMPANY, "phone": "+1"}, {"phone": "E.164"}),
    "C-47 60 digits": ({**COMPANY, "phone": "1" * 60}, {"phone": "3 to 50"}),
    "C-47 spaces": ({**COMPANY, "phone": "      "}, {"phone": "3 to 50"}),
    "C-47 empty": ({**COMPANY, "phone": ""}, {"phone": "3 to 50"}),
    "C-47 number": ({**COMPANY, "phone": 12025550123}, {"phone": "string"}),
    "C-47 line break": ({**COMPANY, "phone": "123\n456"}, {"phone": "U+000A"}),
    "C-48 script": ({**COMPANY, "website": "javascript:alert(1)"}, {"website": "http:// or https://"}),
    "C-48 data": ({**COMPANY, "website": "data:text/html,x"}, {"website": "http:// or https://"}),
    "C-48 FTP": ({**COMPANY, "website": "ftp://acme.com"}, {"website": "http:// or https://"}),
    "C-48 password": ({**COMPANY, "website": "http://user:pw@x.com"}, {"website": "user name or password"}),
    "C-48 user": ({**COMPANY, "website": "https://user@x.com"}, {"website": "user name"}),
    "C-48 empty user": ({**COMPANY, "website": "https://@x.com"}, {"website": "user name"}),
    "C-48 no scheme": ({**COMPANY, "website": "acme.com"}, {"website": "http:// or https://"}),
    "C-48 no slashes": ({**COMPANY, "website": "https:acme.com"}, {"website": "http:// or https://"}),
    "C-48 no host": ({**COMPANY, "website": "https:///path"}, {"website": "http:// or https://"}),
    "C-48 port 99999": ({**COMPANY, "website": "https://x.com:99999"}, {"website": "web address"}),
    "C-48 open bracket": ({**COMPANY, "website": "https://[::1"}, {"website": "web address"}),
    "C-48 a space": ({**COMPANY, "website": "https://ac me.com"}, {"website": "web address"}),
    "C-48 markup": ({**COMPANY, "website": 'https://x.com/"><b>'}, {"website": "web address"}),
    "C-48 backslash": ({**COMPANY, "website": "https://x.com\\@evil.com"}, {"website": "web address"}),
    "C-48 scheme with a tab": ({**COMPANY, "website": "java\tscript:alert(1)"}, {"website": "U+0009"}),
    "C-48 2,049 characters": ({**COMPANY, "website": "https://x.com/" + "a" * 2035}, {"website": "2048"}),
    "C-49 EST5": ({**COMPANY, "timezone": "EST5"}, {"timezone": "IANA"}),
    "C-49 nowhere": ({**COMPANY, "timezone": "America/New_Yrk"}, {"timezone": "did you mean America/New_York?"}),
    "C-49 path": ({**COMPANY, "timezone": "../../etc/passwd"}, {"timezone": "IANA"}),
    "C-49 offset": ({**COMPANY, "timezone": "+02:00"}, {"timezone": "IANA"}),
    "C-49 lower case": ({**COMPANY, "timezone": "europe/berlin"}, {"timezone": "did you mean Europe/Berlin?"}),
    "C-49 abbreviation": ({**COMPANY, "timezone": "CET"}, {"timezone": "Europe/Berlin"}),
    "C-49 number": ({**COMPANY, "timezone": 2}, {"timezone": "IANA"}),
    "C-49 empty": ({**COMPANY, "timezone": ""}, {"timezone": "IANA"}),
    "C-49 10 kB": ({**COMPANY, "timezone": "A/" * 5000}, {"timezone": "IANA"}),
    "C-50 51 tags": ({**COMPANY, "tags": [str(n) for n in range(51)]}, {"tags": "50"}),
    "C-50 a tag of 100 characters": ({**COMPANY, "tags": ["x" * 100]}, {"tags.0": "50 characters"}),
    "C-50 empty tag": ({**COMPANY, "tags": ["a", ""]}, {"tags.1": "empty"}),
    "C-50 blank tag": ({**COMPANY, "tags": ["   "]}, {"tags.0": "empty"}),
    "C-50 number": ({**COMPANY, "tags": [1]}, {"tags.0": "string"}),
    "C-50 null inside": ({**COMPANY, "tags": ["a", None]}, {"tags.1": "string"}),
    "C-50 text": ({**COMPANY, "tags": "a"}, {"tags": "list"}),
    "C-50 text with commas": ({**COMPANY, "tags": "a,b"}, {"tags": "list"}),
    "C-50 object": ({**COMPANY, "tags": {"0": "a"}}, {"tags": "list"}),
    "C-50 null": ({**COMPANY, "tags": None}, {"tags": "list"}),
    "C-50 list in the list": ({**COMPANY, "tags": [["a"]]}, {"tags.0": "string"}),
    "C-51 5,001 characters": ({**COMPANY, "notes": "x" * 5001}, {"notes": "5000 characters"}),
    "C-51 5,001 emoji": ({**COMPANY, "notes": "🎉" * 5001}, {"notes": "5000 characters"}),
    "C-51 object": ({**COMPANY, "notes": {"text": "x"}}, {"notes": "string"}),
    "C-52 text": ({**COMPANY, "address": "x"}, {"address": "object"}),
    "C-52 list": ({**COMPANY, "address": []}, {"address": "object"}),
    "C-52 number inside": ({**COMPANY, "address": {"postalCode": 10001}}, {"address.postalCode": "string"}),
    "C-52 unknown part": ({**COMPANY, "address": {"planet": "Earth"}}, {"address.planet": "unknown field planet"}),
    "C-52 empty city": ({**COMPANY, "address": {"city": ""}}, {"address.city": "empty"}),
    "C-52 a city of 101": ({**COMPANY, "address": {"city": "x" * 101}}, {"address.city": "100 characters"}),
    "C-54 on create": ({**COMPANY, "status": "ARCHIVED"}, {"status": "/archive"}),
}  # fmt: skip


@pytest.mark.parametrize(("body", "told"), BAD_CLIENTS.values(), ids=BAD_CLIENTS)
def test_bad_client_is_refused_with_every_fault(owner: Member, body: dict[str, Any], told: dict[str, str]) -> None:
    error = refused(owner.post("/clients", body), 400, "VALIDATION_ERROR")
    told_just(error, told)


NOT_ON_PATCH = ("C-41", "C-42 company", "C-42 individual", "C-42 company with", "C-42 null")  # judged with the record


@pytest.mark.parametrize("row", [row for row in BAD_CLIENTS if not row.startswith(NOT_ON_PATCH)])
def test_patch_refuses_what_create_refuses(owner: Member, client_id: str, row: str) -> None:
    body, told = BAD_CLIENTS[row]
    before = data(owner.get(f"/clients/{client_id}"))
    error = refused(owner.patch(f"/clients/{client_id}", body), 400, "VALIDATION_ERROR")
    told_just(error, told)
    assert data(owner.get(f"/clients/{client_id}")) == before


@pytest.mark.parametrize(
    ("change", "told"),
    [
        pytest.param({}, {"": "nothing to change"}, id="C-53"),
        pytest.param({"status": "ARCHIVED"}, {"status": "/archive"}, id="C-54"),
        pytest.param({"status": "ARCHIVED", "notes": "x"}, {"status": "/archive"}, id="C-54 among others"),
        pytest.param(
            {"companyName": None}, {"companyName": "required for a client of type COMPANY"}, id="C-42 cleared"
        ),
        pytest.param({"clientType": "INDIVIDUAL"}, {"firstName": "firstName or lastName"}, id="C-42 other type"),
        pytest.param({"clientType": None}, {"clientType": "INDIVIDUAL, COMPANY"}, id="C-43 null"),
        pytest.param({"source": None}, {"source": "MANUAL"}, id="C-43 source null"),
        pytest.param({"status": None}, {"status": "LEAD"}, id="C-43 status null"),
        pytest.param({"tags": None}, {"tags": "list"}, id="C-50 null"),
    ],
)
def test_patch_that_can_not_be_is_refused(
    owner: Member, client_id: str, change: dict[str, Any], told: dict[str, str]
) -> None:
    before = data(owner.get(f"/clients/{client_id}"))
    told_just(refused(owner.patch(f"/clients/{client_id}", change), 400, "VALIDATION_ERROR"), told)
    assert data(owner.get(f"/clients/{client_id}")) == before


# --- e-mail addresses in use ---


@pytest.mark.parametrize(
    ("first", "second"),
    [
        pytest.param("ada@example.com", "ada@example.com", id="C-45 the same"),
        pytest.param("ada@example.com", "ADA@EXAMPLE.COM", id="C-45 case"),
        pytest.param("ADA@Example.com", "aDa@eXAMPLE.cOM", id="C-45 case, other first"),
        pytest.param("josé@example.com", "jose\u0301@example.com", id="C-45 composed"),
        pytest.param("ÄRGER@example.com", "ärger@example.com", id="C-45 case beyond ASCII"),
        pytest.param("straße@example.com", "STRASSE@example.com", id="C-45 case of ß"),
        pytest.param("ada@bücher.example", "ada@xn--bcher-kva.example", id="C-45 domain in ASCII"),
        pytest.param("ada@example.com", "  ada@example.com ", id="C-45 spaces around"),
        pytest.param("fi@example.com", "\ufb01@example.com", id="C-45 ligature"),
    ],
)
def test_email_of_another_client_is_refused(alice: Member, first: str, second: str) -> None:
    taken = make.client(alice, email=first)
    error = refused(alice.post("/clients", {**COMPANY, "email": second}), 409, "CLIENT_ALREADY_EXISTS")
    assert error["details"] == {"clientId": taken["id"], "archived": False}
    other = make.client(alice, email="other@example.com")
    error = refused(alice.patch(f"/clients/{other['id']}", {"email": second}), 409, "CLIENT_ALREADY_EXISTS")
    assert error["details"]["clientId"] == taken["id"]
    assert data(alice.patch(f"/clients/{taken['id']}", {"email": second, "notes": "mine"}))["notes"] == "mine"


def test_email_of_an_archived_client_is_refused_with_the_way_to_restore_it(alice: Member) -> None:
    taken = make.client(alice, email="ada@example.com")
    data(alice.post(f"/clients/{taken['id']}/archive"))
    answer = alice.post("/clients", {**COMPANY, "email": "ada@example.com"})
    error = refused(answer, 409, "CLIENT_ALREADY_EXISTS", "archived", f"POST /clients/{taken['id']}/restore")
    assert error["details"] == {"clientId": taken["id"], "archived": True}


def test_email_in_another_book_is_free(alice: Member, bob: Member) -> None:
    make.client(alice, email="ada@example.com")
    make.client(bob, email="ada@example.com")


# --- odd input that is fine ---

ODD_NAMES = {
    "C-64 script": "<script>alert(1)</script>",
    "C-64 template": "{{7*7}} ${7*7} {% x %}",
    "C-64 formula": '=HYPERLINK("http://evil.example";"x")',
    "C-64 right to left override": "Acme \u202egpj.exe",
    "C-64 zalgo": "Z\u0351\u036b\u0343a\u0369l\u0352g\u033do",
    "C-64 emoji": "🎉 Party 🎉",
    "C-64 emoji family": "\U0001f468\u200d\U0001f469\u200d\U0001f467\u200d\U0001f466",
    "C-64 quotes": 'O\'Brien "& Sons" \\ %s %(x)s ?',
    "C-64 SQL": "'; drop table clients; --",
    "C-64 Arabic": "شركة الأمل",
    "C-64 Chinese": "北京公司",
    "C-64 Turkish i": "\u0130stanbul \u0131I",
    "C-64 combining only": "\u0301a",
    "C-64 null in words": "null",
    "C-64 number in words": "0123",
    "C-64 255 emoji": "🎉" * 255,
}


@pytest.mark.parametrize("name", ODD_NAMES.values(), ids=ODD_NAMES)
def test_odd_name_is_kept_as_it_is_and_found(alice: Member, name: str) -> None:
    made = make.client(alice, companyName=name)
    assert (made["companyName"], made["displayName"]) == (name, name)
    shown = data(alice.get(f"/clients/{made['id']}"))
    assert shown["companyName"] == name
    found = data(alice.get("/clients", params={"query": name[:200]}))
    assert [client["id"] for client in found["clients"]] == [made["id"]]


@pytest.mark.parametrize(
    ("field", "value", "kept"),
    [
        pytest.param("phone", "call me", "call me", id="C-47 text"),
        pytest.param("phone", " +1 (202) 555-0123 ext. 7 ", "+1 (202) 555-0123 ext. 7", id="C-47 trimmed"),
        pytest.param("phone", "112", "112", id="C-47 three"),
        pytest.param("phone", "1" * 50, "1" * 50, id="C-47 fifty"),
        pytest.param("website", "HTTPS://Acme.com/Path?q=1#x", "HTTPS://Acme.com/Path?q=1#x", id="C-48 capitals"),
        pytest.param("website", "http://münchen.example:8080/ä", "http://münchen.example:8080/ä", id="C-48 umlauts"),
        pytest.param("website", "https://[2001:db8::1]/", "https://[2001:db8::1]/", id="C-48 IPv6"),
        pytest.param(
            "timezone", "America/Argentina/Buenos_Aires", "America/Argentina/Buenos_Aires", id="C-49 three parts"
        ),
        pytest.param("timezone", "UTC", "UTC", id="C-49 UTC"),
        pytest.param("tags", ["b", "a", "b", " a "], ["b", "a"], id="C-50 duplicates"),
        pytest.param("tags", [f"t{n}" for n in range(50)], [f"t{n}" for n in range(50)], id="C-50 fifty"),
        pytest.param("tags", ["x" * 50, "🎉" * 50], ["x" * 50, "🎉" * 50], id="C-50 long"),
        pytest.param("tags", ["A", "a"], ["A", "a"], id="C-50 case matters"),
        pytest.param("tags", [], [], id="C-50 none"),
        pytest.param("notes", "🎉" * 5000, "🎉" * 5000, id="C-51 5,000 emoji"),
        pytest.param("notes", "", "", id="C-51 empty"),
        pytest.param("notes", "a\r\n\tb ", "a\r\n\tb ", id="C-51 line breaks"),
        pytest.param("address", {"country": "Atlantis"}, {"country": "Atlantis"}, id="C-52 free text"),
        pytest.param("address", {"city": "X", "street": None}, {"city": "X"}, id="C-52 null part"),
        pytest.param("address", None, None, id="C-52 null"),
        pytest.param("companySize", None, None, id="C-43 null size"),
        pytest.param(
            "email", "Ada.Lovelace@EXAMPLE.com", "Ada.Lovelace@example.com", id="C-45 domain in small letters"
        ),
    ],
)
def test_unusual_value_is_taken(alice: Member, field: str, value: object, kept: object) -> None:
    shown = data(alice.get(f"/clients/{make.client(alice, **{field: value})['id']}"))[field]
    if isinstance(shown, dict) and isinstance(kept, dict):
        shown = {name: part for name, part in shown.items() if part is not None}
    assert shown == kept
