"""Rate limits: a strict moving window per account, exact over several servers, and honest headers."""

import random
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from soloist.infra.db import Database
from soloist.infra.limits import DatabaseWindow, Limiter, MemoryWindow, Window, sweep
from soloist.infra.settings import Rate
from tests.databases import clone
from tests.market.fair import Fair
from tests.people import Member, Person, data, register
from tests.routes import api_routes, call, method_of, name_of, private_routes, ready_records
from tests.serving import Served, SettableClock, serving, settings_for, syncing
from tests.wire import raw, refused

RATES = {"rate_limit_read": "100/minute", "rate_limit_write": "50/minute", "rate_limit_anonymous": "30/minute"}
LOWEST = 5


@pytest.fixture(scope="module")
def limited(postgres: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server alone, with the document's limits."""
    with serving(settings_for(tmp_path_factory.mktemp("limited"), **RATES), clone(postgres)) as served:
        yield served


@pytest.fixture
def frozen(limited: Served) -> SettableClock:
    """Its clock, standing still, far from where any other test left its hits."""
    limited.clock.advance(days=1)
    limited.clock.freeze()
    return limited.clock


def state(person: Person, method: str = "GET", path: str = "/me") -> tuple[int, str]:
    answer = person.request(method, path)
    return answer.status_code, answer.headers["ratelimit"]


def test_hundred_reads_and_fifty_writes_a_minute(limited: Served, frozen: SettableClock) -> None:
    person = register(limited.url)
    for number in range(100):
        assert state(person) == (200, f'"read";r={99 - number};t=60')
    assert state(person) == (429, '"read";r=0;t=60')
    for number in range(50):
        assert state(person, "DELETE", "/nothing") == (404, f'"write";r={49 - number};t=60')
    for method in ("POST", "PATCH", "PUT", "DELETE"):
        assert state(person, method) == (429, '"write";r=0;t=60')
    for method in ("HEAD", "OPTIONS"):
        assert state(person, method) == (429, '"read";r=0;t=60')


def test_window_moves_with_each_hit(limited: Served, frozen: SettableClock) -> None:
    person = register(limited.url)
    for _ in range(60):
        state(person)
    frozen.advance(seconds=40)
    for _ in range(40):
        state(person)
    assert state(person) == (429, '"read";r=0;t=20')
    frozen.advance(seconds=19.999)
    assert state(person)[0] == 429
    frozen.advance(seconds=0.001)
    assert state(person) == (200, '"read";r=59;t=40')
    for _ in range(59):
        assert state(person)[0] == 200
    assert state(person) == (429, '"read";r=0;t=40')


def test_refused_request_does_not_count(limited: Served, frozen: SettableClock) -> None:
    person = register(limited.url)
    for _ in range(100):
        state(person)
    for _ in range(30):
        frozen.advance(seconds=1)
        assert state(person)[0] == 429
    frozen.advance(seconds=30)
    assert [state(person)[0] for _ in range(101)] == [200] * 100 + [429]


def test_who_waits_as_told_is_let_in(limited: Served, frozen: SettableClock) -> None:
    chance = random.Random(1)
    person = register(limited.url)
    for _ in range(15):
        while (answer := person.get("/me")).status_code == 200:
            frozen.advance(seconds=chance.uniform(0, 1.1))
        frozen.advance(seconds=int(answer.headers["retry-after"]))
        assert person.get("/me").status_code == 200


def test_limit_is_the_accounts_not_the_tokens(limited: Served, frozen: SettableClock) -> None:
    person = register(limited.url)
    key = data(person.post("/me/api-keys", {"name": "k", "scopes": ["write"]}), 201)["key"]
    other = Person(limited.url, key)
    assert [state(person if number % 2 else other)[0] for number in range(101)] == [200] * 100 + [429]
    assert state(register(limited.url)) == (200, '"read";r=99;t=60')


def test_request_without_a_valid_token_counts_for_its_address(limited: Served, frozen: SettableClock) -> None:
    person = register(limited.url)  # one anonymous hit
    stranger = Person(limited.url)
    assert state(stranger) == (401, '"anonymous";r=28;t=60')
    assert state(Person(limited.url, f"{person.token}x")) == (401, '"anonymous";r=27;t=60')
    for _ in range(27):
        state(stranger, path="/nothing")
    error = refused(stranger.get("/me"), 429, "RATE_LIMITED", "30", "60 seconds")
    assert error["details"]["policy"] == "anonymous"
    assert state(person) == (200, '"read";r=99;t=60')


def test_forwarded_address_is_not_believed_from_anybody(limited: Served, frozen: SettableClock) -> None:
    for number in range(31):
        answer = Person(limited.url).get("/me", headers={"X-Forwarded-For": f"192.0.2.{number}"})
    assert answer.status_code == 429


def test_forwarded_address_is_believed_from_a_trusted_proxy(postgres: str, tmp_path: Path) -> None:
    settings = settings_for(
        tmp_path, rate_limit_anonymous=f"{LOWEST}/minute", trusted_proxies="127.0.0.0/8, 10.0.0.0/8"
    )
    with serving(settings, clone(postgres)) as served:

        def left(forwarded: str) -> str:
            answer = raw(served.url, "GET", "/api/cockpit/me", [("X-Forwarded-For", forwarded)])
            return answer.headers["ratelimit"].split(";")[1]

        assert left("192.0.2.1") == "r=4"
        assert left("192.0.2.2") == "r=4"
        assert left("6.6.6.6, 192.0.2.1") == "r=3"  # what the client itself claims counts for nothing
        assert left("192.0.2.1, 10.1.2.3") == "r=2"  # behind a second proxy of ours
        assert left("192.0.2.1 ,10.1.2.3, 127.0.0.1") == "r=1"
        assert left("nonsense") == "r=4"
        assert left("10.0.0.1") == "r=4"  # nobody but proxies of ours: the nearest one
        assert left("127.0.0.1") == "r=3"


def test_headers_parse_as_structured_fields_and_agree(limited: Served, frozen: SettableClock) -> None:
    person = register(limited.url)
    answer = person.get("/me")
    assert answer.headers["ratelimit-policy"] == '"read";q=100;w=60'
    assert answer.headers["ratelimit"] == '"read";r=99;t=60'
    answer = person.patch("/me", {"name": "x"})
    assert answer.headers["ratelimit-policy"] == '"write";q=50;w=60'
    assert answer.headers["ratelimit"] == '"write";r=49;t=60'
    assert "retry-after" not in answer.headers


def test_every_route_tells_the_limits(postgres: str, market: Fair, tmp_path: Path) -> None:
    rates = {"rate_limit_read": "900/minute", "rate_limit_write": "800/minute", "rate_limit_anonymous": "700/minute"}
    settings = settings_for(tmp_path, market_url=market.url, market_token=market.token, **rates)
    with serving(settings, clone(postgres)) as served, syncing(settings, served):
        person = register(served.url)
        for route in private_routes(served.app):
            if name_of(route) == "POST /auth/logout":
                continue
            method = method_of(route)
            answer = call(person, route, ready_records(person, route))
            name, amount = ("read", 900) if method == "GET" else ("write", 800)
            assert answer.headers["ratelimit-policy"] == f'"{name}";q={amount};w=60', name_of(route)
            assert answer.headers["ratelimit"].startswith(f'"{name}";r='), name_of(route)
        for path in (
            "/no/such/path",
            "/me",
            *(r.path.removeprefix("/api/cockpit") for r in api_routes(served.app)[:3]),
        ):
            answer = Person(served.url).get(path)
            assert answer.headers["ratelimit-policy"] == '"anonymous";q=700;w=60', path


def test_limits_that_are_off_are_not_told(alice: Member) -> None:
    for _ in range(120):
        answer = alice.get("/me")
        assert answer.status_code == 200
    assert "ratelimit" not in answer.headers
    assert "ratelimit-policy" not in answer.headers


def test_one_class_may_be_off_alone(postgres: str, tmp_path: Path) -> None:
    with serving(settings_for(tmp_path, rate_limit_write=f"{LOWEST}/hour"), clone(postgres)) as served:
        person = register(served.url)
        assert "ratelimit" not in person.get("/me").headers
        assert [person.patch("/me", {"name": str(n)}).status_code for n in range(LOWEST + 1)] == [200] * LOWEST + [429]


# --- several servers ---


def test_limit_is_exact_over_two_servers_on_one_database(postgres: str, tmp_path: Path) -> None:
    dsn = clone(postgres)
    settings = settings_for(tmp_path, pool_wait_seconds=20, **{**RATES, "rate_limit_anonymous": "off"})
    with serving(settings, dsn, alone=False) as one, serving(settings, dsn, alone=False) as two:
        moment = one.clock.freeze()
        two.clock.freeze(moment)
        owner = register(one.url)
        people = [Person((one, two)[number % 2].url, owner.token) for number in range(8)]
        with ThreadPoolExecutor(8) as pool:
            reads = Counter(pool.map(lambda n: people[n % 8].get("/me").status_code, range(240)))
            writes = Counter(pool.map(lambda n: people[n % 8].delete("/nothing").status_code, range(80)))
        assert reads == {200: 100, 429: 140}
        assert writes == {404: 50, 429: 30}
        for served in (one, two):
            served.clock.freeze(moment + timedelta(seconds=59.9))
        assert state(people[1]) == (429, '"read";r=0;t=1')
        for served in (one, two):
            served.clock.freeze(moment + timedelta(seconds=60))
        assert state(people[0]) == (200, '"read";r=99;t=60')
        assert state(people[1]) == (200, '"read";r=98;t=60')


# --- the stores by themselves ---


@pytest.fixture
async def database(server: Served, clock: SettableClock) -> AsyncIterator[Database]:
    db = Database(server.dsn, clock=clock)
    await db.open()
    yield db
    await db.close()


@pytest.mark.parametrize("kind", ["memory", "database"])
async def test_no_window_ever_holds_more_than_allowed(kind: str, database: Database, clock: SettableClock) -> None:
    """Against the plain definition: a hit is allowed if fewer than the limit lie in the minute before it."""
    chance = random.Random(7)
    clock.freeze(datetime(2026, 1, 1, tzinfo=UTC))
    window: Window = MemoryWindow(clock) if kind == "memory" else DatabaseWindow(database)
    rate, allowed = Rate(LOWEST, 60), list[float]()
    for _ in range(200):
        now = clock.advance(seconds=chance.choice([0, 0.5, 3, 11, 12, 59, 60])).timestamp()
        recent = [hit for hit in allowed if hit > now - 60]
        verdict = await window.hit(f"oracle:{kind}", rate)
        assert verdict.allowed == (len(recent) < LOWEST)
        if verdict.allowed:
            allowed.append(now)
            recent.append(now)
        assert verdict.remaining == LOWEST - len(recent)
        assert 0 <= verdict.reset - (min(recent) + 60 - now) < 1 or verdict.reset == 1


async def test_idle_windows_are_forgotten(database: Database, clock: SettableClock) -> None:
    clock.freeze(datetime(2030, 1, 1, tzinfo=UTC))
    window = DatabaseWindow(database)
    await window.hit("idle", Rate(5, 60))
    clock.advance(hours=25)
    await window.hit("busy", Rate(5, 60))
    assert await sweep(database) >= 1
    keys = {row["key"] for row in await database.pool.fetch("select key from rate_windows")}
    assert "busy" in keys
    assert "idle" not in keys


async def test_first_full_class_refuses_and_both_are_told(clock: SettableClock) -> None:
    clock.freeze()
    limiter = Limiter(MemoryWindow(clock), {"write": Rate(50, 60), "sync": Rate(1, 60), "read": None})
    first = await limiter.charge("a", ("write", "sync"))
    assert (first.refusal, first.headers[0][1]) == (None, b'"write";q=50;w=60, "sync";q=1;w=60')
    assert first.headers[1][1] == b'"write";r=49;t=60, "sync";r=0;t=60'
    second = await limiter.charge("a", ("write", "sync"))
    assert second.refusal is not None
    assert second.refusal.details is not None
    assert (await limiter.charge("a", ("read",))).headers == ()
