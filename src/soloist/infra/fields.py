"""The kinds of input fields: each type says its limits once, for the check and for the OpenAPI document.

All are strict: a number in quotes is not a number, and nothing is cut or guessed.
"""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from difflib import get_close_matches
from enum import StrEnum
from functools import lru_cache
from typing import Annotated, Any, ClassVar, Self
from uuid import UUID
from zoneinfo import ZoneInfo, available_timezones

from email_validator import EmailNotValidError, validate_email
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    ModelWrapValidatorHandler,
    ValidationError,
    WithJsonSchema,
    model_validator,
)
from pydantic.alias_generators import to_camel
from pydantic_core import CoreSchema, InitErrorDetails, PydanticCustomError, core_schema

from soloist.infra.errors import Problem
from soloist.infra.validation import BUILT_IN


class SortOrder(StrEnum):
    ASC = "asc"
    DESC = "desc"


class Input(BaseModel):
    """A request body or a set of query parameters: unknown fields are refused, nothing is converted."""

    model_config = ConfigDict(alias_generator=to_camel, extra="forbid", strict=True, frozen=True)

    read_only: ClassVar[frozenset[str]] = frozenset()  # names of the record's fields that a caller can't set
    advice: ClassVar[Mapping[str, str]] = {}  # names of fields that are changed elsewhere → where
    own_refusals: ClassVar[Mapping[str, type[Problem]]] = {}  # field → what refuses it when nothing else is wrong

    def sent(self) -> dict[str, Any]:
        """The fields the caller sent, by Python name; those left out are absent."""
        return {name: getattr(self, name) for name in self.model_fields_set}

    @classmethod
    def cross_faults(cls, raw: Mapping[str, object]) -> list[tuple[str, str, str]]:
        """Faults between fields, as (field, code, message), judged on what was sent even if a field is bad."""
        return []

    @model_validator(mode="wrap")
    @classmethod
    def _all_at_once(cls, value: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        extra = cls.cross_faults(value) if isinstance(value, Mapping) else []
        if not extra:
            return handler(value)
        errors = [
            InitErrorDetails(type=refusal(code, message), loc=(field,), input=None) for field, code, message in extra
        ]
        try:
            handler(value)
        except ValidationError as fault:
            errors = [_again(error) for error in fault.errors(include_url=False)] + errors
        raise ValidationError.from_exception_data(cls.__name__, errors)


UNSENT: Any = None  # the default of a field that can't be null and that a PATCH leaves out
NOTHING_TO_CHANGE = ("", "nothing_to_change", "nothing to change: send at least one field")


def _again(error: Any) -> InitErrorDetails:
    kind: Any = error["type"]
    if kind not in BUILT_IN:
        kind = refusal(kind, error["msg"])
    return InitErrorDetails(type=kind, loc=error["loc"], input=error["input"], ctx=error.get("ctx", {}))


def refusal(code: str, message: str) -> PydanticCustomError:
    """A field's fault with our own code and words."""
    # The words may hold braces of the caller's: they go in as a value, not as the template.
    return PydanticCustomError(code, "{text}", {"text": message})


# What `_visible_line` refuses, as far as a pattern that every language reads the same can say it.
LINE_PATTERN = (
    r"^[^\u0000-\u001f\u007f-\u009f\u2028\u2029]*"
    r"[^\s\u0000-\u001f\u007f-\u009f\u2028\u2029][^\u0000-\u001f\u007f-\u009f\u2028\u2029]*$"
)


@dataclass(frozen=True, slots=True)
class Line:
    """One line of visible text, `least` to `limit` characters after trimming, without control characters."""

    limit: int
    least: int = 1

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        inner = core_schema.str_schema(min_length=self.least, max_length=self.limit, strict=True)
        told: Any = {"pydantic_js_updates": {"pattern": LINE_PATTERN}}
        checked = core_schema.no_info_after_validator_function(_visible_line, inner, metadata=told)
        return core_schema.no_info_before_validator_function(_trimmed, checked)


@dataclass(frozen=True, slots=True)
class Text:
    """Any text of at most `limit` characters, line breaks included."""

    limit: int

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.str_schema(max_length=self.limit, strict=True)


def _trimmed(value: object) -> object:
    return value.strip() if isinstance(value, str) else value


def _visible_line(value: str) -> str:
    if value.isascii() and value.isprintable():  # the common case, without looking at each character
        return value
    for char in value:
        if unicodedata.category(char) in ("Cc", "Zl", "Zp"):
            raise refusal("control_character", f"must be one line without control characters (found U+{ord(char):04X})")
    if not any(unicodedata.category(char)[0] not in "CZ" for char in value):
        raise refusal("blank", "must hold at least one visible character")
    return value


class OneOf:
    """One value of the annotated enumeration, written exactly as it is listed.

    `fold` takes it in any case; `refused` holds values that exist but can't be given here, each with the reason.
    """

    __slots__ = ("_fold", "_refused")

    def __init__(self, *, fold: bool = False, refused: Mapping[str, str] | None = None) -> None:
        self._fold = fold
        self._refused = dict(refused or {})

    def __get_pydantic_core_schema__(self, source: type[StrEnum], handler: GetCoreSchemaHandler) -> CoreSchema:
        values = {str(member): member for member in source if member not in self._refused}
        allowed = ", ".join(values)

        def pick(value: object) -> StrEnum:
            if not isinstance(value, str):
                raise refusal("not_allowed", f"must be one of {allowed}")
            member = values.get(value.lower() if self._fold else value)
            if member is None:
                why = self._refused.get(value)
                if why:
                    raise refusal("not_allowed", f"{value} can't be set here: {why}; allowed are {allowed}")
                near = get_close_matches(value[:60].upper(), values, n=1)
                hint = f"; did you mean {near[0]}?" if near else ""
                raise refusal("not_allowed", f"{value[:60]!r} is not allowed; use one of {allowed}{hint}")
            return member

        return core_schema.no_info_plain_validator_function(
            pick,
            metadata={"pydantic_js_functions": [lambda _schema, _handler: {"type": "string", "enum": list(values)}]},
            serialization=core_schema.to_string_ser_schema(),
        )


_INSTANT = re.compile(r"\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?([Zz]|[+-]\d{2}:\d{2})")
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
INSTANT_EXAMPLE = "2024-02-15T10:00:00Z"
_LOWEST_YEAR, _HIGHEST_YEAR = 1, 9998


def parse_instant(value: object) -> datetime:
    """RFC 3339 with an offset, as an aware datetime in UTC cut to milliseconds."""
    if isinstance(value, datetime):
        return value.astimezone(UTC)
    if not isinstance(value, str) or not _INSTANT.fullmatch(value):
        raise refusal("datetime", f"must be an ISO 8601 time with an offset, such as {INSTANT_EXAMPLE}")
    try:
        moment = datetime.fromisoformat(value.upper())
        if not _LOWEST_YEAR < moment.year < _HIGHEST_YEAR:
            raise ValueError("year")
        moment = moment.astimezone(UTC)
    except (ValueError, OverflowError):
        raise refusal("datetime", f"{value!r} is not a time that exists; write it like {INSTANT_EXAMPLE}") from None
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def parse_day(value: object) -> date:
    """A calendar day, YYYY-MM-DD."""
    if isinstance(value, date) and not isinstance(value, datetime):
        return value
    if not isinstance(value, str) or not _DAY.fullmatch(value):
        raise refusal("date", "must be a date like 2024-03-01 (YYYY-MM-DD)")
    try:
        day = date.fromisoformat(value)
    except ValueError:
        raise refusal("date", f"{value!r} is not a day of the calendar; write it like 2024-03-01") from None
    if not _LOWEST_YEAR < day.year < _HIGHEST_YEAR:
        raise refusal("date", f"the year {day.year} is out of range")
    return day


def parse_moment_or_day(value: object) -> datetime | date:
    """A filter bound: a time with an offset, or a whole local day of the account."""
    if isinstance(value, str) and not _DAY.fullmatch(value):
        if not _INSTANT.fullmatch(value):
            raise refusal(
                "datetime",
                f"must be a date like 2024-03-01 or a time with an offset, such as {INSTANT_EXAMPLE}",
            )
        return parse_instant(value)
    return parse_day(value)


InstantIn = Annotated[
    datetime,
    BeforeValidator(parse_instant, json_schema_input_type=str),
    WithJsonSchema({"type": "string", "format": "date-time", "examples": [INSTANT_EXAMPLE]}),
]
DayIn = Annotated[
    date,
    BeforeValidator(parse_day, json_schema_input_type=str),
    WithJsonSchema({"type": "string", "format": "date", "examples": ["2024-03-01"]}),
]
Bound = Annotated[
    datetime | date,
    BeforeValidator(parse_moment_or_day, json_schema_input_type=str),
    WithJsonSchema(
        {
            "type": "string",
            "anyOf": [{"format": "date"}, {"format": "date-time"}],
            "examples": ["2024-03-01", INSTANT_EXAMPLE],
        }
    ),
]


@lru_cache(maxsize=1)
def zone_names() -> frozenset[str]:
    """The IANA names that are accepted: Area/Place, and UTC."""
    return frozenset(
        name for name in available_timezones() if "/" in name and not name.startswith(("Etc/", "SystemV/"))
    ) | {"UTC"}


def _zone(value: object) -> str:
    if isinstance(value, str) and value in zone_names():
        return value
    shown = value[:60] if isinstance(value, str) else ""
    near = get_close_matches(shown, zone_names(), n=1, cutoff=0.5) if shown else []
    hint = f"; did you mean {near[0]}?" if near else ""
    raise refusal("time_zone", f"must be an IANA time zone name such as Europe/Berlin or UTC{hint}")


TimeZone = Annotated[
    str,
    BeforeValidator(_zone),
    WithJsonSchema(
        {
            "type": "string",
            "format": "iana-time-zone",
            "maxLength": 64,
            "pattern": "^(UTC|[A-Za-z_]+(/[A-Za-z0-9_+-]+)+)$",
            "examples": ["America/New_York", "UTC"],
        }
    ),
]


@lru_cache(maxsize=512)
def zone(name: str) -> ZoneInfo:
    """The zone of a name that was checked before."""
    return ZoneInfo(name)


def _email(value: object) -> str:
    if not isinstance(value, str):
        raise refusal("email", "must be an e-mail address")
    if len(value) > 500:
        raise refusal("email", "is not an e-mail address: it has more than 254 characters")
    try:
        return validate_email(value.strip(), check_deliverability=False).normalized
    except EmailNotValidError as fault:
        raise refusal("email", f"is not an e-mail address: {fault}") from None


Email = Annotated[
    str,
    BeforeValidator(_email),
    WithJsonSchema({"type": "string", "format": "email", "maxLength": 254, "examples": ["contact@acme.com"]}),
]


def _phone(value: object) -> object:
    if isinstance(value, str) and not 3 <= len(value.strip()) <= 50:
        raise refusal("phone", "must have 3 to 50 characters, best in the form +12025550123 (E.164)")
    return value


Phone = Annotated[str, Line(50, least=3), BeforeValidator(_phone)]


def unique_tags(tags: list[str]) -> list[str]:
    """Each tag once, in the order given."""
    return list(dict.fromkeys(tags))


Tags = Annotated[list[Annotated[str, Line(50)]], Field(max_length=50), AfterValidator(unique_tags)]


def _number(value: object) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise refusal("number", "must be a number, not in quotes")
    return Decimal(value)


Number = Annotated[Decimal, BeforeValidator(_number)]


def _uuid(value: object) -> UUID:
    if isinstance(value, UUID):
        return value
    try:
        return UUID(value if isinstance(value, str) else "")
    except ValueError:
        raise refusal("uuid", "must be a UUID, such as 0190b5a4-7c1e-7b3a-9d55-2f6c1f0a8e21") from None


UuidIn = Annotated[UUID, BeforeValidator(_uuid), WithJsonSchema({"type": "string", "format": "uuid"})]
