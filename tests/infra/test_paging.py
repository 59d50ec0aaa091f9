"""Pages and cursors by themselves: what is parsed, what is signed, what belongs to which question."""

from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import pytest

from soloist.infra.errors import ValidationFailed
from soloist.infra.paging import MAX_LIMIT, MAX_OFFSET, Amount, Cursors, Paging, Whole
from soloist.infra.validation import check

ACCOUNT = UUID(int=1)
QUESTION = ["clients", ("sortBy", "name")]
cursors = Cursors(b"s" * 32)


def paging(**given: object) -> Paging:
    return check(Paging, given)


def test_page_and_limit_have_defaults() -> None:
    window = cursors.window(paging(), ACCOUNT, QUESTION)
    assert (window.page, window.limit, window.offset, window.after) == (1, 20, 0, None)


@pytest.mark.parametrize(
    ("page", "limit", "offset"), [("1", "100", 0), ("2", "20", 20), ("100", "100", 9900), ("10000", "1", 9999)]
)
def test_page_becomes_an_offset(page: str, limit: str, offset: int) -> None:
    assert cursors.window(paging(page=page, limit=limit), ACCOUNT, QUESTION).offset == offset


@pytest.mark.parametrize(("page", "limit"), [("101", "100"), ("10001", "1"), ("2147483648", "100")])
def test_page_too_deep_is_refused(page: str, limit: str) -> None:
    with pytest.raises(ValidationFailed, match="cursor=<nextCursor"):
        cursors.window(paging(page=page, limit=limit), ACCOUNT, QUESTION)
    assert (MAX_OFFSET, MAX_LIMIT) == (10_000, 100)


@pytest.mark.parametrize(
    "key", ["acme", "", "-infinity", "2026-01-01 00:00:00.123456+00", "1.10", 'quo"te\\ 🎉', "x" * 300]
)
def test_cursor_carries_the_place_to_go_on_from(key: str) -> None:
    first = cursors.window(paging(), ACCOUNT, QUESTION)
    last = uuid4()
    cursor = cursors.next(first, key, last)
    assert cursors.window(paging(cursor=cursor), ACCOUNT, QUESTION).after == (key, last)
    assert cursor.isascii()
    assert len(cursor) < 2000


def test_cursor_goes_with_any_limit() -> None:
    cursor = cursors.next(cursors.window(paging(limit="3"), ACCOUNT, QUESTION), "k", ACCOUNT)
    window = cursors.window(paging(cursor=cursor, limit="50"), ACCOUNT, QUESTION)
    assert (window.limit, window.offset) == (50, 0)


@pytest.mark.parametrize(
    ("secret", "account", "question"),
    [
        (b"t" * 32, ACCOUNT, QUESTION),
        (b"s" * 32, UUID(int=2), QUESTION),
        (b"s" * 32, ACCOUNT, ["clients", ("sortBy", "createdAt")]),
        (b"s" * 32, ACCOUNT, ["clients"]),
        (b"s" * 32, ACCOUNT, []),
    ],
    ids=["other installation", "other account", "other sort", "shorter question", "no question"],
)
def test_cursor_belongs_to_its_question(secret: bytes, account: UUID, question: list[object]) -> None:
    cursor = cursors.next(cursors.window(paging(), ACCOUNT, QUESTION), "k", ACCOUNT)
    with pytest.raises(ValidationFailed, match="not valid for this query"):
        Cursors(secret).window(paging(cursor=cursor), account, question)


def test_no_single_character_changed_or_added_goes_unnoticed() -> None:
    cursor = cursors.next(cursors.window(paging(), ACCOUNT, QUESTION), "key", ACCOUNT)
    spellings = {cursor[:place] + other + cursor[place + 1 :] for place in range(len(cursor)) for other in "Aaz9-_.= "}
    spellings |= {cursor[:place] + other + cursor[place:] for place in range(len(cursor) + 1) for other in "A.=! "}
    for spelling in spellings - {cursor}:
        with pytest.raises(ValidationFailed):
            cursors.window(paging(cursor=spelling), ACCOUNT, QUESTION)


PARSERS: list[tuple[Whole | Amount, str, Any]] = [
    (Whole(1, 100), "1", 1),
    (Whole(1, 100), "100", 100),
    (Whole(1, 100), "007", 7),
    (Whole(-5, 5), "-5", -5),
    (Amount(0, 100), "0", Decimal(0)),
    (Amount(0, 100), "100.000000", Decimal(100)),
    (Amount(0, 100), "99.5", Decimal("99.5")),
    (Amount(0, Decimal("999999999999.99")), "999999999999.99", Decimal("999999999999.99")),
]


@pytest.mark.parametrize(("parser", "text", "value"), PARSERS)
def test_number_in_digits_is_read(parser: Whole | Amount, text: str, value: Any) -> None:
    assert parser._parse(text) == value


@pytest.mark.parametrize(
    "text", ["", "-1", "101", "1.", ".5", "1e1", "+1", " 1", "1 ", "1,5", "٣", "½", "0x1", "1_0", "²"]
)
def test_what_is_no_plain_number_is_not(text: str) -> None:
    for parser in (Whole(0, 100), Amount(0, 100)):
        with pytest.raises(Exception, match="from 0 to 100"):
            parser._parse(text)
