"""Bad input of opportunities, one table: each is refused with what was wrong, what is allowed and what to do."""

from typing import Any
from uuid import uuid4

import pytest

from tests import make
from tests.opportunities.deals import act, deal, move, seen
from tests.people import Member, data, register
from tests.serving import Served
from tests.wire import raw, refused

DEAL = {"title": "Website Redesign Project", "source": "INBOUND_INQUIRY"}
SOURCES = "MARKET_PROJECT, MARKET_SERVICE, REFERRAL, COLD_OUTREACH, INBOUND_INQUIRY, REPEAT_CLIENT, PARTNERSHIP, OTHER"
OPEN_STAGES = "LEAD, QUALIFIED, PROPOSAL, NEGOTIATION"
MOST = "999999999999.99"


@pytest.fixture(scope="module")
def owner(server: Served) -> Member:
    """One book for all rows."""
    return register(server.url, "d.rows")


@pytest.fixture(scope="module")
def open_deal(owner: Member) -> dict[str, Any]:
    return deal(owner, estimatedValue=15000)


def check(error: dict[str, Any], told: dict[str, str]) -> None:
    """Just these fields are at fault, each with these words, and one fault alone is told in the message, too."""
    found = {fault["field"]: fault["message"] for fault in error["details"]}
    assert found.keys() == told.keys()
    for field, words in told.items():
        assert words.lower() in found[field].lower(), found[field]
    if len(told) == 1:
        [(field, message)] = found.items()
        assert error["message"] == (f"{field}: {message}" if field else message)
    else:
        assert f"{len(told)} faults" in error["message"]


BAD_DEALS: dict[str, tuple[dict[str, Any], dict[str, str]]] = {
    # what is sent → field: what must be said
    "D-65 client that is no id": ({**DEAL, "clientId": "acme"}, {"clientId": "UUID"}),
    "D-65 client as number": ({**DEAL, "clientId": 7}, {"clientId": "UUID"}),
    "D-65 client empty": ({**DEAL, "clientId": ""}, {"clientId": "UUID"}),
    "D-66 negative": ({**DEAL, "estimatedValue": -1}, {"estimatedValue": "at least 0"}),
    "D-66 just below nothing": ({**DEAL, "estimatedValue": -0.01}, {"estimatedValue": "at least 0"}),
    "D-66 in quotes": ({**DEAL, "estimatedValue": "15000"}, {"estimatedValue": "number, not in quotes"}),
    "D-66 null": ({**DEAL, "estimatedValue": None}, {"estimatedValue": "number"}),
    "D-66 true": ({**DEAL, "estimatedValue": True}, {"estimatedValue": "number"}),
    "D-66 list": ({**DEAL, "estimatedValue": [15000]}, {"estimatedValue": "number"}),
    "D-66 too fine": ({**DEAL, "estimatedValue": 15000.999}, {"estimatedValue": "USD amounts have at most 2 decimals"}),
    "D-66 sum of floats": ({**DEAL, "estimatedValue": 0.30000000000000004}, {"estimatedValue": "2 decimals"}),
    "D-66 too fine for yen": (
        {**DEAL, "estimatedValue": 100.5, "currency": "JPY"}, {"estimatedValue": "JPY amounts have at most 0 decimals"}
    ),
    "D-66 too fine for dinar": (
        {**DEAL, "estimatedValue": 0.0001, "currency": "kwd"}, {"estimatedValue": "KWD amounts have at most 3 decimals"}
    ),
    "D-66 1e15": ({**DEAL, "estimatedValue": 1e15}, {"estimatedValue": MOST}),
    "D-66 a cent over the most": ({**DEAL, "estimatedValue": 1_000_000_000_000}, {"estimatedValue": MOST}),
    "D-68 two letters": ({**DEAL, "currency": "US"}, {"currency": "ISO 4217"}),
    "D-68 no currency": ({**DEAL, "currency": "XXX"}, {"currency": "ISO 4217"}),
    "D-68 test currency": ({**DEAL, "currency": "XTS"}, {"currency": "ISO 4217"}),
    "D-68 gold": ({**DEAL, "currency": "XAU"}, {"currency": "ISO 4217"}),
    "D-68 coin": ({**DEAL, "currency": "BTC"}, {"currency": "ISO 4217"}),
    "D-68 symbol": ({**DEAL, "currency": "$"}, {"currency": "ISO 4217"}),
    "D-68 name": ({**DEAL, "currency": "Dollar"}, {"currency": "ISO 4217"}),
    "D-68 number": ({**DEAL, "currency": 840}, {"currency": "ISO 4217"}),
    "D-68 empty": ({**DEAL, "currency": ""}, {"currency": "ISO 4217"}),
    "D-68 with a space": ({**DEAL, "currency": "USD "}, {"currency": "ISO 4217"}),
    "D-68 dotless i": ({**DEAL, "currency": "\u0131qd"}, {"currency": "ISO 4217"}),
    "D-69 30 February": ({**DEAL, "expectedCloseDate": "2024-02-30"}, {"expectedCloseDate": "day of the calendar"}),
    "D-69 29 February 2023": ({**DEAL, "expectedCloseDate": "2023-02-29"}, {"expectedCloseDate": "2024-03-01"}),
    "D-69 American": ({**DEAL, "expectedCloseDate": "03/01/2024"}, {"expectedCloseDate": "YYYY-MM-DD"}),
    "D-69 with a time": ({**DEAL, "expectedCloseDate": "2024-03-01T00:00:00Z"}, {"expectedCloseDate": "YYYY-MM-DD"}),
    "D-69 short": ({**DEAL, "expectedCloseDate": "2024-3-1"}, {"expectedCloseDate": "YYYY-MM-DD"}),
    "D-69 week": ({**DEAL, "expectedCloseDate": "2024-W10-5"}, {"expectedCloseDate": "YYYY-MM-DD"}),
    "D-69 number": ({**DEAL, "expectedCloseDate": 20240301}, {"expectedCloseDate": "YYYY-MM-DD"}),
    "D-69 empty": ({**DEAL, "expectedCloseDate": ""}, {"expectedCloseDate": "YYYY-MM-DD"}),
    "D-69 year 0": ({**DEAL, "expectedCloseDate": "0000-01-01"}, {"expectedCloseDate": "2024-03-01"}),
    "D-69 year 9999": ({**DEAL, "expectedCloseDate": "9999-12-31"}, {"expectedCloseDate": "out of range"}),
    "D-69 other digits": ({**DEAL, "expectedCloseDate": "\uff12024-03-01"}, {"expectedCloseDate": "2024-03-01"}),
    "D-71 over 100": ({**DEAL, "probability": 101}, {"probability": "at most 100"}),
    "D-71 negative": ({**DEAL, "probability": -1}, {"probability": "at least 0"}),
    "D-71 a part": ({**DEAL, "probability": 33.3}, {"probability": "whole number"}),
    "D-71 text": ({**DEAL, "probability": "50"}, {"probability": "whole number"}),
    "D-71 true": ({**DEAL, "probability": True}, {"probability": "whole number"}),
    "D-71 huge": ({**DEAL, "probability": 10**40}, {"probability": "at most 100"}),
    "D-74 title empty": ({**DEAL, "title": ""}, {"title": "empty"}),
    "D-74 title null": ({**DEAL, "title": None}, {"title": "string"}),
    "D-74 title of spaces": ({**DEAL, "title": "  \u00a0 "}, {"title": "empty"}),
    "D-74 title zero-width": ({**DEAL, "title": "\u200b"}, {"title": "visible"}),
    "D-74 title of 256": ({**DEAL, "title": "x" * 256}, {"title": "255 characters"}),
    "D-74 title of two lines": ({**DEAL, "title": "a\nb"}, {"title": "U+000A"}),
    "D-74 title number": ({**DEAL, "title": 1}, {"title": "string"}),
    "D-74 source": ({**DEAL, "source": "INBOUND"}, {"source": SOURCES}),
    "D-74 source of a client": ({**DEAL, "source": "MANUAL"}, {"source": SOURCES}),
    "D-74 source, lower case": ({**DEAL, "source": "referral"}, {"source": "did you mean REFERRAL?"}),
    "D-74 source null": ({**DEAL, "source": None}, {"source": SOURCES}),
    "D-74 source list": ({**DEAL, "source": ["REFERRAL"]}, {"source": SOURCES}),
    "D-74 priority": ({**DEAL, "priority": "TOP"}, {"priority": "LOW, MEDIUM, HIGH, URGENT"}),
    "D-74 priority null": ({**DEAL, "priority": None}, {"priority": "LOW, MEDIUM, HIGH, URGENT"}),
    "D-74 description of 5,001": ({**DEAL, "description": "x" * 5001}, {"description": "5000 characters"}),
    "D-74 description object": ({**DEAL, "description": {}}, {"description": "string"}),
    "D-74 details of 256": ({**DEAL, "sourceDetails": "x" * 256}, {"sourceDetails": "255 characters"}),
    "D-74 details empty": ({**DEAL, "sourceDetails": ""}, {"sourceDetails": "empty"}),
    "D-74 service of 101": ({**DEAL, "serviceType": "x" * 101}, {"serviceType": "100 characters"}),
    "D-74 51 tags": ({**DEAL, "tags": [str(n) for n in range(51)]}, {"tags": "50"}),
    "D-74 tag of 51": ({**DEAL, "tags": ["x" * 51]}, {"tags.0": "50 characters"}),
    "D-74 tag empty": ({**DEAL, "tags": ["a", ""]}, {"tags.1": "empty"}),
    "D-74 tags as text": ({**DEAL, "tags": "web"}, {"tags": "list"}),
    "D-74 tags null": ({**DEAL, "tags": None}, {"tags": "list"}),
    "D-74 unknown": ({**DEAL, "titel": "x"}, {"titel": "did you mean title?"}),
    "D-74 snake case": ({**DEAL, "estimated_value": 5}, {"estimated_value": "did you mean estimatedValue?"}),
    **{
        f"D-74 read-only {name}": ({**DEAL, name: value}, {name: "read-only"})
        for name, value in {
            "id": str(uuid4()), "version": 3, "createdAt": "2024-01-01T00:00:00Z", "baseValue": 5, "closedAt": None,
            "actualCloseDate": "2024-03-01", "lostReason": "x", "resumeOn": "2030-01-01", "clientName": "Acme",
            "updatedAt": "2024-01-01T00:00:00Z", "accountId": str(uuid4()),
        }.items()
    },
    "D-74 all at once": (
        {"source": "X", "estimatedValue": -1, "currency": "BTC", "probability": 101, "stage": "WON", "priority": 1,
         "expectedCloseDate": "soon", "tags": "a", "colour": 1, "id": 1},
        {"title": "required", "source": SOURCES, "estimatedValue": "at least 0", "currency": "ISO 4217",
         "probability": "at most 100", "stage": "open", "priority": "LOW", "expectedCloseDate": "YYYY-MM-DD",
         "tags": "list", "colour": "unknown", "id": "read-only"},
    ),
    "D-74 too fine and more": (
        {"source": "OTHER", "estimatedValue": 0.001, "currency": "USD"},
        {"title": "required", "estimatedValue": "2 decimals"},
    ),
}  # fmt: skip
ONLY_ON_CREATE: dict[str, tuple[dict[str, Any], dict[str, str]]] = {
    "D-70 won": ({**DEAL, "stage": "WON"}, {"stage": f"a new deal is open; allowed are {OPEN_STAGES}"}),
    "D-70 lost": ({**DEAL, "stage": "LOST"}, {"stage": OPEN_STAGES}),
    "D-70 unknown": ({**DEAL, "stage": "DEMO"}, {"stage": OPEN_STAGES}),
    "D-70 lower case": ({**DEAL, "stage": "lead"}, {"stage": "did you mean LEAD?"}),
    "D-70 null": ({**DEAL, "stage": None}, {"stage": OPEN_STAGES}),
    "D-70 status": ({**DEAL, "status": "OPEN"}, {"status": "follows from the stage"}),
    "D-70 nothing": ({}, {"title": "required", "source": "required"}),
}
JUDGED_WITH_THE_RECORD = ("D-74 all at once", "D-74 too fine and more")


@pytest.mark.parametrize("row", [*BAD_DEALS, *ONLY_ON_CREATE])
def test_bad_deal_is_refused_with_every_fault(owner: Member, row: str) -> None:
    body, told = {**BAD_DEALS, **ONLY_ON_CREATE}[row]
    check(refused(owner.post("/opportunities", body), 400, "VALIDATION_ERROR"), told)


@pytest.mark.parametrize("row", [row for row in BAD_DEALS if row not in JUDGED_WITH_THE_RECORD])
def test_patch_refuses_what_create_refuses(owner: Member, open_deal: dict[str, Any], row: str) -> None:
    body, told = BAD_DEALS[row]
    check(refused(owner.patch(f"/opportunities/{open_deal['id']}", body), 400, "VALIDATION_ERROR"), told)
    assert seen(owner, open_deal["id"]) == open_deal


@pytest.mark.parametrize(
    ("change", "told"),
    [
        pytest.param({}, {"": "nothing to change"}, id="D-77 empty"),
        pytest.param({"currency": None}, {"currency": "ISO 4217"}, id="D-68 null"),
        pytest.param({"probability": None}, {"probability": "whole number"}, id="D-71 null"),
        pytest.param({"stage": "WON"}, {"stage": "POST /opportunities/:id/stage"}, id="D-77 stage"),
        pytest.param(
            {"stage": "QUALIFIED", "title": "x"}, {"stage": "POST /opportunities/:id/stage"}, id="D-77 stage too"
        ),
        pytest.param({"status": "ON_HOLD"}, {"status": "/hold"}, id="D-77 status"),
    ],
)
def test_patch_that_can_not_be_is_refused(
    owner: Member, open_deal: dict[str, Any], change: dict[str, Any], told: dict[str, str]
) -> None:
    check(refused(owner.patch(f"/opportunities/{open_deal['id']}", change), 400, "VALIDATION_ERROR"), told)
    assert seen(owner, open_deal["id"]) == open_deal


@pytest.mark.parametrize(
    ("number", "status", "code"),
    [
        ("NaN", 400, "MALFORMED_JSON"), ("Infinity", 400, "MALFORMED_JSON"), ("-Infinity", 400, "MALFORMED_JSON"),
        ("1e400", 400, "VALIDATION_ERROR"), ("9" * 400, 400, "VALIDATION_ERROR"), ("1e-400", 400, "VALIDATION_ERROR"),
        ("1e300", 400, "VALIDATION_ERROR"), ("0x10", 400, "MALFORMED_JSON"), ("1_000", 400, "MALFORMED_JSON"),
        ("-0", 201, ""), ("1.5e3", 201, ""), ("15000.000000", 201, ""), ("0.00", 201, ""),
    ],
)  # fmt: skip
def test_number_at_the_edge_is_money_or_refused(owner: Member, number: str, status: int, code: str) -> None:
    body = f'{{"title": "A", "source": "OTHER", "estimatedValue": {number}}}'.encode()
    headers = [("Authorization", f"Bearer {owner.token}"), ("Content-Type", "application/json"),
               ("Content-Length", str(len(body)))]  # fmt: skip
    answer = raw(owner.url, "POST", "/api/cockpit/opportunities", headers, [body])
    if status == 201:
        assert data(answer, 201)["estimatedValue"] == float(number)
    else:
        refused(answer, status, code)


def test_client_of_a_deal_must_be_there_be_ones_own_and_live(owner: Member, bob: Member) -> None:
    archived, foreign = make.client(owner), make.client(bob)
    data(owner.post(f"/clients/{archived['id']}/archive"))
    assert data(owner.post("/opportunities", DEAL), 201)["clientId"] is None
    for client_id in (str(uuid4()), foreign["id"]):
        refused(owner.post("/opportunities", {**DEAL, "clientId": client_id}), 404, "CLIENT_NOT_FOUND")
    error = refused(
        owner.post("/opportunities", {**DEAL, "clientId": archived["id"]}), 400, "CLIENT_ARCHIVED", "/restore"
    )
    assert error["details"] == {"clientId": archived["id"]}


def test_patch_to_another_owners_client_is_refused_as_missing(
    owner: Member, open_deal: dict[str, Any], bob: Member
) -> None:
    path = f"/opportunities/{open_deal['id']}"
    foreign = refused(owner.patch(path, {"clientId": make.client(bob)["id"]}), 404, "CLIENT_NOT_FOUND")
    missing = refused(owner.patch(path, {"clientId": str(uuid4())}), 404, "CLIENT_NOT_FOUND")
    assert foreign["message"] == missing["message"]


# --- moves ---

STAGES = f"{OPEN_STAGES}, WON, LOST"


@pytest.mark.parametrize(
    ("body", "told"),
    [
        pytest.param({}, {"stage": "required"}, id="D-73 nothing"),
        pytest.param({"stage": None}, {"stage": STAGES}, id="D-73 null"),
        pytest.param({"stage": "DEMO"}, {"stage": STAGES}, id="D-73 unknown"),
        pytest.param({"stage": "won"}, {"stage": "did you mean WON?"}, id="D-73 lower case"),
        pytest.param({"stage": "ON_HOLD"}, {"stage": STAGES}, id="D-73 a status"),
        pytest.param({"stage": 5}, {"stage": STAGES}, id="D-73 number"),
        pytest.param({"stage": ["WON"]}, {"stage": STAGES}, id="D-73 list"),
        pytest.param({"stage": "WON", "notes": "x" * 1001}, {"notes": "1000 characters"}, id="D-73 long notes"),
        pytest.param({"stage": "WON", "notes": 5}, {"notes": "string"}, id="D-73 notes number"),
        pytest.param({"stage": "WON", "note": "x"}, {"note": "did you mean notes?"}, id="D-73 misspelt"),
        pytest.param({"stage": "X", "probability": 5}, {"stage": STAGES, "probability": "unknown"}, id="D-73 both"),
    ],
)
def test_move_that_is_none_is_refused(
    owner: Member, open_deal: dict[str, Any], body: dict[str, Any], told: dict[str, str]
) -> None:
    check(refused(owner.post(f"/opportunities/{open_deal['id']}/stage", body), 400, "VALIDATION_ERROR"), told)
    assert seen(owner, open_deal["id"]) == open_deal


def test_move_to_the_same_stage_says_from_to_and_what_is_allowed(owner: Member, open_deal: dict[str, Any]) -> None:
    answer = owner.post(f"/opportunities/{open_deal['id']}/stage", {"stage": "LEAD"})
    error = refused(answer, 400, "INVALID_STAGE_TRANSITION", "LEAD", "QUALIFIED, PROPOSAL, NEGOTIATION, WON, LOST")
    assert error["details"] == {
        "from": "LEAD", "to": "LEAD", "allowed": ["QUALIFIED", "PROPOSAL", "NEGOTIATION", "WON", "LOST"],
    }  # fmt: skip


def test_move_of_a_closed_deal_says_how_and_when_it_was_closed(owner: Member) -> None:
    closed = move(owner, deal(owner)["id"], "LOST")
    answer = owner.post(f"/opportunities/{closed['id']}/stage", {"stage": "WON"})
    refused(answer, 400, "OPPORTUNITY_CLOSED", "LOST", closed["closedAt"], "/reopen")


@pytest.mark.parametrize(
    ("body", "told"),
    [
        pytest.param({"resumeOn": "2024-02-30"}, {"resumeOn": "calendar"}, id="D-69 hold until 30 February"),
        pytest.param({"resumeOn": "tomorrow"}, {"resumeOn": "YYYY-MM-DD"}, id="D-69 hold until tomorrow"),
        pytest.param({"resumeOn": "2030-01-01T00:00:00Z"}, {"resumeOn": "YYYY-MM-DD"}, id="D-69 hold with a time"),
        pytest.param({"resumeOn": "2001-01-01"}, {"resumeOn": "after today"}, id="D-69 hold until long ago"),
        pytest.param({"until": "2030-01-01"}, {"until": "unknown"}, id="D-69 hold, misspelt"),
    ],
)
def test_hold_that_can_not_be_is_refused(
    owner: Member, open_deal: dict[str, Any], body: dict[str, Any], told: dict[str, str]
) -> None:
    check(refused(owner.post(f"/opportunities/{open_deal['id']}/hold", body), 400, "VALIDATION_ERROR"), told)
    assert seen(owner, open_deal["id"]) == open_deal


@pytest.mark.parametrize("action", ["resume", "reopen"])
def test_action_without_fields_takes_none(owner: Member, action: str) -> None:
    made = act(owner, deal(owner)["id"], "hold")
    answer = owner.post(f"/opportunities/{made['id']}/{action}", {"stage": "LEAD"})
    check(refused(answer, 400, "VALIDATION_ERROR"), {"stage": "takes no fields"})
    assert seen(owner, made["id"]) == made
