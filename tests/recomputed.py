"""The derived figures of an account, computed from its raw rows in exact arithmetic, without the product's formulas."""

import asyncio
import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from datetime import date, datetime
from decimal import Decimal
from fractions import Fraction
from typing import NamedTuple
from zoneinfo import ZoneInfo

import asyncpg

from tests.health import oracle
from tests.health.oracle import Said, half_up
from tests.people import Member
from tests.serving import Served

FOLDED = {
    "Müller": "muller", "Weiß": "weiss", "Łódź": "lodz", "Café": "cafe", "ACME": "acme", "Jean-Luc": "jean-luc",
    "O'Brien": "o'brien", "Ångström": "angstrom", "R&D": "r&d", "50%": "50%", "ﬁne": "fine", "Ñandú": "nandu",
}  # fmt: skip


class Rows(NamedTuple):
    """Everything an account has, as it lies in the tables."""

    accounts: list[asyncpg.Record]
    account_counters: list[asyncpg.Record]
    exchange_rates: list[asyncpg.Record]
    clients: list[asyncpg.Record]
    contacts: list[asyncpg.Record]
    interactions: list[asyncpg.Record]
    opportunities: list[asyncpg.Record]


def rows_of(house: Served, owner: Member) -> Rows:
    async def fetch() -> Rows:
        conn = await asyncpg.connect(house.dsn)
        try:
            account = owner.account["id"]
            return Rows(
                *[await conn.fetch(f"select * from {name} where account_id = $1", account) for name in Rows._fields]
            )
        finally:
            await conn.close()

    return asyncio.run(fetch())


class Model:
    """The derived figures, from the rows that people filled in."""

    def __init__(self, rows: Rows, now: datetime) -> None:
        self.rows, self.now = rows, now
        [self.account] = rows.accounts
        self.zone = ZoneInfo(self.account["time_zone"])
        self.base: str = self.account["base_currency"]
        self.decimals = 0 if self.base == "JPY" else 2

    def rate(self, currency: str, day: date) -> Fraction | None:
        if currency == self.base:
            return Fraction(1)
        known = {row["rate_on"]: row["rate"] for row in self.rows.exchange_rates if row["currency"] == currency}
        if not known:
            return None
        return Fraction(known[max([at for at in known if at <= day] or known)])

    def revenue(self, client_id: object) -> tuple[Fraction, dict[str, Fraction]]:
        total, left = Fraction(0), defaultdict[str, Fraction](Fraction)
        for amount, currency, day in self.facts(client_id):
            rate = self.rate(currency, day)
            if rate is not None:
                total += amount * rate
            elif amount:
                left[currency] += amount
        unit = 10**self.decimals
        return Fraction(half_up(total * unit), unit), dict(left)

    def facts(self, client_id: object) -> Iterator[tuple[Fraction, str, date]]:
        for row in self.rows.interactions:
            paid = json.loads(row["metadata"] or "{}", parse_float=Decimal)
            counts = row["interaction_type"] == "PAYMENT_RECEIVED" and row["opportunity_id"] is None
            if row["client_id"] == client_id and counts and paid.get("amount") is not None:
                yield Fraction(paid["amount"]), paid["currency"], row["occurred_at"].astimezone(self.zone).date()
        for row in self.rows.opportunities:
            if row["client_id"] == client_id and row["stage"] == "WON":
                yield Fraction(row["estimated_value"]), row["currency"], row["actual_close_date"]

    def last_contact(self, client_id: object) -> datetime | None:
        past = [one.at for one in self.said(client_id) if one.at <= self.now]
        return past[-1] if past else None

    def said(self, client_id: object) -> list[Said]:
        own = [row for row in self.rows.interactions if row["client_id"] == client_id]
        own.sort(key=lambda row: (row["occurred_at"], row["id"]))
        return [
            Said(
                row["occurred_at"],
                row["interaction_type"],
                row["is_outbound"],
                row["sentiment"] if row["sentiment_source"] != "NONE" else None,
            )
            for row in own
        ]

    def health(self, client: asyncpg.Record) -> int:
        revenue, _ = self.revenue(client["id"])
        exact = Decimal(revenue.numerator) / revenue.denominator
        last, said = self.last_contact(client["id"]), self.said(client["id"])
        scale: Sequence[Decimal] = self.account["monetary_scale"]
        return oracle.health(self.now, client["created_at"], last, exact, scale, said).overall

    def searched(self, client: asyncpg.Record) -> list[str]:
        """The words a client is found by: as they stand, and, if punctuation joins any, all once more without it."""
        people = [row for row in self.rows.contacts if row["client_id"] == client["id"]]
        names = [client["company_name"], client["first_name"], client["last_name"]]
        names += [row[part] for row in people for part in ("first_name", "last_name")]
        words = [FOLDED[word] for name in names if name for word in name.split(" ")]
        words += [client["email"].lower()] if client["email"] else []
        bare = [part for word in words for part in re.split(r"[^a-z0-9]+", word) if part]
        return sorted(words + bare if bare != words else words)

    def base_value(self, deal: asyncpg.Record) -> Fraction | None:
        value = Fraction(deal["estimated_value"])
        rate = self.rate(deal["currency"], deal["actual_close_date"] or self.now.astimezone(self.zone).date())
        return Fraction(0) if value == 0 else None if rate is None else value * rate

    def counters(self) -> dict[str, int]:
        counted = Counter(row["status"].lower() for row in self.rows.clients)
        return {name: counted[name] for name in ("lead", "prospect", "active", "inactive", "archived")}
