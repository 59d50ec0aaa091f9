"""Going through one of the Market's lists, page by page, so that no list can go on for ever or come twice.

At any time one page is in memory, and for each id eight bytes of it with its last change.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Generic

from soloist.infra.clock import Clock
from soloist.market.faults import MarketNonsense
from soloist.market.pages import Broken, Item, Page, judged, safe

MOST_TOKEN = 500
JUDGED_AT_ONCE = 20  # items; some milliseconds


@dataclass(frozen=True, slots=True)
class Bounds:
    """Of one walk: items, the seconds it may take, and whose items are wanted (None: every client's)."""

    items: int
    seconds: float
    client_id: str | None = None


class Walk(Generic[Item]):
    """The items of a list, the oldest change first, to be gone through once: `async for item in walk`.

    Gives each record, or Broken where one can't be used. An id comes again only with a later `updated_at`, when it has
    changed meanwhile: the later one counts. Where a page leads nowhere good, the last thing is a Broken without an id.
    Raises MarketUnreachable and MarketRefused on any page, MarketNonsense only where not even the first is a page.
    """

    def __init__(
        self, kind: type[Item], fetch: Callable[[str | None], Awaitable[Page]], clock: Clock, bounds: Bounds
    ) -> None:
        self._kind = kind
        self._fetch = fetch
        self._clock = clock
        self._bounds = bounds
        self._seen: dict[int, datetime] = {}
        self.total: int | None = None  # what the Market says there is, from the first page on
        # What to ask from the next time. None until the end, and where something came that should come again.
        self.mark: datetime | None = None

    async def __aiter__(self) -> AsyncIterator[Item | Broken]:
        started, ends = self._clock(), asyncio.get_running_loop().time() + self._bounds.seconds
        newest: datetime | None = None
        complete, count, wanted = True, 0, self._bounds.client_id
        tokens: set[str | None] = {None}
        token: str | None = None
        while True:
            try:
                page = await self._fetch(token)
            except MarketNonsense as fault:
                if token is None:
                    raise
                yield Broken(None, safe(f"Page {len(tokens)}: {fault.text} The rest was not read."))
                return
            if token is None:
                self.total = page.total
            for raw in page.items:
                count += 1
                if count > self._bounds.items:
                    yield Broken(None, f"There are more than {self._bounds.items:,}: the rest was not read.")
                    return
                if count % JUDGED_AT_ONCE == 0:
                    await asyncio.sleep(0)  # others in this process want to go on, too
                item = judged(self._kind, raw, started)
                if isinstance(item, Broken):
                    complete = False
                elif (before := self._seen.get(hash(item.id))) is not None and item.updated_at <= before:
                    item = Broken(item.id, "id: came before; the first one counts.")
                elif wanted is not None and getattr(item, "client_id", wanted) != wanted:
                    complete = False
                    item = Broken(item.id, "clientId: is of another client than the one asked for.")
                else:
                    self._seen[hash(item.id)] = item.updated_at
                    newest = item.updated_at if newest is None else max(newest, item.updated_at)
                yield item
            if page.next is None:
                self.mark = min(newest, started) if complete and newest is not None else None
                return
            wrong = _wrong(page, tokens)
            if wrong is None and asyncio.get_running_loop().time() > ends:
                wrong = f"took longer than {self._bounds.seconds / 60:.0f} minutes with those before"
            if wrong is not None:
                yield Broken(None, f"Page {len(tokens)} {wrong}: the rest was not read.")
                return
            token = str(page.next)
            tokens.add(token)


def _wrong(page: Page, tokens: set[str | None]) -> str | None:
    """What keeps the next page from being asked for."""
    if not isinstance(page.next, str) or not 0 < len(page.next) <= MOST_TOKEN or not page.next.isprintable():
        return "says in no readable way which one comes next"
    if page.next in tokens:
        return "leads back to one that was read"
    return None if page.items else "is empty and leads to another"
