"""Reading JSON strictly: exact numbers, each key once, bounded depth, no characters the database can't keep.

The body is judged before any model sees it, so that a fault is answered with its line or its key.
"""

import re
from decimal import Decimal, InvalidOperation

import simplejson

from soloist.infra.errors import MOST_FAULTS, Fault, MalformedJson, ValidationFailed

MAX_DEPTH = 32
MAX_DIGITS = 4_000  # of a whole number that is read at all
MAX_EXPONENT = 307  # what every reader of JSON can hold: the range of a double
JsonValue = object


def parse(body: bytes) -> JsonValue:
    """The value in `body`; numbers with a fraction or exponent as Decimal.

    Raises MalformedJson for what is not JSON by our rules (docs/reference/rules.md), naming line and column
    or the key, and ValidationFailed for a NUL character or a number beyond a double's range, naming the field.
    """
    text = _text(body)
    _check_depth(text)
    wide: list[str] = []

    def decimal(digits: str) -> Decimal:
        value = _decimal(digits)
        if _is_wide(value):
            wide.append(digits)
        return value

    def integer(digits: str) -> int:
        if len(digits) > MAX_EXPONENT:
            wide.append(digits)
        return _integer(digits)

    try:
        value: JsonValue = simplejson.loads(
            text,
            parse_float=decimal,
            parse_int=integer,
            parse_constant=_constant,
            object_pairs_hook=_unique_keys,
        )
    except simplejson.JSONDecodeError as fault:
        raise MalformedJson(
            f"The body is not valid JSON: {_plain(fault.msg)} at line {fault.lineno}, column {fault.colno}.",
            details={"line": fault.lineno, "column": fault.colno},
        ) from None
    except RecursionError:
        raise _too_deep() from None
    if wide or "\\u" in text:
        _check_leaves(value)
    return value


def dumps(value: JsonValue) -> str:
    """JSON text of plain values and Decimals, exact, in the shortest form."""
    return str(simplejson.dumps(value, use_decimal=True, ensure_ascii=False, separators=(",", ":"), allow_nan=False))


def written_size(value: JsonValue) -> int:
    """Bytes of the JSON text of `value` with its numbers written out, as PostgreSQL answers: 1e100 has 101 digits."""
    return len(dumps(value).encode()) + _left_out(value)


def _left_out(value: JsonValue) -> int:
    if isinstance(value, Decimal):
        exponent = value.as_tuple().exponent
        return abs(int(exponent)) if "E" in str(value) else 0
    if isinstance(value, dict):
        return sum(_left_out(inner) for inner in value.values())
    return sum(_left_out(inner) for inner in value) if isinstance(value, list) else 0


def _plain(message: str) -> str:
    """The parser's words without its unfilled placeholders."""
    return message.replace(" %r", "").removesuffix(" at")


def _text(body: bytes) -> str:
    if body.startswith(b"\xef\xbb\xbf"):
        raise MalformedJson("The body starts with a byte order mark. Send UTF-8 without one.")
    try:
        return body.decode("utf-8")
    except UnicodeDecodeError as fault:
        raise MalformedJson(
            f"The body is not UTF-8: the byte at position {fault.start} can't be read.",
            details={"position": fault.start},
        ) from None


# An unclosed string runs to the end of the text: trying again inside it would make the scan quadratic.
_BRACKETS = re.compile(r'"(?:[^"\\]++|\\.)*+(?:"|\\?\Z)|[\[\]{}]', re.DOTALL)


def _check_depth(text: str) -> None:
    if text.count("[") + text.count("{") <= MAX_DEPTH:
        return
    depth = 0
    for token in _BRACKETS.finditer(text):
        mark = token.group()
        if mark in ("[", "{"):
            depth += 1
            if depth > MAX_DEPTH:
                raise _too_deep()
        elif mark in ("]", "}"):
            depth -= 1


def _too_deep() -> MalformedJson:
    return MalformedJson(f"The body is nested deeper than {MAX_DEPTH} levels.", details={"maxDepth": MAX_DEPTH})


def _decimal(digits: str) -> Decimal:
    try:
        return Decimal(digits)
    except InvalidOperation:
        raise MalformedJson(f"The number {digits[:40]} is out of any range.") from None


def _integer(digits: str) -> int:
    if len(digits) > MAX_DIGITS:
        raise MalformedJson(f"A number has {len(digits)} digits; at most {MAX_DIGITS} are read.")
    return int(digits)


def _constant(name: str) -> object:
    raise MalformedJson(f"{name} is not a JSON number. Send a finite number or null.")


def _unique_keys(pairs: list[tuple[str, JsonValue]]) -> dict[str, JsonValue]:
    value = dict(pairs)
    if len(value) != len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                name = _shown(key)
                raise MalformedJson(
                    f'The key "{name}" stands twice in one object. Send each key once.',
                    details={"key": name},
                )
            seen.add(key)
    return value


def _shown(text: str) -> str:
    """A name from the body as an answer can repeat it: not too long, and no half of a surrogate pair."""
    return text[:100].encode("utf-8", "replace").decode()


def _is_wide(value: Decimal | int) -> bool:
    return not -MAX_EXPONENT <= Decimal(value).adjusted() <= MAX_EXPONENT and value != 0


def _check_leaves(value: JsonValue) -> None:
    faults: list[Fault] = []
    _walk(value, "", faults)
    if faults:
        raise ValidationFailed(faults[:MOST_FAULTS])


def _walk(value: JsonValue, path: str, faults: list[Fault]) -> None:
    if isinstance(value, str):
        _check_string(value, path, faults)
    elif isinstance(value, dict):
        for key, inner in value.items():
            here = f"{path}.{key}" if path else key
            _check_string(key, here, faults)
            _walk(inner, here, faults)
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            _walk(inner, f"{path}.{index}" if path else str(index), faults)
    elif isinstance(value, Decimal | int) and _is_wide(value):
        message = f"the number is out of range: at most 1e{MAX_EXPONENT}, and no finer than 1e-{MAX_EXPONENT}"
        faults.append(Fault(field=path, code="out_of_range", message=message))


def _check_string(value: str, path: str, faults: list[Fault]) -> None:
    if "\x00" in value:
        name = path.replace("\x00", "\\u0000")
        faults.append(
            Fault(
                field=name,
                code="nul_character",
                message="a NUL character (\\u0000) is not allowed; remove it",
            )
        )
    if not value.isascii():
        try:
            value.encode("utf-8")
        except UnicodeEncodeError:
            name = _shown(path)
            raise MalformedJson(
                f'The string at "{name}" holds half of a surrogate pair (\\ud800–\\udfff). Send whole characters.',
                details={"field": name},
            ) from None
