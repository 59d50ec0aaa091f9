"""Amounts and currencies: decimal, within range, with no more decimals than the currency has (ISO 4217)."""

from collections.abc import MutableSequence
from decimal import ROUND_HALF_UP, Decimal
from functools import lru_cache

from iso4217 import Currency

from soloist.infra.errors import Fault

MAX_AMOUNT = Decimal("999999999999.99")


@lru_cache(maxsize=1)
def decimals() -> dict[str, int]:
    """Currency code → how many decimals its amounts have. Metals, test codes and funds without units are not money."""
    return {str(currency.code): currency.exponent for currency in Currency if currency.exponent is not None}


def read_currency(value: object, field: str, faults: MutableSequence[Fault]) -> str | None:
    """The code in capitals; a fault is added for what is no currency."""
    code = value.upper() if isinstance(value, str) and value.isascii() else ""
    if code in decimals():
        return code
    faults.append(Fault(field=field, code="currency", message="must be an ISO 4217 currency code such as USD or EUR"))
    return None


def read_amount(value: object, currency: str | None, field: str, faults: MutableSequence[Fault]) -> Decimal | None:
    """The amount; a fault is added for what is no number, out of range, or finer than the currency.

    Without a known currency any number of decimals passes: the currency is the fault to name then.
    """
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        faults.append(Fault(field=field, code="number", message="must be a number, not in quotes"))
        return None
    amount = Decimal(value)
    if not 0 <= amount <= MAX_AMOUNT:
        faults.append(Fault(field=field, code="out_of_range", message=f"must be from 0 to {MAX_AMOUNT}"))
        return None
    allowed = decimals().get(currency) if currency is not None else None
    if allowed is not None and amount != amount.quantize(Decimal(1).scaleb(-allowed)):
        noun = "decimal" if allowed == 1 else "decimals"
        faults.append(Fault(field=field, code="decimals", message=f"{currency} amounts have at most {allowed} {noun}"))
        return None
    return amount


def rounded(amount: Decimal, currency: str) -> Decimal:
    """The amount at the currency's precision, half-up."""
    return amount.quantize(Decimal(1).scaleb(-decimals().get(currency, 2)), ROUND_HALF_UP)


def plain_amount(amount: Decimal) -> int | float:
    """The amount as a JSON number is written: 15000, 7142.86. For texts we render, never to compute with."""
    return int(amount) if amount == amount.to_integral_value() else float(amount)
