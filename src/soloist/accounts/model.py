"""What is true of an account: who may act for it, its settings and their limits, its records and refusals.

One account is one freelancer's whole book.
"""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date as Day
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, ClassVar
from uuid import UUID
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, WithJsonSchema

from soloist.infra.errors import AccessDenied, Problem, Unauthorized
from soloist.infra.fields import (
    NOTHING_TO_CHANGE,
    UNSENT,
    DayIn,
    Email,
    Input,
    InstantIn,
    Line,
    Number,
    OneOf,
    TimeZone,
    refusal,
)
from soloist.infra.money import MAX_AMOUNT, decimals
from soloist.infra.validation import check


class Scope(StrEnum):
    """What a credential may do. `write` includes `read`; `sync` is for synchronising with a platform only."""

    READ = "read"
    WRITE = "write"
    SYNC = "sync"


ALL_SCOPES = frozenset(Scope)


class AccountStatus(StrEnum):
    ACTIVE = "ACTIVE"
    DISABLED = "DISABLED"


class WeekStart(StrEnum):
    MONDAY = "MONDAY"
    SATURDAY = "SATURDAY"
    SUNDAY = "SUNDAY"


@dataclass(frozen=True, slots=True)
class Actor:
    """An account at work, by way of one credential; `label` says which kind, as history keeps it."""

    account_id: UUID
    zone: ZoneInfo
    label: str
    scopes: frozenset[Scope]
    base_currency: str
    session_id: UUID | None


class InvalidCredentials(Problem):
    code, status = "INVALID_CREDENTIALS", 401
    text = "The e-mail address or the password is wrong."

    def __init__(self) -> None:
        super().__init__(headers=Unauthorized().headers)


class EmailAlreadyRegistered(Problem):
    code, status = "EMAIL_ALREADY_REGISTERED", 409
    text = "An account with this e-mail address exists already. Sign in, or reset its password."


class RegistrationClosed(Problem):
    code, status = "REGISTRATION_CLOSED", 403
    text = "Registration is closed here. Ask whoever runs this installation for an account."


class ApiKeyNotFound(Problem):
    code, status = "API_KEY_NOT_FOUND", 404
    text = "There is no API key with this id."


def account_disabled() -> AccessDenied:
    """The refusal of every credential of a disabled account."""
    return AccessDenied("This account is disabled. Ask whoever runs this installation.")


def email_key(email: str) -> str:
    """What makes two addresses one login: case and Unicode's equal forms do not count."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", email).casefold())


PASSWORD_LEAST, PASSWORD_MOST = 10, 1024


def _secret(least: int) -> BeforeValidator:
    def judge(value: object) -> SecretStr:
        if isinstance(value, SecretStr):
            return value
        if not isinstance(value, str):
            raise refusal("string_type", "must be a string")
        if not least <= len(value) <= PASSWORD_MOST:
            raise refusal("length", f"must have {least} to {PASSWORD_MOST:,} characters")
        return SecretStr(value)

    return BeforeValidator(judge, json_schema_input_type=str)


def _secret_schema(least: int) -> WithJsonSchema:
    size = {"minLength": least, "maxLength": PASSWORD_MOST}
    return WithJsonSchema({"type": "string", "format": "password", "writeOnly": True, **size})


NewPassword = Annotated[SecretStr, _secret(PASSWORD_LEAST), _secret_schema(PASSWORD_LEAST)]
GivenSecret = Annotated[SecretStr, _secret(1), _secret_schema(1)]


def _currency(value: object) -> str:
    code = value.upper() if isinstance(value, str) and value.isascii() else ""
    if code not in decimals():
        raise refusal("currency", "must be an ISO 4217 currency code such as USD, EUR or JPY")
    return code


CurrencyCode = Annotated[
    str,
    BeforeValidator(_currency, json_schema_input_type=str),
    WithJsonSchema(
        {"type": "string", "format": "iso-4217", "pattern": "^[A-Za-z]{3}$", "examples": ["USD", "EUR"]},
    ),
]


_LOCALE = re.compile(r"([A-Za-z]{2,3})(?:-([A-Za-z]{4}))?(?:-([A-Za-z]{2}|[0-9]{3}))?")


def _locale(value: object) -> str:
    found = _LOCALE.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        raise refusal("locale", "must be a language tag such as en, de-AT or zh-Hant-TW (BCP 47)")
    language, script, region = found.groups()
    return "-".join(part for part in (language.lower(), script and script.title(), region and region.upper()) if part)


Locale = Annotated[
    str,
    BeforeValidator(_locale, json_schema_input_type=str),
    WithJsonSchema({"type": "string", "maxLength": 11, "pattern": f"^{_LOCALE.pattern}$", "examples": ["en", "de-AT"]}),
]

SCALE_SCORES = (25, 50, 75, 90, 100)


def _scale(value: object) -> list[Decimal]:
    steps = value if isinstance(value, list) else []
    amounts = [Decimal(step) for step in steps if isinstance(step, int | Decimal) and not isinstance(step, bool)]
    rising = all(low < high for low, high in zip([Decimal(0), *amounts], amounts, strict=False))
    if len(steps) != len(SCALE_SCORES) or len(amounts) != len(steps) or not rising or amounts[-1] > MAX_AMOUNT:
        raise refusal(
            "monetary_scale",
            "must be five amounts, each greater than the one before, such as [1000, 5000, 10000, 25000, 50000]: "
            f"the revenues from which a client scores {', '.join(map(str, SCALE_SCORES))}; at most {MAX_AMOUNT:,}",
        )
    return amounts


MonetaryScale = Annotated[
    list[Decimal],
    BeforeValidator(_scale, json_schema_input_type=list[float]),
    WithJsonSchema(
        {
            "type": "array",
            "items": {"type": "number", "exclusiveMinimum": 0, "maximum": float(MAX_AMOUNT)},
            "minItems": 5,
            "maxItems": 5,
            "description": "Revenues, rising, from which a client's monetary score is 25, 50, 75, 90 and 100",
            "examples": [[1000, 5000, 10000, 25000, 50000]],
        }
    ),
]


def scale_faults(scale: Sequence[Decimal], currency: str) -> list[tuple[str, str, str]]:
    """Steps of a scale with more decimals than the currency has."""
    most = decimals()[currency]
    return [
        (f"monetaryScale.{index}", "decimals", f"{currency} amounts have at most {most} decimals")
        for index, step in enumerate(scale)
        if step != round(step, most)
    ]


class Profile(Input):
    """What an owner may say of the account; what is left out has its default, or stays."""

    name: Annotated[str, Line(200)] | None = None
    # Not nullable: the None only stands for "not sent".
    time_zone: TimeZone = UNSENT
    base_currency: CurrencyCode = UNSENT
    locale: Locale = UNSENT
    week_start: Annotated[WeekStart, OneOf()] = UNSENT


class Registration(Profile):
    """A new account, with the password that opens it."""

    email: Email
    password: NewPassword


class AccountChange(Profile):
    """The settings of an account to change."""

    read_only: ClassVar[frozenset[str]] = frozenset(
        {"id", "email", "recalculating", "status", "version", "createdAt", "updatedAt"}
    )
    monetary_scale: MonetaryScale = UNSENT
    email_notices: bool = Field(UNSENT, description="Whether reminders are also told by e-mail, where mail is set up")
    digest_hour: Annotated[int, Field(ge=0, le=23)] | None = Field(
        None, description="Local hour of the daily digest by e-mail; null: none"
    )

    @classmethod
    def cross_faults(cls, raw: Mapping[str, object]) -> list[tuple[str, str, str]]:
        return [] if raw else [NOTHING_TO_CHANGE]


class SignIn(Input):
    """An e-mail address and its password."""

    email: Email
    password: GivenSecret


class Refresh(Input):
    """The refresh token that was given last."""

    refresh_token: GivenSecret


class SignOut(Input):
    """The refresh token of a session to end beside the caller's own."""

    refresh_token: GivenSecret | None = None


class ForgottenPassword(Input):
    """The address whose password is forgotten."""

    email: Email


class PasswordReset(Input):
    """A reset token and the password to set."""

    token: GivenSecret
    password: NewPassword


MAX_RATES = 10_000
_RATE_LIMIT, _RATE_DECIMALS = Decimal(1_000_000_000), 12


def _rate(value: Decimal) -> Decimal:
    if not 0 < value < _RATE_LIMIT or value != round(value, _RATE_DECIMALS):
        raise refusal("rate", f"must be above 0 and below {_RATE_LIMIT:,}, with at most {_RATE_DECIMALS} decimals")
    return value


class RateEntry(Input):
    """What one unit of a currency was worth on a day, in the account's base currency."""

    currency: CurrencyCode
    date: DayIn
    rate: Annotated[
        Number,
        AfterValidator(_rate),
        Field(
            description="Base currency for one unit",
            examples=[1.0845],
            json_schema_extra={"exclusiveMinimum": 0, "exclusiveMaximum": int(_RATE_LIMIT)},
        ),
    ]


class RateList(Input):
    """All exchange rates of an account; they replace those before."""

    rates: Annotated[list[RateEntry], Field(max_length=MAX_RATES)]


def rate_faults(rates: Sequence[RateEntry], base_currency: str) -> list[tuple[str, str, str]]:
    """Entries that can't stand: of the base currency itself, or given twice for one day."""
    faults: list[tuple[str, str, str]] = []
    seen: dict[tuple[str, Day], int] = {}
    for index, entry in enumerate(rates):
        if entry.currency == base_currency:
            message = f"{base_currency} is the base currency; its rate is always 1, leave it out"
            faults.append((f"rates.{index}.currency", "base_currency", message))
        first = seen.setdefault((entry.currency, entry.date), index)
        if first != index:
            message = f"{entry.currency} on {entry.date} is given twice, first in rates.{first}; keep one"
            faults.append((f"rates.{index}", "duplicate", message))
    return faults


MAX_KEYS = 100


class NewApiKey(Input):
    """An API key to make."""

    read_only: ClassVar[frozenset[str]] = frozenset(
        {"id", "hint", "key", "lastUsedAt", "version", "createdAt", "updatedAt"}
    )
    name: Annotated[str, Line(100)]
    scopes: Annotated[list[Annotated[Scope, OneOf()]], Field(min_length=1, max_length=len(Scope))]
    expires_at: InstantIn | None = None


def checked_email(text: str) -> str:
    """`text` as a normalised e-mail address; raises ValidationFailed if it is none."""
    return check(ForgottenPassword, {"email": text}).email


def checked_password(text: str) -> SecretStr:
    """`text` as a password that may be set; raises ValidationFailed if it is too short or too long."""
    return check(PasswordReset, {"token": "-", "password": text}).password
