"""Staying signed in and signing out: what ends when, and at once."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from pydantic import SecretStr

from soloist.accounts import actions, sessions
from soloist.accounts.model import InvalidCredentials, SignIn
from soloist.accounts.passwords import Passwords
from soloist.accounts.throttle import Throttle
from soloist.accounts.tokens import Tokens
from soloist.infra.db import Database
from soloist.infra.secrets import derived, installation_secret
from soloist.infra.validation import check
from tests.people import PASSWORD, Member, Person, data, faults, refusal, register
from tests.serving import Served, SettableClock, serving, settings_for


def signed_in(person: Person, email: str, password: str = PASSWORD) -> Member:
    """A further session of somebody."""
    found = data(person.post("/auth/login", {"email": email, "password": password}))
    return Member(person.url, found["accessToken"], found["account"], found["refreshToken"])


def refreshed(member: Member) -> Member:
    found = data(member.post("/auth/refresh", {"refreshToken": member.refresh_token}))
    return Member(member.url, found["accessToken"], found["account"], found["refreshToken"])


def test_login_answers_tokens_and_the_account(alice: Member) -> None:
    found = data(Person(alice.url).post("/auth/login", {"email": alice.email.upper(), "password": PASSWORD}))
    assert found.keys() == {"accessToken", "refreshToken", "expiresIn", "account"}
    assert found["account"] == alice.account


def test_a_refresh_gives_a_new_pair(alice: Member) -> None:
    again = refreshed(alice)
    assert again.token != alice.token
    assert again.refresh_token != alice.refresh_token
    data(again.get("/me"))
    data(alice.get("/me"))  # the access token of before runs out by itself
    data(refreshed(again).get("/me"))


def test_a_refresh_token_used_twice_ends_its_session(alice: Member) -> None:
    again = refreshed(alice)
    data(again.get("/me"))
    error = refusal(alice.post("/auth/refresh", {"refreshToken": alice.refresh_token}), 401, "UNAUTHORIZED")
    assert "used before" in error["message"]
    assert "session has ended" in refusal(again.get("/me"), 401, "UNAUTHORIZED")["message"]
    refusal(alice.get("/me"), 401, "UNAUTHORIZED")
    refusal(again.post("/auth/refresh", {"refreshToken": again.refresh_token}), 401, "UNAUTHORIZED")


def test_a_reused_token_ends_no_other_session(alice: Member) -> None:
    other = signed_in(alice, alice.email)
    refreshed(alice)
    alice.post("/auth/refresh", {"refreshToken": alice.refresh_token})
    data(other.get("/me"))
    data(refreshed(other).get("/me"))


def test_of_many_exchanges_at_once_one_wins_and_the_session_ends(alice: Member) -> None:
    def exchange(_: int) -> int:
        body = {"refreshToken": alice.refresh_token}
        return Person(alice.url).post("/auth/refresh", body).status_code

    with ThreadPoolExecutor(8) as pool:
        statuses = sorted(pool.map(exchange, range(8)))
    assert statuses == [200] + [401] * 7
    refusal(alice.get("/me"), 401, "UNAUTHORIZED")


def test_an_invented_token_ends_nobodys_session(server: Served, alice: Member) -> None:
    """Who knows the ids of a session, but none of its tokens, must not be able to end it."""
    key = derived(installation_secret(server.app.state.settings), "tokens")
    real = Tokens(key).read_refresh(alice.refresh_token)
    assert real is not None
    forged = Tokens(bytes(32)).refresh(real.account_id, real.row_id).text
    refusal(Person(alice.url).post("/auth/refresh", {"refreshToken": forged}), 401, "UNAUTHORIZED")
    data(alice.get("/me"))
    data(refreshed(alice).get("/me"))


@pytest.mark.parametrize("token", ["", "junk", "slr_" + "A" * 108, 5, None])
def test_junk_is_no_refresh_token(stranger: Person, token: object) -> None:
    answer = stranger.post("/auth/refresh", {"refreshToken": token})
    if isinstance(token, str) and token:
        refusal(answer, 401, "UNAUTHORIZED")
    else:
        assert faults(answer).keys() == {"refreshToken"}


def test_an_access_token_is_no_refresh_token(alice: Member) -> None:
    refusal(alice.post("/auth/refresh", {"refreshToken": alice.token}), 401, "UNAUTHORIZED")


def test_a_session_ends_after_30_days_without_refresh(clock: SettableClock, alice: Member) -> None:
    clock.advance(days=29)
    again = refreshed(alice)
    clock.advance(days=29)
    again = refreshed(again)
    clock.advance(days=30, seconds=1)
    refusal(again.post("/auth/refresh", {"refreshToken": again.refresh_token}), 401, "TOKEN_EXPIRED")


def test_logout_ends_the_session_at_once(alice: Member) -> None:
    other = signed_in(alice, alice.email)
    data(alice.get("/me"))
    assert data(alice.post("/auth/logout")) == {"signedOut": True}
    assert "session has ended" in refusal(alice.get("/me"), 401, "UNAUTHORIZED")["message"]
    refusal(alice.post("/auth/refresh", {"refreshToken": alice.refresh_token}), 401, "UNAUTHORIZED")
    refusal(alice.post("/auth/logout"), 401, "UNAUTHORIZED")
    data(other.get("/me"))


@pytest.mark.parametrize("body", [None, {}, {"refreshToken": None}])
def test_logout_needs_no_body(alice: Member, body: object) -> None:
    data(alice.post("/auth/logout", body))


def test_logout_ends_the_session_of_a_refresh_token_as_well(alice: Member) -> None:
    other = signed_in(alice, alice.email)
    data(alice.post("/auth/logout", {"refreshToken": other.refresh_token}))
    refusal(alice.get("/me"), 401, "UNAUTHORIZED")
    refusal(other.get("/me"), 401, "UNAUTHORIZED")


def test_logout_does_not_end_the_session_of_somebody_else(alice: Member, bob: Member) -> None:
    data(alice.post("/auth/logout", {"refreshToken": bob.refresh_token}))
    data(bob.get("/me"))
    data(refreshed(bob).get("/me"))


def test_logout_needs_a_token(stranger: Person) -> None:
    refusal(stranger.post("/auth/logout"), 401, "UNAUTHORIZED")


def test_logout_with_an_api_key_says_how_a_key_ends(alice: Member) -> None:
    key = data(alice.post("/me/api-keys", {"name": "k", "scopes": ["write"]}), 201)["key"]
    error = refusal(Person(alice.url, key).post("/auth/logout"), 403, "ACCESS_DENIED")
    assert "DELETE /me/api-keys" in error["message"]


def test_a_credential_without_session_can_end_that_of_an_own_refresh_token(alice: Member, bob: Member) -> None:
    key = data(alice.post("/me/api-keys", {"name": "k", "scopes": ["read"]}), 201)["key"]
    holder = Person(alice.url, key)
    refusal(holder.post("/auth/logout", {"refreshToken": bob.refresh_token}), 403, "ACCESS_DENIED")
    data(bob.get("/me"))
    data(holder.post("/auth/logout", {"refreshToken": alice.refresh_token}))
    refusal(alice.get("/me"), 401, "UNAUTHORIZED")


async def test_a_login_that_a_new_password_overtakes_is_refused(server: Served, alice: Member) -> None:
    class Overtaken(Passwords):
        """Right after the check of a password, its owner sets another."""

        async def verify(self, stored: str | None, password: SecretStr) -> bool:
            found = await super().verify(stored, password)
            await actions.set_password(db, alice.email, "another long password", Passwords(8, 1))
            return found

    db = Database(server.dsn, size=3)
    await db.open()
    vault = server.app.state.identifier.vault._replace(passwords=Overtaken(8, 1), throttle=Throttle(db))
    given = check(SignIn, {"email": alice.email, "password": PASSWORD})
    with pytest.raises(InvalidCredentials):
        await sessions.sign_in(db, vault, given, "192.0.2.1")
    await db.close()


def test_tokens_outlive_a_restart(db_url: str, tmp_path: Path) -> None:
    settings = settings_for(tmp_path)
    with serving(settings, db_url) as before:
        alice = register(before.url, "alice")
    with serving(settings, db_url) as after:
        data(Person(after.url, alice.token).get("/me"))
        data(Person(after.url).post("/auth/refresh", {"refreshToken": alice.refresh_token}))


def test_a_stranger_learns_nothing_from_forgetting_a_password(alice: Member, stranger: Person) -> None:
    known = stranger.post("/auth/password/forgot", {"email": alice.email})
    unknown = stranger.post("/auth/password/forgot", {"email": "nobody.at.all@example.com"})
    assert data(known) == data(unknown)
    assert faults(stranger.post("/auth/password/forgot", {"email": "x"})).keys() == {"email"}


def test_an_unusual_address_and_name_sign_in(stranger: Person) -> None:
    name = "\U0001f9d1\u200d\U0001f4bb ' or 1=1 --"
    body = {"email": "o'neil+crm@sub.example.co.uk", "password": PASSWORD, "name": name}
    data(stranger.post("/auth/register", body), 201)
    assert signed_in(stranger, "O'NEIL+CRM@SUB.example.co.uk").account["name"] == name
