"""What the simulated Market knows of one freelancer: invented clients with their contracts, payments and reviews.

The same seed gives the same data; times hang on `now`. The people and companies are those of `soloist.seed_data`.
"""

from base64 import b64decode, urlsafe_b64encode
from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Literal, Self, get_args
from uuid import UUID

from soloist.infra.money import rounded
from soloist.seed_data import WORDS, Book, Dice, Entry, Story

Values = Mapping[str, object]
Key = tuple[str, str]  # when an item changed last, and its id: what lists are ordered by
ListName = Literal["clients", "contracts", "payments", "reviews"]
MONTHS = 24
FIRST = "1"  # what asks for the first page, if anything
FEE = Decimal("0.10")  # of what a client pays
REFUND = timedelta(days=8)  # after the payment
STARS = (5, 5, 5, 5, 4, 4, 3, 2)
PRAISE = {
    5: "Excellent work, on time, and a pleasure to talk to.",
    4: "Very good result. One round of changes more than planned.",
    3: "The result is fine, but it took longer than we agreed on.",
    2: "Not quite what we had in mind.",
}


@dataclass(slots=True)
class Shelf:
    """The items of one list by id, and their order: by the last change, then by id."""

    items: dict[str, Values] = field(default_factory=dict)
    _changed: dict[str, str] = field(default_factory=dict)
    _order: list[Key] | None = None

    def put(self, item_id: str, values: Values, changed_at: str) -> None:
        """Put an item in, or in the place of the one with this id."""
        self.items[item_id] = values
        self._changed[item_id] = changed_at
        self._order = None

    def drop(self, item_id: str) -> bool:
        """Take an item out; False if there is none."""
        self._order = None
        self._changed.pop(item_id, None)
        return self.items.pop(item_id, None) is not None

    def order(self) -> list[tuple[str, str]]:
        """(changed at, id) of all items, sorted."""
        if self._order is None:
            self._order = sorted((changed, item_id) for item_id, changed in self._changed.items())
        return self._order

    def found(self, since: str, client_id: str | None) -> list[Key]:
        """The keys of what changed at `since` or later, of one client or all, in order."""
        if self._order is None:
            self._order = sorted((changed, item_id) for item_id, changed in self._changed.items())
        keys = self._order[bisect_left(self._order, (since,)) :]
        if client_id is None:
            return keys
        return [key for key in keys if self.items[key[1]].get("clientId") == client_id]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a page starts: its number, and the key of the last item before it."""

    number: int = 1
    key: Key = ("", "")

    @classmethod
    def read(cls, token: str) -> Self:
        """The place that `nextPage` told; raises ValueError for anything else."""
        if token == FIRST:
            return cls()
        number, changed, item_id = b64decode(token, b"-_", validate=True).decode().split("|", 2)
        return cls(int(number), (changed, item_id))

    def token(self) -> str:
        """What asks for the page that starts here."""
        return urlsafe_b64encode("|".join((str(self.number), *self.key)).encode()).decode()


@dataclass(slots=True)
class Freelancer:
    """Whom a token stands for, and what the Market tells that freelancer."""

    me: Values
    shelves: dict[ListName, Shelf] = field(default_factory=lambda: {name: Shelf() for name in get_args(ListName)})


def freelancer(seed: int, number: int, clients: int, now: datetime) -> Freelancer:
    """One with so many clients. Those of another number are other people."""
    dice = Dice(f"market:{seed}:{number}")
    first, last = dice.pick(WORDS["first"]), dice.pick(WORDS["last"])
    made = Freelancer({"id": _id(dice), "name": f"{first} {last}", "email": None})
    for story in Book(seed, 1000 + number, now, MONTHS).stories(clients):
        _Told(dice, story, made, now).tell()
    return made


def instant(moment: datetime) -> str:
    """A time as the contract writes it; such texts sort as the times do."""
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03}Z"


class _Told:
    """One client's story as the Market knows it."""

    def __init__(self, dice: Dice, story: Story, into: Freelancer, now: datetime) -> None:
        self._dice = dice
        self._story = story
        self._into = into
        self._now = now
        self._client_id = _id(dice)
        self._changed = story.started

    def tell(self) -> None:
        signed: Entry | None = None
        contract_id = _id(self._dice)
        amount, currency = Decimal(0), "USD"
        for entry in self._story.entries:
            if entry.kind == "CONTRACT_SIGNED":
                signed = entry
            elif entry.kind == "PAYMENT_RECEIVED" and signed is not None and entry.amount and entry.currency:
                gross = entry.amount + Decimal(self._dice.pick((0, 0, 0, 50, 95))) / 100
                amount, currency = amount + gross, entry.currency
                self._payment(contract_id, gross, currency, entry.at)
            elif entry.kind == "PROJECT_COMPLETED" and signed is not None:
                self._contract(contract_id, signed, amount, currency, entry.at)
                self._review(contract_id, entry.at)
                signed, contract_id, amount = entry, _id(self._dice), Decimal(0)
        if signed is not None:
            self._contract(contract_id, signed, amount, currency, None)
        self._client()

    def _client(self) -> None:
        known = self._story.client
        names = ("companyName", "firstName", "lastName", "email", "phone", "website", "industry")
        values = {
            "type": known["clientType"],
            **{name: known.get(name) for name in (*names, "companySize", "timezone", "address")},
            "relationshipSince": instant(self._story.started),
        }
        self._put("clients", self._client_id, values, self._changed)

    def _contract(self, contract_id: str, signed: Entry, amount: Decimal, currency: str, done: datetime | None) -> None:
        title = signed.subject.removeprefix("Contract for the ").removeprefix("Finished the ")
        values = {
            "clientId": self._client_id,
            "title": title[:1].upper() + title[1:],
            "status": "ACTIVE" if done is None else "COMPLETED",
            "amount": amount or None,
            "currency": currency if amount else None,
            "startedAt": instant(signed.at),
            "completedAt": done and instant(done),
        }
        self._put("contracts", contract_id, values, done or signed.at)

    def _payment(self, contract_id: str, gross: Decimal, currency: str, at: datetime) -> None:
        fee = rounded(gross * FEE, currency)
        refunded = self._dice.random() < 0.02 and at < self._now - REFUND
        values = {
            "clientId": self._client_id,
            "contractId": contract_id,
            "status": "REFUNDED" if refunded else "PAID",
            "gross": gross,
            "fee": fee,
            "net": gross - fee,
            "currency": currency,
            "paidAt": instant(at),
        }
        self._put("payments", _id(self._dice), values, at + REFUND if refunded else at)

    def _review(self, contract_id: str, done: datetime) -> None:
        at = done + timedelta(days=self._dice.whole(1, 10))
        if self._dice.random() < 0.3 or at > self._now:
            return
        rating = self._dice.pick(STARS)
        values = {
            "clientId": self._client_id,
            "contractId": contract_id,
            "rating": rating,
            "text": PRAISE[rating] if self._dice.random() < 0.7 else None,
            "reviewedAt": instant(at),
        }
        self._put("reviews", _id(self._dice), values, at)

    def _put(self, shelf: ListName, item_id: str, values: Values, at: datetime) -> None:
        self._changed = max(self._changed, at) if shelf == "contracts" else self._changed
        self._into.shelves[shelf].put(item_id, {"id": item_id, **values, "updatedAt": instant(at)}, instant(at))


def _id(dice: Dice) -> str:
    return str(UUID(int=dice.getrandbits(128), version=4))
