"""Signing in, staying signed in, signing out, and passwords that were forgotten.

A session lives as long as its refresh token is exchanged for the next one, once each; a token that comes a
second time was stolen or copied, so the session ends.
"""

from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import NamedTuple
from uuid import UUID

from pydantic import SecretStr

from soloist.accounts import actions, queries
from soloist.accounts.model import AccountStatus, InvalidCredentials, Registration, SignIn, account_disabled, email_key
from soloist.accounts.passwords import Passwords
from soloist.accounts.revocations import announce
from soloist.accounts.throttle import Throttle
from soloist.accounts.tokens import ACCESS_LIFE, REFRESH_LIFE, Opaque, Tokens
from soloist.infra.changes import Found
from soloist.infra.db import Database, Tx
from soloist.infra.errors import Problem, TokenExpired, Unauthorized, one_fault
from soloist.infra.ids import new_id
from soloist.infra.settings import Settings
from soloist.infra.statement import crossing, statement

ENDED = "The session has ended. Sign in again."

_OPEN = statement(
    """
    insert into sessions (account_id, id, refresh_hash, created_at, refreshed_at, expires_at)
    values ($1, $2, $3, $4, $4, $5)
    """
)
_ROTATE = statement(
    """
    update sessions set refresh_hash = $4, refreshed_at = $5, expires_at = $6
    where account_id = $1 and id = $2 and refresh_hash = $3 and ended_at is null and expires_at > $5
    """
)
_STATE = statement("select ended_at, expires_at from sessions where account_id = $1 and id = $2")
_END = statement(
    """
    update sessions set ended_at = $3, ended_because = $4
    where account_id = $1 and id = $2 and ended_at is null
    """
)
_STILL_STANDS = statement(
    "select true from accounts where account_id = $1 and password_hash = $2 and status = 'ACTIVE' for no key update"
)
_REHASH = statement("update accounts set password_hash = $3 where account_id = $1 and password_hash = $2")


class Vault(NamedTuple):
    """What signing in needs beside the database."""

    settings: Settings
    tokens: Tokens
    passwords: Passwords
    throttle: Throttle
    forget: Callable[[UUID], None]  # what this process knows of an account's callers


async def register(db: Database, vault: Vault, registration: Registration) -> Found:
    """Open an account and a first session; answers its tokens.

    Raises RegistrationClosed and EmailAlreadyRegistered.
    """
    await actions.check_registration(db, vault.settings)
    password_hash = await vault.passwords.hash(registration.password)
    async with db.changing(actions.nobody_yet(new_id(), "registration")) as tx:
        await actions.register(tx, registration, password_hash, vault.settings)
        return await _open(tx, vault.tokens)


async def sign_in(db: Database, vault: Vault, given: SignIn, address: str) -> Found:
    """Open a session for an e-mail address and its password; answers its tokens.

    Raises InvalidCredentials in the same words and after the same time whether or not the address is known,
    RateLimited after too many failures from `address`, AccessDenied for a disabled account. A hash made with
    other parameters than now set is renewed.
    """
    async with vault.throttle.attempt(address, email_key(given.email)) as failed:
        login = await queries.find_login(db, given.email)
        stored = login.password_hash if login else None
        if not await vault.passwords.verify(stored, given.password) or login is None or stored is None:
            await failed()
            raise InvalidCredentials
    if login.status is not AccountStatus.ACTIVE:
        raise account_disabled()
    renewed = await vault.passwords.hash(given.password) if vault.passwords.outdated(stored) else None
    async with db.changing(actions.nobody_yet(login.account_id, "login")) as tx:
        if not await tx.value(_STILL_STANDS, stored):  # changed while we were hashing
            raise InvalidCredentials
        if renewed is not None:
            await tx.run(_REHASH, stored, renewed)
        return await _open(tx, vault.tokens)


async def _open(tx: Tx, tokens: Tokens) -> Found:
    refresh = tokens.refresh(tx.account_id, new_id())
    await tx.run(_OPEN, refresh.row_id, refresh.digest, tx.now, tx.now + REFRESH_LIFE)
    return await _signed_in(tx, tokens, refresh)


async def _signed_in(tx: Tx, tokens: Tokens, refresh: Opaque) -> Found:
    account = await queries.get(tx)
    access = tokens.access(tx.account_id, refresh.row_id, tx.now)
    seconds = int(ACCESS_LIFE.total_seconds())
    raw = f'{{"accessToken":"{access}","refreshToken":"{refresh.text}","expiresIn":{seconds},"account":{account.raw}}}'
    return Found(None, raw)


async def refresh(db: Database, vault: Vault, given: SecretStr) -> Found:
    """Exchange a refresh token for the next pair of tokens.

    One that was exchanged before ends its session. Raises Unauthorized that says which, TokenExpired after
    30 days, AccessDenied for a disabled account.
    """
    old = vault.tokens.read_refresh(given.get_secret_value())
    if old is None:
        raise Unauthorized("The refresh token is not valid. Sign in again.")
    holder = await queries.find_holder(db, old.account_id)
    if holder is not None and holder.status is not AccountStatus.ACTIVE:
        raise account_disabled()
    async with db.changing(actions.nobody_yet(old.account_id, "refresh")) as tx:
        new = vault.tokens.refresh(old.account_id, old.row_id)
        if await tx.run(_ROTATE, old.row_id, old.digest, new.digest, tx.now, tx.now + REFRESH_LIFE):
            return await _signed_in(tx, vault.tokens, new)
        refusal = await _why_not(tx, old.row_id)
        tx.after_commit.append(partial(vault.forget, old.account_id))
    # Raised only now: the end of the session must be committed.
    raise refusal


async def _why_not(tx: Tx, session_id: UUID) -> Problem:
    state = await tx.row(_STATE, session_id)
    if state is None or state["ended_at"] is not None:
        return Unauthorized(ENDED)
    if state["expires_at"] <= tx.now:
        return TokenExpired("The refresh token has expired. Sign in again.")
    await end(tx, session_id, "refresh token used twice")
    return Unauthorized("This refresh token was used before, so its session has ended. Sign in again.")


async def sign_out(tx: Tx, tokens: Tokens, session_id: UUID | None, given: SecretStr | None) -> bool:
    """End the session, and that of a refresh token of the same account; answers whether there was any to end."""
    ended = [session_id] if session_id is not None else []
    if given is not None:
        refresh_token = tokens.read_refresh(given.get_secret_value())
        if refresh_token is not None and refresh_token.account_id == tx.account_id:
            ended.append(refresh_token.row_id)
    for one in ended:
        await end(tx, one, "signed out")
    return bool(ended)


async def end(tx: Tx, session_id: UUID, because: str) -> None:
    """End a session: its access tokens and its refresh token are refused from now on."""
    if await tx.run(_END, session_id, tx.now, because):
        await announce(tx)


_ADD_RESET = statement(
    """
    insert into password_resets (account_id, id, token_hash, created_at, expires_at) values ($1, $2, $3, $4, $5)
    on conflict (account_id, id) do update set token_hash = excluded.token_hash
    """
)
_USE_RESET = statement(
    """
    update password_resets set used_at = $4
    where account_id = $1 and id = $2 and token_hash = $3 and used_at is null and expires_at > $4
    """
)
_RESET_STANDS = statement(
    """
    select true from password_resets
    where account_id = $1 and id = $2 and token_hash = $3 and used_at is null and expires_at > $4
    """
)


async def make_reset(tx: Tx, tokens: Tokens, reset_id: UUID, until: datetime) -> str:
    """A token with which the account's password can be set once before `until`; one made before for this id is void."""
    token = tokens.reset(tx.account_id, reset_id)
    await tx.run(_ADD_RESET, token.row_id, token.digest, tx.now, until)
    return token.text


async def reset_password(db: Database, vault: Vault, given: SecretStr, password: SecretStr) -> None:
    """Set a password by a reset token, which ends all sessions.

    Raises ValidationFailed for a token that is unknown, used or older than an hour.
    """
    token = vault.tokens.read_reset(given.get_secret_value())
    if token is None:
        raise _reset_refused()
    actor = actions.nobody_yet(token.account_id, "password reset")
    async with db.reading(actor) as tx:  # before the costly hash
        if not await tx.value(_RESET_STANDS, token.row_id, token.digest, tx.now):
            raise _reset_refused()
    password_hash = await vault.passwords.hash(password)
    async with db.changing(actor) as tx:
        if not await tx.run(_USE_RESET, token.row_id, token.digest, tx.now):
            raise _reset_refused()
        await actions.replace_password(tx, password_hash)
        tx.after_commit.append(partial(vault.forget, token.account_id))


def _reset_refused() -> Problem:
    return one_fault("token", "reset_token", "is not valid, was used, or is older than an hour; ask for a new one")


_PRUNE = crossing(
    "prune sessions",
    "a sweep over all accounts, of sessions and reset tokens that ended a month ago",
    """
    with resets as (delete from password_resets where expires_at < $1)
    delete from sessions where expires_at < $1
    """,
)


async def prune(db: Database) -> int:
    """Forget sessions and reset tokens that expired a month ago; answers how many sessions."""
    return await db.cross_run(_PRUNE, db.clock() - REFRESH_LIFE)
