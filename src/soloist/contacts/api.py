"""The JSON contract of a client's contacts."""

from typing import Annotated
from uuid import UUID

from fastapi import Depends, Request, Response
from pydantic import BeforeValidator

from soloist.accounts.actor import Reader, Writer
from soloist.clients.api import ClientId
from soloist.clients.model import ClientArchived
from soloist.contacts import actions, queries
from soloist.contacts.model import Contact, ContactChange, ContactNotFound, NewContact
from soloist.infra import routing
from soloist.infra.changes import Deleted, change, deleted, reading, shown
from soloist.infra.http import BASE, enveloped
from soloist.infra.paging import Paging

router = routing.router("Contacts")
ContactId = Annotated[UUID, BeforeValidator(routing.record_id(ContactNotFound))]


@router.post("/clients/{client_id}/contacts", status_code=201)
@routing.answers(Contact, ClientArchived)
async def add_contact(client_id: ClientId, body: NewContact, request: Request, actor: Writer) -> Response:
    """Add a contact person to a client"""
    async with change(request, actor) as tx:
        contact_id = await actions.add(tx, client_id, body)
        location = f"{BASE}/clients/{client_id}/contacts/{contact_id}"
        return await tx.answer(201, await queries.get(tx, client_id, contact_id), location)


@router.get("/clients/{client_id}/contacts")
@routing.answers(routing.Page("contacts", Contact))
async def list_contacts(
    client_id: ClientId,
    asked: Annotated[Paging, Depends(routing.query(Paging))],
    request: Request,
    actor: Reader,
) -> Response:
    """List a client's contacts, the primary one first"""
    async with reading(request, actor) as tx:
        return enveloped(await queries.list_page(tx, request.app.state.cursors, client_id, asked))


@router.get("/clients/{client_id}/contacts/{contact_id}")
@routing.answers(Contact)
async def get_contact(client_id: ClientId, contact_id: ContactId, request: Request, actor: Reader) -> Response:
    """Get a contact"""
    async with reading(request, actor) as tx:
        return shown(await queries.get(tx, client_id, contact_id))


@router.patch("/clients/{client_id}/contacts/{contact_id}")
@routing.answers(Contact, ClientArchived)
async def update_contact(
    client_id: ClientId, contact_id: ContactId, body: ContactChange, request: Request, actor: Writer
) -> Response:
    """Change the fields that are sent"""
    async with change(request, actor) as tx:
        await actions.update(tx, client_id, contact_id, body)
        return await tx.answer(200, await queries.get(tx, client_id, contact_id))


@router.delete("/clients/{client_id}/contacts/{contact_id}")
@routing.answers(Deleted, ClientArchived)
async def delete_contact(client_id: ClientId, contact_id: ContactId, request: Request, actor: Writer) -> Response:
    """Remove a contact; its interactions stay"""
    async with change(request, actor) as tx:
        await actions.delete(tx, client_id, contact_id)
        return await tx.answer(200, deleted(contact_id))
