"""The client list in pages: every sort against a plain one in Python, and a walk by cursor while rows come and go."""

import random
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from tests import make
from tests.book import run, select
from tests.people import Member, data, register
from tests.serving import Served

SORTS = ("name", "createdAt", "lastInteractionAt", "totalRevenue", "healthScore")
AMOUNT = 47
NAMES = ["ant", "Ant", "ánt", "Bee Ltd", "bee ltd", "Cat", "100 Cats", "_x", "Zoë", "zoe", "Straße", "Strasse 2"]
FOLDED = {"ánt": "ant", "Zoë": "zoe", "Straße": "strasse", "Strasse 2": "strasse 2"}


def fill(server: Served, owner: Member, amount: int, seed: int) -> None:
    """Clients with many equal names, times, sums and scores, some never contacted."""
    chance = random.Random(seed)
    start = datetime.fromisoformat("2024-01-01T00:00:00+00:00")
    for _ in range(amount):
        name = chance.choice(NAMES)
        made = make.client(owner, companyName=name)
        run(
            server,
            """update clients set created_at = $3, last_interaction_at = $4, total_revenue = $5, health_score = $6
            where account_id = $1 and id = $2""",
            owner.account["id"],
            made["id"],
            start + timedelta(microseconds=chance.randrange(3)),
            None if chance.random() < 0.3 else start + timedelta(days=chance.randrange(4)),
            chance.choice([0, 0, 5, 1000, 99.99]),
            chance.choice([0, 49, 50, 100]),
        )


@pytest.fixture(scope="module")
def book(server: Served) -> Member:
    owner = register(server.url, "paging")
    fill(server, owner, AMOUNT, seed=1)
    return owner


@pytest.fixture(scope="module")
def rows(server: Served, book: Member) -> list[dict[str, Any]]:
    sql = """select id, display_name as name, created_at as "createdAt", last_interaction_at as "lastInteractionAt",
        total_revenue as "totalRevenue", health_score as "healthScore" from clients where account_id = $1"""
    return [dict(row) for row in select(server, sql, book.account["id"])]


def key_of(row: dict[str, Any], sort: str) -> Any:
    """What Python would sort by: names folded, never contacted as the longest ago, the id between equals."""
    value = row[sort]
    if sort == "name":
        value = FOLDED.get(value, value.lower())
    if sort == "lastInteractionAt":
        value = (value is not None, value)
    return value, row["id"]


def walk(owner: Member, path: str, plural: str, meanwhile: Callable[[], None] = lambda: None) -> list[str]:
    """The ids of a whole list, page after page by cursor; `path` has its question."""
    ids: list[str] = []
    cursors = [""]
    while cursors[-1] is not None:
        page = data(owner.get(f"{path}&cursor={cursors[-1]}" if cursors[-1] else path))
        ids += [line["id"] for line in page[plural]]
        assert page["nextCursor"] not in cursors, "the walk goes in a circle"
        cursors.append(page["nextCursor"])
        meanwhile()
    return ids


@pytest.mark.parametrize("order", ["asc", "desc"])
@pytest.mark.parametrize("sort", SORTS)
def test_list_is_sorted_as_python_would_by_pages_and_by_cursor(
    book: Member, rows: list[dict[str, Any]], sort: str, order: str
) -> None:
    expected = [str(row["id"]) for row in sorted(rows, key=lambda row: key_of(row, sort), reverse=order == "desc")]
    question = f"sortBy={sort}&sortOrder={order}"
    assert [client["id"] for client in data(book.get(f"/clients?{question}&limit=100"))["clients"]] == expected
    by_pages: list[str] = []
    for page in range(1, 8):
        shown = data(book.get(f"/clients?{question}&limit=7&page={page}"))
        assert (shown["total"], shown["page"], shown["limit"]) == (AMOUNT, page, 7)
        assert (shown["nextCursor"] is None) == (page == 7)
        by_pages += [client["id"] for client in shown["clients"]]
    assert by_pages == expected
    for limit in (1, 6, AMOUNT, AMOUNT + 1):
        assert walk(book, f"/clients?{question}&limit={limit}", "clients") == expected
    # Facets, words and tags are answered by way of all matches at once.
    assert walk(book, f"/clients?{question}&limit=6&facets=true", "clients") == expected
    named = [str(row["id"]) for row in rows if "ant" in FOLDED.get(row["name"], row["name"].lower())]
    assert walk(book, f"/clients?{question}&limit=2&query=ant", "clients") == [one for one in expected if one in named]


def test_newest_come_first_unless_said_otherwise(alice: Member) -> None:
    made = [make.client(alice, companyName=str(number))["companyName"] for number in range(3)]
    shown = [client["companyName"] for client in data(alice.get("/clients"))["clients"]]
    assert shown == made[::-1]


@pytest.mark.parametrize(("amount", "limit", "more"), [(0, 5, False), (4, 5, False), (5, 5, False), (6, 5, True)])
def test_next_cursor_is_there_only_if_something_follows(alice: Member, amount: int, limit: int, more: bool) -> None:
    for _ in range(amount):
        make.client(alice)
    page = data(alice.get(f"/clients?limit={limit}"))
    assert page["total"] == amount
    assert len(page["clients"]) == min(amount, limit)
    assert (page["nextCursor"] is not None) == more


def test_page_after_the_last_is_empty_and_knows_the_total(book: Member) -> None:
    page = data(book.get("/clients?page=9&limit=20"))
    assert (page["clients"], page["total"], page["page"], page["nextCursor"]) == ([], AMOUNT, 9, None)


@pytest.mark.parametrize(
    "question", [f"sortBy={sort}&sortOrder={order}" for sort in SORTS for order in ("asc", "desc")]
)
def test_walk_sees_each_row_once_while_others_come_and_go(server: Served, question: str) -> None:
    """Every client that was there throughout is seen exactly once, whatever is added or put away meanwhile."""
    chance = random.Random(question)
    owner = register(server.url, "walk")
    fill(server, owner, 12, seed=chance.randrange(1000))
    staying = set(walk(owner, "/clients?limit=100", "clients"))
    passing = [make.client(owner, companyName=chance.choice(NAMES))["id"] for _ in range(6)]
    added: list[str] = []

    def come_and_go() -> None:
        if passing:
            added.append(make.client(owner, companyName=chance.choice(NAMES))["id"])
            data(owner.post(f"/clients/{passing.pop()}/archive"))

    seen = walk(owner, f"/clients?{question}&limit=3", "clients", come_and_go)
    assert len(added) >= 5
    assert len(seen) == len(set(seen))
    assert staying <= set(seen)


@pytest.mark.parametrize("path", ["contacts", "interactions", "timeline"])
def test_other_lists_are_walked_the_same_way(alice: Member, path: str) -> None:
    client = make.client(alice)
    for number in range(11):
        if path == "contacts":
            make.contact(alice, client["id"], firstName=str(number), isPrimary=number == 7)
        else:
            moment = f"2024-01-0{1 + number % 3}T00:00:00Z"
            make.interaction(alice, client["id"], subject=str(number), occurredAt=moment)
    plural = "entries" if path == "timeline" else path
    base = f"/clients/{client['id']}/{path}"
    whole = data(alice.get(f"{base}?limit=100"))
    expected = [entry["id"] for entry in whole[plural]]
    assert len(expected) == len(set(expected)) == whole["total"] == 11
    for limit in (1, 4, 11):
        assert walk(alice, f"{base}?limit={limit}", plural) == expected
        by_pages = [
            entry["id"]
            for page in range(1, 13)
            for entry in data(alice.get(f"{base}?limit={limit}&page={page}"))[plural]
        ]
        assert by_pages == expected
