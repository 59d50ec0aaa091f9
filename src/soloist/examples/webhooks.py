"""Examples of webhooks, their deliveries and the types of events."""

from collections.abc import Mapping
from datetime import UTC, datetime

import orjson

from soloist.events.log import body
from soloist.events.model import ClientCreated
from soloist.examples.parts import CHANGED, MADE, NEWER, STAMPS, gone, page
from soloist.infra.openapi import Example

WEBHOOK_ID = "018d0a90-1f2e-7b3c-8d4e-5f6071829304"
DELIVERY_ID = "018d0a94-6b7c-7d8e-9f01-a2b3c4d5e6f7"
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwT0vYk3Xn1Bc="  # noqa: S105 (an example)

NEW: Mapping[str, object] = {
    "url": "https://example.com/hooks/crm",
    "events": ["client.created", "opportunity.won"],
    "description": "Books the invoice",
}
WEBHOOK: Mapping[str, object] = {
    "id": WEBHOOK_ID,
    **NEW,
    "status": "ENABLED",
    "disabledBecause": None,
    "disabledAt": None,
    "failingSince": None,
    **STAMPS,
}
ATTEMPT: Mapping[str, object] = {
    "number": 1,
    "attemptedAt": MADE,
    "durationMs": 84,
    "statusCode": 500,
    "error": "STATUS",
    "response": "out of order",
}
DELIVERY: Mapping[str, object] = {
    "id": DELIVERY_ID,
    "webhookId": WEBHOOK_ID,
    "eventId": "evt_018d0a94-6b70-7a1b-8c2d-3e4f50617283",
    "eventType": "client.created",
    "state": "PENDING",
    "isTest": False,
    "attemptCount": 1,
    "nextAttemptAt": "2024-01-15T10:30:05.210Z",
    "lastAttempt": ATTEMPT,
    "replayedAt": None,
    "createdAt": MADE,
    "finishedAt": None,
}
SAMPLE: Mapping[str, object] = orjson.loads(body(ClientCreated.sample(), datetime(2024, 1, 15, 10, 30, tzinfo=UTC)))
DETAIL: Mapping[str, object] = {**DELIVERY, "attempts": [ATTEMPT], "payload": SAMPLE}
AGAIN: Mapping[str, object] = {**DETAIL, "nextAttemptAt": CHANGED, "replayedAt": CHANGED}
TEST: Mapping[str, object] = {
    **DETAIL,
    "isTest": True,
    "attemptCount": 0,
    "nextAttemptAt": MADE,
    "lastAttempt": None,
    "attempts": [],
}

EXAMPLES: Mapping[str, Example] = {
    "searchWebhooks": Example(page("webhooks", WEBHOOK)),
    "createWebhook": Example(
        {**WEBHOOK, "secret": SECRET}, NEW, more={"everything": {"url": NEW["url"], "events": ["*"]}}
    ),
    "listEventTypes": Example(
        [{"type": "client.created", "description": ClientCreated.__doc__, "sample": SAMPLE}],
    ),
    "getDelivery": Example(DETAIL),
    "replayDelivery": Example(AGAIN),
    "getWebhook": Example(WEBHOOK),
    "updateWebhook": Example({**WEBHOOK, **NEWER, "events": ["*"]}, {"events": ["*"]}),
    "deleteWebhook": gone(WEBHOOK_ID),
    "sendSample": Example(TEST, {"type": "client.created"}),
    "rotateWebhookSecret": Example(
        {**WEBHOOK, **NEWER, "secret": SECRET, "oldSecretsSignUntil": "2024-01-16T11:00:00.000Z"},
        {"expireImmediately": False},
    ),
    "searchDeliveries": Example(page("deliveries", DELIVERY)),
    "replayWebhook": Example(
        {"webhookId": WEBHOOK_ID, "since": MADE, "events": 42}, {"since": MADE, "which": "UNDELIVERED"}
    ),
}
