"""SQL that can't forget whose data it touches.

A statement is checked when it is made (for a module constant: when the module is imported): every table
that belongs to accounts must carry `account_id = $1`. The few that must cross accounts are named.
"""

import re
from collections import Counter
from functools import lru_cache
from typing import NewType

# Tables whose rows belong to one account. A new table is added here with its migration; a test compares
# this list with the database's own catalogue.
ACCOUNT_TABLES = frozenset(
    {
        "account_counters",
        "accounts",
        "api_keys",
        "clients",
        "contacts",
        "documents",
        "events",
        "exchange_rates",
        "health_history",
        "idempotency_keys",
        "interactions",
        "mails",
        "market_connections",
        "market_contracts",
        "market_payments",
        "market_reviews",
        "market_run_entries",
        "market_runs",
        "market_staged",
        "opportunities",
        "opportunity_activities",
        "password_resets",
        "reminders",
        "sessions",
        "status_changes",
        "uploads",
        "webhook_attempts",
        "webhook_deliveries",
        "webhook_secrets",
        "webhooks",
    }
)

CROSSING: dict[str, str] = {}  # name → reason, of each statement that may cross accounts; pinned by a test


class Unconfined(Exception):
    """A statement touches an account's table without `account_id = $1`: a programming fault."""


Statement = NewType("Statement", str)  # SQL that was checked; `$1` is the account id, filled in by the transaction
Crossing = NewType("Crossing", str)  # SQL that may see every account, on the short named list


_REFERENCE = re.compile(
    r"""\b(from|join|using|table|truncate|copy|update|insert\s+into|delete\s+from|merge\s+into)
    \s+(?:(?:only|table|lateral)\s+)?(?:"?[a-z_]+"?\.)?"?([a-z_]+)\b"?(?:\s+(?:as\s+)?([a-z_]+))?""",
    re.IGNORECASE | re.VERBOSE,
)
_NOT_ALIAS = {
    "where", "set", "on", "join", "left", "inner", "cross", "order", "group", "limit", "values", "select",
    "returning", "using", "for", "union", "having", "offset", "full", "right", "natural", "as", "window",
}  # fmt: skip
# Not looked at: comments and quoted text (an unclosed comment runs to the end, as in PostgreSQL).
_UNREAD = re.compile(r"--[^\n]*|/\*.*?(?:\*/|\Z)|'(?:[^']|'')*'", re.DOTALL)
_TIED = r"account_id\s*=\s*\$1(?![0-9])"
_ANYWAY = re.compile(rf"{_TIED}\s+or\b|\bor\s+(?:\w+\.)?{_TIED}", re.IGNORECASE)
_TABLES = "|".join(sorted(ACCOUNT_TABLES))
# `from a, clients c` names a table without a word that _REFERENCE knows.
_COMMA_JOIN = re.compile(
    rf"""\bfrom\s+(?:[a-z_]+\.)?(?:{_TABLES})(?:\s+(?:as\s+)?[a-z_]+)?\s*,
    |,\s*(?:[a-z_]+\.)?(?:{_TABLES})\s+(?:as\s+)?(?!from\b)[a-z_]+\s+(?:where|join|cross|left|inner|natural)\b
    |,\s*(?:[a-z_]+\.)?(?:{_TABLES})\s+(?:where|join|cross|left|inner|natural)\b""",
    re.IGNORECASE | re.VERBOSE,
)


@lru_cache(maxsize=4096)
def statement(sql: str) -> Statement:
    """The checked form of `sql`; raises Unconfined where an account's table is not tied to `$1`.

    Inserts name `account_id` as their first column and `$1` as its value; every other mention of a table
    has its own `account_id = $1`, with the alias if it has one.
    """
    plain = _UNREAD.sub(" ", sql)
    if _ANYWAY.search(plain) or _COMMA_JOIN.search(plain):
        raise Unconfined(f"write joins with 'join', and no 'or' beside 'account_id = $1', in\n{sql}")
    mentions: Counter[str] = Counter()
    bare = 0
    for verb, table, alias in _REFERENCE.findall(plain):
        if table.lower() not in ACCOUNT_TABLES:
            continue
        if re.sub(r"\s+", " ", verb.lower()) == "insert into":
            if not _inserts_own(plain, table):
                raise Unconfined(f"insert into {table}: '$1' is not the first value, that of account_id, in\n{sql}")
        elif alias and alias.lower() not in _NOT_ALIAS:
            mentions[alias] += 1
        else:
            mentions[table] += 1
            bare += 1
    for owner, times in mentions.items():
        tied = len(re.findall(rf"\b{owner}\.{_TIED}", plain))
        bare -= tied if owner in ACCOUNT_TABLES else 0
        if tied < times and owner not in ACCOUNT_TABLES:
            raise Unconfined(f"'{owner}.account_id = $1' stands {tied} times where {times} are needed, in\n{sql}")
    if len(re.findall(rf"(?<![\w.]){_TIED}", plain)) < bare:
        raise Unconfined(f"'account_id = $1' is missing in\n{sql}")
    return Statement(sql)


def crossing(name: str, reason: str, sql: str) -> Crossing:
    """A statement that must see more than one account, such as a login's look-up by e-mail."""
    if name in CROSSING:
        raise Unconfined(f"two crossing statements share the name {name}")
    CROSSING[name] = reason
    return Crossing(sql)


def _inserts_own(sql: str, table: str) -> bool:
    columns = rf"insert\s+into\s+(?:\w+\.)?{table}(?:\s+as\s+\w+)?\s*\(\s*account_id\b[^)]*\)"
    return bool(re.search(rf"{columns}\s*(?:values\s*\(\s*|select\s+)\$1(?![0-9])", sql, re.I))
