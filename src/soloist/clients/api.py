"""The JSON contract of clients (document "Clients")."""

from typing import Annotated
from uuid import UUID

from fastapi import Depends, Request, Response
from pydantic import BeforeValidator

from soloist.accounts.actor import Reader, Writer
from soloist.clients import actions, queries, timeline
from soloist.clients.model import ClientAlreadyExists, ClientArchived, ClientChange, ClientNotFound, NewClient
from soloist.clients.shapes import (
    ClientDetail,
    ClientInNeed,
    ClientSearch,
    ClientStats,
    ClientSummary,
    Facets,
    NeedsAttention,
)
from soloist.infra import routing
from soloist.infra.changes import change, change_at_once, reading, shown
from soloist.infra.http import BASE, enveloped
from soloist.infra.paging import Paging

router = routing.router("Clients")
ClientId = Annotated[UUID, BeforeValidator(routing.record_id(ClientNotFound))]


@router.post("/clients", status_code=201)
@routing.answers(ClientDetail, ClientAlreadyExists)
async def create_client(body: NewClient, request: Request, actor: Writer) -> Response:
    """Create a client"""
    async with change_at_once(request, actor) as tx:
        created = await actions.create(tx, body)
        return await tx.answer(201, created.found, f"{BASE}/clients/{created.id}")


@router.get("/clients")
@routing.answers(routing.Page("clients", ClientSummary, facets=Facets))
async def search_clients(
    asked: Annotated[ClientSearch, Depends(routing.query(ClientSearch))], request: Request, actor: Reader
) -> Response:
    """Search and filter clients"""
    async with reading(request, actor) as tx:
        return enveloped(await queries.search(tx, request.app.state.cursors, asked))


@router.get("/clients/stats")
@routing.answers(ClientStats)
async def get_client_stats(request: Request, actor: Reader) -> Response:
    """Get overall client statistics"""
    async with reading(request, actor) as tx:
        return enveloped(await queries.stats(tx))


@router.get("/clients/needs-attention")
@routing.answers(list[ClientInNeed])
async def get_clients_needing_attention(
    asked: Annotated[NeedsAttention, Depends(routing.query(NeedsAttention))], request: Request, actor: Reader
) -> Response:
    """Get the clients that need attention, worst first"""
    async with reading(request, actor) as tx:
        return enveloped(await queries.needs_attention(tx, asked.limit))


@router.get("/clients/{client_id}")
@routing.answers(ClientDetail)
async def get_client(client_id: ClientId, request: Request, actor: Reader) -> Response:
    """Get a client with all that stands around it"""
    async with reading(request, actor) as tx:
        return shown(await queries.get(tx, client_id))


@router.patch("/clients/{client_id}")
@routing.answers(ClientDetail, ClientAlreadyExists, ClientArchived)
async def update_client(client_id: ClientId, body: ClientChange, request: Request, actor: Writer) -> Response:
    """Change the fields that are sent"""
    async with change(request, actor) as tx:
        await actions.update(tx, client_id, body)
        return await tx.answer(200, await queries.get(tx, client_id))


@router.post("/clients/{client_id}/archive")
@routing.answers(ClientDetail)
async def archive_client(client_id: ClientId, request: Request, actor: Writer) -> Response:
    """Put a client away; doing it twice changes nothing"""
    async with change(request, actor) as tx:
        await actions.archive(tx, client_id)
        return await tx.answer(200, await queries.get(tx, client_id))


@router.post("/clients/{client_id}/restore")
@routing.answers(ClientDetail)
async def restore_client(client_id: ClientId, request: Request, actor: Writer) -> Response:
    """Bring an archived client back with its former status"""
    async with change(request, actor) as tx:
        await actions.restore(tx, client_id)
        return await tx.answer(200, await queries.get(tx, client_id))


@router.get("/clients/{client_id}/timeline")
@routing.answers(routing.Page("entries", timeline.Entry))
async def get_client_timeline(
    client_id: ClientId,
    asked: Annotated[Paging, Depends(routing.query(Paging))],
    request: Request,
    actor: Reader,
) -> Response:
    """Everything that happened with a client, newest first"""
    async with reading(request, actor) as tx:
        return enveloped(await timeline.page(tx, request.app.state.cursors, client_id, asked))
