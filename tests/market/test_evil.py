"""A Market that lies, breaks, stalls and floods: the gateway does not crash, nothing doubles, and the good comes in."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from soloist.market.faults import MarketGarbled
from soloist.market.gateway import MarketFault, MarketNonsense, MarketUnreachable
from soloist.market.pages import PAGE_ITEMS, value_of
from soloist.market.simulator_faults import Fault
from tests.market.asking import HURRIED, Brought, asking, brought, list_of
from tests.market.fair import Fair, fair
from tests.market.test_simulator import LISTS, MODELS

COUNT = 450
HIT = 90  # one in five of three pages
SILENT = {Fault.HANG, Fault.DRIP, Fault.ABORT}
NONSENSE = {
    Fault.ENDLESS,
    Fault.REDIRECT,
    Fault.TRUNCATED,
    Fault.HTML,
    Fault.ERROR_BODY,
    Fault.EMPTY,
    Fault.DEEP,
    Fault.CROWDED,
    Fault.HUGE,
    Fault.GZIP,
    Fault.BINARY,
    Fault.NO_PAGE,
}
# What comes of each fault of pages and items: good ones, and what is said of how many others.
PARTLY: dict[Fault, tuple[int, int, str]] = {
    Fault.BAD_NEXT: (200, 1, "which one comes next"),
    Fault.CYCLE: (COUNT, 1, "leads back"),
    Fault.EMPTY_PAGES: (0, 1, "is empty"),
    Fault.REVERSED: (COUNT, 0, ""),
    Fault.DUPLICATES: (COUNT, COUNT, "came before"),
    Fault.STALE_DUPLICATES: (COUNT, HIT, "came before"),
    Fault.WRONG_TYPES: (COUNT - HIT, HIT, "type: "),
    Fault.NO_ID: (COUNT - HIT, HIT, "id: "),
    Fault.NUL: (COUNT - HIT, HIT, "control characters"),
    Fault.SURROGATE: (COUNT - HIT, HIT, "unicode"),
    Fault.NUMBERS: (COUNT - HIT, HIT, "string"),
    Fault.FUTURE: (COUNT - HIT, HIT, "lies in the future"),
    Fault.LONG: (COUNT - HIT, HIT, "characters"),
    Fault.NOT_OBJECTS: (COUNT - HIT, HIT, "valid"),
}
NAMELESS = {Fault.NO_ID, Fault.NOT_OBJECTS, Fault.BAD_NEXT, Fault.CYCLE, Fault.EMPTY_PAGES}
COMPLETE = {Fault.REVERSED, Fault.DUPLICATES, Fault.STALE_DUPLICATES}  # nothing is to be asked for again


@pytest.fixture(scope="module")
def running() -> Iterator[Fair]:
    with fair(COUNT) as market:
        yield market


@pytest.fixture(scope="module")
def truth(running: Fair) -> dict[str, dict[str, Any]]:
    """What there is, by list and id."""
    return {name: {item["id"]: MODELS[name].model_validate(item) for item in running.all(name)} for name in LISTS}


@pytest.fixture
def market(running: Fair, truth: object) -> Iterator[Fair]:
    yield running
    running.faults()


def check_sound(got: Brought[Any], known: dict[str, Any]) -> None:
    """Only what is true came, each once, and every reason can be stored and shown."""
    assert len(set(got.ids)) == len(got.ids)
    assert all(known[item.id] == item for item in got.good)
    for broken in got.broken:
        assert 0 < len(broken.reason) <= 300
        assert broken.reason.isprintable()
        assert broken.id is None or broken.id in known


def test_every_fault_is_tried_here() -> None:
    assert SILENT | NONSENSE | set(PARTLY) | {Fault.FOREVER} == set(Fault)


@pytest.mark.parametrize("fault", sorted(SILENT | NONSENSE))
async def test_an_answer_that_is_none_is_refused_in_time(market: Fair, fault: Fault) -> None:
    market.faults(fault=fault)
    started = time.monotonic()
    async with asking(market) as it:
        with pytest.raises(MarketUnreachable if fault in SILENT else MarketNonsense):
            await brought(it.clients())
        with pytest.raises(MarketFault):
            await it.me()
    assert time.monotonic() - started < 10
    assert market.asked["struck"] <= 2 * HURRIED.attempts


@pytest.mark.parametrize("fault", sorted(NONSENSE))
async def test_a_later_page_that_is_none_keeps_the_pages_before(
    market: Fair, truth: dict[str, dict[str, Any]], fault: Fault
) -> None:
    market.faults(fault=fault, fromPage=3)
    async with asking(market) as it:
        walk = it.clients()
        got = await brought(walk)
    check_sound(got, truth["clients"])
    assert len(got.good) == 2 * PAGE_ITEMS
    assert [(one.id, one.reason.startswith("Page 3: ")) for one in got.broken] == [(None, True)]
    assert walk.mark is None


@pytest.mark.parametrize("fault", sorted(SILENT))
async def test_a_market_that_falls_silent_on_the_way_ends_the_walk(market: Fair, fault: Fault) -> None:
    market.faults(fault=fault, fromPage=3)
    got: Brought[Any] = Brought()
    async with asking(market) as it:
        walk = it.clients()
        with pytest.raises(MarketUnreachable):
            await brought(walk, got)
    assert (len(got.good), got.broken, walk.mark) == (2 * PAGE_ITEMS, [], None)


@pytest.mark.parametrize("fault", sorted(PARTLY))
async def test_the_good_comes_in_and_the_rest_is_named(
    market: Fair, truth: dict[str, dict[str, Any]], fault: Fault
) -> None:
    good, bad, reason = PARTLY[fault]
    market.faults(fault=fault)
    async with asking(market) as it:
        walk = it.clients()
        got = await brought(walk)
    check_sound(got, truth["clients"])
    assert (len(got.good), len(got.broken)) == (good, bad)
    assert all(reason in one.reason for one in got.broken)
    assert all((one.id is None) == (fault in NAMELESS) for one in got.broken)
    assert (walk.mark is not None) == (fault in COMPLETE)


@pytest.mark.parametrize("name", [name for name in LISTS if name != "clients"])
@pytest.mark.parametrize("fault", sorted(PARTLY))
async def test_the_other_lists_are_read_as_carefully(
    market: Fair, truth: dict[str, dict[str, Any]], fault: Fault, name: str
) -> None:
    market.faults(fault=fault, list=name)
    async with asking(market) as it:
        got = await brought(list_of(it, name))
    check_sound(got, truth[name])
    if fault is not Fault.EMPTY_PAGES:
        assert len(got.good) >= min(len(truth[name]) * 4 // 5, PAGE_ITEMS)
    if fault is not Fault.REVERSED:
        assert got.broken


async def test_pages_without_end_are_left_when_the_time_is_up(market: Fair) -> None:
    market.faults(fault="FOREVER")
    async with asking(market) as it:
        got = await brought(it.clients())
    assert len(set(got.ids)) == len(got.ids) >= PAGE_ITEMS
    assert [one.reason.endswith("the rest was not read.") for one in got.broken] == [True]


@pytest.mark.parametrize("status", [400, 404, 409, 410, 418, 451, 500, 503, 599])
async def test_any_status_is_an_ordinary_failure(market: Fair, status: int) -> None:
    market.faults(status=status)
    async with asking(market) as it:
        with pytest.raises(MarketUnreachable if status >= 500 else MarketNonsense, match=str(status)):
            await brought(it.payments())
    assert market.asked["struck"] == (HURRIED.attempts if status >= 500 else 1)


async def test_no_answer_at_all_is_left_in_time(market: Fair) -> None:
    market.faults(latencyMs=3000)
    started = time.monotonic()
    async with asking(market) as it:
        with pytest.raises(MarketUnreachable, match="in time"):
            await it.me()
    assert time.monotonic() - started < 2 * HURRIED.attempts * HURRIED.seconds


@pytest.mark.parametrize("hours", [-24 * 365, -5, 5, 23])
async def test_a_clock_that_is_a_little_wrong_does_no_harm(market: Fair, hours: int) -> None:
    market.faults(skewSeconds=hours * 3600)
    async with asking(market) as it:
        walk = it.clients()
        got = await brought(walk)
    assert (len(got.good), got.broken) == (COUNT, [])
    assert walk.mark is not None
    assert walk.mark <= datetime.now(UTC)  # else what changes until then would be missed


async def test_a_clock_that_is_far_ahead_holds_back_only_what_it_makes_unbelievable(market: Fair) -> None:
    market.faults(skewSeconds=30 * 86400)
    async with asking(market) as it:
        walk = it.clients()
        got = await brought(walk)
    believable = datetime.now(UTC) + timedelta(hours=24)
    assert all(one.relationship_since is not None and one.relationship_since <= believable for one in got.good)
    assert len(got.good) + len(got.broken) == COUNT
    assert 0 < len(got.broken) < COUNT / 2
    assert walk.mark is None


async def test_an_id_that_comes_again_later_changed_is_told_again() -> None:
    with fair(2 * PAGE_ITEMS) as market:
        got: Brought[Any] = Brought()
        async with asking(market) as it:
            async for item in it.clients():
                if not got.good:
                    market.put("clients", item.id or "", phone="+49 30 5550999")
                got.add(item)
    assert got.broken == []
    assert got.ids.count(got.ids[0]) == 2
    assert got.ids[-1] == got.ids[0]
    assert [got.good[0].phone == "+49 30 5550999", got.good[-1].phone == "+49 30 5550999"] == [False, True]


async def test_another_client_than_the_one_asked_for_is_not_taken(market: Fair) -> None:
    one, other = market.all("clients")[:2]
    try:
        market.put("clients", one["id"], id=other["id"])
        async with asking(market) as it:
            with pytest.raises(MarketNonsense, match="another client"):
                await it.client(one["id"])
    finally:
        market.put("clients", one["id"], **one)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"email": "not an address"}, "email"),
        ({"companyName": None, "firstName": None, "lastName": None}, "required for a client of type"),
        ({"website": "javascript:alert(1)"}, "website"),
        ({"website": "https://user:password@host.example"}, "website"),
        ({"timezone": "Mars/Olympus"}, "timezone"),
        ({"updatedAt": "2024-02-30T10:00:00Z"}, "updatedAt"),
        ({"updatedAt": "2024-02-15T10:00:00"}, "updatedAt"),
        ({"phone": 491234567}, "phone"),
        ({"address": ["Berlin"]}, "address"),
        ({"type": "GHOST"}, "type"),
        ({"id": ""}, "id"),
        ({"id": "x" * 101}, "id"),
        ({"id": 12}, "id"),
    ],
)
async def test_a_bad_field_breaks_its_client_only(change: dict[str, Any], reason: str) -> None:
    with fair(5) as market:
        market.put("clients", market.all("clients")[2]["id"], **change)
        async with asking(market) as it:
            got = await brought(it.clients())
    assert len(got.good) == 4
    assert [reason in one.reason for one in got.broken] == [True]


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("payments", {"net": 1}),
        ("payments", {"gross": 10.001, "fee": 0, "net": 10.001}),
        ("payments", {"gross": -5, "fee": 0, "net": -5}),
        ("payments", {"gross": 1e15, "fee": 0, "net": 1e15}),
        ("payments", {"gross": "10", "fee": 0, "net": 10}),
        ("payments", {"gross": True, "fee": 0, "net": 1}),
        ("payments", {"currency": "eur"}),
        ("payments", {"currency": "XXX"}),
        ("payments", {"status": "LOST"}),
        ("payments", {"clientId": None}),
        ("payments", {"paidAt": None}),
        ("reviews", {"rating": 0}),
        ("reviews", {"rating": 6}),
        ("reviews", {"rating": 4.5}),
        ("reviews", {"rating": True}),
        ("reviews", {"text": "a\x00b"}),
        ("reviews", {"text": "x" * 5001}),
        ("contracts", {"status": "COMPLETED", "completedAt": None}),
        ("contracts", {"status": "ACTIVE", "completedAt": "2024-02-15T10:00:00Z"}),
        ("contracts", {"amount": 5, "currency": None}),
        ("contracts", {"title": " "}),
    ],
)
async def test_a_fact_against_the_rules_is_named_alone(name: str, change: dict[str, Any]) -> None:
    with fair(25) as market:
        items = market.all(name)
        market.put(name, items[0]["id"], **change)
        async with asking(market) as it:
            got = await brought(list_of(it, name))
    assert [one.id for one in got.broken] == [items[0]["id"]]
    assert sorted(got.ids) == sorted(item["id"] for item in items[1:])


@pytest.mark.parametrize("body", [b"", b" ", b"null,", b'{"a": 1', b"[1 2]", b"{'a': 1}", b"nul"])
def test_what_is_no_json_is_garbled(body: bytes) -> None:
    with pytest.raises(MarketGarbled):
        value_of(body)


linux = pytest.mark.skipif(sys.platform != "linux", reason="measured by /proc")


@linux
@pytest.mark.slow
@pytest.mark.parametrize("fault", ["CROWDED", "ENDLESS", "HUGE", "GZIP", "DEEP"])
def test_no_answer_takes_much_memory(market: Fair, fault: str) -> None:
    market.faults(fault=fault, list="clients")
    told = measured(market)
    assert (told["good"], told["broken"]) == (0, 1)
    assert told["grown_mb"] < 60


@linux
@pytest.mark.slow
def test_an_answer_as_full_as_is_read_takes_little_memory(market: Fair) -> None:
    assert measured(market, "fullest")["grown_mb"] < 100


@linux
@pytest.mark.slow
def test_a_hundred_thousand_clients_stream_by(market: Fair) -> None:
    market.faults(many=100_000, list="clients")
    told = measured(market)
    assert (told["good"], told["broken"]) == (100_000, 0)
    assert told["grown_mb"] < 60
    assert told["seconds"] < 120


@linux
@pytest.mark.slow
def test_one_client_too_many_ends_the_walk(market: Fair) -> None:
    market.faults(many=100_001, list="clients")
    told = measured(market)
    assert (told["good"], told["broken"]) == (100_000, 1)


def measured(market: Fair, what: str = "clients") -> dict[str, Any]:
    """What reading cost a process of its own: see measuring.py."""
    command = [sys.executable, "-m", "tests.market.measuring", market.url, market.token, what]
    done = subprocess.run(command, capture_output=True, check=True, timeout=300, text=True)
    return dict(json.loads(done.stdout))
