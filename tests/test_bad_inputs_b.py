"""Bad input of lists: pages, filters, bounds, sort keys, cursors. Each is refused with what is allowed."""

import base64
from urllib.parse import quote

import pytest

from tests import make
from tests.people import Member, data, register
from tests.serving import Served
from tests.wire import refused

LISTS = ["/clients", "/clients/{id}/contacts", "/clients/{id}/interactions", "/clients/{id}/timeline"]


@pytest.fixture(scope="module")
def owner(server: Served) -> Member:
    """One book for all rows: three clients, the first with two contacts and two interactions."""
    person = register(server.url, "b.rows")
    for _ in range(3):
        make.client(person)
    return person


@pytest.fixture(scope="module")
def client_id(owner: Member) -> str:
    first: str = make.client(owner)["id"]
    for _ in range(2):
        make.contact(owner, first)
        make.interaction(owner, first)
    return first


@pytest.mark.parametrize("path", LISTS)
@pytest.mark.parametrize(
    ("parameter", "value", "says"),
    [
        *(
            pytest.param("page", value, "whole number from 1", id=f"B-26 {value[:12]!r}")
            for value in (
                "0", "-1", "1.5", "abc", "9999999999999999999999", "", " 1", "+1", "0x1", "1e1", "1_0", "\u0663",
                "\uff11", "null", "1;2", "2147483649", "--1",
            )
        ),
        *(
            pytest.param("limit", value, "from 1 to 100", id=f"B-27 {value[:12]!r}")
            for value in ("0", "101", "1e3", "-5", "", "ten", "20.0", "99999999999999999999", "\u0665", "all")
        ),
        pytest.param("page", "1%00", "NUL", id="B-26 NUL"),
        pytest.param("cursor", "x" * 2001, "2000 characters", id="B-40 long"),
        pytest.param("cursor", "abc", "not valid for this query", id="B-40 short"),
        pytest.param("cursor", "", "not valid for this query", id="B-40 empty"),
        pytest.param("cursor", "é", "not valid for this query", id="B-40 not ASCII"),
        pytest.param("cursor", "A" * 64, "not valid for this query", id="B-40 unsigned"),
        pytest.param("cursor", "=" * 8, "not valid for this query", id="B-40 padding"),
        pytest.param("offset", "3", "unknown field offset", id="B-39 offset"),
    ],
)  # fmt: skip
def test_paging_parameter_that_is_none_is_refused(
    owner: Member, client_id: str, path: str, parameter: str, value: str, says: str
) -> None:
    target = path.replace("{id}", client_id)
    shown = value if "%" in value else quote(value)
    error = refused(owner.get(f"{target}?{parameter}={shown}"), 400, "VALIDATION_ERROR", says)
    assert [fault["field"] for fault in error["details"]] == [parameter]


@pytest.mark.parametrize("path", LISTS)
@pytest.mark.parametrize(
    ("page", "limit"),
    [
        pytest.param(5000, 100, id="B-28"),
        pytest.param(101, 100, id="B-28 just over"),
        pytest.param(10_001, 1, id="B-28 one a page"),
        pytest.param(2**31, 1, id="B-28 as deep as can be written"),
    ],
)
def test_page_too_deep_points_to_the_cursor(owner: Member, client_id: str, path: str, page: int, limit: int) -> None:
    target = path.replace("{id}", client_id)
    refused(owner.get(f"{target}?page={page}&limit={limit}"), 400, "VALIDATION_ERROR", "10,000", "cursor")


def test_deepest_page_is_answered(owner: Member) -> None:
    shown = data(owner.get("/clients?page=100&limit=100"))
    assert (shown["clients"], shown["page"], shown["nextCursor"]) == ([], 100, None)


CLIENT_STATUS = "LEAD, PROSPECT, ACTIVE, INACTIVE, ARCHIVED"
BAD_FILTERS = {
    "B-30": ("status=ACTIV", "status", [CLIENT_STATUS, "did you mean ACTIVE?"]),
    "B-30 lower case": ("status=active", "status", [CLIENT_STATUS, "did you mean ACTIVE?"]),
    "B-30 empty": ("status=", "status", [CLIENT_STATUS]),
    "B-30 one of two": ("status=ACTIVE,LED", "status", [CLIENT_STATUS, "LEAD"]),
    "B-30 one of two, repeated": ("status=ACTIVE&status=LED", "status", [CLIENT_STATUS, "LEAD"]),
    "B-30 index": ("status[0]=ACTIVE", "status[0]", ["unknown field"]),
    "B-30 with a space": ("status=ACTIVE,%20LEAD", "status", [CLIENT_STATUS]),
    "B-30 source": ("source=MANUALLY", "source", ["REFERRAL", "MANUAL"]),
    "B-30 type": ("clientType=PERSON", "clientType", ["INDIVIDUAL, COMPANY"]),
    "B-30 tag empty": ("tags=", "tags", ["empty"]),
    "B-30 tag too long": ("tags=" + "x" * 51, "tags", ["50 characters"]),
    "B-30 101 values": ("status=" + "LEAD," * 101, "status", ["at most 100"]),
    "B-30 101 values, repeated": ("tags=a&" * 101, "tags", ["at most 100"]),
    "B-31": ("sortBy=passwordHash", "sortBy", ["name, createdAt, lastInteractionAt, totalRevenue, healthScore"]),
    "B-31 SQL": ("sortBy=name;drop", "sortBy", ["name, createdAt"]),
    "B-31 column": ("sortBy=created_at", "sortBy", ["createdAt"]),
    "B-31 minus": ("sortBy=-name", "sortBy", ["name, createdAt"]),
    "B-31 two": ("sortBy=name,createdAt", "sortBy", ["name, createdAt"]),
    "B-31 empty": ("sortBy=", "sortBy", ["name, createdAt"]),
    "B-31 order": ("sortOrder=up", "sortOrder", ["asc, desc"]),
    "B-31 order empty": ("sortOrder=", "sortOrder", ["asc, desc"]),
    "B-31 order in full": ("sortOrder=descending", "sortOrder", ["asc, desc"]),
    "B-32": ("minHealthScore=101", "minHealthScore", ["0 to 100"]),
    "B-32 negative": ("minHealthScore=-1", "minHealthScore", ["0 to 100"]),
    "B-32 NaN": ("minHealthScore=NaN", "minHealthScore", ["0 to 100"]),
    "B-32 empty": ("minHealthScore=", "minHealthScore", ["0 to 100"]),
    "B-32 Infinity": ("minHealthScore=Infinity", "minHealthScore", ["0 to 100"]),
    "B-32 percent": ("minHealthScore=50%25", "minHealthScore", ["0 to 100"]),
    "B-32 other digits": ("minHealthScore=%D9%A5%D9%A0", "minHealthScore", ["0 to 100"]),
    "B-33": ("minTotalRevenue=abc", "minTotalRevenue", ["number"]),
    "B-33 huge": ("minTotalRevenue=1e999", "minTotalRevenue", ["number"]),
    "B-33 negative": ("minTotalRevenue=-0.01", "minTotalRevenue", ["from 0"]),
    "B-33 over the most": ("minTotalRevenue=1000000000000", "minTotalRevenue", ["999999999999.99"]),
    "B-33 thousands": ("minTotalRevenue=1,000", "minTotalRevenue", ["number"]),
    "B-33 currency": ("minTotalRevenue=$5", "minTotalRevenue", ["number"]),
    "B-33 empty": ("minTotalRevenue=", "minTotalRevenue", ["number"]),
    "B-35": ("lastInteractionBefore=2024-02-30", "lastInteractionBefore", ["2024-03-01"]),
    "B-35 word": ("lastInteractionBefore=yesterday", "lastInteractionBefore", ["2024-02-15T10:00:00Z"]),
    "B-35 month 13": ("lastInteractionBefore=2024-13-01T00:00:00Z", "lastInteractionBefore", ["2024-02-15T10:00:00Z"]),
    "B-35 JavaScript's end": ("lastInteractionBefore=%2B275760-09-13", "lastInteractionBefore", ["2024-03-01"]),
    "B-35 no offset": ("lastInteractionBefore=2024-01-01T10:00:00", "lastInteractionBefore", ["offset"]),
    "B-35 seconds since 1970": ("lastInteractionBefore=1707991200", "lastInteractionBefore", ["2024-03-01"]),
    "B-35 hour 24": ("lastInteractionBefore=2024-01-01T24:00:00Z", "lastInteractionBefore", ["2024-02-15T10:00:00Z"]),
    "B-35 leap second": ("lastInteractionBefore=2016-12-31T23:59:60Z", "lastInteractionBefore", ["2024-02-15"]),
    "B-35 year 0": ("lastInteractionBefore=0000-01-01", "lastInteractionBefore", ["2024-03-01"]),
    "B-35 year 9999": ("lastInteractionBefore=9999-12-31", "lastInteractionBefore", ["9999"]),
    "B-35 offset of 99 hours": ("lastInteractionBefore=2024-01-01T00:00:00-99:00", "lastInteractionBefore", ["2024"]),
    "B-35 other digits": ("lastInteractionBefore=%EF%BC%92024-01-01", "lastInteractionBefore", ["2024-03-01"]),
    "B-35 empty": ("lastInteractionBefore=", "lastInteractionBefore", ["2024-03-01"]),
    "B-35 day first": ("lastInteractionBefore=01/03/2024", "lastInteractionBefore", ["2024-03-01"]),
    "B-35 week": ("lastInteractionBefore=2024-W05", "lastInteractionBefore", ["2024-03-01"]),
    "B-39": ("statsu=ACTIVE", "statsu", ["did you mean status?"]),
    "B-39 snake case": ("client_type=COMPANY", "client_type", ["did you mean clientType?"]),
    "B-39 capital": ("Query=x", "Query", ["did you mean query?"]),
    "B-39 foreign": ("utm_source=x", "utm_source", ["unknown field"]),
    "B-39 empty name": ("=x", "", ["unknown field"]),
    "B-39 list of a single one": ("page[]=1", "page[]", ["did you mean page?"]),
    "B-39 twice": ("query=a&query=b", "query", ["once"]),
    "B-39 page twice": ("page=1&page=1", "page", ["once"]),
    "B-39 query too long": ("query=" + "x" * 201, "query", ["200 characters"]),
    "B-39 facets": ("facets=yes", "facets", ["true or false"]),
    "B-39 facets empty": ("facets=", "facets", ["true or false"]),
    "B-39 NUL in the name": ("a%00b=1", "a\\u0000b", ["NUL"]),
    "B-39 NUL in a word": ("query=a%00b", "query", ["NUL"]),
}


@pytest.mark.parametrize(("query", "field", "says"), BAD_FILTERS.values(), ids=BAD_FILTERS)
def test_bad_filter_is_refused_with_what_is_allowed(owner: Member, query: str, field: str, says: list[str]) -> None:
    error = refused(owner.get(f"/clients?{query}"), 400, "VALIDATION_ERROR", *says)
    assert [fault["field"] for fault in error["details"]] == [field]


def test_all_bad_parameters_are_named_at_once(owner: Member) -> None:
    query = "page=0&limit=500&status=X&sortBy=y&statsu=1&minHealthScore=-1&query=a&query=b"
    error = refused(owner.get(f"/clients?{query}"), 400, "VALIDATION_ERROR", "7 faults")
    fields = {fault["field"] for fault in error["details"]}
    assert fields == {"page", "limit", "status", "sortBy", "statsu", "minHealthScore", "query"}


@pytest.mark.parametrize("order", ["DESC", "Desc", "desc", "ASC", "asc"])
def test_sort_order_is_taken_in_any_case(owner: Member, order: str) -> None:
    shown = [client["createdAt"] for client in data(owner.get(f"/clients?sortOrder={order}"))["clients"]]
    assert shown == sorted(shown, reverse=order.lower() == "desc")


BOUNDS = {
    "B-36 days": ("from=2024-03-02&to=2024-03-01", ["2024-03-02", "2024-03-01"]),
    "B-36 times": ("from=2024-03-01T10:00:00.001Z&to=2024-03-01T10:00:00Z", ["later"]),
    "B-36 across offsets": ("from=2024-03-01T10:00:00-05:00&to=2024-03-01T10:00:00%2B05:00", ["later"]),
    "B-36 day and time": ("from=2024-03-02&to=2024-03-01T23:59:59Z", ["2024-03-02"]),
}


@pytest.mark.parametrize(("query", "says"), BOUNDS.values(), ids=BOUNDS)
def test_lower_bound_above_the_upper_is_refused(owner: Member, client_id: str, query: str, says: list[str]) -> None:
    answer = owner.get(f"/clients/{client_id}/interactions?{query}")
    error = refused(answer, 400, "VALIDATION_ERROR", *says)
    assert error["details"][0]["field"] == "from"


@pytest.mark.parametrize(
    "query",
    [
        "from=2024-03-01&to=2024-03-01",
        "from=2024-03-01T10:00:00Z&to=2024-03-01T10:00:00Z",
        "from=2024-03-01",
        "to=2024-03-01",
    ],
)
def test_equal_or_single_bounds_are_fine(owner: Member, client_id: str, query: str) -> None:
    assert data(owner.get(f"/clients/{client_id}/interactions?{query}"))["total"] in (0, 2)


@pytest.mark.parametrize(
    ("query", "field", "says"),
    [
        pytest.param("type=SMS", "type", "VIDEO_CALL", id="B-30 type"),
        pytest.param("from=2024-02-30", "from", "2024-03-01", id="B-35 from"),
        pytest.param("to=soon", "to", "2024-03-01", id="B-35 to"),
        pytest.param("form=2024-01-01", "form", "did you mean from?", id="B-39"),
        pytest.param("from=2024-01-01&from=2024-01-02", "from", "once", id="B-39 twice"),
        pytest.param("status=ACTIVE", "status", "unknown field", id="B-39 of another list"),
    ],
)
def test_bad_filter_of_interactions_is_refused(
    owner: Member, client_id: str, query: str, field: str, says: str
) -> None:
    error = refused(owner.get(f"/clients/{client_id}/interactions?{query}"), 400, "VALIDATION_ERROR", says)
    assert [fault["field"] for fault in error["details"]] == [field]


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("limit=0", "from 1 to 100"),
        ("limit=101", "from 1 to 100"),
        ("limit=x", "from 1 to 100"),
        ("page=1", "unknown field page"),
        ("limit=1&limit=2", "once"),
    ],
)
def test_bad_parameter_of_needs_attention_is_refused(owner: Member, query: str, says: str) -> None:
    refused(owner.get(f"/clients/needs-attention?{query}"), 400, "VALIDATION_ERROR", says)


# --- cursors ---


def next_cursor(owner: Member, query: str, path: str = "/clients") -> str:
    cursor: str = data(owner.get(f"{path}?limit=1&{query}"))["nextCursor"]
    assert cursor
    return cursor


def altered(cursor: str) -> dict[str, str]:
    raw = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
    flipped = bytes([raw[0] ^ 1]) + raw[1:]
    return {
        "B-40 signature": base64.urlsafe_b64encode(flipped).decode().rstrip("="),
        "B-40 body": base64.urlsafe_b64encode(raw[:-1] + b" ").decode().rstrip("="),
        "B-40 longer": base64.urlsafe_b64encode(raw + b" ").decode().rstrip("="),
        "B-40 cut": cursor[:-4],
        "B-40 last character": cursor[:-1] + chr(ord(cursor[-1]) + 1),
        "B-40 a character more": cursor + "!",
        "B-40 a dot inside": cursor[:20] + "." + cursor[20:],
        "B-40 padded": cursor + "====",
    }


@pytest.mark.parametrize("kind", list(altered("AAAA" * 10)))
def test_altered_cursor_is_refused(owner: Member, kind: str) -> None:
    cursor = altered(next_cursor(owner, "sortBy=name"))[kind]
    answer = owner.get("/clients", params={"limit": 1, "sortBy": "name", "cursor": cursor})
    refused(answer, 400, "VALIDATION_ERROR", "not valid for this query")


@pytest.mark.parametrize(
    ("made_for", "used_for"),
    [
        ("sortBy=name", "sortBy=createdAt"),
        ("sortBy=name", "sortBy=name&sortOrder=asc"),
        ("", "status=ACTIVE"),
        ("query=acme", "query=acm"),
        ("minHealthScore=1", "minHealthScore=2"),
    ],
)
def test_cursor_of_another_question_is_refused(owner: Member, made_for: str, used_for: str) -> None:
    cursor = next_cursor(owner, made_for)
    refused(owner.get(f"/clients?{used_for}&cursor={cursor}"), 400, "VALIDATION_ERROR", "not valid for this query")


def test_cursor_of_another_owner_is_refused(owner: Member, bob: Member) -> None:
    cursor = next_cursor(owner, "")
    refused(bob.get(f"/clients?cursor={cursor}"), 400, "VALIDATION_ERROR", "not valid for this query")


def test_cursor_of_another_list_is_refused(owner: Member, client_id: str) -> None:
    paths = [path.replace("{id}", client_id) for path in LISTS]
    cursors = {path: next_cursor(owner, "", path) for path in paths}
    for path in paths:
        for made_for, cursor in cursors.items():
            answer = owner.get(f"{path}?limit=1&cursor={cursor}")
            if made_for == path:
                data(answer)
            else:
                refused(answer, 400, "VALIDATION_ERROR", "not valid for this query")


def test_cursor_does_not_mind_another_limit_or_facets(owner: Member) -> None:
    cursor = data(owner.get("/clients?limit=1&facets=true"))["nextCursor"]
    assert len(data(owner.get(f"/clients?limit=50&cursor={cursor}"))["clients"]) >= 2
