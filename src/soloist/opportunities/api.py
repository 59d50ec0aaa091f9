"""The JSON contract of opportunities (document "Opportunities")."""

from typing import Annotated
from uuid import UUID

from fastapi import Depends, Request, Response
from pydantic import BeforeValidator

from soloist.accounts.actor import Reader, Writer
from soloist.clients.model import ClientArchived, ClientNotFound
from soloist.infra import routing
from soloist.infra.changes import Deleted, change, deleted, reading, shown
from soloist.infra.http import BASE, enveloped
from soloist.infra.paging import Paging
from soloist.opportunities import actions, board, moves, queries
from soloist.opportunities.model import (
    Hold,
    InvalidStageTransition,
    NewOpportunity,
    OpportunityChange,
    OpportunityClosed,
    OpportunityNotFound,
    StageChange,
)
from soloist.opportunities.shapes import (
    Activity,
    Forecast,
    Opportunity,
    OpportunitySearch,
    OpportunityStats,
    Period,
    Pipeline,
)

router = routing.router("Opportunities")
OpportunityId = Annotated[UUID, BeforeValidator(routing.record_id(OpportunityNotFound))]


@router.post("/opportunities", status_code=201)
@routing.answers(Opportunity, ClientNotFound, ClientArchived)
async def create_opportunity(body: NewOpportunity, request: Request, actor: Writer) -> Response:
    """Create a sales opportunity"""
    async with change(request, actor) as tx:
        opportunity_id = await actions.create(tx, body, actor.base_currency)
        location = f"{BASE}/opportunities/{opportunity_id}"
        return await tx.answer(201, await queries.get(tx, opportunity_id), location)


@router.get("/opportunities")
@routing.answers(routing.Page("opportunities", Opportunity))
async def search_opportunities(
    asked: Annotated[OpportunitySearch, Depends(routing.query(OpportunitySearch))], request: Request, actor: Reader
) -> Response:
    """Search and filter opportunities"""
    async with reading(request, actor) as tx:
        return enveloped(await queries.search(tx, request.app.state.cursors, asked))


@router.get("/opportunities/pipeline")
@routing.answers(Pipeline)
async def get_pipeline(request: Request, actor: Reader) -> Response:
    """Get the board: open opportunities by stage"""
    async with reading(request, actor) as tx:
        return enveloped(await board.pipeline(tx, actor.base_currency))


@router.get("/opportunities/stats")
@routing.answers(OpportunityStats)
async def get_opportunity_stats(
    asked: Annotated[Period, Depends(routing.query(Period))], request: Request, actor: Reader
) -> Response:
    """Get opportunity statistics of a period"""
    async with reading(request, actor) as tx:
        first, last = queries.period(asked.start_date, asked.end_date, tx)
        return enveloped(await board.stats(tx, actor.base_currency, first, last))


@router.get("/opportunities/forecast")
@routing.answers(Forecast)
async def get_forecast(request: Request, actor: Reader) -> Response:
    """Get plain and weighted value by expected month of closing"""
    async with reading(request, actor) as tx:
        return enveloped(await board.forecast(tx, actor.base_currency))


@router.get("/opportunities/{opportunity_id}")
@routing.answers(Opportunity)
async def get_opportunity(opportunity_id: OpportunityId, request: Request, actor: Reader) -> Response:
    """Get an opportunity"""
    async with reading(request, actor) as tx:
        return shown(await queries.get(tx, opportunity_id))


@router.patch("/opportunities/{opportunity_id}")
@routing.answers(Opportunity, OpportunityClosed, ClientNotFound, ClientArchived)
async def update_opportunity(
    opportunity_id: OpportunityId, body: OpportunityChange, request: Request, actor: Writer
) -> Response:
    """Change the fields that are sent"""
    async with change(request, actor) as tx:
        await actions.update(tx, opportunity_id, body)
        return await tx.answer(200, await queries.get(tx, opportunity_id))


@router.delete("/opportunities/{opportunity_id}")
@routing.answers(Deleted, OpportunityClosed, ClientArchived)
async def delete_opportunity(opportunity_id: OpportunityId, request: Request, actor: Writer) -> Response:
    """Remove an open opportunity; what belongs to it stays"""
    async with change(request, actor) as tx:
        await actions.delete(tx, opportunity_id)
        return await tx.answer(200, deleted(opportunity_id))


@router.post("/opportunities/{opportunity_id}/stage")
@routing.answers(Opportunity, OpportunityClosed, InvalidStageTransition, ClientArchived)
async def change_opportunity_stage(
    opportunity_id: OpportunityId, body: StageChange, request: Request, actor: Writer
) -> Response:
    """Move an opportunity through the pipeline"""
    async with change(request, actor) as tx:
        return await tx.answer(200, await moves.change_stage(tx, opportunity_id, body.stage, body.notes))


@router.post("/opportunities/{opportunity_id}/hold")
@routing.answers(Opportunity, OpportunityClosed, ClientArchived)
async def hold_opportunity(
    opportunity_id: OpportunityId, request: Request, actor: Writer, body: Hold | None = None
) -> Response:
    """Put an opportunity on hold, until a day if one is given"""
    async with change(request, actor) as tx:
        await moves.hold(tx, opportunity_id, body.resume_on if body else None)
        return await tx.answer(200, await queries.get(tx, opportunity_id))


@router.post("/opportunities/{opportunity_id}/resume")
@routing.answers(Opportunity, OpportunityClosed, ClientArchived)
async def resume_opportunity(opportunity_id: OpportunityId, request: Request, actor: Writer) -> Response:
    """Take an opportunity off hold"""
    async with change(request, actor) as tx:
        await moves.resume(tx, opportunity_id)
        return await tx.answer(200, await queries.get(tx, opportunity_id))


@router.post("/opportunities/{opportunity_id}/reopen")
@routing.answers(Opportunity, ClientArchived)
async def reopen_opportunity(opportunity_id: OpportunityId, request: Request, actor: Writer) -> Response:
    """Bring a closed opportunity back to the stage it was closed from"""
    async with change(request, actor) as tx:
        await moves.reopen(tx, opportunity_id)
        return await tx.answer(200, await queries.get(tx, opportunity_id))


@router.get("/opportunities/{opportunity_id}/activities")
@routing.answers(routing.Page("activities", Activity))
async def list_opportunity_activities(
    opportunity_id: OpportunityId,
    asked: Annotated[Paging, Depends(routing.query(Paging))],
    request: Request,
    actor: Reader,
) -> Response:
    """What happened with an opportunity, newest first"""
    async with reading(request, actor) as tx:
        return enveloped(await queries.activities(tx, request.app.state.cursors, opportunity_id, asked))
