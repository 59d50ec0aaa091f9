"""From the Market's bytes to a page, and from an item of it to a record or to what is wrong with it.

What one item holds can only break that item. Memory is bounded: by the bytes of an answer and the values in it.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import TypeVar

import simplejson
from pydantic import BaseModel, TypeAdapter, ValidationError

from soloist.market.faults import MarketGarbled, MarketNonsense
from soloist.market.wire import MarketId, MarketItem

PAGE_ITEMS = 200
MOST_BYTES = 4 * 1024 * 1024
MOST_VALUES = 400_000  # in one answer: a million of empty objects in 4 MB would take a hundred
SKEW = timedelta(hours=24)  # how far the Market's clock may be ahead of ours

_MOST_REASON = 300
_ID: TypeAdapter[str] = TypeAdapter(MarketId)

Item = TypeVar("Item", bound=MarketItem)
Told = TypeVar("Told", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Broken:
    """An item that can't be taken over, or (without an id) something that kept others from being read.

    `reason` is one line of at most 300 characters, fit to be stored and shown.
    """

    id: str | None
    reason: str


@dataclass(frozen=True, slots=True)
class Page:
    items: list[object]
    total: int | None
    next: object  # judged when it is followed


def value_of(body: bytes) -> object:
    """The JSON value of an answer, numbers exact.

    Text that is not UTF-8 and numbers out of any range become values that no model takes, so that only their item is
    lost. Raises MarketGarbled.
    """
    if body.count(b",") + body.count(b"[") + body.count(b"{") > MOST_VALUES:
        raise MarketGarbled(f"The Market's answer holds more than {MOST_VALUES:,} values.")
    try:
        value: object = simplejson.loads(
            body.decode("utf-8", "surrogateescape"), parse_float=_decimal, parse_int=_whole, parse_constant=_constant
        )
    except ValueError:
        raise MarketGarbled("The Market's answer is not JSON, or was cut off.") from None
    except RecursionError:
        raise MarketGarbled("The Market's answer is nested too deeply.") from None
    return value


def page_of(value: object) -> Page:
    """The page that an answer is; raises MarketNonsense for anything else."""
    items = value.get("items") if isinstance(value, dict) else None
    if not isinstance(value, dict) or not isinstance(items, list):
        raise MarketNonsense("The Market's answer is not a page: there is no list of items.")
    total = value.get("total")
    known = isinstance(total, int) and not isinstance(total, bool) and 0 <= total < 2**53
    return Page(items, total if known else None, value.get("nextPage"))


def judged(kind: type[Item], raw: object, now: datetime) -> Item | Broken:
    """The record that an item is, or why it is none."""
    try:
        item = kind.model_validate(raw)
    except ValidationError as fault:
        return Broken(_id_of(raw), reason_of(fault))
    ahead = item.future(now + SKEW)
    if ahead is not None:
        return Broken(item.id, f"{ahead}: lies in the future. Is the Market's clock right?")
    return item


def told(kind: type[Told], value: object) -> Told:
    """The one record that an answer is; raises MarketNonsense."""
    try:
        return kind.model_validate(value)
    except ValidationError as fault:
        raise MarketNonsense(f"The Market's answer can't be used: {reason_of(fault)}") from None


def reason_of(fault: ValidationError) -> str:
    """What is wrong, field by field, as one safe line."""
    errors = fault.errors(include_url=False, include_context=False, include_input=False)
    parts = (": ".join(filter(None, (".".join(map(str, one["loc"])), one["msg"]))) for one in errors[:5])
    return safe("; ".join(parts))


def safe(text: str) -> str:
    """`text` as one line that can be stored and shown, whatever the Market put into it."""
    return "".join(char if char.isprintable() else "\ufffd" for char in text[:_MOST_REASON])


def _id_of(raw: object) -> str | None:
    try:
        return _ID.validate_python(raw.get("id") if isinstance(raw, dict) else None)
    except ValidationError:
        return None


class _Unusable:
    """In the place of a number that is none."""


def _decimal(digits: str) -> object:
    try:
        return Decimal(digits)
    except InvalidOperation:
        return _Unusable()


def _whole(digits: str) -> object:
    return int(digits) if len(digits) <= 40 else _Unusable()


def _constant(name: str) -> object:
    return _Unusable()
