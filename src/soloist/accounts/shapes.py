"""The records that accounts answer with: each names its JSON once, for the statement and for the description."""

from datetime import date as Day
from decimal import Decimal
from typing import Annotated
from uuid import UUID

from pydantic import Field

from soloist.accounts.model import AccountStatus, Scope, WeekStart
from soloist.infra.shape import Instant, Money, Record, Sql


class Account(Record):
    """An account as its owner sees it."""

    id: Annotated[UUID, Sql("{t}.account_id")]
    email: str | None
    name: str | None
    time_zone: str
    base_currency: str
    locale: str
    week_start: WeekStart
    monetary_scale: list[Money]
    email_notices: bool = Field(description="Whether reminders are also told by e-mail, where mail is set up")
    digest_hour: int | None = Field(description="Local hour of the daily digest by e-mail; null: none")
    recalculating: Annotated[bool, Sql("({t}.recalculating_since is not null)")]
    status: AccountStatus
    version: int
    created_at: Instant
    updated_at: Instant


class ApiKey(Record):
    """An API key; the key itself is shown only in the answer that made it."""

    id: UUID
    name: str
    hint: str
    scopes: list[Scope]
    expires_at: Instant | None
    last_used_at: Instant | None
    version: int
    created_at: Instant
    updated_at: Instant


class MadeApiKey(ApiKey):
    """A new API key, with the key itself: keep it, it is not shown again."""

    key: str


class ApiKeys(Record):
    """All API keys of an account."""

    api_keys: list[ApiKey]
    total: int


class ExchangeRate(Record):
    """What one unit of a currency was worth on a day, in the account's base currency."""

    currency: str
    date: Annotated[Day, Sql("{t}.rate_on")]
    rate: Decimal


class ExchangeRates(Record):
    """All exchange rates of an account."""

    rates: list[ExchangeRate]


class SignedIn(Record):
    """The tokens of a session: the access token for requests, the refresh token for the next pair."""

    access_token: str
    refresh_token: str
    expires_in: int
    account: Account


class SignedOut(Record):
    """The session has ended."""

    signed_out: bool


class PasswordChanged(Record):
    """The password is set."""

    password_changed: bool


class Notice(Record):
    """Words for whoever asked."""

    message: str
