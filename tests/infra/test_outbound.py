"""Nobody's address leads into the house: refused spellings, names and rebinding are seen by no listening socket."""

import asyncio
import ssl
import threading
from collections.abc import Iterator, Sequence
from ipaddress import ip_network

import pytest

from soloist.infra.outbound import (
    AT_ONCE_PER_HOST,
    Answer,
    BadAnswer,
    NotAllowed,
    Outbound,
    Resolver,
    TimedOut,
    Unreachable,
    UrlNotAllowed,
)
from soloist.infra.outbound_dialling import SystemResolver
from soloist.infra.settings import Networks
from tests.infra.outbound_receiver import Receiver, hang
from tests.infra.test_outbound_addresses import REFUSED_URLS, SPECIAL

LOOPBACK = (ip_network("127.0.0.0/8"), ip_network("::1/128"))
EVERYTHING = (ip_network("0.0.0.0/0"), ip_network("::/0"))
TRUSTS_NOBODY = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # the system's certificates take long to read
PUBLIC_ADDRESS = "93.184.216.34"  # never connected to here


class Names:
    """A resolver that gives the answers it is told, one list after the other, the last one for ever."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self._answers = list(answers)
        self.asked: list[str] = []

    async def __call__(self, host: str) -> Sequence[str]:
        self.asked.append(host)
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if not answer:
            raise OSError("no such name")
        return answer


async def never(host: str) -> Sequence[str]:
    """A name server that says nothing."""
    await asyncio.Event().wait()
    return []


@pytest.fixture(scope="module")
def inside() -> Iterator[Receiver]:
    """What must not be reached: it listens on every address of this machine."""
    with Receiver(host="::") as receiver:
        yield receiver


async def post(
    url: str,
    allow: Networks = LOOPBACK,
    *,
    resolve: Resolver | None = None,
    seconds: float = 5.0,
    connect_seconds: float = 5.0,
) -> Answer:
    async with Outbound(allow, resolve=resolve, tls=TRUSTS_NOBODY) as outbound:
        return await outbound.post(url, b"{}", {}, seconds=seconds, connect_seconds=connect_seconds)


_SPELLINGS = """
    127.0.0.1 127.1 127.0.1 127.0.0.2 127.255.255.254 2130706433 0x7f000001 0X7F000001 0x7f.1 0x7f.0.0.1 0177.0.0.1
    0177.1 017700000001 127.000.000.001 127.0.0.1. 0 0.0.0.0 0x0 00 [::1] [0:0:0:0:0:0:0:1] [0000::0001]
    [::ffff:127.0.0.1] [::ffff:7f00:1] [::] localhost LOCALHOST localhost.
    \uff11\uff12\uff17.\uff10.\uff10.\uff11 \u2460\u2461\u2466.0.0.1
    127\u30020\u30020\u30021 \uff4c\uff4f\uff43\uff41\uff4c\uff48\uff4f\uff53\uff54
"""
SPELLINGS = _SPELLINGS.split()


@pytest.mark.parametrize("host", SPELLINGS)
async def test_spelling_of_this_machine_is_never_connected_to(inside: Receiver, host: str) -> None:
    for scheme in ("http", "https"):
        with pytest.raises(NotAllowed):
            await post(f"{scheme}://{host}:{inside.port}/", ())
    assert inside.connections == 0


@pytest.mark.parametrize("host", SPELLINGS)
async def test_same_spelling_would_have_reached_it(host: str) -> None:
    """Or the test above would show nothing."""
    with Receiver(host="::") as receiver:
        answer = await post(f"http://{host}:{receiver.port}/", EVERYTHING)
        assert (answer.status, receiver.connections) == (200, 1)


@pytest.mark.parametrize("url", REFUSED_URLS)
async def test_refused_url_is_refused_again_when_it_is_sent_to(inside: Receiver, url: str) -> None:
    with pytest.raises(NotAllowed):
        await post(url.replace(":8600/", f":{inside.port}/"), ())
    assert inside.connections == 0


@pytest.mark.parametrize("address", SPECIAL)
async def test_name_that_leads_to_a_special_address_is_never_connected_to(inside: Receiver, address: str) -> None:
    for answers in ([address], [PUBLIC_ADDRESS, address], [address, PUBLIC_ADDRESS]):
        resolve = Names(answers)
        with pytest.raises(NotAllowed):
            await post(f"https://hook.example:{inside.port}/", (), resolve=resolve)
        async with Outbound((), resolve=resolve, tls=TRUSTS_NOBODY) as outbound:
            with pytest.raises(UrlNotAllowed):
                await outbound.check_save(f"https://hook.example:{inside.port}/")
    assert inside.connections == 0


async def test_name_that_is_public_when_saved_and_private_later_is_never_connected_to(inside: Receiver) -> None:
    resolve = Names([PUBLIC_ADDRESS], ["127.0.0.1"])
    url = f"https://rebind.example:{inside.port}/"
    async with Outbound((), resolve=resolve, tls=TRUSTS_NOBODY) as outbound:
        await outbound.check_save(url)
        with pytest.raises(NotAllowed):
            await outbound.post(url, b"{}", {})
    assert inside.connections == 0


async def test_connection_goes_to_the_address_that_was_checked() -> None:
    """The name is asked for once: what it says a moment later is not heard."""
    with Receiver(host="127.0.0.1") as checked, Receiver(host="::1") as inside:
        resolve = Names(["127.0.0.1"], ["::1"])
        answer = await post(checked.url("rebind.example"), (ip_network("127.0.0.1/32"),), resolve=resolve)
        assert answer.status == 200
        assert resolve.asked == ["rebind.example"]
        assert (checked.connections, inside.connections) == (1, 0)


async def test_every_checked_address_is_tried() -> None:
    with Receiver() as receiver:
        answer = await post(receiver.url("two.example"), resolve=Names(["::1", "127.0.0.1"]))
        assert (answer.status, receiver.connections) == (200, 1)


async def test_name_is_sent_as_the_host() -> None:
    with Receiver() as receiver:
        await post(receiver.url("Hook.Example.", "/a?b=%20"), resolve=Names(["127.0.0.1"]))
        head = receiver.requests[0].split(b"\r\n")
        assert head[0] == b"POST /a?b=%20 HTTP/1.1"
        assert f"Host: hook.example:{receiver.port}".encode() in head


async def test_plain_http_goes_only_to_allowed_networks(inside: Receiver) -> None:
    for answers in ([PUBLIC_ADDRESS], ["127.0.0.1", PUBLIC_ADDRESS]):
        with pytest.raises(NotAllowed):
            await post(f"http://hook.example:{inside.port}/", LOOPBACK, resolve=Names(answers))
    with pytest.raises(NotAllowed):
        await post(f"http://hook.example:{inside.port}/", (), resolve=Names([PUBLIC_ADDRESS]))
    assert inside.connections == 0


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_redirect_is_an_answer_and_not_followed(status: int) -> None:
    with Receiver() as inside:
        answer = f"HTTP/1.1 {status} Moved\r\nLocation: {inside.url()}\r\nContent-Length: 0\r\n\r\n".encode()
        with Receiver(answer) as receiver:
            assert (await post(receiver.url())).status == status
            assert (receiver.connections, inside.connections) == (1, 0)


async def test_proxies_of_the_environment_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    with Receiver() as proxy, Receiver() as receiver:
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
            monkeypatch.setenv(name, proxy.url(path=""))
        monkeypatch.delenv("NO_PROXY", raising=False)
        monkeypatch.delenv("no_proxy", raising=False)
        assert (await post(receiver.url())).status == 200
        assert (receiver.connections, proxy.connections) == (1, 0)


async def test_body_and_headers_arrive_as_given_and_nothing_is_remembered() -> None:
    answer = (
        b"HTTP/1.1 200 OK\r\nSet-Cookie: a=b\r\nRetry-After: 7\r\nX-Secret: s\r\nContent-Length: 3\r\n\r\n\xff\x00a"
    )
    body = '{"name":"Zoë"}'.encode()
    with Receiver(answer) as receiver:
        async with Outbound(LOOPBACK, tls=TRUSTS_NOBODY) as outbound:
            for _ in range(2):
                found = await outbound.post(receiver.url(), body, {"webhook-id": "evt_1"})
        assert found == Answer(200, {"retry-after": "7"}, b"\xff\x00a", complete=True)
        for request in receiver.requests:
            head, _, sent = request.partition(b"\r\n\r\n")
            assert sent == body
            lines = head.lower().split(b"\r\n")[1:]
            names = {line.split(b":")[0] for line in lines}
            assert names == {b"host", b"accept-encoding", b"webhook-id", b"content-length"}
            assert b"accept-encoding: identity" in lines


@pytest.mark.parametrize(
    ("answers", "saved"),
    [
        ([[PUBLIC_ADDRESS]], True),
        ([[PUBLIC_ADDRESS, "2606:4700:4700::1111"]], True),
        ([[]], True),  # does not resolve: perhaps tomorrow
        ([["10.0.0.1"]], False),
        ([[PUBLIC_ADDRESS, "10.0.0.1"]], False),
        ([["::ffff:10.0.0.1"]], False),
    ],
)
async def test_name_is_resolved_when_it_is_saved(answers: list[list[str]], saved: bool) -> None:
    async with Outbound((), resolve=Names(*answers), tls=TRUSTS_NOBODY) as outbound:
        if saved:
            await outbound.check_save("https://hook.example/")
        else:
            with pytest.raises(UrlNotAllowed):
                await outbound.check_save("https://hook.example/")


async def test_name_for_http_is_saved_only_if_it_leads_to_an_allowed_network() -> None:
    async with Outbound(LOOPBACK, resolve=Names(["127.0.0.1"], [PUBLIC_ADDRESS]), tls=TRUSTS_NOBODY) as outbound:
        await outbound.check_save("http://n8n.lan/")
        with pytest.raises(UrlNotAllowed):
            await outbound.check_save("http://n8n.lan/")


async def test_name_that_takes_for_ever_can_be_saved() -> None:
    async with Outbound((), resolve=never, tls=TRUSTS_NOBODY) as outbound, asyncio.timeout(10):
        await outbound.check_save("https://hook.example/")


async def test_systems_resolver_is_judged_too() -> None:
    with Receiver(host="::") as receiver:
        with pytest.raises(NotAllowed):
            await post(f"http://localhost:{receiver.port}/", (ip_network("127.0.0.2/32"), ip_network("::2/128")))
        with pytest.raises(Unreachable):
            await post(f"http://no-such-name.invalid:{receiver.port}/", EVERYTHING)
        assert receiver.connections == 0
        assert (await post(f"http://localhost:{receiver.port}/", EVERYTHING)).status == 200


async def test_name_is_asked_for_once_however_many_wait() -> None:
    resolve = SystemResolver()
    before = threading.active_count()
    waiting = [asyncio.create_task(resolve("localhost")) for _ in range(50)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert threading.active_count() <= before + 1
    found = await asyncio.gather(*waiting)
    assert all(answer == found[0] and "127.0.0.1" in answer for answer in found)


@pytest.mark.parametrize("resolve", [Names([]), Names(["127.0.0.1"])])
async def test_refused_connection_and_unknown_name_are_unreachable_alike(resolve: Names) -> None:
    with Receiver() as gone:
        pass
    with pytest.raises(Unreachable) as failed:
        await post(gone.url("hook.example"), resolve=resolve)
    assert str(failed.value) == Unreachable.text


@pytest.mark.parametrize(
    "answer",
    [
        b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
        b"\x00\x01\x02\x03\r\n\r\n",
        b"HTTP/1.1 nonsense\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
        b"HTTP/2 200 OK\r\n\r\n",
    ],
)
async def test_what_is_not_http_is_a_bad_answer(answer: bytes) -> None:
    with Receiver(lambda connection: connection.sendall(answer)) as receiver, pytest.raises(BadAnswer):
        await post(receiver.url())


async def test_connection_closed_without_a_word_is_unreachable() -> None:
    with Receiver(lambda connection: None) as receiver:
        with pytest.raises(Unreachable):
            await post(receiver.url())
        assert receiver.connections == 1


async def test_connection_is_kept_and_used_again() -> None:
    with Receiver() as receiver:
        async with Outbound(LOOPBACK, tls=TRUSTS_NOBODY) as outbound:

            async def some() -> None:
                for _ in range(50):
                    await outbound.post(receiver.url(), b"{}", {})

            async with asyncio.timeout(20):
                await asyncio.gather(*(some() for _ in range(4)))
        assert len(receiver.requests) == 200
        assert receiver.connections <= 4


async def test_kept_connection_that_died_costs_no_attempt() -> None:
    """A server may close what it kept at the moment we use it: the request is sent once more, on a new one."""
    served = 0

    def once(connection: object) -> None:
        nonlocal served
        served += 1

    with Receiver() as receiver:
        async with Outbound(LOOPBACK, tls=TRUSTS_NOBODY) as outbound:
            await outbound.post(receiver.url(), b"1", {})
            receiver.answer = once
            with pytest.raises(Unreachable):
                await outbound.post(receiver.url(), b"2", {})
        assert served == 2
        assert receiver.connections == 2


async def test_host_that_hangs_leaves_the_others_their_turn() -> None:
    with Receiver(hang) as hanging, Receiver() as receiver:
        async with Outbound(LOOPBACK, tls=TRUSTS_NOBODY) as outbound:
            stuck = [
                asyncio.create_task(outbound.post(hanging.url(), b"{}", {}, seconds=30))
                for _ in range(AT_ONCE_PER_HOST + 20)
            ]
            async with asyncio.timeout(10):
                for _ in range(AT_ONCE_PER_HOST):
                    assert await asyncio.to_thread(hanging.asked.acquire, timeout=5)
                assert (await outbound.post(receiver.url(), b"{}", {})).status == 200
            assert hanging.connections == AT_ONCE_PER_HOST
            for task in stuck:
                task.cancel()
            await asyncio.wait(stuck)
            for _ in range(AT_ONCE_PER_HOST):
                assert await asyncio.to_thread(hanging.hung_up.acquire, timeout=5), "left open after the cancellation"


@pytest.mark.slow
async def test_idle_connection_is_closed_so_that_a_changed_name_is_seen() -> None:
    resolve = Names(["127.0.0.1"], ["10.0.0.1"])
    with Receiver() as receiver:
        async with Outbound((ip_network("127.0.0.0/8"),), resolve=resolve) as outbound:
            await outbound.post(receiver.url("hook.example"), b"{}", {})
            await outbound.post(receiver.url("hook.example"), b"{}", {})
            assert receiver.connections == 1
            assert await asyncio.to_thread(receiver.hung_up.acquire, timeout=10)
            with pytest.raises(NotAllowed):
                await outbound.post(receiver.url("hook.example"), b"{}", {})


async def test_wait_for_a_name_is_part_of_the_time_to_connect() -> None:
    with pytest.raises(TimedOut):
        await post("https://slow.example/", resolve=never, connect_seconds=0.1)
