"""What the Market answers, item by item: docs/reference/market-contract.md as models.

Strict, for all of it is somebody else's word: an item that breaks a rule is refused whole. Unknown fields are ignored.
"""

from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, ClassVar, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema, model_validator
from pydantic.alias_generators import to_camel

from soloist.clients.model import ClientType, CompanySize, Website, name_faults
from soloist.infra.fields import Email, InstantIn, Line, Number, OneOf, Phone, Text, TimeZone, refusal
from soloist.infra.money import MAX_AMOUNT, decimals


class ContractStatus(StrEnum):
    ACTIVE = "ACTIVE"
    COMPLETED = "COMPLETED"
    CANCELLED = "CANCELLED"


class PaymentStatus(StrEnum):
    """REFUNDED: the whole payment went back to the client."""

    PAID = "PAID"
    REFUNDED = "REFUNDED"


def _currency(value: object) -> str:
    if isinstance(value, str) and value in decimals():
        return value
    raise refusal("currency", "must be an ISO 4217 code in capitals, such as USD or EUR")


def _amount(value: Decimal) -> Decimal:
    if not 0 <= value <= MAX_AMOUNT:
        raise refusal("out_of_range", f"must be from 0 to {MAX_AMOUNT}")
    return value


def _without_nul(value: str) -> str:
    if "\x00" in value:
        raise refusal("nul_character", "must not hold a NUL character")
    return value


def _stars(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= 5:
        raise refusal("rating", "must be a whole number from 1 to 5")
    return value


MarketId = Annotated[str, Line(100), Field(description="Any text without control characters, never reused")]
Currency = Annotated[
    str, BeforeValidator(_currency), WithJsonSchema({"type": "string", "pattern": "^[A-Z]{3}$", "examples": ["EUR"]})
]
Amount = Annotated[
    Number,
    AfterValidator(_amount),
    WithJsonSchema({"type": "number", "minimum": 0, "maximum": float(MAX_AMOUNT), "examples": [1250.5]}),
]
Rating = Annotated[
    int, BeforeValidator(_stars), WithJsonSchema({"type": "integer", "minimum": 1, "maximum": 5, "examples": [5]})
]
LongText = Annotated[str, Text(5000), AfterValidator(_without_nul)]


class Wire(BaseModel):
    """An object of the contract."""

    model_config = ConfigDict(
        alias_generator=to_camel, validate_by_name=False, extra="ignore", strict=True, frozen=True
    )


class MarketItem(Wire):
    """What comes in pages. `behind` names the times of what has happened, which can't lie in the future."""

    behind: ClassVar[tuple[str, ...]] = ()

    id: MarketId
    updated_at: InstantIn = Field(description="When anything of this item changed last, by the Market's clock")

    def future(self, latest: datetime) -> str | None:
        """The first field that tells of something after `latest` as if it had happened; None if there is none."""
        for name in self.behind:
            moment = getattr(self, name)
            if moment is not None and moment > latest:
                return to_camel(name)
        return None


class MarketMe(Wire):
    """The freelancer whose token it is."""

    id: MarketId
    name: Annotated[str, Line(255)]
    email: Email | None = None


class MarketAddress(Wire):
    street: Annotated[str, Line(255)] | None = None
    city: Annotated[str, Line(100)] | None = None
    state: Annotated[str, Line(100)] | None = None
    country: Annotated[str, Line(100)] | None = None
    postal_code: Annotated[str, Line(20)] | None = None


class MarketClient(MarketItem):
    """Somebody the freelancer has worked for, or been asked by. Its limits are those of a client of the book."""

    behind = ("relationship_since",)

    type: Annotated[ClientType, OneOf()]
    company_name: Annotated[str, Line(255)] | None = None
    first_name: Annotated[str, Line(100)] | None = None
    last_name: Annotated[str, Line(100)] | None = None
    email: Email | None = None
    phone: Phone | None = None
    website: Website | None = None
    industry: Annotated[str, Line(100)] | None = None
    company_size: Annotated[CompanySize, OneOf()] | None = None
    timezone: TimeZone | None = None
    address: MarketAddress | None = None
    relationship_since: InstantIn | None = Field(None, description="When the two were first in touch on the Market")

    @model_validator(mode="after")
    def _has_a_name(self) -> Self:
        for field, code, text in name_faults(self.type, self.company_name, self.first_name, self.last_name):
            raise refusal(code, f"{field}: {text}")
        return self


class MarketContract(MarketItem):
    """Work agreed with a client. A completed one says when it was completed."""

    behind = ("completed_at",)

    client_id: MarketId
    title: Annotated[str, Line(255)]
    status: Annotated[ContractStatus, OneOf()]
    amount: Amount | None = Field(None, description="What was agreed on, before the Market's fee")
    currency: Currency | None = None
    started_at: InstantIn | None = None
    completed_at: InstantIn | None = None

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if (self.status is ContractStatus.COMPLETED) != (self.completed_at is not None):
            raise refusal("completed_at", "completedAt: given for a COMPLETED contract, and for no other")
        if self.amount is not None:
            if self.currency is None:
                raise refusal("currency", "currency: needed with an amount")
            _check_decimals("amount", self.amount, self.currency)
        return self


class MarketPayment(MarketItem):
    """Money that a client paid: `net` is what reached the freelancer, `gross` less the Market's `fee`."""

    behind = ("paid_at",)

    client_id: MarketId
    contract_id: MarketId | None = None
    status: Annotated[PaymentStatus, OneOf()]
    gross: Amount
    fee: Amount
    net: Amount
    currency: Currency
    paid_at: InstantIn

    @model_validator(mode="after")
    def _adds_up(self) -> Self:
        if self.net != self.gross - self.fee:
            raise refusal("net", "net: must be gross less fee")
        for name in ("gross", "fee"):
            _check_decimals(name, getattr(self, name), self.currency)
        return self


class MarketReview(MarketItem):
    """What a client thinks of the freelancer's work."""

    behind = ("reviewed_at",)

    client_id: MarketId
    contract_id: MarketId | None = None
    rating: Rating
    text: LongText | None = None
    reviewed_at: InstantIn


def _check_decimals(field: str, amount: Decimal, currency: str) -> None:
    allowed = decimals()[currency]
    if amount != amount.quantize(Decimal(1).scaleb(-allowed)):
        raise refusal("decimals", f"{field}: {currency} amounts have at most {allowed} decimals")
