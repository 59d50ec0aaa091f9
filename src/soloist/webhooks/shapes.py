"""How webhooks look on the wire: the endpoint, what was sent to it, and how each attempt went."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import Field

from soloist.infra.shape import Instant, Record, Sql, json_object
from soloist.webhooks.model import AttemptError, DeliveryState, DisabledBecause, Payload, WebhookStatus


class Webhook(Record):
    """An endpoint that hears of events; its secret is shown only in the answer that made it."""

    id: UUID
    url: str
    events: list[str] = Field(description="Event types, or `*` alone for all of them")
    description: str | None
    status: WebhookStatus
    disabled_because: DisabledBecause | None = Field(
        description="REQUESTED by you, GONE: it answered 410, FAILING: five days without a success"
    )
    disabled_at: datetime | None
    failing_since: datetime | None = Field(description="The first failed attempt since the last success")
    version: int
    created_at: datetime
    updated_at: datetime


class MadeWebhook(Webhook):
    """A new endpoint, with its secret: keep it, it is not shown again."""

    secret: str = Field(description="`whsec_` and base64; verifies the signatures")


class RotatedWebhook(MadeWebhook):
    """An endpoint with its new secret: keep it, it is not shown again."""

    old_secrets_sign_until: Instant | None = Field(
        description="Until then every delivery is signed with the old secret, too; null: no more"
    )


class Attempt(Record):
    """One attempt to deliver."""

    number: int
    attempted_at: datetime
    duration_ms: int
    status_code: int | None = Field(description="Null if no answer came")
    error: AttemptError | None = Field(description="Null for a success")
    response: str | None = Field(description="The first 2 kB of the answer's body")


class Delivery(Record):
    """One event at one endpoint."""

    id: UUID
    webhook_id: UUID
    event_id: Annotated[str, Sql("('evt_' || {t}.event_id)")] = Field(
        description="The header `webhook-id`, the same at every attempt and replay"
    )
    event_type: str
    state: DeliveryState = Field(
        description="PENDING: not yet, or to be tried again. FAILED: no attempt is left. CANCELLED: the endpoint was "
        "disabled before"
    )
    is_test: Annotated[bool, Sql("({t}.test_body is not null)")]
    attempt_count: Annotated[int, Sql("{t}.attempts")]
    next_attempt_at: datetime | None
    last_attempt: Annotated[
        Attempt | None,
        Sql(
            f"""(select {json_object(Attempt, "a")} from webhook_attempts a
            where a.account_id = $1 and a.delivery_id = {{t}}.id and a.number = {{t}}.attempts)"""
        ),
    ]
    replayed_at: datetime | None
    created_at: datetime
    finished_at: datetime | None


class DeliveryDetail(Delivery):
    """One event at one endpoint, with what is sent and every attempt."""

    attempts: Annotated[
        list[Attempt],
        Sql(
            f"""(select coalesce(json_agg({json_object(Attempt, "a")} order by a.number), '[]')
            from webhook_attempts a where a.account_id = $1 and a.delivery_id = {{t}}.id)"""
        ),
    ] = Field(description="Oldest first")
    payload: Annotated[
        Payload | None,
        Sql(
            """coalesce({t}.test_body,
            (select e.body from events e where e.account_id = $1 and e.id = {t}.event_id))::json"""
        ),
    ]


class Replay(Record):
    """A replay that is on its way."""

    webhook_id: UUID
    since: Instant
    events: int = Field(description="How many are sent again")


class EventKind(Record):
    """An event type."""

    type: str
    description: str
    sample: dict[str, Any] = Field(description="A body as an endpoint receives it")
