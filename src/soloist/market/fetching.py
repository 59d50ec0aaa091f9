"""Reading the Market: all of its lists into the run's stage, or all that it says of one client."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from datetime import datetime, timedelta
from typing import Any, Protocol

from soloist.infra.db import Tx
from soloist.infra.times import wire
from soloist.market import runs, staging
from soloist.market.gateway import Broken, Market, Walk
from soloist.market.model import Done, EntryState, ItemKind, Paid, PlatformClientNotFound, Rated, Relation
from soloist.market.pages import PAGE_ITEMS
from soloist.market.provenance import fields_of
from soloist.market.runs import Entry, Run
from soloist.market.staging import Staged
from soloist.market.wire import ContractStatus, MarketItem, PaymentStatus

OVERLAP = timedelta(hours=1)  # asked for twice: the Market may have written what it had stamped before
BROKEN = "NOT_BY_CONTRACT"


class Changing(Protocol):
    """Opens a transaction of the run's account."""

    def __call__(self) -> AbstractAsyncContextManager[Tx]: ...


async def fetch(changing: Changing, run: Run, market: Market) -> Mapping[str, str]:
    """Read every list of the Market into the stage; answers from when on each may be asked the next time.

    What can't be used is noted as an error of the run. Raises a MarketFault where a list can't be read, and
    Superseded.
    """
    marks: dict[str, str] = {}
    for kind in (ItemKind.CLIENT, ItemKind.CONTRACT, ItemKind.PAYMENT, ItemKind.REVIEW):
        since = run.asked_since.get(kind)
        walk = _walk(market, kind, datetime.fromisoformat(since) if since else None)
        broken = 0
        async for batch in _batches(walk):
            broken += await _keep(changing, run, kind, batch, broken)
        if walk.mark is not None:
            marks[kind.value] = wire(walk.mark - OVERLAP)
        elif since is not None and not broken:
            marks[kind.value] = since
    return marks


def _walk(market: Market, kind: ItemKind, since: datetime | None) -> Walk[Any]:
    lists: dict[ItemKind, Callable[[datetime | None], Walk[Any]]] = {
        ItemKind.CLIENT: market.clients,
        ItemKind.CONTRACT: market.contracts,
        ItemKind.PAYMENT: market.payments,
        ItemKind.REVIEW: market.reviews,
    }
    return lists[kind](since)


async def _batches(walk: Walk[Any]) -> AsyncIterator[list[MarketItem | Broken]]:
    batch: list[MarketItem | Broken] = []
    async for item in walk:
        batch.append(item)
        if len(batch) == PAGE_ITEMS:
            yield batch
            batch = []
    if batch:
        yield batch


async def _keep(
    changing: Changing, run: Run, kind: ItemKind, batch: list[MarketItem | Broken], broken_before: int
) -> int:
    """Stage a page, and note what is broken in it; answers how many are."""
    items: list[Staged] = []
    errors: list[Entry] = []
    for item in batch:
        if isinstance(item, Broken):
            number = f"{broken_before + len(errors) + 1}"
            item_id, has_id = (item.id, True) if item.id is not None else (f"#{number}", False)
            error = Entry(kind, item_id, has_id, EntryState.FAILED, code=BROKEN, message=item.reason)
            errors.append(error)
        elif (kept := staging.staged(item)[1]) is not None:
            items.append(kept)
    async with changing() as tx:
        await runs.fetched(tx, run, len(batch))
        await staging.keep(tx, run.id, kind, items)
        await runs.note(tx, run, errors)
    return len(errors)


async def relation_of(market: Market, market_id: str) -> Relation:
    """All that the Market says of one client; what of it can't be used is left out.

    Raises PlatformClientNotFound for an id it does not know, and a MarketFault.
    """
    client = await market.client(market_id)
    if client is None:
        raise PlatformClientNotFound
    paid = [item async for item in market.payments(client_id=market_id) if not isinstance(item, Broken)]
    rated = [item async for item in market.reviews(client_id=market_id) if not isinstance(item, Broken)]
    agreed = [item async for item in market.contracts(client_id=market_id) if not isinstance(item, Broken)]
    # Of one id the last counts: it comes again only when it has changed meanwhile.
    payments = {
        one.id: Paid(one.id, one.net if one.status is PaymentStatus.PAID else None, one.currency, one.paid_at)
        for one in paid
    }
    reviews = {one.id: Rated(one.id, one.rating, one.reviewed_at) for one in rated}
    contracts = {
        one.id: Done(one.id, one.title, one.completed_at)
        for one in agreed
        if one.status is ContractStatus.COMPLETED and one.completed_at is not None
    }
    return Relation(market_id, fields_of(client), [*payments.values()], [*reviews.values()], [*contracts.values()])
