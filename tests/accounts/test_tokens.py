"""What a token may look like: our own access tokens, refresh tokens and API keys, without a database."""

import string
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from soloist.accounts.tokens import Tokens, digest, is_key, new_key, take_apart
from soloist.infra.errors import TokenExpired, Unauthorized
from soloist.infra.ids import new_id
from tests.accounts.forge import taken_apart

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
KEY = bytes(range(32))


def test_an_access_token_says_whose_it_is() -> None:
    account_id, session_id = new_id(), new_id()
    token = Tokens(KEY).access(account_id, session_id, NOW)
    access = Tokens(KEY).read_access(token.encode(), take_apart(token.encode()), NOW)
    assert access == (account_id, session_id, NOW + timedelta(minutes=15))


def test_an_access_token_follows_rfc_9068() -> None:
    account_id = new_id()
    header, claims, _ = taken_apart(Tokens(KEY).access(account_id, None, NOW, timedelta(hours=1)))
    assert header == {"alg": "HS256", "typ": "at+jwt"}
    assert claims["sub"] == str(account_id)
    assert claims["exp"] - claims["iat"] == 3600
    assert claims.keys() == {"iss", "aud", "sub", "jti", "iat", "exp"}


def test_another_installation_does_not_take_our_token() -> None:
    token = Tokens(KEY).access(new_id(), None, NOW).encode()
    with pytest.raises(Unauthorized):
        Tokens(bytes(32)).read_access(token, take_apart(token), NOW)


@pytest.mark.parametrize(("seconds", "accepted"), [(0, True), (29, True), (30, True), (31, False), (86_400, False)])
def test_an_expired_token_has_30_seconds_of_grace(seconds: int, accepted: bool) -> None:
    token = Tokens(KEY).access(new_id(), None, NOW).encode()
    later = NOW + timedelta(minutes=15, seconds=seconds)
    if accepted:
        Tokens(KEY).read_access(token, take_apart(token), later)
    else:
        with pytest.raises(TokenExpired):
            Tokens(KEY).read_access(token, take_apart(token), later)


def test_a_token_has_only_one_spelling() -> None:
    token = Tokens(KEY).access(new_id(), None, NOW)
    alphabet = string.ascii_letters + string.digits + "-_=+/ "
    for last in alphabet.replace(token[-1], ""):
        with pytest.raises(Unauthorized):
            _read((token[:-1] + last).encode())


def _read(token: bytes) -> None:
    Tokens(KEY).read_access(token, take_apart(token), NOW)


def test_a_refresh_token_carries_its_session_and_a_secret() -> None:
    account_id, session_id = new_id(), new_id()
    first, second = (Tokens(KEY).refresh(account_id, session_id) for _ in range(2))
    assert first.text != second.text
    assert Tokens(KEY).read_refresh(first.text) == (account_id, session_id, first.text, digest(first.text))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "slr_",
        "slr_AAAA",
        "slr_" + "A" * 108,
        "x" * 112,
        "slr_é" + "A" * 107,
        "slr_" + "A" * 100_000,
    ],
)
def test_an_invented_refresh_token_is_none(text: str) -> None:
    assert Tokens(KEY).read_refresh(text) is None


def test_a_refresh_token_can_not_be_altered_or_used_as_another_kind() -> None:
    token = Tokens(KEY).refresh(new_id(), new_id()).text
    for index in range(4, len(token)):
        other = "A" if token[index] != "A" else "B"
        assert Tokens(KEY).read_refresh(token[:index] + other + token[index + 1 :]) is None
    assert Tokens(KEY).read_reset(token) is None
    assert Tokens(KEY).read_reset("slp_" + token.removeprefix("slr_")) is None
    assert Tokens(bytes(32)).read_refresh(token) is None


def test_an_api_key_checks_itself() -> None:
    for _ in range(200):
        key = new_key()
        assert len(key) == 40
        assert is_key(key)


def test_any_single_wrong_character_of_an_api_key_is_noticed() -> None:
    key = new_key()
    for index in range(4, len(key)):
        for other in "aZ9":
            if other != key[index]:
                assert not is_key(key[:index] + other + key[index + 1 :])


@pytest.mark.parametrize("text", ["", "slk_", "slk_" + "0" * 36, "slk_" + "0" * 35, "sk_live_123", "slk_" + "ö" * 36])
def test_junk_is_no_api_key(text: str) -> None:
    assert not is_key(text)


def test_a_key_that_follows_from_its_id_is_the_same_each_time_and_for_each_id_another() -> None:
    one, two = UUID(int=1), UUID(int=2)
    made = {new_key(Tokens(KEY).key_seed(key_id)) for key_id in (one, two, one)}
    assert len(made) == 2
    assert new_key(Tokens(bytes(32)).key_seed(one)) not in made
