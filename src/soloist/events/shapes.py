"""Events as they are listed, for whoever would rather ask than be called."""

from contextlib import suppress
from difflib import get_close_matches
from typing import Annotated, Any
from uuid import UUID

from pydantic import BeforeValidator, Field, WithJsonSchema

from soloist.events.model import TYPES
from soloist.infra.fields import refusal
from soloist.infra.paging import Paging
from soloist.infra.shape import Instant, Record, Sql

PREFIX = "evt_"
EXAMPLE_ID = f"{PREFIX}018d0a84-6b2c-7d1e-8f90-a1b2c3d4e5f6"


class EventLine(Record):
    """An event: what webhooks send as their body, and its id, which they send as `webhook-id`."""

    id: Annotated[str, Sql("('evt_' || {t}.id)"), Field(description="The same wherever and however often it is told")]
    type: Annotated[str, WithJsonSchema({"type": "string", "enum": list(TYPES)})]
    timestamp: Annotated[Instant, Sql("{t}.body::json -> 'timestamp'"), Field(description="When it happened")]
    data: Annotated[
        dict[str, Any],
        Sql("{t}.body::json -> 'data'"),
        Field(description="What happened, by type: see the reference of events"),
    ]


def _event_id(value: object) -> UUID:
    text = str(value).removeprefix(PREFIX)
    if str(value).startswith(PREFIX):
        with suppress(ValueError):
            return UUID(text)
    raise refusal("event_id", f"must be the id of an event, such as {EXAMPLE_ID}")


def _event_type(value: object) -> str:
    kind = str(value)
    if kind in TYPES:
        return kind
    near = get_close_matches(kind[:60], TYPES, n=1)
    hint = f"; did you mean {near[0]}?" if near else ""
    raise refusal("not_allowed", f"{kind[:60]!r} is not an event type; use {', '.join(TYPES)}{hint}")


EventId = Annotated[
    UUID,
    BeforeValidator(_event_id, json_schema_input_type=str),
    WithJsonSchema({"type": "string", "maxLength": 40, "pattern": f"^{PREFIX}", "examples": [EXAMPLE_ID]}),
]
EventType = Annotated[
    str,
    BeforeValidator(_event_type, json_schema_input_type=str),
    WithJsonSchema({"type": "string", "enum": list(TYPES)}),
]


class EventSearch(Paging):
    """Which events to list, oldest first."""

    type: list[EventType] | None = Field(None, description="Filter by type")
    after: EventId | None = Field(
        None, description="Only what came after this event: keep the id of the last one you have seen"
    )
