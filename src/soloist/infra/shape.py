"""One definition per JSON shape: a `Record` names the fields, PostgreSQL builds the JSON from it.

The same class describes the answer in the OpenAPI document and reads it back for pages and tests.
"""

import types
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, WithJsonSchema
from pydantic.alias_generators import to_camel

from soloist.infra.times import wire


class Record(BaseModel):
    """A shape that the API answers; field names in Python's style, camelCase on the wire."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, frozen=True, extra="forbid")


@dataclass(frozen=True, slots=True)
class Sql:
    """The expression a field comes from, with `{t}` for the table's alias, where it is not its column."""

    expression: str


MAX_MONEY = Decimal("999999999999.99")
Money = Annotated[
    Decimal,
    BeforeValidator(lambda value: Decimal(str(value)) if isinstance(value, float) else value),
    PlainSerializer(float, return_type=float, when_used="json"),
    WithJsonSchema({"type": "number", "examples": [15000, 7142.86]}),
]
Instant = Annotated[
    datetime,
    PlainSerializer(wire, return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "format": "date-time", "examples": ["2024-01-15T10:30:00.000Z"]}),
]
Score = Annotated[int, Field(ge=0, le=100)]


@lru_cache(maxsize=256)
def columns(record: type[Record], alias: str) -> str:
    """The select list of `record` from the table under `alias`: each field under its name on the wire."""
    return ", ".join(f'{_expression(record, name, alias)} as "{_wire(record, name)}"' for name in record.model_fields)


@lru_cache(maxsize=256)
def json_object(record: type[Record], alias: str) -> str:
    """An expression for `record` as one JSON object (no subselect needed around it)."""
    pairs = [f"'{_wire(record, name)}', {_expression(record, name, alias)}" for name in record.model_fields]
    # json_build_object takes at most 100 arguments: wider records are refused at import, not at run time.
    if len(pairs) > 50:
        raise TypeError(f"{record.__name__} has more than 50 fields")
    return f"json_build_object({', '.join(pairs)})"


def instant(expression: str) -> str:
    """A timestamptz expression as the wire's text: UTC, milliseconds, Z."""
    return f"""to_char({expression} at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')"""


def money(expression: str) -> str:
    """A numeric expression without trailing zeros, so that 15000.00 goes out as 15000."""
    return f"trim_scale({expression})"


def _wire(record: type[Record], name: str) -> str:
    return record.model_fields[name].alias or name


def _expression(record: type[Record], name: str, alias: str) -> str:
    info = record.model_fields[name]
    for mark in info.metadata:
        if isinstance(mark, Sql):
            return mark.expression.replace("{t}", alias)
    plain = f"{alias}.{name}"
    kind = _plain_type(info.annotation)
    if kind is datetime:
        return instant(plain)
    if kind is Decimal:
        return money(plain)
    return plain


def _plain_type(annotation: Any) -> Any:
    while get_origin(annotation) is Annotated:
        annotation = get_args(annotation)[0]
    if get_origin(annotation) in (Union, types.UnionType):
        inner = [kind for kind in get_args(annotation) if kind is not type(None)]
        return _plain_type(inner[0]) if len(inner) == 1 else annotation
    return annotation


def wire_names(record: type[BaseModel]) -> Mapping[str, str]:
    """Python name → name on the wire, of every field."""
    return {name: info.alias or name for name, info in record.model_fields.items()}
