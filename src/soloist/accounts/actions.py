"""What may happen to an account: it is opened, its settings and exchange rates change, its password is replaced.

What a signed-in caller must feel at once is announced to every server process, with the commit.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import NamedTuple
from uuid import UUID

from soloist.accounts import digest, keys, queries
from soloist.accounts.model import (
    AccountChange,
    AccountStatus,
    Actor,
    EmailAlreadyRegistered,
    NewApiKey,
    Profile,
    RateEntry,
    Registration,
    RegistrationClosed,
    checked_email,
    checked_password,
    email_key,
    rate_faults,
    scale_faults,
)
from soloist.accounts.passwords import Passwords
from soloist.accounts.revocations import announce
from soloist.accounts.tokens import Tokens, new_key
from soloist.infra.db import Connection, Database, Tx
from soloist.infra.errors import Fault, NotFound, ValidationFailed
from soloist.infra.fields import zone
from soloist.infra.ids import new_id
from soloist.infra.settings import Settings
from soloist.infra.statement import Statement, crossing, statement
from soloist.infra.validation import check

NO_PROFILE = Profile()

_ONE_AT_A_TIME = crossing(
    "first registration",
    "of two first registrations at one time, one must see the other's account",
    "select pg_advisory_xact_lock(hashtextextended('soloist first registration', 0))",
)
_CLAIM_EMAIL = statement(
    "insert into logins (email_key, account_id) values ($2, $1) on conflict (email_key) do nothing returning true"
)
_CLAIM_SUBJECT = statement(
    """
    insert into platform_identities (issuer, subject, account_id) values ($2, $3, $1)
    on conflict (issuer, subject) do nothing
    returning true
    """
)
_ADD_COUNTERS = statement("insert into account_counters (account_id) values ($1)")


def nobody_yet(account_id: UUID, label: str) -> Actor:
    """Who acts before anybody has signed in: on one account, with no rights of its own."""
    return Actor(account_id, zone("UTC"), label, frozenset(), "USD", None)


async def check_registration(db: Database, settings: Settings) -> None:
    """Raises RegistrationClosed if nobody may register now; `register` asks again, for good."""
    async with db.connection() as conn:
        await _check_registration(conn, settings)


async def register(tx: Tx, registration: Registration, password_hash: str, settings: Settings) -> None:
    """Open the account of somebody who registers.

    Raises RegistrationClosed (with the setting `first`, of two at one time exactly one gets in) and
    EmailAlreadyRegistered.
    """
    if settings.registration == "first":
        await tx.conn.execute(_ONE_AT_A_TIME)
    await _check_registration(tx.conn, settings)
    await open_account(tx, registration.email, password_hash, registration)


async def _check_registration(conn: Connection, settings: Settings) -> None:
    if settings.registration == "closed":
        raise RegistrationClosed
    if settings.registration == "first" and await queries.any_account(conn):
        raise RegistrationClosed


async def open_account(tx: Tx, email: str, password_hash: str | None, profile: Profile) -> None:
    """Make the transaction's account, which `email` signs in to; without a hash not yet by password.

    Raises EmailAlreadyRegistered.
    """
    if not await tx.value(_CLAIM_EMAIL, email_key(email)):
        raise EmailAlreadyRegistered
    await _insert(tx, {"email": email, "password_hash": password_hash, **_columns(profile)})


async def admit_subject(db: Database, issuer: str, subject: str) -> None:
    """Make the account of a platform's subject, unless somebody just did. It is not linked to any e-mail address."""
    async with db.changing(nobody_yet(new_id(), "platform")) as tx:
        if await tx.value(_CLAIM_SUBJECT, issuer, subject):
            await _insert(tx, {})


async def _insert(tx: Tx, values: dict[str, object]) -> None:
    values = {**values, "is_demo": tx.staged}
    await tx.run(_insertion(tuple(values)), tx.now, *values.values())
    await tx.run(_ADD_COUNTERS)
    await digest.plan(tx)


@lru_cache
def _insertion(names: tuple[str, ...]) -> Statement:
    columns = "".join(f", {name}" for name in names)
    places = "".join(f", ${index}" for index in range(3, len(names) + 3))
    return statement(f"insert into accounts (account_id, created_at, updated_at{columns}) values ($1, $2, $2{places})")


def _columns(profile: Profile) -> dict[str, object]:
    own = Profile.model_fields.keys() | AccountChange.model_fields.keys()
    return {name: value for name, value in profile.sent().items() if name in own}


class _Locked(NamedTuple):
    version: int
    base_currency: str
    monetary_scale: list[Decimal]
    time_zone: str


_LOCK = statement(
    """
    select version, base_currency, monetary_scale, time_zone from accounts
    where account_id = $1
    for no key update
    """
)


async def _lock(tx: Tx) -> _Locked:
    row = await tx.row(_LOCK)
    assert row is not None
    return _Locked(*row)


async def change_account(tx: Tx, change: AccountChange) -> None:
    """Change the account's settings.

    A new base currency, scale or time zone has the account recalculated: a payment is converted by the rate of its
    local day. A new base currency also drops the exchange rates, which were in terms of the old one: until new ones
    are given, other currencies count as unconverted.
    """
    before = await _lock(tx)
    tx.expect(before.version)
    values = _columns(change)
    base_currency = str(values.get("base_currency", before.base_currency))
    if faults := scale_faults(change.monetary_scale or (), base_currency):
        raise _invalid(faults)
    await tx.run(_update(tuple(values)), tx.now, *values.values())
    if {"digest_hour", "time_zone"} & values.keys():
        await digest.plan(tx)
    if base_currency != before.base_currency:
        await tx.run(_DROP_RATES)
    scale, zone = values.get("monetary_scale", before.monetary_scale), values.get("time_zone", before.time_zone)
    if (base_currency, scale, zone) != (before.base_currency, before.monetary_scale, before.time_zone):
        await tx.run(_RECALCULATE, tx.now)
    await announce(tx)


@lru_cache
def _update(names: tuple[str, ...]) -> Statement:
    sets = "".join(f", {name} = ${index}" for index, name in enumerate(names, 3))
    return statement(f"update accounts set version = version + 1, updated_at = $2{sets} where account_id = $1")


# Each mark is new, even within one tick of the clock: a change that comes while one is worked off is not lost.
_RECALCULATE = statement(
    """
    update accounts
    set recalculating_since = greatest($2, recalculating_since + interval '1 microsecond')
    where account_id = $1
    """
)
_RECALCULATED = statement(
    "update accounts set recalculating_since = null where account_id = $1 and recalculating_since = $2"
)
_DROP_RATES = statement("delete from exchange_rates where account_id = $1")
_ADD_RATES = statement(
    """
    insert into exchange_rates (account_id, currency, rate_on, rate)
    select $1, * from unnest($2::text[], $3::date[], $4::numeric[])
    """
)


async def set_rates(tx: Tx, rates: Sequence[RateEntry]) -> None:
    """Replace the account's exchange rates and have it recalculated.

    Raises ValidationFailed for a rate of the base currency, or two of one currency and day.
    """
    before = await _lock(tx)
    if faults := rate_faults(rates, before.base_currency):
        raise _invalid(faults)
    await tx.run(_DROP_RATES)
    await tx.run(_ADD_RATES, *([getattr(entry, part) for entry in rates] for part in ("currency", "date", "rate")))
    await tx.run(_RECALCULATE, tx.now)


async def recalculated(tx: Tx, since: datetime) -> None:
    """Note that the account's derived figures are as of the mark `since`; a later change keeps it marked."""
    await tx.run(_RECALCULATED, since)


_SET_PASSWORD = statement("update accounts set password_hash = $2 where account_id = $1")
_END_SESSIONS = statement(
    "update sessions set ended_at = $2, ended_because = $3 where account_id = $1 and ended_at is null"
)
_VOID_RESETS = statement("update password_resets set used_at = $2 where account_id = $1 and used_at is null")
_SET_STATUS = statement(
    "update accounts set status = $2, version = version + 1, updated_at = $3 where account_id = $1 and status <> $2"
)


async def replace_password(tx: Tx, password_hash: str) -> None:
    """Set the account's password; every session ends and every reset token is void. API keys stay."""
    await tx.run(_SET_PASSWORD, password_hash)
    await tx.run(_END_SESSIONS, tx.now, "password changed")
    await tx.run(_VOID_RESETS, tx.now)
    await announce(tx)


async def create_account(
    db: Database, email: str, password: str | None, profile: Profile = NO_PROFILE, passwords: Passwords | None = None
) -> UUID:
    """Open an account, whether or not registration is open; answers its id. Without a password none fits.

    Raises ValidationFailed for an address or password that can't be used, and EmailAlreadyRegistered.
    """
    email = checked_email(email)
    password_hash = None
    if password is not None:
        password_hash = await (passwords or Passwords()).hash(checked_password(password))
    account_id = new_id()
    async with db.changing(nobody_yet(account_id, "operator")) as tx:
        await open_account(tx, email, password_hash, profile)
    return account_id


async def set_password(db: Database, email: str, password: str, passwords: Passwords | None = None) -> None:
    """Set the password of the account that `email` signs in to; every session of it ends.

    Raises NotFound without such an account, and ValidationFailed for a password that can't be used.
    """
    account_id = await _known(db, email)
    password_hash = await (passwords or Passwords()).hash(checked_password(password))
    async with db.changing(nobody_yet(account_id, "operator")) as tx:
        await replace_password(tx, password_hash)


async def set_status(db: Database, email: str, status: AccountStatus) -> None:
    """Disable an account, which refuses every credential of it from now on, or enable it again.

    Raises NotFound without such an account.
    """
    async with db.changing(nobody_yet(await _known(db, email), "operator")) as tx:
        await tx.run(_SET_STATUS, status, tx.now)
        await announce(tx)


async def issue_token(db: Database, email: str, ttl: timedelta, signing_key: bytes) -> str:
    """An access token of no session, valid for `ttl` whatever happens but the account being disabled.

    Raises NotFound without such an account. It works on every server process with the same signing key.
    """
    account_id = await _known(db, email)
    return Tokens(signing_key).access(account_id, None, db.clock(), ttl)


async def create_key(db: Database, email: str, scopes: Sequence[str], name: str) -> str:
    """Make an API key without expiry for the account that `email` signs in to; answers the key, not kept anywhere.

    Raises NotFound without such an account, and ValidationFailed for an unknown scope or a name that is empty.
    """
    account_id = await _known(db, email)
    asked = check(NewApiKey, {"name": name, "scopes": list(scopes)})
    key = new_key()
    async with db.changing(nobody_yet(account_id, "operator")) as tx:
        await keys.make(tx, new_id(), asked, key)
    return key


async def _known(db: Database, email: str) -> UUID:
    account_id = await queries.find_account(db, checked_email(email))
    if account_id is None:
        raise NotFound(f"No account signs in with {email}.")
    return account_id


def _invalid(faults: Sequence[tuple[str, str, str]]) -> ValidationFailed:
    return ValidationFailed([Fault(field=field, code=code, message=message) for field, code, message in faults])
