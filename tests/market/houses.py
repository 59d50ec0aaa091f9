"""What the Market tests do again and again: clients on the Market, a sync, and what the book says then."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import httpx2

from soloist.infra.queue_worker import Worker
from soloist.infra.secrets import installation_secret
from soloist.infra.settings import Settings
from soloist.market.connection import Doors, doors_of
from soloist.market.gateway import Patience
from soloist.market.jobs import Syncing, carry_out
from soloist.market.runs import SYNC
from tests.book import select
from tests.market.fair import Fair
from tests.people import Member, data, refusal
from tests.serving import Served

LISTS = ("clients", "contracts", "payments", "reviews")
LONG_AGO = "2024-01-02T09:00:00Z"


# A Market that fails must not hold up the tests after it.
HURRIED = Patience(seconds=1.0, attempts=2, first_wait=0.01, longest_wait=1.0, failures=100_000, walk=5.0)


def hurried(settings: Settings, served: Served) -> Doors:
    """The way to Markets, with little patience."""
    return doors_of(settings, installation_secret(settings), served.clock, HURRIED)


@contextmanager
def worker(settings: Settings, served: Served) -> Iterator[None]:
    """A worker for syncs and nothing else, with little patience, in a thread of its own, until the block ends."""
    shared = Syncing(hurried(settings, served))
    handlers = {SYNC: partial(carry_out, shared)}
    running = Worker(served.dsn, handlers, (), served.clock, shared)
    thread = threading.Thread(target=lambda: asyncio.run(running.run()), daemon=True)
    thread.start()
    try:
        yield
    finally:
        running.stop()
        thread.join(30)
        assert not thread.is_alive()


class House:
    """A server and the Market that its accounts are connected to."""

    def __init__(self, served: Served, market: Fair, settings: Settings) -> None:
        self.served = served
        self.market = market
        self.settings = settings

    def clear(self) -> None:
        """An empty Market that behaves."""
        self.market.faults()
        for name in LISTS:
            for item in self.market.all(name):
                self.market.drop(name, item["id"])


def company(market: Fair, market_id: str, **fields: Any) -> str:
    """A company on the Market; its id there."""
    given = {"type": "COMPANY", "companyName": f"Company {market_id}", **fields}
    market.put("clients", market_id, **given)
    return market_id


def payment(market: Fair, payment_id: str, client_id: str, net: float, **fields: Any) -> None:
    """A payment of which `net` reached the freelancer, a tenth of it on top being the fee."""
    gross = {"gross": net + 10, "fee": 10, "net": net, "currency": "USD"}
    given = {"clientId": client_id, "status": "PAID", "paidAt": LONG_AGO, **gross, **fields}
    market.put("payments", payment_id, **given)


def contract(market: Fair, contract_id: str, client_id: str, **fields: Any) -> None:
    """A completed contract."""
    given = {"clientId": client_id, "title": "Website", "status": "COMPLETED", "completedAt": LONG_AGO, **fields}
    market.put("contracts", contract_id, **given)


def review(market: Fair, review_id: str, client_id: str, rating: int, **fields: Any) -> None:
    """A review by a client."""
    market.put("reviews", review_id, **{"clientId": client_id, "rating": rating, "reviewedAt": LONG_AGO, **fields})


def sync(owner: Member) -> dict[str, Any]:
    """Synchronise; the answer."""
    result: dict[str, Any] = data(owner.post("/clients/sync"))
    return result


def failed(answer: httpx2.Response, *says: str) -> dict[str, Any]:
    """The refusal of a sync or an import that the Market is to blame for."""
    error = refusal(answer, 500, "SYNC_FAILED")
    assert all(word in error["message"] for word in says), error
    return error


def counts(result: dict[str, Any]) -> tuple[int, int, int]:
    """Created, updated, and how many errors."""
    assert result["synced"] == result["created"] + result["updated"]
    return result["created"], result["updated"], len(result["errors"])


def run_of(owner: Member, result: dict[str, Any]) -> dict[str, Any]:
    """The run that an answer of a sync names."""
    run: dict[str, Any] = data(owner.get(f"/clients/sync-runs/{result['runId']}"))
    return run


def imported(owner: Member, market_id: str) -> dict[str, Any]:
    """The client of the book that is this one of the Market."""
    for line in data(owner.get("/clients?limit=100&status=LEAD,PROSPECT,ACTIVE,INACTIVE,ARCHIVED"))["clients"]:
        client: dict[str, Any] = data(owner.get(f"/clients/{line['id']}"))
        if client["platformClientId"] == market_id:
            return client
    raise AssertionError(f"{market_id} is not in the book")


TAKEN_OVER = ("clients", "interactions", "market_payments", "market_reviews", "market_contracts", "health_history")


def rows_of(served: Served, owner: Member, *tables: str) -> dict[str, list[str]]:
    """All rows of an account in these tables with everything in them, the hidden columns that tell of writes too."""
    return {
        table: [
            row["line"]
            for row in select(
                served,
                f"select t.xmin::text || ' ' || t::text as line from {table} t where account_id = $1 order by 1",
                owner.account["id"],
            )
        ]
        for table in tables or TAKEN_OVER
    }
