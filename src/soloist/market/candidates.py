"""The clients of the Market that are not in the book, read from the Market when they are asked for."""

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from uuid import UUID

import orjson

from soloist.clients.model import display_name, email_key
from soloist.infra.db import Tx
from soloist.infra.paging import Cursors, Window
from soloist.infra.times import wire
from soloist.market import queries
from soloist.market.gateway import Broken, Market
from soloist.market.pages import PAGE_ITEMS
from soloist.market.shapes import Candidate
from soloist.market.wire import MarketClient

NO_ID = UUID(int=0)  # the Market's ids are texts: they stand in the key


class _Slice:
    """The part of the candidates that a window shows, taken while all of them go by."""

    def __init__(self, window: Window) -> None:
        self._window = window
        self._left = window.offset  # to be passed over
        self.total = 0
        self.shown: list[Candidate] = []
        self.last: list[str] | None = None  # the key of the last one shown, when there are more

    def see(self, client: MarketClient, candidate: Candidate) -> None:
        self.total += 1
        key = [wire(client.updated_at), client.id]
        if self._window.after is not None and key <= self._window.after[0]:
            return
        if self._left:
            self._left -= 1
        elif len(self.shown) < self._window.limit:
            self.shown.append(candidate)
            self._key = key
        else:
            self.last = self._key


async def page(
    reading: Callable[[], AbstractAsyncContextManager[Tx]], market: Market, cursors: Cursors, window: Window
) -> str:
    """A page of candidates in the Market's order, the oldest change first; what can't be used is left out.

    Raises a MarketFault.
    """
    found = _Slice(window)
    batch: list[MarketClient] = []
    async for item in market.clients():
        if not isinstance(item, Broken):
            batch.append(item)
        if len(batch) == PAGE_ITEMS:
            await _look_at(reading, batch, found)
            batch = []
    await _look_at(reading, batch, found)
    following = None if found.last is None else cursors.next(window, found.last, NO_ID)
    parts = [
        f'"candidates":[{",".join(one.model_dump_json(by_alias=True) for one in found.shown)}]',
        f'"total":{found.total}',
        f'"page":{window.page}',
        f'"limit":{window.limit}',
        f'"nextCursor":{orjson.dumps(following).decode()}',
    ]
    return "{" + ",".join(parts) + "}"


async def _look_at(
    reading: Callable[[], AbstractAsyncContextManager[Tx]], batch: Sequence[MarketClient], found: _Slice
) -> None:
    keys = [key for client in batch if (key := email_key(client.email))]
    async with reading() as tx:
        rows = await queries.known(tx, [client.id for client in batch], keys)
    imported = {row["platform_client_id"] for row in rows}
    by_email = {row["email_key"]: row["id"] for row in rows if row["platform_client_id"] is None}
    for client in batch:
        if client.id not in imported:
            found.see(
                client,
                Candidate(
                    platform_client_id=client.id,
                    display_name=display_name(client.company_name, client.first_name, client.last_name),
                    client_type=client.type,
                    company_name=client.company_name,
                    first_name=client.first_name,
                    last_name=client.last_name,
                    email=client.email,
                    relationship_since=client.relationship_since,
                    matching_client_id=by_email.get(email_key(client.email)),
                ),
            )
