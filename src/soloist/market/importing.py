"""Taking one client over when somebody asks: the Market is read first, then the book is changed, in that order."""

from collections.abc import Awaitable, Callable
from typing import NamedTuple, TypeVar
from uuid import UUID

import asyncpg

from soloist.clients.model import ClientAlreadyExists
from soloist.infra.db import Caller, Database, Tx
from soloist.infra.errors import Problem
from soloist.market import queries
from soloist.market.actions import lost_a_race, take_over
from soloist.market.connection import Doors
from soloist.market.fetching import relation_of
from soloist.market.gateway import Market, MarketFault
from soloist.market.model import NOT_CONNECTED, EntryState, PlatformClientNotFound, Relation, SyncFailed

T = TypeVar("T")
TRIES = 3

Said = Relation | Problem | None  # what the Market says; its refusal; None: the client was imported before


class Imported(NamedTuple):
    """The client of the book, and whether it came or was linked just now."""

    client_id: UUID
    is_new: bool


async def market_of(tx: Tx, doors: Doors) -> Market:
    """The account's Market, which is not asked anything yet; raises SyncFailed if it is not connected."""
    try:
        market = await doors.market(tx)
    except MarketFault as fault:
        raise failed(fault) from None
    if market is None:
        raise SyncFailed(NOT_CONNECTED)
    return market


def failed(fault: MarketFault) -> SyncFailed:
    """The refusal of what the Market did not answer."""
    return SyncFailed(fault.text, details=None if fault.retry_after is None else {"retryAfter": fault.retry_after})


async def ask(db: Database, actor: Caller, doors: Doors, market_id: str) -> Said:
    """What the Market says of a client, or the refusal: asked before the transaction that takes it over."""
    try:
        async with db.reading(actor) as tx:
            if await queries.find_imported(tx, market_id) is not None:
                return None
            market = await market_of(tx, doors)
        return await relation_of(market, market_id)
    except (SyncFailed, PlatformClientNotFound) as problem:
        return problem
    except MarketFault as fault:
        return failed(fault)


async def take(tx: Tx, market_id: str, said: Said) -> Imported:
    """Take a client over as the Market says; one that was imported before stays as it is.

    Raises the refusal that `ask` met, PlatformClientNotFound, and ClientAlreadyExists.
    """
    imported = await queries.find_imported(tx, market_id)
    if imported is not None:
        return Imported(imported, False)
    if isinstance(said, Problem):
        raise said
    taken = await take_over(tx, said) if said is not None else None
    if taken is None:
        raise PlatformClientNotFound
    # Somebody else may have imported it since it was looked for.
    linked = any(name == "platform_client_id" for name, _, _ in taken.changes)
    return Imported(taken.client_id, linked or taken.state is EntryState.CREATED)


async def without_races(attempt: Callable[[], Awaitable[T]]) -> T:
    """What `attempt` answers, tried anew when somebody made or linked the same client at the same moment."""
    for left in range(TRIES - 1, -1, -1):
        try:
            return await attempt()
        except (asyncpg.UniqueViolationError, ClientAlreadyExists) as fault:
            if not left or not lost_a_race(fault):
                raise
    raise AssertionError("the last try answers or raises")
