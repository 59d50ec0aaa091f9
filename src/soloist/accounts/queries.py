"""What we read of accounts: their records, and who a credential belongs to.

A credential is looked up before its account is known, so several statements here cross accounts, each by name.
"""

from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from asyncpg import Record

from soloist.accounts.model import AccountStatus, ApiKeyNotFound, Scope, email_key
from soloist.accounts.shapes import Account, ApiKey, ExchangeRate
from soloist.infra.changes import Found
from soloist.infra.db import Connection, Database, Tx
from soloist.infra.shape import json_object
from soloist.infra.statement import crossing, statement


class Holder(NamedTuple):
    """The account behind a credential, as far as a request needs it."""

    account_id: UUID
    status: AccountStatus
    time_zone: str
    base_currency: str


class SessionHolder(NamedTuple):
    """The account behind an access token; `ends_at` is None if its session is over."""

    holder: Holder
    ends_at: datetime | None


class KeyHolder(NamedTuple):
    """The account behind an API key, and the key's own limits."""

    holder: Holder
    key_id: UUID
    scopes: frozenset[Scope]
    expires_at: datetime | None
    last_used_at: datetime | None


class Login(NamedTuple):
    """What an e-mail address signs in to; no password hash, no way in by password."""

    account_id: UUID
    status: AccountStatus
    password_hash: str | None


_HOLDER = statement(
    "select a.account_id, a.status, a.time_zone, a.base_currency from accounts a where a.account_id = $1"
)
_SESSION_HOLDER = statement(
    """
    select a.account_id, a.status, a.time_zone, a.base_currency, s.expires_at
    from accounts a
    left join sessions s
        on s.account_id = $1 and s.id = $2 and s.ended_at is null and s.expires_at > $3
    where a.account_id = $1
    """
)
_KEY_HOLDER = crossing(
    "API key",
    "a request with an API key does not say whose it is",
    """
    select a.account_id, a.status, a.time_zone, a.base_currency, k.id, k.scopes, k.expires_at, k.last_used_at
    from api_keys k
    join accounts a on a.account_id = k.account_id
    where k.key_hash = $1
    """,
)
_SUBJECT_HOLDER = crossing(
    "platform identity",
    "a platform's token names its own subject, not our account",
    """
    select a.account_id, a.status, a.time_zone, a.base_currency
    from platform_identities p
    join accounts a on a.account_id = p.account_id
    where p.issuer = $1 and p.subject = $2
    """,
)
_LOGIN = crossing(
    "login",
    "somebody who signs in gives an e-mail address",
    """
    select l.account_id, a.status, a.password_hash
    from logins l
    join accounts a on a.account_id = l.account_id
    where l.email_key = $1
    """,
)
_ANY_ACCOUNT = crossing(
    "any account", "registration may close after the first account", "select exists (select from accounts)"
)
_ANY_REAL_ACCOUNT = crossing(
    "any real account",
    "the clock may be set only where all accounts are demo data",
    "select exists (select from accounts where not is_demo)",
)
_ACCOUNT = statement(f"select a.version, {json_object(Account, 'a')} as raw from accounts a where a.account_id = $1")
_API_KEY = statement(
    f"select k.version, {json_object(ApiKey, 'k')} as raw from api_keys k where k.account_id = $1 and k.id = $2"
)
_API_KEYS = statement(
    f"""
    select json_build_object(
        'apiKeys', coalesce(json_agg({json_object(ApiKey, "k")} order by k.id desc), '[]'),
        'total', count(*)
    )
    from api_keys k
    where k.account_id = $1
    """
)
_EXCHANGE_RATES = statement(
    f"""
    select json_build_object(
        'rates', coalesce(json_agg({json_object(ExchangeRate, "r")} order by r.currency, r.rate_on), '[]')
    )
    from exchange_rates r
    where r.account_id = $1
    """
)


async def get(tx: Tx) -> Found:
    """The transaction's own account, for its owner's eyes."""
    row = await tx.row(_ACCOUNT)
    assert row is not None
    return Found(row["version"], row["raw"])


async def list_api_keys(tx: Tx) -> Found:
    """All API keys of the account, newest first."""
    return Found(None, await tx.value(_API_KEYS))


async def get_api_key(tx: Tx, key_id: UUID) -> Found:
    """One API key; raises ApiKeyNotFound."""
    row = await tx.row(_API_KEY, key_id)
    if row is None:
        raise ApiKeyNotFound
    return Found(row["version"], row["raw"])


async def exchange_rates(tx: Tx) -> Found:
    """All exchange rates of the account, by currency and day."""
    return Found(None, await tx.value(_EXCHANGE_RATES))


async def find_holder(db: Database, account_id: UUID) -> Holder | None:
    """The account with this id."""
    async with db.connection() as conn:
        row = await conn.fetchrow(_HOLDER, account_id)
    return _holder(row) if row else None


async def find_session_holder(db: Database, account_id: UUID, session_id: UUID, now: datetime) -> SessionHolder | None:
    """The account of a session, and when the session ends by itself, or that it is over."""
    async with db.connection() as conn:
        row = await conn.fetchrow(_SESSION_HOLDER, account_id, session_id, now)
    return SessionHolder(_holder(row), row["expires_at"]) if row else None


async def find_key_holder(db: Database, key_hash: bytes) -> KeyHolder | None:
    """The account and the limits of an API key."""
    row = await db.cross_row(_KEY_HOLDER, key_hash)
    if row is None:
        return None
    scopes = frozenset(Scope(name) for name in row["scopes"])
    return KeyHolder(_holder(row), row["id"], scopes, row["expires_at"], row["last_used_at"])


async def find_subject_holder(db: Database, issuer: str, subject: str) -> Holder | None:
    """The account that belongs to a platform's subject, once it has been seen."""
    row = await db.cross_row(_SUBJECT_HOLDER, issuer, subject)
    return _holder(row) if row else None


async def find_login(db: Database, email: str) -> Login | None:
    """What this e-mail address signs in to, however it is written."""
    row = await db.cross_row(_LOGIN, email_key(email))
    return Login(row["account_id"], AccountStatus(row["status"]), row["password_hash"]) if row else None


async def find_account(db: Database, email: str) -> UUID | None:
    """The id of the account that this e-mail address signs in to."""
    login = await find_login(db, email)
    return login.account_id if login else None


async def any_account(conn: Connection) -> bool:
    """Whether there is an account at all."""
    found: bool = await conn.fetchval(_ANY_ACCOUNT)
    return found


async def any_real_account(conn: Connection) -> bool:
    """Whether there is an account that is not demo data."""
    found: bool = await conn.fetchval(_ANY_REAL_ACCOUNT)
    return found


def _holder(row: Record) -> Holder:
    return Holder(row["account_id"], AccountStatus(row["status"]), row["time_zone"], row["base_currency"])
