"""One definition per shape: the SQL it makes, the JSON that comes back, the wire's spelling of moments and money."""

import asyncio
import json
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Annotated, Any

import asyncpg
import pytest

from soloist.infra import money, shape
from soloist.infra.errors import Fault
from soloist.infra.shape import Money, Record, Sql, columns, json_object
from soloist.infra.times import wire
from tests.serving import Served


class Thing(Record):
    """Everything a shape can be made of."""

    plain_text: str
    amount: Money
    maybe_amount: Money | None
    seen_at: datetime
    maybe_seen_at: datetime | None
    due_on: date
    twice: Annotated[int, Sql("{t}.n * 2")]


ROW = """select 'x' as plain_text, 15000.00::numeric as amount, null::numeric as maybe_amount,
    '2024-01-15 11:30:00.123999+01'::timestamptz as seen_at, null::timestamptz as maybe_seen_at,
    '2024-03-01'::date as due_on, 21 as n"""


def fetch(server: Served, sql: str) -> Any:
    async def value() -> Any:
        conn = await asyncpg.connect(server.dsn, server_settings={"timezone": "America/New_York"})
        try:
            return await conn.fetchval(sql)
        finally:
            await conn.close()

    return json.loads(asyncio.run(value()))


EXPECTED = {
    "plainText": "x",
    "amount": 15000,
    "maybeAmount": None,
    "seenAt": "2024-01-15T10:30:00.123Z",
    "maybeSeenAt": None,
    "dueOn": "2024-03-01",
    "twice": 42,
}


def test_select_list_and_object_make_the_same_json(server: Served) -> None:
    assert (
        fetch(server, f"select row_to_json(r) from (select {columns(Thing, 't')} from ({ROW}) as t) as r") == EXPECTED
    )
    assert fetch(server, f"select {json_object(Thing, 't')} from ({ROW}) as t") == EXPECTED


def test_json_is_read_back_into_the_record(server: Served) -> None:
    raw = json.dumps(EXPECTED)
    thing = Thing.model_validate_json(raw)
    assert (thing.amount, thing.seen_at) == (Decimal(15000), datetime(2024, 1, 15, 10, 30, 0, 123000, UTC))
    with pytest.raises(ValueError, match="extra"):
        Thing.model_validate_json(json.dumps({**EXPECTED, "more": 1}))


@pytest.mark.parametrize(
    ("stored", "shown"),
    [("15000.00", "15000"), ("7142.86", "7142.86"), ("0.10", "0.1"), ("0", "0"), ("999999999999.99", "999999999999.99"),
     ("1.2345", "1.2345"), ("1e3", "1000")],
)  # fmt: skip
def test_money_goes_out_without_trailing_zeros(server: Served, stored: str, shown: str) -> None:
    trimmed = shape.money(f"{stored}::numeric")
    assert fetch(server, f"select to_json({trimmed}::text)") == shown
    assert fetch(server, f"select json_build_object('a', {trimmed})") == {"a": float(shown)}


@pytest.mark.parametrize(
    ("moment", "shown"),
    [
        ("2024-01-15T10:30:00+00:00", "2024-01-15T10:30:00.000Z"),
        ("2024-01-15T10:30:00.9999+00:00", "2024-01-15T10:30:00.999Z"),
        ("2024-01-15T23:30:00-05:00", "2024-01-16T04:30:00.000Z"),
        ("1970-01-01T00:00:00.001+00:00", "1970-01-01T00:00:00.001Z"),
    ],
)
def test_moments_are_written_alike_by_python_and_sql(server: Served, moment: str, shown: str) -> None:
    assert wire(datetime.fromisoformat(moment)) == shown
    text = shape.instant(f"'{moment}'::timestamptz")
    assert fetch(server, f"select to_json({text})") == shown


def test_record_too_wide_for_one_object_is_refused() -> None:
    wide = type("Wide", (Record,), {"__annotations__": {f"field_{number}": int for number in range(51)}})
    with pytest.raises(TypeError, match="50 fields"):
        json_object(wide, "t")


# --- money ---


@pytest.mark.parametrize(
    ("currency", "amount"),
    [("USD", "0"), ("USD", "0.01"), ("USD", "15000.00"), ("USD", "1e3"), ("USD", "0e9"),
     ("USD", "1." + "0" * 60), ("JPY", "500"), ("JPY", "500.000"),
     ("KWD", "1.234"), ("CLF", "1.2345"), ("USD", "999999999999.99")],
)  # fmt: skip
def test_amount_of_the_currencys_precision_is_read(currency: str, amount: str) -> None:
    faults: list[Fault] = []
    assert money.read_amount(Decimal(amount), currency, "a", faults) == Decimal(amount)
    assert faults == []


@pytest.mark.parametrize(
    ("currency", "amount", "says"),
    [
        ("USD", Decimal("0.001"), "USD amounts have at most 2 decimals"),
        ("JPY", Decimal("0.1"), "JPY amounts have at most 0 decimals"),
        ("KWD", Decimal("1.2345"), "KWD amounts have at most 3 decimals"),
        ("USD", Decimal("0.30000000000000004"), "2 decimals"),
        ("USD", Decimal("0.1" + "0" * 40 + "1"), "2 decimals"),
        ("USD", Decimal("-0.01"), "from 0 to 999999999999.99"),
        ("USD", Decimal("1e12"), "from 0 to"),
        ("USD", 10**400, "from 0 to"),
        ("USD", "15000", "not in quotes"),
        ("USD", True, "must be a number"),
        ("USD", None, "must be a number"),
        ("USD", [1], "must be a number"),
    ],
)
def test_amount_that_is_no_money_is_a_fault(currency: str, amount: object, says: str) -> None:
    faults: list[Fault] = []
    assert money.read_amount(amount, currency, "a.b", faults) is None
    [fault] = faults
    assert fault["field"] == "a.b"
    assert says in fault["message"]


def test_amount_beside_an_unknown_currency_is_judged_by_its_range_alone() -> None:
    faults: list[Fault] = []
    assert money.read_amount(Decimal("0.123456"), None, "a", faults) == Decimal("0.123456")
    assert money.read_amount(Decimal(-1), None, "a", faults) is None
    assert len(faults) == 1


@pytest.mark.parametrize("code", ["USD", "usd", "Eur", "JPY", "KWD"])
def test_currency_code_is_read_in_any_case(code: str) -> None:
    assert money.read_currency(code, "c", []) == code.upper()


@pytest.mark.parametrize("code", ["US", "USDD", "XXX", "XAU", "BTC", "", " USD", "€", None, 5, ["USD"], "\ua4f4SD"])
def test_what_is_no_currency_is_a_fault(code: object) -> None:
    faults: list[Fault] = []
    assert money.read_currency(code, "c", faults) is None
    assert "ISO 4217" in faults[0]["message"]


@pytest.mark.parametrize(
    ("amount", "currency", "rounded"),
    [
        ("0.005", "USD", "0.01"),
        ("0.004999", "USD", "0.00"),
        ("62.5", "JPY", "63"),
        ("1.0005", "KWD", "1.001"),
        ("2.675", "EUR", "2.68"),
    ],
)
def test_amounts_are_rounded_half_up(amount: str, currency: str, rounded: str) -> None:
    assert money.rounded(Decimal(amount), currency) == Decimal(rounded)
