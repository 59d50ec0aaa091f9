"""The JSON contract of interactions (document "Add Interaction")."""

from typing import Annotated
from uuid import UUID

from fastapi import Depends, Request, Response
from pydantic import BeforeValidator

from soloist.accounts.actor import Reader, Writer
from soloist.clients.api import ClientId
from soloist.clients.model import ClientArchived
from soloist.contacts.model import ContactNotFound
from soloist.infra import routing
from soloist.infra.changes import Deleted, change, deleted, reading, shown
from soloist.infra.http import BASE, enveloped
from soloist.interactions import actions, queries
from soloist.interactions.model import (
    Interaction,
    InteractionChange,
    InteractionNotFound,
    InteractionSearch,
    NewInteraction,
)
from soloist.opportunities.model import OpportunityNotFound

router = routing.router("Interactions")
InteractionId = Annotated[UUID, BeforeValidator(routing.record_id(InteractionNotFound))]


@router.post("/clients/{client_id}/interactions", status_code=201)
@routing.answers(Interaction, ClientArchived, ContactNotFound, OpportunityNotFound)
async def add_interaction(client_id: ClientId, body: NewInteraction, request: Request, actor: Writer) -> Response:
    """Log an interaction with a client"""
    async with change(request, actor) as tx:
        interaction_id = await actions.log_interaction(tx, client_id, body)
        return await tx.answer(201, await queries.get(tx, interaction_id), f"{BASE}/interactions/{interaction_id}")


@router.get("/clients/{client_id}/interactions")
@routing.answers(routing.Page("interactions", Interaction))
async def list_interactions(
    client_id: ClientId,
    asked: Annotated[InteractionSearch, Depends(routing.query(InteractionSearch))],
    request: Request,
    actor: Reader,
) -> Response:
    """List a client's interactions, newest first"""
    async with reading(request, actor) as tx:
        return enveloped(await queries.search(tx, request.app.state.cursors, client_id, asked))


@router.get("/interactions/{interaction_id}")
@routing.answers(Interaction)
async def get_interaction(interaction_id: InteractionId, request: Request, actor: Reader) -> Response:
    """Get an interaction"""
    async with reading(request, actor) as tx:
        return shown(await queries.get(tx, interaction_id))


@router.patch("/interactions/{interaction_id}")
@routing.answers(Interaction, ClientArchived, ContactNotFound, OpportunityNotFound)
async def update_interaction(
    interaction_id: InteractionId, body: InteractionChange, request: Request, actor: Writer
) -> Response:
    """Change the fields that are sent"""
    async with change(request, actor) as tx:
        await actions.update(tx, interaction_id, body)
        return await tx.answer(200, await queries.get(tx, interaction_id))


@router.delete("/interactions/{interaction_id}")
@routing.answers(Deleted, ClientArchived)
async def delete_interaction(interaction_id: InteractionId, request: Request, actor: Writer) -> Response:
    """Remove an interaction, with what it did to revenue and health"""
    async with change(request, actor) as tx:
        await actions.delete(tx, interaction_id)
        return await tx.answer(200, deleted(interaction_id))
