"""Asking a Market in a test: the gateway with little patience, and what a walk brought."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Generic

from soloist.infra.clock import Clock, system_clock
from soloist.infra.outbound import Outbound
from soloist.market.gateway import Broken, Market, Markets, Patience, Walk
from soloist.market.pages import Item
from tests.market.fair import Fair

HURRIED = Patience(seconds=1.0, attempts=2, first_wait=0.01, longest_wait=3.0, failures=1000, walk=3.0)


@asynccontextmanager
async def asking(
    market: Fair, token: str | None = None, *, patience: Patience = HURRIED, clock: Clock = system_clock
) -> AsyncIterator[Market]:
    """The gateway to a Market that the operator trusts."""
    async with Outbound(()) as outbound, Markets(outbound, clock, market.url, patience) as markets:
        yield markets.at(market.url, token or market.token)


class Brought(Generic[Item]):
    """What a walk gave, to the end."""

    def __init__(self) -> None:
        self.good: list[Item] = []
        self.broken: list[Broken] = []

    @property
    def ids(self) -> list[str]:
        return [item.id for item in self.good]

    def add(self, item: Item | Broken) -> None:
        if isinstance(item, Broken):
            self.broken.append(item)
        else:
            self.good.append(item)


async def brought(walk: Walk[Item], into: Brought[Item] | None = None) -> Brought[Item]:
    """Go through a list to its end; what came until a failure is found in `into`."""
    result: Brought[Item] = into or Brought()
    async for item in walk:
        result.add(item)
    return result


def list_of(market: Market, name: str) -> Walk[Any]:
    """One of the four lists, by its name."""
    walks: dict[str, Walk[Any]] = {
        "clients": market.clients(),
        "contracts": market.contracts(),
        "payments": market.payments(),
        "reviews": market.reviews(),
    }
    return walks[name]
