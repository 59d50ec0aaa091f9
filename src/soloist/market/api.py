"""The JSON contract of the Market: importing and synchronising clients (document "Clients"), runs, the connection."""

import asyncio
from datetime import timedelta
from functools import partial
from typing import Annotated
from uuid import UUID

from fastapi import Depends, Request, Response
from pydantic import BeforeValidator

from soloist.accounts.actor import Reader, Syncer, Writer
from soloist.accounts.model import Actor
from soloist.clients import queries as clients
from soloist.clients.model import ClientAlreadyExists
from soloist.clients.shapes import ClientDetail
from soloist.infra import routing
from soloist.infra.changes import Deleted, Found, change, deleted, reading, shown
from soloist.infra.errors import PreconditionFailed, ServiceUnavailable
from soloist.infra.http import BASE, enveloped
from soloist.infra.paging import Paging
from soloist.market import candidates, connection, importing, queries, runs
from soloist.market.connection import Doors
from soloist.market.gateway import MarketFault
from soloist.market.model import (
    ClientImport,
    MarketAccess,
    PlatformClientNotFound,
    RunCause,
    RunSearch,
    RunState,
    SyncFailed,
    SyncInProgress,
    SyncRunNotFound,
)
from soloist.market.shapes import Candidate, MarketConnection, SyncResult, SyncRun, SyncRunDetail

router = routing.router("Market")
RunId = Annotated[UUID, BeforeValidator(routing.record_id(SyncRunNotFound))]
TRIES = 3
UNCLAIMED = timedelta(seconds=30)  # then there is no worker
LOOK_SECONDS = (0.02, 0.05, 0.1, 0.25)


@router.post("/clients/import", status_code=201)
@routing.answers(ClientDetail, PlatformClientNotFound, ClientAlreadyExists, SyncFailed)
async def import_client(body: ClientImport, request: Request, actor: Writer) -> Response:
    """Import a client from the Market

    With its payments, reviews and completed contracts. A client of the book with the same e-mail address is linked to
    it and keeps what was written by hand; one that was imported before is answered as it is, with 200.
    """
    market_id = body.platform_client_id
    said = await importing.ask(request.app.state.db, actor, _doors(request), market_id)
    return await importing.without_races(partial(_import, request, actor, market_id, said))


async def _import(request: Request, actor: Actor, market_id: str, said: importing.Said) -> Response:
    async with change(request, actor) as tx:
        imported = await importing.take(tx, market_id, said)
        found = await clients.get(tx, imported.client_id)
        if imported.is_new:
            return await tx.answer(201, found, f"{BASE}/clients/{imported.client_id}")
        tx.expect(found.version or 0)
        return await tx.answer(200, found)


@router.post("/clients/sync")
@routing.answers(SyncResult, SyncFailed, SyncInProgress)
async def sync_clients(request: Request, actor: Syncer) -> Response:
    """Bring the book up to date from the Market

    Answers when the sync has ended; hanging up does not stop it, and GET /clients/sync-runs/:id tells how far it is.
    Clients are created, linked by e-mail address, or updated; what was edited by hand stays. What could not be taken
    over is in `errors`. One sync at a time.
    """
    async with change(request, actor) as tx:
        if tx.expected_version is not None:
            raise PreconditionFailed(None)
        await importing.market_of(tx, _doors(request))
        run_id = await runs.begin(tx, RunCause.REQUESTED, tx.key)
    done = await _ended(request, actor, run_id)
    async with change(request, actor) as tx:
        return await tx.answer(200, done)


async def _ended(request: Request, actor: Actor, run_id: UUID) -> Found:
    """What the run did, once it has ended; raises SyncFailed if it failed, ServiceUnavailable if none takes it up."""
    looks = 0
    while True:
        async with reading(request, actor) as tx:
            row = await queries.outcome(tx, run_id)
            unclaimed = row["state"] == RunState.QUEUED and tx.now - row["created_at"] > UNCLAIMED
        if row["state"] == RunState.COMPLETED:
            return Found(None, row["raw"])
        if row["state"] == RunState.FAILED:
            raise SyncFailed(row["failure"], details={"runId": str(run_id)})
        if unclaimed:
            raise ServiceUnavailable(
                f"No worker has begun the sync yet. It will be done; GET {BASE}/clients/sync-runs/{run_id} tells."
            )
        await asyncio.sleep(LOOK_SECONDS[min(looks // 10, len(LOOK_SECONDS) - 1)])
        looks += 1


@router.get("/clients/market")
@routing.answers(routing.Page("candidates", Candidate), SyncFailed)
async def search_candidates(
    asked: Annotated[Paging, Depends(routing.query(Paging))], request: Request, actor: Reader
) -> Response:
    """List the clients of the Market that are not in the book

    Read from the Market now, in its order.
    """
    window = request.app.state.cursors.window(asked, actor.account_id, ["candidates"])
    async with reading(request, actor) as tx:
        market = await importing.market_of(tx, _doors(request))
    try:
        return enveloped(
            await candidates.page(partial(reading, request, actor), market, request.app.state.cursors, window)
        )
    except MarketFault as fault:
        raise importing.failed(fault) from None


@router.get("/clients/sync-runs")
@routing.answers(routing.Page("runs", SyncRun))
async def search_sync_runs(
    asked: Annotated[RunSearch, Depends(routing.query(RunSearch))], request: Request, actor: Reader
) -> Response:
    """List the runs of the sync, newest first"""
    async with reading(request, actor) as tx:
        return enveloped(await queries.search_runs(tx, request.app.state.cursors, asked))


@router.get("/clients/sync-runs/{run_id}")
@routing.answers(SyncRunDetail)
async def get_sync_run(run_id: RunId, request: Request, actor: Reader) -> Response:
    """Get a run: how far it is, what it created and updated field by field, what it kept, and what failed and why"""
    async with reading(request, actor) as tx:
        return shown(await queries.run(tx, run_id))


@router.get("/me/market")
@routing.answers(MarketConnection)
async def get_market(request: Request, actor: Reader) -> Response:
    """Get the connection to the Market, without its token"""
    async with reading(request, actor) as tx:
        return shown(await queries.connection(tx, _doors(request).has_default))


@router.put("/me/market")
@routing.answers(MarketConnection)
async def connect_market(body: MarketAccess, request: Request, actor: Writer) -> Response:
    """Connect the account to a Market

    The address is judged now, the token when it is first used. Connected accounts are synchronised every six hours.
    """
    doors = _doors(request)
    refusal = await connection.judged(doors, body.base_url)
    async with change(request, actor) as tx:
        await connection.connect(tx, body, refusal, doors)
        return await tx.answer(200, await queries.connection(tx, doors.has_default))


@router.delete("/me/market")
@routing.answers(Deleted)
async def disconnect_market(request: Request, actor: Writer) -> Response:
    """Disconnect the account from its Market; the clients stay

    Without a connection of its own, an account uses that of the installation, if there is one.
    """
    async with change(request, actor) as tx:
        await connection.disconnect(tx)
        return await tx.answer(200, deleted(actor.account_id))


def _doors(request: Request) -> Doors:
    doors: Doors = request.app.state.doors
    return doors
