"""The gateway and a Market that behaves, or is away for a while: what is asked, how often, and what comes of it."""

import socket
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from ipaddress import ip_network
from itertools import pairwise

import pytest

from soloist.infra.clock import system_clock
from soloist.infra.outbound import URL_NOT_ALLOWED, Outbound, UrlNotAllowed
from soloist.market.gateway import (
    Broken,
    MarketFault,
    MarketNonsense,
    MarketRefused,
    Markets,
    MarketUnreachable,
    Patience,
)
from soloist.market.wire import MarketClient
from tests.market.asking import HURRIED, Brought, asking, brought, list_of
from tests.market.fair import TOKEN, Fair, fair
from tests.market.test_simulator import LISTS, MODELS

LOOPBACK = (ip_network("127.0.0.0/8"),)
OTHER = "token-of-somebody-else"


@pytest.fixture(scope="module")
def running() -> Iterator[Fair]:
    with fair(450, tokens=(TOKEN, OTHER)) as market:
        yield market


@pytest.fixture
def market(running: Fair) -> Iterator[Fair]:
    running.faults()
    yield running
    running.faults()


@pytest.mark.parametrize("name", LISTS)
async def test_every_item_comes_once_as_the_market_has_it(market: Fair, name: str) -> None:
    async with asking(market) as it:
        walk = list_of(it, name)
        got = await brought(walk)
    assert got.broken == []
    assert got.good == [MODELS[name].model_validate(item) for item in market.all(name)]
    assert walk.total == len(got.good)
    assert all((a.updated_at, a.id) < (b.updated_at, b.id) for a, b in pairwise(got.good))


async def test_the_mark_asks_for_what_changed_since() -> None:
    with fair(30) as market:
        async with asking(market) as it:
            walk = it.clients()
            assert walk.mark is None
            first = await brought(walk)
            assert walk.mark == max(one.updated_at for one in first.good)
            changed = market.put("clients", first.good[3].id, phone="+49 30 5550999")
            again = await brought(it.clients(walk.mark))
    # The bound is inclusive: what changed last comes once more.
    assert again.ids == [first.ids[-1], changed["id"]]
    assert again.good[-1].phone == "+49 30 5550999"


async def test_nothing_new_leaves_no_mark(market: Fair) -> None:
    async with asking(market) as it:
        walk = it.clients(datetime.now(UTC) + timedelta(days=1))
        assert (await brought(walk)).good == []
    assert (walk.mark, walk.total) == (None, 0)


async def test_one_clients_payments(market: Fair) -> None:
    client_id = market.all("payments")[0]["clientId"]
    async with asking(market) as it:
        got = await brought(it.payments(client_id=client_id))
    assert got.good
    assert {one.client_id for one in got.good} == {client_id}


async def test_one_client_by_id(market: Fair) -> None:
    known = market.all("clients")[11]
    async with asking(market) as it:
        found = await it.client(known["id"])
        assert found is not None
        assert found.email == known["email"]
        for unknown in ("nobody", "..", ".", "../me", "a/b", "a?b=c", "ü ", "%2e%2e"):
            assert await it.client(unknown) is None


async def test_whose_token_it_is(market: Fair) -> None:
    async with asking(market) as mine, asking(market, OTHER) as theirs:
        assert (await mine.me()).id != (await theirs.me()).id
        assert not set((await brought(mine.clients())).ids) & set((await brought(theirs.clients())).ids)


async def test_a_wrong_token_is_told_as_such(market: Fair) -> None:
    async with asking(market, "wrong") as it:
        with pytest.raises(MarketRefused, match="token"):
            await it.me()
        with pytest.raises(MarketRefused):
            await brought(it.clients())


async def test_a_token_that_ends_in_the_middle_of_a_walk_is_told(market: Fair) -> None:
    market.faults(status=403, fromPage=2)
    got: Brought[MarketClient] = Brought()
    async with asking(market) as it:
        with pytest.raises(MarketRefused):
            await brought(it.clients(), got)
    assert len(got.good) == 200


async def test_a_fault_that_passes_is_not_noticed(market: Fair) -> None:
    market.faults(status=500, times=2)
    async with asking(market, patience=Patience(attempts=3, first_wait=0.01)) as it:
        assert len((await brought(it.clients())).good) == 450
    assert market.asked["struck"] == 2


async def test_half_of_all_answers_failing_loses_nothing(market: Fair) -> None:
    market.faults(status=502, share=0.5)
    async with asking(market) as it:
        got = await brought(it.clients())
    assert (len(got.good), got.broken) == (450, [])


async def test_an_answer_cut_off_once_is_asked_for_again(market: Fair) -> None:
    market.faults(fault="TRUNCATED", times=1, fromPage=2)
    async with asking(market) as it:
        got = await brought(it.clients())
    assert (len(set(got.ids)), len(got.ids), got.broken) == (450, 450, [])


async def test_retry_after_is_waited_for(market: Fair) -> None:
    market.faults(status=429, retryAfter="1", times=1)
    started = time.monotonic()
    async with asking(market) as it:
        await it.me()
    assert time.monotonic() - started >= 1


async def test_retry_after_may_be_a_date(market: Fair) -> None:
    soon = datetime.now(UTC) + timedelta(seconds=2)
    market.faults(status=503, retryAfter=format_datetime(soon, usegmt=True), times=1)
    async with asking(market) as it:
        await it.me()
    assert datetime.now(UTC) >= soon.replace(microsecond=0)


@pytest.mark.parametrize("told", ["86400", "Fri, 31 Dec 2049 23:59:59 GMT"])
async def test_a_long_retry_after_is_passed_on_instead_of_waited_for(market: Fair, told: str) -> None:
    market.faults(status=429, retryAfter=told)
    async with asking(market) as it:
        with pytest.raises(MarketUnreachable) as caught:
            await it.me()
    assert caught.value.retry_after is not None
    assert caught.value.retry_after >= 86400
    assert market.asked["struck"] == 1


@pytest.mark.parametrize("told", ["-1", "soon", "", "1e3", "٣", "9" * 30, "Fri, 99 Foo 2049"])
async def test_a_strange_retry_after_is_ignored(market: Fair, told: str) -> None:
    market.faults(status=503, retryAfter=told.encode("ascii", "replace").decode(), times=1)
    async with asking(market) as it:
        await it.me()


async def test_a_market_that_keeps_failing_is_left_alone_then_asked_again(market: Fair) -> None:
    patience = Patience(seconds=1, attempts=2, first_wait=0.01, failures=4, rest=1)
    market.faults(status=500)
    async with asking(market, patience=patience) as it:
        for _ in range(2):
            with pytest.raises(MarketUnreachable, match="500"):
                await it.me()
        with pytest.raises(MarketUnreachable, match="left alone") as caught:
            await it.me()
        assert caught.value.retry_after == 1
        assert market.asked["asked"] == 4
        market.faults()
        deadline = time.monotonic() + 5
        while True:
            try:
                await it.me()
                break
            except MarketUnreachable:
                assert time.monotonic() < deadline


async def test_refusals_and_nonsense_do_not_count_as_failing(market: Fair) -> None:
    patience = Patience(seconds=1, attempts=1, failures=2, rest=60)
    async with asking(market, patience=patience) as it:
        for faults in ({"status": 401}, {"fault": "HTML"}, {"status": 429}, {"status": 404}) * 2:
            market.faults(**faults)
            with pytest.raises(MarketFault):
                await it.me()
        market.faults()
        assert await it.me()


async def test_one_failing_market_does_not_close_another(market: Fair) -> None:
    patience = Patience(seconds=1, attempts=1, failures=1, rest=60)
    with fair(3) as other:
        async with Outbound(LOOPBACK) as outbound, Markets(outbound, system_clock, None, patience) as markets:
            market.faults(status=500)
            for _ in range(2):
                with pytest.raises(MarketUnreachable):
                    await markets.at(market.url, market.token).me()
            assert await markets.at(other.url, other.token).me()
    assert market.asked["asked"] == 1


async def test_nobody_there_is_told(market: Fair) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
    async with Outbound(()) as outbound, Markets(outbound, system_clock, url, HURRIED) as markets:
        with pytest.raises(MarketUnreachable, match="could not be reached"):
            await markets.at(url, "token").me()


async def test_an_address_that_an_account_gave_goes_through_the_guard(market: Fair) -> None:
    async with Outbound(()) as outbound, Markets(outbound, system_clock, None, HURRIED) as markets:
        with pytest.raises(MarketUnreachable, match="can't be used") as caught:
            await markets.at(market.url, market.token).me()
        assert caught.value.text == URL_NOT_ALLOWED
        for url in (market.url, "http://169.254.169.254", "https://market.example/api?x=", "https://market.example/#a"):
            with pytest.raises(UrlNotAllowed):
                await markets.check_save(url)
    assert market.asked["asked"] == 0


async def test_only_the_operators_very_address_is_trusted(market: Fair) -> None:
    async with Outbound(()) as outbound, Markets(outbound, system_clock, market.url, HURRIED) as markets:
        await markets.check_save(market.url)
        await markets.check_save(market.url + "/")
        assert await markets.at(market.url + "/", market.token).me()
        for near in (market.url + "/v1", market.url.replace("127.0.0.1", "127.0.0.2")):
            with pytest.raises(UrlNotAllowed):
                await markets.check_save(near)
            with pytest.raises(MarketUnreachable, match="can't be used"):
                await markets.at(near, market.token).me()


async def test_an_allowed_network_opens_the_guard(market: Fair) -> None:
    async with Outbound(LOOPBACK) as outbound, Markets(outbound, system_clock, None, HURRIED) as markets:
        await markets.check_save(market.url)
        assert await markets.at(market.url, market.token).me()


async def test_a_connection_that_can_not_be_made_safe_is_not_used(market: Fair) -> None:
    url = market.url.replace("http://", "https://")
    async with Outbound(()) as outbound, Markets(outbound, system_clock, url, HURRIED) as markets:
        with pytest.raises(MarketUnreachable, match="certificate"):
            await markets.at(url, market.token).me()


async def test_a_base_url_that_is_not_a_markets_is_told(market: Fair) -> None:
    url = f"{market.url}/somewhere"
    async with Outbound(()) as outbound, Markets(outbound, system_clock, url, HURRIED) as markets:
        with pytest.raises(MarketNonsense, match="base URL"):
            await brought(markets.at(url, market.token).clients())


async def test_the_token_is_in_no_text(market: Fair) -> None:
    market.faults(status=500)
    async with asking(market, "very-secret") as it:
        with pytest.raises(MarketFault) as caught:
            await it.me()
        assert "very-secret" not in repr(it) + repr(it.clients()) + repr(caught.value) + str(vars(it))


async def test_a_walk_that_is_left_early_asks_no_more(market: Fair) -> None:
    market.faults(share=0)
    async with asking(market) as it:
        async for item in it.clients():
            assert not isinstance(item, Broken)
            break
    assert market.asked["asked"] == 1
