"""Every wrong credential we could think of, through the real server: none gets in, none breaks anything."""

import gzip
import json
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple
from uuid import UUID

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from soloist.accounts.tokens import FORGED, Tokens, new_key
from soloist.infra.ids import new_id
from soloist.infra.secrets import derived, installation_secret
from tests.accounts.forge import (
    b64,
    ec_jwk,
    ed_jwk,
    es256,
    hs,
    jwt,
    ps256,
    rs256,
    rsa_jwk,
    taken_apart,
    unsigned,
    without,
)
from tests.accounts.issuer import Issuer, issuing
from tests.databases import clone
from tests.people import Member, Person, data, refusal, register
from tests.serving import Served, serving, settings_for

ISSUER, AUDIENCE = "https://platform.example", "soloist-crm"
RSA = rsa.generate_private_key(65537, 2048)
OTHER_RSA = rsa.generate_private_key(65537, 2048)
EC = ec.generate_private_key(ec.SECP256R1())
ED = ed25519.Ed25519PrivateKey.generate()
RSA_PEM = RSA.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


class Case(NamedTuple):
    """Two servers (one with a shared secret, one with published keys), alice on both, and what is right there."""

    own: str  # alice's access token, on the server with the secret
    secret: bytes
    header: dict[str, Any]
    claims: dict[str, Any]
    published_header: dict[str, Any]
    signing_key: bytes

    def platform(self, header: dict[str, Any] | None = None, **claims: Any) -> str:
        """A token of the platform with a shared secret, right but for what is given."""
        return jwt({**self.header, **(header or {})}, {**self.claims, **claims}, hs(self.secret))

    def ours(self, header: dict[str, Any] | None = None, **claims: Any) -> str:
        """Alice's own access token, rightly signed, but changed."""
        own_header, own_claims, _ = taken_apart(self.own)
        return jwt({**own_header, **(header or {})}, {**own_claims, **claims}, hs(self.signing_key))


class World(NamedTuple):
    shared: Served
    published: Served
    issuer: Issuer
    alice: Member
    case: Case


@pytest.fixture(scope="module")
def world(postgres: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    secret = "a secret of the platform, long enough"
    platform = {"token_issuer": ISSUER, "token_audience": AUDIENCE}
    with issuing() as issuer:
        issuer.keys = [rsa_jwk(RSA, "rsa"), ec_jwk(EC, "ec"), ed_jwk(ED, "ed")]
        folder = tmp_path_factory.mktemp("data")
        shared = settings_for(folder, **platform, token_secret=secret)
        published = settings_for(tmp_path_factory.mktemp("data"), **platform, token_jwks_url=issuer.url)
        with serving(shared, clone(postgres)) as first, serving(published, clone(postgres)) as second:
            alice = register(first.url, "alice")
            assert alice.token is not None
            now = int(first.clock().timestamp())
            claims = {"iss": ISSUER, "aud": AUDIENCE, "sub": "user-1", "iat": now, "exp": now + 3600}
            key = derived(installation_secret(shared), "tokens")
            case = Case(
                alice.token,
                secret.encode(),
                {"alg": "HS256", "typ": "JWT"},
                claims,
                {"alg": "RS256", "kid": "rsa"},
                key,
            )
            yield World(first, second, issuer, alice, case)


def test_the_tokens_that_the_forgeries_are_made_of_are_right(world: World) -> None:
    case = world.case
    for token in (case.own, case.ours(), case.platform()):
        data(Person(world.shared.url, token).get("/me"))
    for token in (
        jwt(case.published_header, case.claims, rs256(RSA)),
        jwt({"alg": "ES256", "kid": "ec"}, case.claims, es256(EC)),
        jwt({"alg": "EdDSA", "kid": "ed"}, case.claims, ED.sign),
        jwt({"alg": "Ed25519", "kid": "ed", "typ": "at+jwt"}, case.claims, ED.sign),
    ):
        data(Person(world.published.url, token).get("/me"))


DEEP = '{"alg":"HS256","x":' + "[" * 1010 + "]" * 1010 + "}"

FORGED_SHARED: dict[str, Callable[[Case], str]] = {
    # the algorithm is not the token's to choose
    "alg none": lambda c: jwt({"alg": "none", "typ": "JWT"}, c.claims, unsigned),
    "alg None": lambda c: jwt({"alg": "None"}, c.claims, unsigned),
    "alg none with a signature": lambda c: jwt({"alg": "none"}, c.claims, hs(c.secret)),
    "HS384": lambda c: jwt({"alg": "HS384"}, c.claims, hs(c.secret, "sha384")),
    "HS512": lambda c: jwt({"alg": "HS512"}, c.claims, hs(c.secret, "sha512")),
    "alg missing": lambda c: jwt({"typ": "JWT"}, c.claims, hs(c.secret)),
    "alg a list": lambda c: jwt({"alg": ["HS256"]}, c.claims, hs(c.secret)),
    "alg a number": lambda c: jwt({"alg": 256}, c.claims, hs(c.secret)),
    "alg lower case": lambda c: jwt({"alg": "hs256"}, c.claims, hs(c.secret)),
    "own alg none": lambda c: jwt({"alg": "none", "typ": "at+jwt"}, taken_apart(c.own)[1], unsigned),
    # the signature
    "another secret": lambda c: jwt(c.header, c.claims, hs(b"x" * 32)),
    "empty secret": lambda c: jwt(c.header, c.claims, hs(b"")),
    "empty signature": lambda c: jwt(c.header, c.claims, unsigned),
    "signature of another token": lambda c: ".".join(c.platform().split(".")[:2] + c.platform(sub="x").split(".")[2:]),
    "half a signature": lambda c: c.platform()[:-20],
    "junk after the signature": lambda c: c.platform() + "AA",
    "padding": lambda c: c.platform() + "=",
    "a space inside": lambda c: c.platform().replace(".", ". ", 1),
    "other claims, same signature": lambda c: _with_claims(c.platform(), {**c.claims, "sub": "user-2"}),
    "own, another's account": lambda c: _with_claims(c.own, {**taken_apart(c.own)[1], "sub": str(new_id())}),
    "own, signed with the platform's secret": lambda c: jwt(*taken_apart(c.own)[:2], hs(c.secret)),
    "platform's, signed with our key": lambda c: jwt(c.header, c.claims, hs(c.signing_key)),
    # the header
    "crit unknown": lambda c: c.platform({"crit": ["exp2"], "exp2": 1}),
    "crit b64 false": lambda c: c.platform({"crit": ["b64"], "b64": False}),
    "b64 false without crit": lambda c: c.platform({"b64": False}),
    "crit empty": lambda c: c.platform({"crit": []}),
    "crit a number": lambda c: c.platform({"crit": 5}),
    "crit of objects": lambda c: c.platform({"crit": [{}]}),
    "typ id_token": lambda c: c.platform({"typ": "id_token+jwt"}),
    "typ a number": lambda c: c.platform({"typ": 1}),
    "kid a number": lambda c: c.platform({"kid": 7}),
    "jwk of the forger": lambda c: jwt(
        {**c.header, "jwk": {"kty": "oct", "k": b64(b"y" * 32)}}, c.claims, hs(b"y" * 32)
    ),
    "jku of the forger": lambda c: jwt({**c.header, "jku": "http://127.0.0.1:9/k"}, c.claims, hs(b"y" * 32)),
    "x5c junk": lambda c: c.platform({"x5c": 5}),
    "own typ JWT": lambda c: c.ours({"typ": "JWT"}),
    "header a list": lambda c: jwt(["alg"], c.claims, hs(c.secret)),
    "header a string": lambda c: jwt('"alg"', c.claims, hs(c.secret)),
    "header not JSON": lambda c: jwt("{alg", c.claims, hs(c.secret)),
    "header not UTF-8": lambda c: jwt(b'{"alg":"\xff"}', c.claims, hs(c.secret)),
    "header deep": lambda c: jwt(DEEP, c.claims, hs(c.secret)),
    "header deeper": lambda c: jwt("[" * 3000, c.claims, hs(c.secret)),
    # the claims
    "claims a list": lambda c: jwt(c.header, [c.claims], hs(c.secret)),
    "claims null": lambda c: jwt(c.header, None, hs(c.secret)),
    "claims deep": lambda c: jwt(c.header, DEEP.replace("alg", "iss"), hs(c.secret)),
    "claims packed": lambda c: jwt(
        {**c.header, "zip": "DEF"}, gzip.compress(json.dumps(c.claims).encode()), hs(c.secret)
    ),
    "no exp": lambda c: jwt(c.header, without(c.claims, "exp"), hs(c.secret)),
    "exp null": lambda c: c.platform(exp=None),
    "exp a text": lambda c: c.platform(exp=str(c.claims["exp"])),
    "exp true": lambda c: c.platform(exp=True),
    "exp enormous": lambda c: c.platform(exp=10**30),
    "exp infinite": lambda c: jwt(c.header, json.dumps(c.claims).replace(str(c.claims["exp"]), "1e999"), hs(c.secret)),
    "exp NaN": lambda c: c.platform(exp=float("nan")),
    "lives longer than a day": lambda c: c.platform(exp=c.claims["iat"] + 86_401),
    "lives longer than a day, without iat": lambda c: jwt(
        c.header, {**without(c.claims, "iat"), "exp": c.claims["iat"] + 90_000}, hs(c.secret)
    ),
    "issued in the future": lambda c: c.platform(iat=c.claims["iat"] + 600),
    "iat a list": lambda c: c.platform(iat=[]),
    "not before in the future": lambda c: c.platform(nbf=c.claims["iat"] + 600),
    "nbf a text": lambda c: c.platform(nbf="now"),
    "no iss": lambda c: jwt(c.header, without(c.claims, "iss"), hs(c.secret)),
    "another iss": lambda c: c.platform(iss="https://platform.example.evil"),
    "iss a list": lambda c: c.platform(iss=[ISSUER]),
    "iss ours": lambda c: c.platform(iss="soloist"),
    "no aud": lambda c: jwt(c.header, without(c.claims, "aud"), hs(c.secret)),
    "another aud": lambda c: c.platform(aud="another-app"),
    "aud a list of others": lambda c: c.platform(aud=["a", "b"]),
    "aud an object": lambda c: c.platform(aud={AUDIENCE: True}),
    "aud part of the text": lambda c: c.platform(aud=AUDIENCE + " more"),
    "no sub": lambda c: jwt(c.header, without(c.claims, "sub"), hs(c.secret)),
    "sub empty": lambda c: c.platform(sub=""),
    "sub a number": lambda c: c.platform(sub=1),
    "sub too long": lambda c: c.platform(sub="x" * 256),
    "sub with NUL": lambda c: c.platform(sub="user\0one"),
    "sub half a surrogate": lambda c: c.platform(sub="\ud800"),
    "own, no exp": lambda c: jwt(taken_apart(c.own)[0], without(taken_apart(c.own)[1], "exp"), hs(c.signing_key)),
    "own, aud of the platform": lambda c: c.ours(aud=AUDIENCE),
    "own, sub no id": lambda c: c.ours(sub="alice"),
    "own, sub a number": lambda c: c.ours(sub=5),
    "own, sub unknown": lambda c: c.ours(sub=str(new_id())),
    "own, sid no id": lambda c: c.ours(sid={}),
    # no JWT at all
    "one word": lambda c: "hello",
    "two parts": lambda c: "a.b",
    "three empty parts": lambda c: "..",
    "four parts": lambda c: c.platform() + ".x",
    "five parts (JWE)": lambda c: "a.b.c.d.e",
    "a refresh token": lambda c: Tokens(c.signing_key).refresh(UUID(taken_apart(c.own)[1]["sub"]), new_id()).text,
    "an API key nobody has": lambda c: new_key(),
    "an API key with a wrong check": lambda c: new_key()[:-1] + "!",
    "an API key with NUL": lambda c: "slk_" + "0" * 30 + "\\0",
    "SQL": lambda c: "' or 1=1 --",
}

FORGED_PUBLISHED: dict[str, Callable[[Case], str]] = {
    "HS256 with the public key": lambda c: jwt({"alg": "HS256", "kid": "rsa"}, c.claims, hs(RSA_PEM)),
    "HS256 with the public number": lambda c: jwt(
        {"alg": "HS256", "kid": "rsa"}, c.claims, hs(rsa_jwk(RSA, "rsa")["n"].encode())
    ),
    "another RSA key": lambda c: jwt(c.published_header, c.claims, rs256(OTHER_RSA)),
    "PS256": lambda c: jwt({"alg": "PS256", "kid": "rsa"}, c.claims, ps256(RSA)),
    "unknown kid": lambda c: jwt({"alg": "RS256", "kid": "nobody"}, c.claims, rs256(RSA)),
    "kid of another kind": lambda c: jwt({"alg": "RS256", "kid": "ec"}, c.claims, rs256(RSA)),
    "ES256 with the kid of the RSA key": lambda c: jwt({"alg": "ES256", "kid": "rsa"}, c.claims, es256(EC)),
    "ES256 with a signature of zeros": lambda c: jwt({"alg": "ES256", "kid": "ec"}, c.claims, lambda _: bytes(64)),
    "jwk in the header": lambda c: jwt(
        {"alg": "RS256", "kid": "new", "jwk": rsa_jwk(OTHER_RSA, "new")}, c.claims, rs256(OTHER_RSA)
    ),
    "alg none": lambda c: jwt({"alg": "none", "kid": "rsa"}, c.claims, unsigned),
    "shared secret of another server": lambda c: c.platform(),
    "our own, of another installation": lambda c: c.own,
}


def _with_claims(token: str, claims: dict[str, Any]) -> str:
    header, _, signature = token.split(".")
    return f"{header}.{b64(json.dumps(claims).encode())}.{signature}"


def _refused(person: Person) -> None:
    answer = person.get("/me")
    error = refusal(answer, 401, "UNAUTHORIZED")
    assert error.keys() == {"code", "message", "requestId"}
    assert error["message"] == FORGED
    assert answer.headers["www-authenticate"] == 'Bearer realm="soloist"'


@pytest.mark.parametrize("name", FORGED_SHARED)
def test_a_forged_token_is_refused_in_the_same_words(world: World, name: str) -> None:
    _refused(Person(world.shared.url, FORGED_SHARED[name](world.case)))


@pytest.mark.parametrize("name", FORGED_PUBLISHED)
def test_a_forged_token_is_refused_where_keys_are_published(world: World, name: str) -> None:
    _refused(Person(world.published.url, FORGED_PUBLISHED[name](world.case)))


def test_no_forgery_left_an_account_behind(world: World) -> None:
    before = data(Person(world.shared.url, world.case.platform(sub="user-1")).get("/me"))["createdAt"]
    for name in FORGED_SHARED:
        Person(world.shared.url, FORGED_SHARED[name](world.case)).get("/me")
    assert data(Person(world.shared.url, world.case.platform(sub="user-1")).get("/me"))["createdAt"] == before
    refusal(Person(world.shared.url, world.case.platform(sub="")).get("/me"), 401, "UNAUTHORIZED")


@pytest.mark.parametrize(
    ("headers", "words"),
    [
        ([], "Authorization: Bearer <token>"),
        ([("Authorization", "Basic YWxpY2U6c2VjcmV0")], "schemes"),
        ([("Authorization", "Bearer")], "Bearer <token>"),
        ([("Authorization", "")], "Bearer <token>"),
        ([("Authorization", "{token}")], "Bearer <token>"),
        ([("Authorization", "Token {token}")], "schemes"),
        ([("Authorization", "Bearer {token}"), ("Authorization", "Bearer {token}")], "exactly one"),
        ([("Authorization", "Bearer {token}"), ("Authorization", "Basic x")], "exactly one"),
        ([("Authorization", "Bearer " + "a" * 8200)], "8,192"),
        ([("Authorization", "Bearer {token}, Bearer {token}")], FORGED),
        ([("Cookie", "access_token={token}")], "Bearer <token>"),
        ([("X-Api-Key", "{token}")], "Bearer <token>"),
    ],
)
def test_a_token_is_taken_from_one_bearer_header_only(world: World, headers: list[tuple[str, str]], words: str) -> None:
    filled = [(name, value.replace("{token}", world.case.own)) for name, value in headers]
    answer = Person(world.shared.url).http.get("/me", headers=filled)
    assert words in refusal(answer, 401, "UNAUTHORIZED")["message"]


def test_a_token_is_not_taken_from_the_url(world: World) -> None:
    answer = Person(world.shared.url).get(f"/me?access_token={world.case.own}")
    assert "not taken from the URL" in refusal(answer, 401, "UNAUTHORIZED")["message"]


@pytest.mark.parametrize("scheme", ["bearer", "BEARER", "BeArEr"])
def test_the_scheme_is_known_in_any_case(world: World, scheme: str) -> None:
    data(Person(world.shared.url).get("/me", headers={"Authorization": f"{scheme} {world.case.own}"}))


def test_bytes_that_are_no_text_are_refused(world: World) -> None:
    answer = Person(world.shared.url).http.get("/me", headers=[(b"Authorization", b"Bearer \xff\xfe\xe9")])
    refusal(answer, 401, "UNAUTHORIZED")


def test_a_bad_token_does_not_hinder_what_needs_none(world: World) -> None:
    person = Person(world.shared.url, "junk")
    answer = person.post("/auth/login", {"email": world.alice.email, "password": "not the password"})
    refusal(answer, 401, "INVALID_CREDENTIALS")


@pytest.mark.parametrize(("late", "accepted"), [(29, True), (31, False)])
def test_a_platform_token_has_30_seconds_of_grace(world: World, late: int, accepted: bool) -> None:
    now = int(world.shared.clock.freeze().timestamp())
    try:
        token = world.case.platform(iat=now - 600, exp=now - late)
        answer = Person(world.shared.url, token).get("/me")
        if accepted:
            data(answer)
        else:
            refusal(answer, 401, "TOKEN_EXPIRED")
            assert 'error="invalid_token"' in answer.headers["www-authenticate"]
    finally:
        world.shared.clock.reset()


@pytest.mark.parametrize(("late", "accepted"), [(29, True), (31, False)])
def test_our_own_token_ends_also_when_it_is_well_known(world: World, late: int, accepted: bool) -> None:
    clock = world.shared.clock
    clock.freeze()
    try:
        alice = register(world.shared.url, "alice")
        data(alice.get("/me"))
        clock.advance(minutes=15, seconds=late)
        answer = alice.get("/me")
        if accepted:
            data(answer)
        else:
            refusal(answer, 401, "TOKEN_EXPIRED")
    finally:
        clock.reset()
