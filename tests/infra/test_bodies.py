"""Reading JSON: exact where it must be, and of what is refused only that."""

import json
import random
from decimal import Decimal
from typing import Any

import pytest

from soloist.infra import jsonbody
from soloist.infra.errors import MalformedJson, ValidationFailed

GOOD: dict[str, tuple[bytes, Any]] = {
    "empty object": (b"{}", {}),
    "spaces everywhere": (b' \t\r\n{ "a" : [ 1 , 2 ] } \n', {"a": [1, 2]}),
    "whole numbers stay whole": (b'{"a": [0, -0, 10, -7]}', {"a": [0, 0, 10, -7]}),
    "fractions are exact": (b'{"a": 0.30000000000000004}', {"a": Decimal("0.30000000000000004")}),
    "trailing zeros": (b'{"a": 1.10}', {"a": Decimal("1.10")}),
    "exponents": (b'{"a": [1e3, 1E-2, 1.5e+1]}', {"a": [Decimal("1e3"), Decimal("0.01"), Decimal("15")]}),
    "19 digits": (b'{"a": 9007199254740993}', {"a": 9007199254740993}),
    "constants": (b"[true, false, null]", [True, False, None]),
    "escapes": (rb'{"a": "\"\\\/\b\f\n\r\t\u00e9\uD83C\uDF89"}', {"a": '"\\/\b\f\n\r\té🎉'}),
    "UTF-8": ('{"ключ": "значение 🎉"}'.encode(), {"ключ": "значение 🎉"}),
    "brackets in strings": (b'{"a": "' + b"[{" * 200 + b'"}', {"a": "[{" * 200}),
    "escaped quotes before brackets": (b'{"a": "\\"' + b"[" * 200 + b'"}', {"a": '"' + "[" * 200}),
    "32 levels": (b"[" * 32 + b"]" * 32, None),
    "33 lists beside each other": (b"[" + b",".join([b"[]"] * 33) + b"]", [[]] * 33),
    "same key in two objects": (b'[{"a": 1}, {"a": 2}]', [{"a": 1}, {"a": 2}]),
    "__proto__": (b'{"__proto__": {"a": 1}}', {"__proto__": {"a": 1}}),
    "byte order mark inside": ('{"a": "\ufeff"}'.encode(), {"a": "\ufeff"}),
    "noncharacters": ('{"a": "\uffff\U0010ffff"}'.encode(), {"a": "\uffff\U0010ffff"}),
}


@pytest.mark.parametrize(("body", "value"), GOOD.values(), ids=GOOD)
def test_json_is_read_exactly(body: bytes, value: Any) -> None:
    parsed = jsonbody.parse(body)
    if value is not None:
        assert parsed == value


def test_numbers_never_pass_through_binary() -> None:
    parsed = jsonbody.parse(b'{"a": 0.1, "b": 1e2, "c": 5}')
    assert isinstance(parsed, dict)
    assert [type(part) for part in parsed.values()] == [Decimal, Decimal, int]


@pytest.mark.parametrize("seed", range(20))
def test_what_python_writes_is_read_back(seed: int) -> None:
    chance = random.Random(seed)

    def value(depth: int) -> Any:
        kind = chance.randrange(7 if depth < 6 else 5)
        if kind == 5:
            return [value(depth + 1) for _ in range(chance.randrange(4))]
        if kind == 6:
            return {f"k{number}é": value(depth + 1) for number in range(chance.randrange(4))}
        text = "".join(chance.choice('ab"\\[]{}\n\té🎉') for _ in range(chance.randrange(12)))
        return [chance.randrange(-(10**20), 10**20), text, None, True, chance.randrange(1000)][kind]

    written = {"value": value(0)}
    for ascii_only in (True, False):
        assert jsonbody.parse(json.dumps(written, ensure_ascii=ascii_only).encode()) == written
    assert jsonbody.parse(jsonbody.dumps(written).encode()) == written


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (Decimal("15000"), "15000"),
        (Decimal("7142.86"), "7142.86"),
        ({"b": [1, None], "a": "é\u2028"}, '{"b":[1,null],"a":"é\u2028"}'),
        (Decimal("0.1") + Decimal("0.2"), "0.3"),
    ],
)
def test_values_are_written_exactly(value: Any, text: str) -> None:
    assert jsonbody.dumps(value) == text


@pytest.mark.parametrize(
    ("body", "details"),
    [
        (b'{"a": 1,\n  "b": }', {"line": 2, "column": 8}),
        (b'{"a": 1, "a": 2}', {"key": "a"}),
        (b"[" * 33 + b"]" * 33, {"maxDepth": 32}),
        (b'{"a": "\xff"}', {"position": 7}),
    ],
)
def test_refusal_tells_the_place_for_programs_too(body: bytes, details: dict[str, object]) -> None:
    with pytest.raises(MalformedJson) as caught:
        jsonbody.parse(body)
    assert caught.value.details == details


def test_every_nul_and_every_wide_number_is_named_at_once() -> None:
    body = rb'{"a": "\u0000", "b": [{"c": "x"}, {"d\u0000": 1}], "e": [1e308, 1], "f": 1e-999}'
    with pytest.raises(ValidationFailed) as caught:
        jsonbody.parse(body)
    assert [(fault["field"], fault["code"]) for fault in caught.value.faults] == [
        ("a", "nul_character"),
        ("b.1.d\\u0000", "nul_character"),
        ("e.0", "out_of_range"),
        ("f", "out_of_range"),
    ]


@pytest.mark.parametrize(
    ("value", "size"),
    [
        ({"a": "é"}, 10),
        ({"a": 5}, 7),
        ({"a": Decimal("1E+100")}, 12 + 100),
        ({"a": [Decimal("1E-50"), Decimal("1E-50")]}, 19 + 100),
        ({"a": "1E+100"}, 14),
    ],
)
def test_written_size_counts_numbers_as_the_database_writes_them(value: Any, size: int) -> None:
    assert jsonbody.written_size(value) == size
