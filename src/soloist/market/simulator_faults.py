"""How the simulated Market misbehaves when told to: in its connection, its answers, its pages, or single items.

For tests of whoever reads a Market. `PUT /faults` says what, where and how often.
"""

import asyncio
import gzip
from collections.abc import AsyncIterator, Callable, Mapping
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from typing import Annotated, Any

import simplejson
from fastapi.responses import Response, StreamingResponse
from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel
from simplejson import RawJSON

from soloist.market.simulator_data import ListName, Place, instant

Item = Mapping[str, Any]
Page = Mapping[str, Any]
MEGABYTE = b" " * (1024 * 1024)


class Fault(StrEnum):
    """HANG: no answer · DRIP: a byte a second · ABORT: the connection is cut in the middle of the body ·
    ENDLESS: 10 GB · REDIRECT: to 127.0.0.1 · TRUNCATED: half of the JSON · HTML: a web page · ERROR_BODY: 200 with an
    error in it · EMPTY: no body · DEEP: 100,000 lists in each other · CROWDED: two million values · HUGE: a page of
    5 MB · GZIP: compressed, 50 MB when unpacked · BINARY: no UTF-8 · NO_PAGE: `items` is an object · BAD_NEXT:
    `nextPage` is a number · CYCLE: the last page leads to itself · FOREVER: new pages without an end ·
    EMPTY_PAGES: pages without items, one after another · REVERSED: the wrong order · DUPLICATES: each item twice ·
    and one item in five: STALE_DUPLICATES comes again as it was before · WRONG_TYPES · NO_ID · NUL · SURROGATE: half a
    character · NUMBERS: NaN, 1e999999999, 5,000 digits · FUTURE: happened in ten years · LONG: a name of thousands
    of characters · NOT_OBJECTS: null, a text, a list.
    """

    HANG = "HANG"
    DRIP = "DRIP"
    ABORT = "ABORT"
    ENDLESS = "ENDLESS"
    REDIRECT = "REDIRECT"
    TRUNCATED = "TRUNCATED"
    HTML = "HTML"
    ERROR_BODY = "ERROR_BODY"
    EMPTY = "EMPTY"
    DEEP = "DEEP"
    CROWDED = "CROWDED"
    HUGE = "HUGE"
    GZIP = "GZIP"
    BINARY = "BINARY"
    NO_PAGE = "NO_PAGE"
    BAD_NEXT = "BAD_NEXT"
    CYCLE = "CYCLE"
    FOREVER = "FOREVER"
    EMPTY_PAGES = "EMPTY_PAGES"
    REVERSED = "REVERSED"
    DUPLICATES = "DUPLICATES"
    STALE_DUPLICATES = "STALE_DUPLICATES"
    WRONG_TYPES = "WRONG_TYPES"
    NO_ID = "NO_ID"
    NUL = "NUL"
    SURROGATE = "SURROGATE"
    NUMBERS = "NUMBERS"
    FUTURE = "FUTURE"
    LONG = "LONG"
    NOT_OBJECTS = "NOT_OBJECTS"


class Faults(BaseModel):
    """What is wrong. Left out: nothing."""

    model_config = ConfigDict(extra="forbid", frozen=True, alias_generator=to_camel, validate_by_name=True)

    fault: Fault | None = Field(None, description="How it misbehaves")
    status: Annotated[int, Field(ge=400, le=599)] | None = Field(None, description="Answer with this status instead")
    retry_after: str | None = Field(None, description="Retry-After to send with that status")
    share: float = Field(1.0, ge=0, le=1, description="Share of the requests it concerns, evenly spread")
    times: int | None = Field(None, ge=0, description="How many requests it concerns, until all is well; null: all")
    list: ListName | None = Field(None, description="Only this list")
    from_page: int = Field(1, ge=1, description="Not the pages before this one")
    latency_ms: int = Field(0, ge=0, le=600_000, description="Milliseconds before every answer")
    skew_seconds: int = Field(0, description="How far the Market's clock is ahead: moves every time in an item")
    many: int = Field(0, ge=0, le=1_000_000, description="Pretend that each list has so many items")


class Mischief:
    """What the server does wrong at the moment, and whom it has struck."""

    def __init__(self) -> None:
        self.plan(Faults())

    def plan(self, faults: Faults) -> None:
        """Do this wrong from now on, and nothing else."""
        self.faults = faults
        self.asked = 0  # requests that the fault could concern
        self.struck = 0  # those it did concern

    async def answer(self, value: Item, name: ListName | None = None, number: int = 1) -> Response:
        """The answer with `value`, which may be page `number` of a list, as well or as badly as planned."""
        faults = self.faults
        if faults.latency_ms:
            await asyncio.sleep(faults.latency_ms / 1000)
        if faults.skew_seconds:
            value = _skewed(value, faults.skew_seconds)
        if not self._strikes(name, number):
            return written(value)
        if faults.status is not None:
            headers = {} if faults.retry_after is None else {"retry-after": faults.retry_after}
            return Response('{"detail": "as planned"}', faults.status, headers, "application/json")
        if faults.fault is None:
            return written(value)
        if "nextPage" in value:
            value = _bad_page(faults.fault, value, number)
        answer = written(value)
        return _bad_answer(faults.fault, bytes(answer.body)) or answer

    def _strikes(self, name: ListName | None, number: int) -> bool:
        faults = self.faults
        if (faults.list is not None and faults.list != name) or number < faults.from_page:
            return False
        self.asked += 1
        due = int(self.asked * faults.share) > int((self.asked - 1) * faults.share)
        if not due or (faults.times is not None and self.struck >= faults.times):
            return False
        self.struck += 1
        return True


def written(value: object) -> Response:
    """`value` as JSON, amounts exact."""
    return Response(simplejson.dumps(value, use_decimal=True), media_type="application/json")


def cloned(items: list[Item], many: int, number: int, limit: int, since: str) -> tuple[list[Item], int]:
    """Page `number` of a list that pretends to hold `many`, made from the few there are; and how many these are."""
    changed = max(str(item["updatedAt"]) for item in items)
    if changed < since:
        return [], 0
    made: list[Item] = []
    for index in range((number - 1) * limit, min(number * limit, many)):
        item = {**items[index % len(items)], "id": f"clone-{index:07}", "updatedAt": changed}
        if item.get("email"):
            item["email"] = f"{index}.{item['email']}"
        if "clientId" in item:
            item["clientId"] = item["id"]
        made.append(item)
    return made, many


def _bad_answer(fault: Fault, body: bytes) -> Response | None:
    """The bad answer in the place of `body`; None where the fault is one of pages or items."""
    match fault:
        case Fault.HANG:
            return StreamingResponse(_hanging())
        case Fault.DRIP:
            return StreamingResponse(_dripping(body), media_type="application/json")
        case Fault.ABORT:
            return StreamingResponse(_aborted(body), headers={"content-length": str(len(body))})
        case Fault.ENDLESS:
            return StreamingResponse(_endless(), media_type="application/json")
        case Fault.REDIRECT:
            return Response(status_code=302, headers={"location": "http://127.0.0.1:9/v1/clients"})
        case Fault.GZIP:
            return Response(_packed(), headers={"content-encoding": "gzip"}, media_type="application/json")
        case Fault.HTML:
            return Response("<!doctype html><title>Welcome</title><p>Please sign in.</p>", media_type="text/html")
    bodies: dict[Fault, Callable[[], bytes]] = {
        Fault.TRUNCATED: lambda: body[: len(body) // 2],
        Fault.ERROR_BODY: lambda: b'{"error": {"code": 1064, "message": "too many connections"}}',
        Fault.EMPTY: lambda: b"",
        Fault.DEEP: lambda: b"[" * 100_000 + b"]" * 100_000,
        Fault.CROWDED: lambda: b'{"items": [' + b"0," * 2_000_000 + b"0]}",
        Fault.HUGE: lambda: body[:-1] + MEGABYTE * 5 + b"}",
        Fault.BINARY: lambda: bytes(range(256)) * 16,
        Fault.NO_PAGE: lambda: b'{"items": {"0": {}}, "nextPage": null}',
    }
    return Response(bodies[fault](), media_type="application/json") if fault in bodies else None


def _bad_page(fault: Fault, page: Item, number: int) -> Item:
    items, going_on = page["items"], Place(number + 1, ("", str(number))).token()
    match fault:
        case Fault.BAD_NEXT:
            return {**page, "nextPage": number + 1}
        case Fault.CYCLE:
            return {**page, "nextPage": page["nextPage"] or page["page"]}
        case Fault.FOREVER:
            return {**page, "items": cloned(items, 10**9, number, len(items), "")[0], "nextPage": going_on}
        case Fault.EMPTY_PAGES:
            return {**page, "items": [], "nextPage": going_on}
        case _:
            return {**page, "items": _damaged(fault, items)}


def _damaged(fault: Fault, items: list[Item]) -> list[object]:
    """The items of a page, with what is wrong with single ones."""
    if fault is Fault.REVERSED:
        return [*reversed(items)]
    if fault is Fault.DUPLICATES:
        return [twice for item in items for twice in (item, item)]
    if fault is Fault.STALE_DUPLICATES:
        return [*items, *({**item, "updatedAt": "2001-01-01T00:00:00Z"} for item in items[::5])]
    if fault not in _ITEM_FAULTS:
        return [*items]
    return [_ITEM_FAULTS[fault](item) if index % 5 == 0 else item for index, item in enumerate(items)]


def _skewed(value: Item, seconds: int) -> Item:
    """What a Market tells whose clock is wrong by so much."""
    if "items" in value:
        return {**value, "items": [_skewed(item, seconds) for item in value["items"]]}
    ahead = timedelta(seconds=seconds)
    return {
        name: instant(datetime.fromisoformat(told) + ahead) if told and name.endswith(("At", "Since")) else told
        for name, told in value.items()
    }


_TEXTS = ("companyName", "firstName", "title", "text", "currency", "clientId")


def _in_text(item: Item, change: Callable[[str], object]) -> Item:
    """The item with its first text that is given changed."""
    name = next(name for name in _TEXTS if item.get(name))
    return {**item, name: change(str(item[name]))}


def _without_id(item: Item) -> Item:
    return {name: value for name, value in item.items() if name != "id"}


def _in_ten_years(item: Item) -> Item:
    later = instant(datetime.now(UTC) + timedelta(days=3653))
    happened = ("relationshipSince", "completedAt", "paidAt", "reviewedAt")
    return {**item, **{name: later for name in happened if item.get(name)}}


_NUMBERS = ("NaN", "1e999999999999999999999", "9" * 5000, "-Infinity")

_ITEM_FAULTS: dict[Fault, Callable[[Item], object]] = {
    Fault.WRONG_TYPES: lambda item: {
        **item,
        "updatedAt": 20240215,
        "type": ["COMPANY"],
        "rating": "5",
        "gross": "1.00",
    },
    Fault.NO_ID: _without_id,
    Fault.NUL: lambda item: _in_text(item, lambda text: text[:3] + "\x00" + text[3:]),
    Fault.SURROGATE: lambda item: _in_text(item, lambda text: text + "\ud83d"),
    Fault.NUMBERS: lambda item: _in_text(item, lambda text: RawJSON(_NUMBERS[len(text) % len(_NUMBERS)])),
    Fault.FUTURE: _in_ten_years,
    Fault.LONG: lambda item: _in_text(item, lambda text: (text + " ") * 500),
    Fault.NOT_OBJECTS: lambda item: (None, "client", [item])[len(str(item["id"])) % 3],
}


@lru_cache(maxsize=1)
def _packed() -> bytes:
    return gzip.compress(b'{"items": [' + MEGABYTE * 50 + b"]}")


async def _hanging() -> AsyncIterator[bytes]:
    await asyncio.sleep(3600)
    yield b""


async def _dripping(body: bytes) -> AsyncIterator[bytes]:
    for index in range(len(body)):
        yield body[index : index + 1]
        await asyncio.sleep(1)


async def _aborted(body: bytes) -> AsyncIterator[bytes]:
    yield body[: len(body) // 2]


async def _endless() -> AsyncIterator[bytes]:
    yield b'{"items": ['
    for _ in range(10_000):
        yield MEGABYTE
        await asyncio.sleep(0)  # else nobody notices that the other side has gone
