"""A platform's own tokens: its subjects get accounts, and its keys may change, vanish or be out of reach."""

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import asyncpg
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from soloist.accounts.platform import MAX_SET_BYTES, PublishedKeys, platform_of, usable
from soloist.infra.errors import ServiceUnavailable
from soloist.infra.settings import SettingsInvalid
from tests.accounts.forge import b64, ec_jwk, ed_jwk, hs, jwt, rs256, rsa_jwk
from tests.accounts.issuer import Issuer, issuing
from tests.people import Person, data, refusal, register
from tests.serving import Served, serving, settings_for

SECRET = "a secret of the platform, long enough"
NAMES = {"token_issuer": "https://platform.example", "token_audience": "soloist-crm"}
OLD, NEW = (rsa.generate_private_key(65537, 2048) for _ in range(2))
EC, ED = ec.generate_private_key(ec.SECP256R1()), ed25519.Ed25519PrivateKey.generate()
NOW = datetime(2026, 3, 1, tzinfo=UTC)


class World(NamedTuple):
    served: Served
    issuer: Issuer

    def holder(self, subject: str, key: rsa.RSAPrivateKey, kid: str | None) -> Person:
        """Somebody with a token that was signed just now."""
        header = {"alg": "RS256"} | ({"kid": kid} if kid else {})
        return Person(self.served.url, jwt(header, claims(self.served, subject), rs256(key)))


def claims(served: Served, subject: str, **more: Any) -> dict[str, Any]:
    now = int(served.clock().timestamp())
    return {
        "iss": NAMES["token_issuer"], "aud": [NAMES["token_audience"], "other"], "sub": subject,
        "iat": now, "exp": now + 7200, **more,
    }  # fmt: skip


@pytest.fixture
def shared(db_url: str, tmp_path: Path) -> Iterator[Served]:
    """A server that trusts a platform with a shared secret; registration is closed."""
    with serving(settings_for(tmp_path, registration="closed", token_secret=SECRET, **NAMES), db_url) as served:
        yield served


@pytest.fixture
def world(db_url: str, tmp_path: Path) -> Iterator[World]:
    """A server that trusts a platform with published keys."""
    with issuing() as issuer:
        issuer.keys = [rsa_jwk(OLD, "old")]
        with serving(settings_for(tmp_path, token_jwks_url=issuer.url, **NAMES), db_url) as served:
            yield World(served, issuer)


def subject_of(served: Served, subject: str, **more: Any) -> Person:
    return Person(served.url, jwt({"alg": "HS256"}, claims(served, subject, **more), hs(SECRET.encode())))


def test_a_subject_gets_an_account_at_first_sight_and_keeps_it(shared: Served) -> None:
    first = data(subject_of(shared, "user-1").get("/me"))
    assert first["email"] is None
    assert first["timeZone"] == "UTC"
    again = data(subject_of(shared, "user-1", jti="another token").get("/me"))
    assert again["id"] == first["id"]
    assert data(subject_of(shared, "user-2").get("/me"))["id"] != first["id"]


def test_a_subject_works_like_any_owner(shared: Served) -> None:
    owner = subject_of(shared, "user-1")
    data(owner.patch("/me", {"timeZone": "Asia/Tokyo"}))
    assert data(owner.get("/me"))["timeZone"] == "Asia/Tokyo"
    key = data(owner.post("/me/api-keys", {"name": "k", "scopes": ["read"]}), 201)["key"]
    assert data(Person(shared.url, key).get("/me"))["id"] == data(owner.get("/me"))["id"]
    assert "no session" in refusal(owner.post("/auth/logout"), 403, "ACCESS_DENIED")["message"]


def test_a_subject_is_never_linked_by_its_address(db_url: str, tmp_path: Path) -> None:
    with serving(settings_for(tmp_path, token_secret=SECRET, **NAMES), db_url) as served:
        alice = register(served.url, "alice")
        for more in ({"email": alice.email, "email_verified": True}, {"email": alice.email}):
            account = data(subject_of(served, alice.email, **more).get("/me"))
            assert account["id"] != alice.account["id"]
            assert account["email"] is None


async def test_of_many_first_sights_at_once_one_makes_the_account(shared: Served) -> None:
    refusal(Person(shared.url).get("/me"), 401, "UNAUTHORIZED")  # opens the connections before the crowd comes

    def ask(number: int) -> str:
        found: str = data(subject_of(shared, "crowd", jti=str(number)).get("/me"))["id"]
        return found

    with ThreadPoolExecutor(10) as pool:
        assert len(set(pool.map(ask, range(20)))) == 1
    conn = await asyncpg.connect(shared.dsn)
    assert await conn.fetchval("select count(*) from accounts") == 1
    assert await conn.fetchval("select count(*) from account_counters") == 1
    await conn.close()


def test_the_longest_subject_is_taken(shared: Served) -> None:
    data(subject_of(shared, "ü" * 255).get("/me"))


def test_a_new_key_is_taken_one_fetch_later(world: World) -> None:
    data(world.holder("u", OLD, "old").get("/me"))
    assert world.issuer.asked == 1
    world.issuer.keys = [rsa_jwk(OLD, "old"), rsa_jwk(NEW, "new")]
    world.served.clock.advance(seconds=31)
    data(world.holder("u", NEW, "new").get("/me"))
    assert world.issuer.asked == 2


def test_unknown_key_ids_make_few_fetches(world: World) -> None:
    data(world.holder("u", OLD, "old").get("/me"))
    for second in range(60):
        world.served.clock.advance(seconds=1)
        refusal(world.holder("u", NEW, f"kid-{second}").get("/me"), 401, "UNAUTHORIZED")
    assert world.issuer.asked <= 3


def test_a_removed_key_is_refused_within_300_seconds(world: World) -> None:
    holder = world.holder("u", OLD, "old")
    data(holder.get("/me"))
    world.issuer.keys = [rsa_jwk(NEW, "new")]
    world.served.clock.advance(seconds=150)
    data(holder.get("/me"))
    world.served.clock.advance(seconds=151)
    refusal(holder.get("/me"), 401, "UNAUTHORIZED")


def test_the_keys_are_kept_for_an_hour_while_the_platform_is_down(world: World) -> None:
    data(world.holder("u", OLD, "old").get("/me"))
    world.issuer.status = 503
    world.served.clock.advance(minutes=59)
    data(world.holder("u", OLD, "old").get("/me"))
    world.served.clock.advance(minutes=2)
    answer = world.holder("u", OLD, "old").get("/me")
    refusal(answer, 503, "SERVICE_UNAVAILABLE")
    assert answer.headers["retry-after"]
    world.issuer.status = 200
    world.served.clock.advance(seconds=31)
    data(world.holder("u", OLD, "old").get("/me"))


def test_a_platform_that_was_never_reached_is_not_the_callers_fault(world: World) -> None:
    world.issuer.status = 500
    for _ in range(5):
        refusal(world.holder("u", OLD, "old").get("/me"), 503, "SERVICE_UNAVAILABLE")
    assert world.issuer.asked == 1
    register(world.served.url, "alice")  # who has nothing to do with the platform is not hindered
    world.issuer.status = 200
    world.served.clock.advance(seconds=6)
    data(world.holder("u", OLD, "old").get("/me"))


def test_without_a_key_id_the_only_key_is_meant(world: World) -> None:
    data(world.holder("u", OLD, None).get("/me"))
    world.issuer.keys = [rsa_jwk(OLD, "old"), rsa_jwk(NEW, "new")]
    world.served.clock.advance(seconds=301)
    refusal(world.holder("u", OLD, None).get("/me"), 401, "UNAUTHORIZED")


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (b"not json", {}, 200),
        (b"[]", {}, 200),
        (b'{"keys": {}}', {}, 200),
        (b'{"keys": [' + b" " * MAX_SET_BYTES + b"]}", {}, 200),
        (b"", {"Location": "{url}"}, 302),
        (b"", {}, 404),
    ],
)
async def test_an_odd_answer_leaves_the_keys_as_they_are(body: bytes, headers: dict[str, str], status: int) -> None:
    with issuing() as issuer:
        issuer.keys = [rsa_jwk(OLD, "old")]
        keys = PublishedKeys(issuer.url)
        assert await keys.find("RS256", "old", NOW) is not None
        issuer.body, issuer.status = body, status
        issuer.headers = {name: value.replace("{url}", issuer.url) for name, value in headers.items()}
        assert await keys.find("RS256", "old", NOW + timedelta(seconds=301)) is not None
        assert issuer.asked == 2


async def test_many_who_need_the_keys_share_one_fetch() -> None:
    with issuing() as issuer:
        issuer.keys = [rsa_jwk(OLD, "old")]
        keys = PublishedKeys(issuer.url)
        found = await asyncio.gather(*(keys.find("RS256", "old", NOW) for _ in range(50)))
        assert all(found)
        assert issuer.asked == 1


async def test_nobody_there_is_service_unavailable() -> None:
    with pytest.raises(ServiceUnavailable):
        await PublishedKeys("http://127.0.0.1:9/jwks.json").find("RS256", "old", NOW)


def test_only_keys_that_are_fit_for_it_are_taken() -> None:
    weak = rsa.generate_private_key(65537, 1024)  # noqa: S505 - weak on purpose
    odd: list[Any] = [
        {"kty": "oct", "kid": "secret", "k": b64(b"x" * 32)},
        rsa_jwk(weak, "weak"),
        rsa_jwk(OLD, "for encryption", use="enc"),
        rsa_jwk(OLD, "another algorithm", alg="RS512"),
        rsa_jwk(OLD, "signs only", key_ops=["sign"]),
        {**ec_jwk(EC, "another curve"), "crv": "P-384"},
        {**ed_jwk(ED, "another curve too"), "crv": "X25519"},
        {**ec_jwk(EC, "not on the curve"), "x": b64(bytes(32))},
        {"kty": "RSA", "kid": "no numbers"},
        {**rsa_jwk(OLD, "x"), "kid": 5},
        "a text",
        None,
    ]
    good = [
        rsa_jwk(OLD, "rsa", use="sig", alg="RS256", key_ops=["verify"]),
        ec_jwk(EC, "ec", alg="ES256"),
        ed_jwk(ED, "ed", alg="EdDSA"),
        ed_jwk(ED, "ed2", alg="Ed25519"),
    ]
    taken = [(algorithm, kid) for algorithm, kid, _ in usable({"keys": odd + good})]
    assert taken == [("RS256", "rsa"), ("ES256", "ec"), ("EdDSA", "ed"), ("EdDSA", "ed2")]


PEM = OLD.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"token_issuer": "soloist", "token_audience": "x", "token_secret": SECRET}, "TOKEN_ISSUER.*our own"),
        ({**NAMES, "token_secret": PEM}, "TOKEN_SECRET can't be used"),
    ],
)
def test_settings_that_can_not_work_stop_the_start(tmp_path: Path, given: dict[str, str], words: str) -> None:
    with pytest.raises(SettingsInvalid, match=words):
        platform_of(settings_for(tmp_path, **given))
