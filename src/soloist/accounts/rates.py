"""How amounts come into the account's base currency, as SQL for any domain's statement (docs/reference/rules.md)."""

from itertools import groupby

from soloist.infra.money import decimals


def rate(currency: str, day: str) -> str:
    """An expression for base units per one unit of the expression `currency` on the expression `day`; null: none.

    One for the base currency itself; else the rate of the day, else the newest not later, else the newest.
    """
    return f"""(case when {currency} = (select b.base_currency from accounts b where b.account_id = $1) then 1 else (
        select x.rate from exchange_rates x
        where x.account_id = $1 and x.currency = {currency}
        order by (x.rate_on <= {day}) desc, x.rate_on desc limit 1) end)"""


def converted(amount: str, currency: str, day: str) -> str:
    """An expression for `amount` in the base currency, not rounded; null without a rate, but 0 is 0 everywhere."""
    return f"(case when {amount} = 0 then 0 else {amount} * {rate(currency, day)} end)"


def _decimals_of(currency: str) -> str:
    by_number = sorted(decimals().items(), key=lambda entry: (entry[1], entry[0]))
    cases = []
    for number, entries in groupby(by_number, key=lambda entry: entry[1]):
        codes = ", ".join(f"'{code}'" for code, _ in entries)
        if number != 2:
            cases.append(f"when {currency} in ({codes}) then {number}")
    return f"case {' '.join(cases)} else 2 end"


# How many decimals the base currency has; asked once per statement.
BASE_DECIMALS = f"(select {_decimals_of('b.base_currency')} from accounts b where b.account_id = $1)"
