"""Whose word counts, field by field: what the freelancer set by hand stays, the rest follows the Market. Pure."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import orjson

from soloist.clients.model import Address, ClientStatus, name_faults
from soloist.market.model import KeptBecause
from soloist.market.wire import MarketClient

# The fields of a client that the Market knows. It never says what a client's status is, so that stays with the book.
FOLLOWED = (
    "client_type",
    "company_name",
    "first_name",
    "last_name",
    "email",
    "phone",
    "website",
    "industry",
    "company_size",
    "timezone",
    "address",
)


class Kept(NamedTuple):
    """A field that stays as it is in the book, with what the Market would have set."""

    field: str
    yours: Any
    market: Any
    because: KeptBecause


class Merge(NamedTuple):
    """What becomes of a client of the book: the fields that follow the Market, and those that stay."""

    changes: dict[str, Any]
    kept: list[Kept]

    def without_email(self, book: Mapping[str, Any]) -> "Merge":
        """The same where another client of the book has the Market's e-mail address."""
        changes = {name: value for name, value in self.changes.items() if name != "email"}
        return Merge(
            changes, [*self.kept, Kept("email", book["email"], self.changes["email"], KeptBecause.EMAIL_TAKEN)]
        )


def fields_of(client: MarketClient) -> dict[str, Any]:
    """What the Market says of a client, by our names, as plain JSON values; what it does not know is left out."""
    said = client.model_dump(mode="json", by_alias=False, include={*FOLLOWED, "type"}, exclude_none=True)
    said["client_type"] = said.pop("type")
    if "address" in said:
        said["address"] = client.address.model_dump(by_alias=True, exclude_none=True) if client.address else {}
        if not said["address"]:
            del said["address"]
    return said


def by_hand(book: Mapping[str, Any]) -> set[str]:
    """The fields of a client that are the freelancer's: all that were filled before it was linked to the Market."""
    if book["platform_client_id"] is not None:
        return set(book["set_by_hand"])
    return set(book["set_by_hand"]) | {name for name in FOLLOWED if book[name] is not None}


def merge(book: Mapping[str, Any], offered: Mapping[str, Any]) -> Merge:
    """Hold what the Market offers against the book. What the Market does not know changes nothing.

    An archived client stays as it is. A change of type is left out where it would leave the client without the name
    that the type needs.
    """
    mine = by_hand(book)
    archived = book["status"] == ClientStatus.ARCHIVED
    changes: dict[str, Any] = {}
    kept: list[Kept] = []
    for name in FOLLOWED:
        present, value = shown(book, name), offered.get(name)
        if value is None or present == value:
            continue
        if name in mine:
            kept.append(Kept(name, present, value, KeptBecause.EDITED_BY_HAND))
        elif archived:
            kept.append(Kept(name, present, value, KeptBecause.ARCHIVED))
        else:
            changes[name] = value
    after = {**book, **changes}
    if "client_type" in changes and name_faults(
        after["client_type"], after["company_name"], after["first_name"], after["last_name"]
    ):
        kept.append(Kept("client_type", book["client_type"], changes.pop("client_type"), KeptBecause.NAME_NEEDED))
    return Merge(changes, kept)


def shown(book: Mapping[str, Any], name: str) -> Any:
    """A field of the book as a plain JSON value."""
    value = book[name]
    return orjson.loads(value) if name == "address" and isinstance(value, str) else value


def columns_of(changes: Mapping[str, Any]) -> dict[str, Any]:
    """The changes as the book takes them."""
    return {name: Address.model_validate(value) if name == "address" else value for name, value in changes.items()}
