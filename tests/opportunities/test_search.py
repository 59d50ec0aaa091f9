"""The list of deals: every parameter has its effect, every order is the one a plain sort in Python gives."""

import random
from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest

from tests import make
from tests.opportunities.deals import OPEN_STAGES, act, deal, move, rates
from tests.people import Member, data, register
from tests.serving import Served

SOURCES = ("MARKET_PROJECT", "MARKET_SERVICE", "REFERRAL", "COLD_OUTREACH", "INBOUND_INQUIRY", "REPEAT_CLIENT",
           "PARTNERSHIP", "OTHER")  # fmt: skip
PRIORITIES = ("LOW", "MEDIUM", "HIGH", "URGENT")
TITLES = ("apple", "Äpfel", "Zebra", "straße", "STRASSE 2", "Émile", "emile", "10 pages", "9 pages", "_under", "apple")
Deal = dict[str, Any]


def drawn(draw: random.Random, client_ids: list[str]) -> Deal:
    """Fields of a deal, with enough ties and gaps to tell a stable order from a lucky one."""
    currency = draw.choice(("USD", "USD", "EUR", "JPY", "NOK"))
    value = draw.choice((0, 100, 100, 250.5, 1000, 99_999.99))
    return {
        "title": draw.choice(TITLES),
        "source": draw.choice(SOURCES),
        "clientId": draw.choice([*client_ids, None]),
        "estimatedValue": int(value) if currency == "JPY" else value,
        "currency": currency,
        "stage": draw.choice(OPEN_STAGES),
        "priority": draw.choice(PRIORITIES),
        "probability": draw.choice((None, 0, 50, 100)),
        "expectedCloseDate": draw.choice(
            (None, (date(2024, 3, 1) + timedelta(days=draw.randrange(6))).isoformat(), "2024-03-03")
        ),
    }


class Book:
    """An account with fifty deals, and all of them as the API answers them."""

    def __init__(self, owner: Member) -> None:
        self.owner = owner
        rates(owner, ("EUR", "2024-01-01", 2), ("JPY", "2024-01-01", 0.01))
        draw = random.Random(7)
        self.client_ids = [make.client(owner, companyName=name)["id"] for name in ("Acme", "Beta")]
        made = [deal(owner, **drawn(draw, self.client_ids)) for _ in range(50)]
        for index, one in enumerate(made):
            if index % 7 == 1:
                move(owner, one["id"], "WON")
            if index % 7 == 2:
                move(owner, one["id"], "LOST")
            if index % 7 == 3:
                act(owner, one["id"], "hold")
            if index % 7 == 4:
                data(owner.patch(f"/opportunities/{one['id']}", {"description": "Changed"}))
        self.deals: list[Deal] = [data(owner.get(f"/opportunities/{one['id']}")) for one in made]

    def asked(self, query: str) -> list[str]:
        """The ids that a query answers, in order."""
        shown = data(self.owner.get(f"/opportunities?limit=100&{query}"))
        assert shown["total"] == len(shown["opportunities"])
        return [one["id"] for one in shown["opportunities"]]

    def expected(self, true: Callable[[Deal], bool]) -> list[str]:
        """The ids of the deals for which it is true, newest first."""
        newest = sorted(self.deals, key=lambda one: (one["createdAt"], one["id"]), reverse=True)
        return [one["id"] for one in newest if true(one)]


@pytest.fixture(scope="module")
def book(server: Served) -> Book:
    return Book(register(server.url, "search"))


def test_list_without_parameters_is_the_newest_20_of_all(book: Book) -> None:
    shown = data(book.owner.get("/opportunities"))
    assert (shown["total"], shown["page"], shown["limit"]) == (50, 1, 20)
    assert [one["id"] for one in shown["opportunities"]] == book.expected(lambda _: True)[:20]
    assert shown["opportunities"][0] == book.deals[-1]


def between(low: float | None, high: float | None) -> Callable[[Deal], bool]:
    def true(one: Deal) -> bool:
        value = one["baseValue"]
        return value is not None and (low is None or value >= low) and (high is None or value <= high)

    return true


def closing(after: str | None, before: str | None) -> Callable[[Deal], bool]:
    def true(one: Deal) -> bool:
        day = one["expectedCloseDate"]
        return day is not None and (after is None or day >= after) and (before is None or day <= before)

    return true


def among(field: str, *values: str) -> Callable[[Deal], bool]:
    return lambda one: one[field] in values


FILTERS: dict[str, Callable[[Deal], bool]] = {
    **{f"source={source}": among("source", source) for source in SOURCES},
    **{f"stage={stage}": among("stage", stage) for stage in (*OPEN_STAGES, "WON", "LOST")},
    **{f"status={status}": among("status", status) for status in ("OPEN", "ON_HOLD", "WON", "LOST")},
    **{f"priority={priority}": among("priority", priority) for priority in PRIORITIES},
    "status=OPEN&status=ON_HOLD": among("status", "OPEN", "ON_HOLD"),
    "status=OPEN,ON_HOLD": among("status", "OPEN", "ON_HOLD"),
    "status[]=OPEN&status[]=ON_HOLD": among("status", "OPEN", "ON_HOLD"),
    "source=REFERRAL,OTHER&priority=LOW,HIGH": lambda one: (
        one["source"] in ("REFERRAL", "OTHER") and one["priority"] in ("LOW", "HIGH")
    ),
    "minValue=100": between(100, None),
    "minValue=100.01": between(100.01, None),
    "maxValue=100": between(None, 100),
    "maxValue=0": between(None, 0),
    "minValue=0": between(0, None),
    "minValue=100&maxValue=501": between(100, 501),
    "minValue=501&maxValue=501": between(501, 501),
    "maxValue=501&minValue=100": between(100, 501),
    "expectedCloseAfter=2024-03-03": closing("2024-03-03", None),
    "expectedCloseBefore=2024-03-03": closing(None, "2024-03-03"),
    "expectedCloseAfter=2024-03-02&expectedCloseBefore=2024-03-04": closing("2024-03-02", "2024-03-04"),
    "expectedCloseBefore=2024-03-04&expectedCloseAfter=2024-03-02": closing("2024-03-02", "2024-03-04"),
    "expectedCloseAfter=2024-03-03&expectedCloseBefore=2024-03-03": closing("2024-03-03", "2024-03-03"),
    "expectedCloseAfter=2024-03-03T23:59:59Z": closing("2024-03-03", None),
    "expectedCloseBefore=2024-03-03T23:00:00-05:00": closing(None, "2024-03-04"),
    "minValue=100&maxValue=1000&expectedCloseAfter=2024-03-02&expectedCloseBefore=2024-03-05&status=OPEN": lambda one: (
        between(100, 1000)(one) and closing("2024-03-02", "2024-03-05")(one) and one["status"] == "OPEN"
    ),
}


@pytest.mark.parametrize("query", FILTERS)
def test_filter_leaves_exactly_what_it_says(book: Book, query: str) -> None:
    expected = book.expected(FILTERS[query])
    assert book.asked(query) == expected
    assert 0 < len(expected) < 50, "the data show no effect"


def test_client_filter_leaves_the_clients_deals(book: Book, bob: Member) -> None:
    for client_id in book.client_ids:
        expected = book.expected(among("clientId", client_id))
        assert book.asked(f"clientId={client_id}") == expected
        assert expected
    assert book.asked(f"clientId={make.client(bob)['id']}") == []
    assert book.asked("clientId=00000000-0000-7000-8000-000000000000") == []


def folded(title: str) -> str:
    """How titles are compared: without case and accents, ß as ss."""
    return title.lower().replace("ß", "ss").replace("ä", "a").replace("é", "e")


KEYS: dict[str, Callable[[Deal], Any]] = {
    "createdAt": lambda one: one["createdAt"],
    "updatedAt": lambda one: one["updatedAt"],
    "title": lambda one: folded(one["title"]),
    "probability": lambda one: one["probability"],
    "estimatedValue": lambda one: None if one["baseValue"] is None else Decimal(str(one["baseValue"])),
    "expectedCloseDate": lambda one: one["expectedCloseDate"],
}


def in_order(deals: list[Deal], key: Callable[[Deal], Any], order: str) -> list[str]:
    """Sorted by key and id in that direction; what has no key comes last either way, by id in that direction."""
    have = sorted((one for one in deals if key(one) is not None), key=lambda one: (key(one), one["id"]))
    lack = sorted((one for one in deals if key(one) is None), key=lambda one: one["id"])
    if order == "desc":
        have, lack = have[::-1], lack[::-1]
    return [one["id"] for one in [*have, *lack]]


@pytest.mark.parametrize("order", ["asc", "desc"])
@pytest.mark.parametrize("sort_by", KEYS)
def test_order_is_that_of_a_plain_sort(book: Book, sort_by: str, order: str) -> None:
    expected = in_order(book.deals, KEYS[sort_by], order)
    assert book.asked(f"sortBy={sort_by}&sortOrder={order}") == expected
    if order == "desc":
        assert book.asked(f"sortBy={sort_by}") == expected


@pytest.mark.parametrize("order", ["asc", "desc"])
@pytest.mark.parametrize("sort_by", KEYS)
@pytest.mark.parametrize("limit", [1, 7, 50])
def test_walk_by_cursor_sees_every_deal_once_in_order(book: Book, sort_by: str, order: str, limit: int) -> None:
    query = f"/opportunities?sortBy={sort_by}&sortOrder={order}&limit={limit}"
    walked: list[Any] = []
    cursor: str | None = ""
    while cursor is not None:
        shown = data(book.owner.get(f"{query}{cursor and f'&cursor={cursor}'}"))
        assert shown["total"] == 50
        walked += [one["id"] for one in shown["opportunities"]]
        cursor = shown["nextCursor"]
    assert walked == in_order(book.deals, KEYS[sort_by], order)


def test_walk_by_page_sees_every_deal_once_in_order(book: Book) -> None:
    pages = [data(book.owner.get(f"/opportunities?sortBy=title&limit=20&page={page}")) for page in (1, 2, 3, 4)]
    walked = [one["id"] for page in pages for one in page["opportunities"]]
    assert walked == in_order(book.deals, KEYS["title"], "desc")
    assert [len(page["opportunities"]) for page in pages] == [20, 20, 10, 0]


def test_cursor_belongs_to_its_question(book: Book, bob: Member) -> None:
    cursor = data(book.owner.get("/opportunities?limit=5&status=OPEN"))["nextCursor"]
    for query in ("status=WON", "status=OPEN&sortBy=title", "status=OPEN&minValue=1", ""):
        answer = book.owner.get(f"/opportunities?limit=5&{query}&cursor={cursor}")
        assert answer.json()["error"]["code"] == "VALIDATION_ERROR"
    assert bob.get(f"/opportunities?limit=5&status=OPEN&cursor={cursor}").status_code == 400


def test_bound_read_from_an_answer_finds_its_deal(server: Served) -> None:
    """An amount of 2.675 dollars is shown as 2.68, and so it is compared."""
    owner = register(server.url, "bounds")
    rates(owner, ("EUR", "2024-01-01", 0.535))
    made = deal(owner, estimatedValue=5, currency="EUR")
    assert made["baseValue"] == 2.68
    for query in ("minValue=2.68", "maxValue=2.68", "minValue=2.68&maxValue=2.68"):
        assert data(owner.get(f"/opportunities?{query}"))["total"] == 1, query
    assert data(owner.get("/opportunities?maxValue=2.67"))["total"] == 0


def test_title_that_grows_when_folded_can_be_walked_over(alice: Member) -> None:
    for _ in range(3):
        deal(alice, title="\ufdfa" * 255)
    first = data(alice.get("/opportunities?sortBy=title&limit=2"))
    second = data(alice.get(f"/opportunities?sortBy=title&limit=2&cursor={first['nextCursor']}"))
    assert len({one["id"] for page in (first, second) for one in page["opportunities"]}) == 3
