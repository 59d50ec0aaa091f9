"""The JSON contract of the Market: importing and synchronising clients (document "Clients"), runs, the connection."""

import asyncio
from datetime import timedelta
from functools import partial
from typing import Annotated
from uuid import UUID

import asyncpg
from fastapi import Depends, Request, Response
from pydantic import BeforeValidator

from soloist.accounts.actor import Reader, Syncer, Writer
from soloist.accounts.model import Actor
from soloist.clients import queries as clients
from soloist.clients.model import ClientAlreadyExists
from soloist.clients.shapes import ClientDetail
from soloist.infra import routing
from soloist.infra.changes import Deleted, Found, change, deleted, reading, shown
from soloist.infra.db import Tx
from soloist.infra.errors import PreconditionFailed, Problem, ServiceUnavailable
from soloist.infra.http import BASE, enveloped
from soloist.infra.outbound import UrlNotAllowed
from soloist.infra.paging import Paging
from soloist.market import candidates, connection, queries, runs
from soloist.market.actions import lost_a_race, take_over
from soloist.market.connection import Doors
from soloist.market.fetching import relation_of
from soloist.market.gateway import Market, MarketFault
from soloist.market.model import (
    NOT_CONNECTED,
    ClientImport,
    MarketAccess,
    PlatformClientNotFound,
    Relation,
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
    found = await _found(request, actor, body.platform_client_id)
    for left in range(TRIES - 1, -1, -1):
        try:
            return await _import(request, actor, body.platform_client_id, found)
        except (asyncpg.UniqueViolationError, ClientAlreadyExists) as fault:
            if not left or not lost_a_race(fault):
                raise
    raise AssertionError("the last try answers or raises")


async def _found(request: Request, actor: Actor, market_id: str) -> Relation | Problem | None:
    """What the Market says, or the refusal: asked before the transaction. None: it was imported before."""
    try:
        async with reading(request, actor) as tx:
            if await queries.find_imported(tx, market_id) is not None:
                return None
            market = await _market(request, tx)
        return await relation_of(market, market_id)
    except SyncFailed as problem:
        return problem
    except PlatformClientNotFound as problem:
        return problem
    except MarketFault as fault:
        return _failed(fault)


async def _import(request: Request, actor: Actor, market_id: str, found: Relation | Problem | None) -> Response:
    async with change(request, actor) as tx:
        imported = await queries.find_imported(tx, market_id)
        if imported is not None:
            present = await clients.get(tx, imported)
            tx.expect(present.version or 0)
            return await tx.answer(200, present)
        if isinstance(found, Problem):
            raise found
        taken = await take_over(tx, found) if found is not None else None
        if taken is None:
            raise PlatformClientNotFound
        made = await clients.get(tx, taken.client_id)
        return await tx.answer(201, made, f"{BASE}/clients/{taken.client_id}")


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
        await _market(request, tx)
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
        market = await _market(request, tx)
    try:
        return enveloped(
            await candidates.page(partial(reading, request, actor), market, request.app.state.cursors, window)
        )
    except MarketFault as fault:
        raise _failed(fault) from None


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
    refusal = await _judged(doors, body.base_url)
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


async def _judged(doors: Doors, url: str | None) -> Problem | None:
    """What is wrong with an address; before the transaction, for a name may have to be looked up."""
    if url is None:
        missing = "is needed: this installation has no Market of its own; give its address"
        return None if doors.url is not None else connection.bad_address(missing)
    try:
        await doors.check_save(url)
    except UrlNotAllowed:
        return connection.bad_address()
    return None


async def _market(request: Request, tx: Tx) -> Market:
    """The account's Market, which is not asked anything yet; raises SyncFailed if it is not connected."""
    try:
        market = await _doors(request).market(tx)
    except MarketFault as fault:
        raise _failed(fault) from None
    if market is None:
        raise SyncFailed(NOT_CONNECTED)
    return market


def _failed(fault: MarketFault) -> SyncFailed:
    return SyncFailed(fault.text, details=None if fault.retry_after is None else {"retryAfter": fault.retry_after})


def _doors(request: Request) -> Doors:
    doors: Doors = request.app.state.doors
    return doors
