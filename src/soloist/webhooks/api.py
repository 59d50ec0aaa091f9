"""The JSON contract of webhooks: the endpoints, their secrets, the log of deliveries, and replays."""

from datetime import UTC, datetime
from typing import Annotated
from uuid import UUID

import orjson
from fastapi import Depends, Request, Response
from pydantic import BeforeValidator

from soloist.accounts.actor import Reader, Writer
from soloist.accounts.model import Actor
from soloist.events import log
from soloist.events.model import TYPES
from soloist.infra import routing
from soloist.infra.changes import Deleted, Found, change, deleted, reading, shown
from soloist.infra.errors import Problem
from soloist.infra.http import BASE, JSON, answer, enveloped
from soloist.infra.http import Replay as Replayed
from soloist.infra.outbound import Outbound, UrlNotAllowed
from soloist.infra.paging import Paging
from soloist.infra.sealing import Vault
from soloist.infra.times import wire
from soloist.webhooks import actions, deliveries, queries
from soloist.webhooks.model import (
    DeliveryNotFound,
    DeliverySearch,
    NewWebhook,
    ReplayRequest,
    Rotation,
    SampleRequest,
    WebhookChange,
    WebhookNotFound,
    WebhookUrlNotAllowed,
)
from soloist.webhooks.shapes import Delivery, DeliveryDetail, EventKind, MadeWebhook, Replay, RotatedWebhook, Webhook

router = routing.router("Webhooks")
WebhookId = Annotated[UUID, BeforeValidator(routing.record_id(WebhookNotFound))]
DeliveryId = Annotated[UUID, BeforeValidator(routing.record_id(DeliveryNotFound))]
_SAMPLED_AT = datetime(2024, 1, 15, 10, 30, tzinfo=UTC)


@router.get("/webhooks")
@routing.answers(routing.Page("webhooks", Webhook))
async def search_webhooks(
    asked: Annotated[Paging, Depends(routing.query(Paging))], request: Request, actor: Reader
) -> Response:
    """List the webhooks, newest first"""
    async with reading(request, actor) as tx:
        return enveloped(await queries.search(tx, request.app.state.cursors, asked))


@router.post("/webhooks", status_code=201)
@routing.answers(MadeWebhook, WebhookUrlNotAllowed)
async def create_webhook(body: NewWebhook, request: Request, actor: Writer) -> Response:
    """Add a webhook; this answer alone shows its secret

    From the next change on, every event of these types is sent to the address. At most 20 webhooks.
    """
    refusal = await _judged(request, body.url)
    try:
        async with change(request, actor) as tx:
            webhook_id, sealed = await actions.create(tx, body, refusal, _vault(request))
            made = _and(await queries.get(tx, webhook_id), secret=sealed)
            response = await tx.answer(201, made, f"{BASE}/webhooks/{webhook_id}")
    except Replayed as replayed:
        response = replayed.response
    return _with_secret(response, actor, _vault(request))


@router.get("/webhooks/event-types")
@routing.answers(list[EventKind])
async def list_event_types(request: Request, actor: Reader) -> Response:
    """List the event types, each with a sample"""
    return answer(
        [
            {"type": name, "description": kind.__doc__, "sample": orjson.loads(log.body(kind.sample(), _SAMPLED_AT))}
            for name, kind in TYPES.items()
        ]
    )


@router.get("/webhooks/deliveries/{delivery_id}")
@routing.answers(DeliveryDetail)
async def get_delivery(delivery_id: DeliveryId, request: Request, actor: Reader) -> Response:
    """Get a delivery with its body and every attempt"""
    async with reading(request, actor) as tx:
        return shown(await queries.delivery(tx, delivery_id))


@router.post("/webhooks/deliveries/{delivery_id}/replay")
@routing.answers(DeliveryDetail)
async def replay_delivery(delivery_id: DeliveryId, request: Request, actor: Writer) -> Response:
    """Send a delivery again, whatever became of it

    It keeps its `webhook-id` and its body, and gets a whole round of attempts. The webhook must be enabled.
    """
    async with change(request, actor) as tx:
        await deliveries.replay(tx, delivery_id)
        return await tx.answer(200, await queries.delivery(tx, delivery_id))


@router.get("/webhooks/{webhook_id}")
@routing.answers(Webhook)
async def get_webhook(webhook_id: WebhookId, request: Request, actor: Reader) -> Response:
    """Get a webhook, without its secret"""
    async with reading(request, actor) as tx:
        return shown(await queries.get(tx, webhook_id))


@router.patch("/webhooks/{webhook_id}")
@routing.answers(Webhook, WebhookUrlNotAllowed)
async def update_webhook(webhook_id: WebhookId, body: WebhookChange, request: Request, actor: Writer) -> Response:
    """Change the fields that are sent; disable or enable it by `status`

    Disabling cancels the deliveries that are still to be made, and nothing that happens meanwhile is kept for it.
    To make up for that, enable it and then replay.
    """
    refusal = await _judged(request, body.url) if "url" in body.model_fields_set else None
    async with change(request, actor) as tx:
        await actions.update(tx, webhook_id, body, refusal)
        return await tx.answer(200, await queries.get(tx, webhook_id))


@router.delete("/webhooks/{webhook_id}")
@routing.answers(Deleted)
async def delete_webhook(webhook_id: WebhookId, request: Request, actor: Writer) -> Response:
    """Remove a webhook, its log, and what was still to be sent"""
    async with change(request, actor) as tx:
        await actions.delete(tx, webhook_id)
        return await tx.answer(200, deleted(webhook_id))


@router.post("/webhooks/{webhook_id}/test")
@routing.answers(DeliveryDetail)
async def send_sample(
    webhook_id: WebhookId, request: Request, actor: Writer, body: SampleRequest | None = None
) -> Response:
    """Send a sample, once

    It is signed like any delivery and tried a single time, also while the webhook is disabled. How it went is in
    GET /webhooks/deliveries/:id a moment later.
    """
    async with change(request, actor) as tx:
        delivery_id = await actions.send_sample(tx, webhook_id, body.type if body else None)
        found = await queries.delivery(tx, delivery_id)
        return await tx.answer(200, found)


@router.post("/webhooks/{webhook_id}/rotate-secret")
@routing.answers(RotatedWebhook)
async def rotate_webhook_secret(
    webhook_id: WebhookId, request: Request, actor: Writer, body: Rotation | None = None
) -> Response:
    """Give a webhook a new secret; this answer alone shows it

    For 24 hours every delivery is signed with the new and the old secret, so that receivers can change at leisure.
    After a leak, send `{"expireImmediately": true}`.
    """
    rotate = actions.replace_secret if body and body.expire_immediately else actions.rotate_secret
    try:
        async with change(request, actor) as tx:
            new = await rotate(tx, webhook_id, _vault(request))
            until = wire(new.old_ones_until) if new.old_ones_until else None
            found = _and(await queries.get(tx, webhook_id), secret=new.sealed, oldSecretsSignUntil=until)
            response = await tx.answer(200, found)
    except Replayed as replayed:
        response = replayed.response
    return _with_secret(response, actor, _vault(request))


@router.get("/webhooks/{webhook_id}/deliveries")
@routing.answers(routing.Page("deliveries", Delivery))
async def search_deliveries(
    webhook_id: WebhookId,
    asked: Annotated[DeliverySearch, Depends(routing.query(DeliverySearch))],
    request: Request,
    actor: Reader,
) -> Response:
    """List the deliveries to a webhook of the last 30 days, newest first"""
    async with reading(request, actor) as tx:
        return enveloped(await queries.deliveries(tx, request.app.state.cursors, webhook_id, asked))


@router.post("/webhooks/{webhook_id}/replay")
@routing.answers(Replay)
async def replay_webhook(webhook_id: WebhookId, body: ReplayRequest, request: Request, actor: Writer) -> Response:
    """Send every event since a time again, each with its own `webhook-id`

    Those that the webhook asks for now, also what happened before it was made or while it was disabled. They go out
    in the background; the answer says how many they are.
    """
    async with change(request, actor) as tx:
        events = await deliveries.replay_since(tx, webhook_id, body)
        told = Replay(webhook_id=webhook_id, since=body.since, events=events)
        return await tx.answer(200, Found(None, told.model_dump_json(by_alias=True)))


async def _judged(request: Request, url: str) -> Problem | None:
    """What is wrong with an address; before the transaction, for a name may have to be looked up."""
    outbound: Outbound = request.app.state.outbound
    try:
        await outbound.check_save(url)
    except UrlNotAllowed:
        return WebhookUrlNotAllowed()
    return None


def _vault(request: Request) -> Vault:
    vault: Vault = request.app.state.vault
    return vault


def _and(found: Found, **more: str | None) -> Found:
    return Found(found.version, found.raw[:-1] + "," + orjson.dumps(more).decode()[1:])


def _with_secret(response: Response, actor: Actor, vault: Vault) -> Response:
    # The answer is stored with the secret sealed; it is opened on the way out, also for a repeated request.
    envelope = orjson.loads(response.body)
    envelope["data"]["secret"] = vault.open(actor.account_id, envelope["data"]["secret"])
    headers = {name: value for name, value in response.headers.items() if not name.startswith("content-")}
    return Response(orjson.dumps(envelope), response.status_code, headers, JSON)
