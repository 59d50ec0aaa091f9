"""Lists by page or by cursor: the limits, the signed cursor, and the part of the SQL they make.

A cursor holds the sort key of the last row and a print of the question it belongs to; it can't be used for
another question or by another account.
"""

import base64
import hashlib
import hmac
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Any
from uuid import UUID

import orjson
from pydantic import BeforeValidator, ConfigDict, Field, GetCoreSchemaHandler, WithJsonSchema
from pydantic_core import CoreSchema, core_schema

from soloist.infra.errors import ValidationFailed, one_fault
from soloist.infra.fields import Input, Text, refusal

MAX_LIMIT = 100
MAX_OFFSET = 10_000


@dataclass(frozen=True, slots=True)
class Whole:
    """A query parameter that is a whole number from `low` to `high`, written in digits."""

    low: int
    high: int

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        shape = {"type": "integer", "minimum": self.low, "maximum": self.high}
        return _parsed_by(self._parse, shape)

    def _parse(self, value: object) -> int:
        parsed = int(value) if isinstance(value, str) and re.fullmatch(r"-?[0-9]{1,18}", value) else value
        if not isinstance(parsed, int) or isinstance(parsed, bool) or not self.low <= parsed <= self.high:
            raise refusal("whole_number", f"must be a whole number from {self.low} to {self.high}")
        return parsed


@dataclass(frozen=True, slots=True)
class Amount:
    """A query parameter that is a decimal number from `low` to `high`."""

    low: Decimal | int
    high: Decimal | int

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return _parsed_by(self._parse, {"type": "number", "minimum": float(self.low), "maximum": float(self.high)})

    def _parse(self, value: object) -> Decimal:
        shown = f"must be a number from {self.low} to {self.high}, such as 50 or 2500.50"
        if not re.fullmatch(r"-?[0-9]{1,18}(\.[0-9]{1,6})?", str(value)):
            raise refusal("number", shown)
        parsed = Decimal(str(value))
        if not self.low <= parsed <= self.high:
            raise refusal("out_of_range", shown)
        return parsed


def _parsed_by(parse: Callable[[object], Any], shape: dict[str, Any]) -> CoreSchema:
    return core_schema.no_info_plain_validator_function(
        parse, metadata={"pydantic_js_functions": [lambda _schema, _handler: dict(shape)]}
    )


def _flag(value: object) -> bool:
    if value in ("true", True):
        return True
    if value in ("false", False):
        return False
    raise refusal("boolean", "must be true or false")


Flag = Annotated[bool, BeforeValidator(_flag), WithJsonSchema({"type": "boolean"})]


class Query(Input):
    """Query parameters: as an Input, but every value arrives as text."""

    model_config = ConfigDict(strict=False)


class Paging(Query):
    """The parameters that every paged list takes."""

    page: Annotated[int, Whole(1, 2**31)] = Field(1, description="Page number; page × limit is at most 10,000")
    limit: Annotated[int, Whole(1, MAX_LIMIT)] = Field(20, description="Items per page")
    cursor: Annotated[str, Text(2000)] | None = Field(
        None, description="`nextCursor` of the page before, instead of `page`"
    )


@dataclass(frozen=True, slots=True)
class Window:
    """Which slice of a list is asked for: an offset, or the sort key after which to go on."""

    limit: int
    page: int
    after: tuple[Any, UUID] | None
    print: str

    @property
    def offset(self) -> int:
        return 0 if self.after else (self.page - 1) * self.limit


class Cursors:
    """Makes and reads cursors, signed with the installation's secret."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    def window(self, paging: Paging, account_id: UUID, question: Sequence[object]) -> Window:
        """The slice that `paging` asks for; `question` is all that shapes the list but page, limit and cursor.

        Raises ValidationFailed for a page too deep, or a cursor that does not belong to this question.
        """
        mark = self._print(account_id, question)
        if paging.cursor is not None:
            return Window(paging.limit, paging.page, self._read(paging.cursor, mark), mark)
        if paging.page * paging.limit > MAX_OFFSET:
            raise one_fault(
                "page",
                "too_deep",
                f"page × limit must not exceed {MAX_OFFSET:,}; go on with cursor=<nextCursor of the page before>",
            )
        return Window(paging.limit, paging.page, None, mark)

    def next(self, window: Window, key: object, last_id: UUID) -> str:
        """The cursor that goes on after the row with this sort key and id."""
        body = orjson.dumps([window.print, key, str(last_id)])
        return _b64(hmac.digest(self._secret, body, "sha256")[:16] + body)

    def _print(self, account_id: UUID, question: Sequence[object]) -> str:
        text = repr((str(account_id), [str(part) for part in question]))
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def _read(self, cursor: str, mark: str) -> tuple[Any, UUID]:
        try:
            raw = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
            if _b64(raw) != cursor:
                raise ValueError("spelling")  # the decoder passes over foreign characters and unused bits
            signature, body = raw[:16], raw[16:]
            if not hmac.compare_digest(signature, hmac.digest(self._secret, body, "sha256")[:16]):
                raise ValueError("signature")
            print_, key, last_id = orjson.loads(body)
            if print_ != mark:
                raise ValueError("question")
            return key, UUID(last_id)
        except (ValueError, TypeError):
            raise _bad_cursor() from None


def _bad_cursor() -> ValidationFailed:
    return one_fault("cursor", "cursor", "is not valid for this query; start again without a cursor")


def _b64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
