"""What is true of webhooks: what an endpoint can ask for, when an event is tried again, and when we give up."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from difflib import get_close_matches
from email.utils import parsedate_to_datetime
from enum import StrEnum
from typing import Annotated, Any, ClassVar

from pydantic import BeforeValidator, Field, WithJsonSchema

from soloist.events.model import TYPES
from soloist.infra.errors import Problem
from soloist.infra.fields import NOTHING_TO_CHANGE, UNSENT, Input, InstantIn, Line, OneOf, refusal
from soloist.infra.outbound_urls import MOST_CHARACTERS, URL_NOT_ALLOWED
from soloist.infra.paging import Paging

MAX_WEBHOOKS = 20
KEPT = timedelta(days=30)  # the delivery log, and the events that can be sent again
OLD_SECRET_SIGNS = timedelta(hours=24)
MAX_OLD_SECRETS = 9
FAILING_LIMIT = timedelta(days=5)
GONE = 410
SLOW_DOWN = frozenset({429, 502, 503, 504})
RESPONSE_BYTES = 2048
ALL = "*"

# Before the first attempt, and after each that failed (Standard Webhooks 1.0, "Retry schedule"): 75.6 h in all.
GAPS: tuple[timedelta, ...] = (
    timedelta(0),
    timedelta(seconds=5),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=5),
    timedelta(hours=10),
    timedelta(hours=14),
    timedelta(hours=20),
    timedelta(hours=24),
)
JITTER = 0.2


class WebhookStatus(StrEnum):
    ENABLED = "ENABLED"
    DISABLED = "DISABLED"


class DisabledBecause(StrEnum):
    REQUESTED = "REQUESTED"
    GONE = "GONE"
    FAILING = "FAILING"


class DeliveryState(StrEnum):
    PENDING = "PENDING"
    DELIVERED = "DELIVERED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"


class AttemptError(StrEnum):
    """Why an attempt was no success: a status other than 2xx, what kept the request from an answer, or we ourselves."""

    STATUS = "STATUS"
    TIMED_OUT = "TIMED_OUT"
    UNREACHABLE = "UNREACHABLE"
    TLS_FAILED = "TLS_FAILED"
    BAD_ANSWER = "BAD_ANSWER"
    NOT_ALLOWED = "NOT_ALLOWED"
    EVENT_EXPIRED = "EVENT_EXPIRED"
    INTERNAL = "INTERNAL"


class ReplayScope(StrEnum):
    ALL = "ALL"
    UNDELIVERED = "UNDELIVERED"


class WebhookNotFound(Problem):
    code, status = "WEBHOOK_NOT_FOUND", 404
    text = "There is no webhook with this id."


class DeliveryNotFound(Problem):
    code, status = "DELIVERY_NOT_FOUND", 404
    text = "There is no delivery with this id. Deliveries are kept for 30 days."


class WebhookUrlNotAllowed(Problem):
    """One sentence for everything: what exactly is wrong would map a network for whoever asks."""

    code, status = "WEBHOOK_URL_NOT_ALLOWED", 400
    text = URL_NOT_ALLOWED


def gap_after(tries: int, chance: float, asked: timedelta | None = None) -> timedelta | None:
    """How long to wait after `tries` attempts of a round that all failed; None when that was the last.

    The schedule's gap, longer or shorter by up to a fifth (`chance` from -1 to 1). What the receiver `asked` for
    by Retry-After counts within that gap and its double.
    """
    if tries >= len(GAPS):
        return None
    gap = GAPS[tries] * (1 + JITTER * chance)
    return gap if asked is None else min(max(gap, asked), 2 * gap)


def asked_delay(status: int, retry_after: str | None, now: datetime) -> timedelta | None:
    """How long a receiver asks to be left alone, by `Retry-After` of a 429, 502, 503 or 504, in either of its forms."""
    if retry_after is None or status not in SLOW_DOWN:
        return None
    text = retry_after.strip()
    if text.isascii() and text.isdigit():
        return timedelta(seconds=min(int(text[:9]), 10**8))
    try:
        at = parsedate_to_datetime(text)
    except ValueError:
        return None
    return max(at.replace(tzinfo=at.tzinfo or UTC) - now, timedelta(0))


def has_failed_too_long(failing_since: datetime | None, at: datetime) -> bool:
    """Whether every attempt has failed for five days when one more fails at `at`."""
    return failing_since is not None and at - failing_since >= FAILING_LIMIT


def wants(events: Sequence[str], kind: str) -> bool:
    """Whether an endpoint that asked for `events` gets those of this type."""
    return kind in events or ALL in events


def event_types() -> list[str]:
    """Every type there is."""
    return list(TYPES)


def _event_type(value: object) -> str:
    if isinstance(value, str) and value in TYPES:
        return value
    raise refusal("not_allowed", f"{_shown(value)}; use {_allowed()}{_near(value)}")


def _events(value: object) -> object:
    """A subscription: each type once in the order of the list of types, or '*' alone."""
    if not isinstance(value, list):
        raise refusal("not_a_list", f'must be a list of event types, or ["*"] for all of them; types are {_allowed()}')
    if not value:
        raise refusal("empty", f'must name at least one event type, or ["*"] for all of them; types are {_allowed()}')
    strange = [one for one in value if one != ALL and not (isinstance(one, str) and one in TYPES)]
    if strange:
        first = strange[0]
        raise refusal("not_allowed", f'{_shown(first)}; use ["*"] for all, or {_allowed()}{_near(first)}')
    return [ALL] if ALL in value else [kind for kind in TYPES if kind in value]


def _shown(value: object) -> str:
    return f"{value[:60]!r} is not an event type" if isinstance(value, str) else "an event type is a string"


def _allowed() -> str:
    return ", ".join(TYPES)


def _near(value: object) -> str:
    near = get_close_matches(value[:60], TYPES, n=1) if isinstance(value, str) else []
    return f"; did you mean {near[0]}?" if near else ""


EventType = Annotated[
    str,
    BeforeValidator(_event_type, json_schema_input_type=str),
    WithJsonSchema({"type": "string", "enum": event_types()}),
]
Events = Annotated[
    list[str],
    BeforeValidator(_events),
    WithJsonSchema(
        {
            "type": "array",
            "minItems": 1,
            "items": {"type": "string", "enum": [*event_types(), ALL]},
            "examples": [["client.created", "opportunity.won"], [ALL]],
        }
    ),
]
Url = Annotated[
    str,
    WithJsonSchema(
        {
            "type": "string",
            "format": "uri",
            "maxLength": MOST_CHARACTERS,
            "pattern": "^[Hh][Tt][Tt][Pp][Ss]?://",
            "examples": ["https://example.com/hooks/crm"],
        }
    ),
]
Description = Annotated[str, Line(255)]

_OURS = (
    "is made here, 32 random bytes written as whsec_ and base64 (the standard asks for 24 to 64), and shown in the "
    "answer; leave it out"
)


class NewWebhook(Input):
    """An endpoint that is to hear of events."""

    read_only: ClassVar[frozenset[str]] = frozenset(
        {"id", "status", "disabledBecause", "disabledAt", "failingSince", "version", "createdAt", "updatedAt"}
    )
    advice: ClassVar[Mapping[str, str]] = {"secret": _OURS}

    url: Url = Field(description="https, or http in a network that this installation allows")
    events: Events = Field(description="Event types, or `*` for all of them, those to come included")
    description: Description | None = None


class WebhookChange(Input):
    """The fields of an endpoint to change; what is left out stays, null clears."""

    read_only: ClassVar[frozenset[str]] = NewWebhook.read_only - {"status"}
    advice: ClassVar[Mapping[str, str]] = {"secret": "is changed by POST /webhooks/:id/rotate-secret; leave it out"}

    url: Url = UNSENT
    events: Events = UNSENT
    description: Description | None = None
    status: Annotated[WebhookStatus, OneOf()] = UNSENT

    @classmethod
    def cross_faults(cls, raw: Mapping[str, object]) -> list[tuple[str, str, str]]:
        return [] if raw else [NOTHING_TO_CHANGE]


class Rotation(Input):
    """A change of secret."""

    advice: ClassVar[Mapping[str, str]] = {"secret": _OURS}

    expire_immediately: bool = Field(
        False, description="After a leak: the old secret signs nothing from now on, instead of for 24 hours more"
    )


class SampleRequest(Input):
    """A sample to be sent."""

    type: EventType | None = Field(None, description="Default: the first that the endpoint asked for")


class ReplayRequest(Input):
    """Which events to send again."""

    since: InstantIn = Field(description="At most 30 days ago; events from then on are sent again")
    which: Annotated[ReplayScope, OneOf()] = Field(
        ReplayScope.ALL, description="UNDELIVERED leaves out what was delivered or is on its way"
    )


class DeliverySearch(Paging):
    """Which deliveries to list, newest first."""

    state: list[Annotated[DeliveryState, OneOf()]] | None = Field(None, description="Filter by state")
    type: list[EventType] | None = Field(None, description="Filter by event type")


Payload = Annotated[dict[str, Any], Field(description="The body that is sent: type, timestamp and data")]
