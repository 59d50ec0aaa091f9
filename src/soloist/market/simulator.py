"""The reference Market: a server of our own that keeps docs/reference/market-contract.md, with invented data.

For the demo, the tutorial, and tests of both sides. `/admin` changes what it tells, and makes it misbehave.
"""

from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC
from typing import Annotated, Any, Generic, TypeVar

from fastapi import Body, Depends, FastAPI, HTTPException, Query
from fastapi.responses import Response
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from soloist.infra.clock import Clock, system_clock
from soloist.market.simulator_data import Freelancer, ListName, Place, freelancer, instant
from soloist.market.simulator_faults import Faults, Mischief, Page, cloned, written
from soloist.market.wire import MarketClient, MarketContract, MarketItem, MarketMe, MarketPayment, MarketReview

MOST_ITEMS = 200
DESCRIPTION = """
The contract is in Soloist's `docs/reference/market-contract.md`. Everything asks for a bearer token, `/admin` too:
there a test changes what the token's freelancer sees, and makes the server misbehave.
"""

Told = TypeVar("Told")
Seen = Callable[..., Freelancer]


class Paged(BaseModel, Generic[Told]):
    """A page of a list."""

    model_config = ConfigDict(alias_generator=to_camel)

    items: list[Told] = Field(description="Ordered by updatedAt, then id")
    page: str = Field(description="What this page was asked with; 1 for the first")
    limit: int
    total: int = Field(description="Items of the question in all")
    next_page: str | None = Field(description="`page` of the next request; null: this is the last page")


@dataclass(frozen=True, slots=True)
class Question:
    """What a list is asked."""

    updated_since: Annotated[AwareDatetime | None, Query(alias="updatedSince")] = None
    limit: Annotated[int, Query(ge=1, le=MOST_ITEMS)] = 50
    page: Annotated[str, Query(max_length=500, description="What nextPage said; left out for the first page")] = "1"

    @property
    def since(self) -> str:
        """The earliest change that counts, as items tell theirs."""
        return instant(self.updated_since.astimezone(UTC)) if self.updated_since else ""


def create_simulator(
    tokens: tuple[str, ...], *, clients: int = 60, seed: int = 1, clock: Clock = system_clock
) -> FastAPI:
    """A Market with one freelancer for each token, each with so many clients of their own."""
    now = clock()
    freelancers = {token: freelancer(seed, number, clients, now) for number, token in enumerate(tokens)}

    def seen(
        given: Annotated[HTTPAuthorizationCredentials | None, Depends(HTTPBearer(auto_error=False))],
    ) -> Freelancer:
        found = freelancers.get(given.credentials) if given else None
        if found is None:
            raise HTTPException(401, "This token is not known.", {"WWW-Authenticate": "Bearer"})
        return found

    app = FastAPI(title="Market", version="1", description=DESCRIPTION, docs_url=None, redoc_url=None)
    mischief = Mischief()
    _add_market(app, mischief, seen)
    _add_admin(app, mischief, seen, clock)
    return app


def _add_market(app: FastAPI, mischief: Mischief, seen: Seen) -> None:
    @app.get("/v1/me", tags=["market"], response_model=MarketMe, summary="Whose token it is")
    async def me(of: Annotated[Freelancer, Depends(seen)]) -> Response:
        return await mischief.answer(of.me)

    @app.get("/v1/clients", tags=["market"], response_model=Paged[MarketClient], summary="Clients")
    async def clients(of: Annotated[Freelancer, Depends(seen)], question: Annotated[Question, Depends()]) -> Response:
        return await _list(mischief, of, "clients", question)

    @app.get("/v1/clients/{client_id}", tags=["market"], response_model=MarketClient, summary="One client")
    async def client(of: Annotated[Freelancer, Depends(seen)], client_id: str) -> Response:
        found = of.shelves["clients"].items.get(client_id)
        if found is None:
            raise HTTPException(404, "There is no such client.")
        return await mischief.answer(found, "clients")

    def add(name: ListName, model: type[MarketItem], summary: str) -> None:
        @app.get(f"/v1/{name}", tags=["market"], response_model=Paged[model], summary=summary)  # type: ignore[valid-type]
        async def items(
            of: Annotated[Freelancer, Depends(seen)],
            question: Annotated[Question, Depends()],
            client_id: Annotated[str | None, Query(alias="clientId")] = None,
        ) -> Response:
            return await _list(mischief, of, name, question, client_id)

    add("contracts", MarketContract, "Contracts")
    add("payments", MarketPayment, "Payments")
    add("reviews", MarketReview, "Reviews by clients")


def _add_admin(app: FastAPI, mischief: Mischief, seen: Seen, clock: Clock) -> None:
    @app.put("/admin/faults", tags=["admin"], summary="Misbehave so from now on, and in no other way")
    async def put_faults(of: Annotated[Freelancer, Depends(seen)], faults: Faults) -> Faults:
        mischief.plan(faults)
        return faults

    @app.get("/admin/faults", tags=["admin"], summary="What is wrong, and how many requests it has concerned")
    async def get_faults(of: Annotated[Freelancer, Depends(seen)]) -> dict[str, Any]:
        return {"faults": mischief.faults, "asked": mischief.asked, "struck": mischief.struck}

    @app.put("/admin/{name}/{item_id}", tags=["admin"], summary="Change an item, or add one")
    async def put_item(
        of: Annotated[Freelancer, Depends(seen)],
        name: ListName,
        item_id: str,
        changes: Annotated[dict[str, Any], Body(description="Its fields; nothing is checked")],
    ) -> Response:
        shelf, now = of.shelves[name], instant(clock())
        item = {**shelf.items.get(item_id, {}), "id": item_id, "updatedAt": now, **changes}
        shelf.put(item_id, item, item["updatedAt"] if isinstance(item["updatedAt"], str) else now)
        return written(item)

    @app.delete("/admin/{name}/{item_id}", tags=["admin"], summary="Forget an item")
    async def delete_item(of: Annotated[Freelancer, Depends(seen)], name: ListName, item_id: str) -> dict[str, bool]:
        return {"deleted": of.shelves[name].drop(item_id)}


async def _list(
    mischief: Mischief, of: Freelancer, name: ListName, question: Question, client_id: str | None = None
) -> Response:
    try:
        place = Place.read(question.page)
    except ValueError:
        raise HTTPException(400, "There is no such page: send what nextPage said.") from None
    shelf, since, limit = of.shelves[name], question.since, question.limit
    if many := mischief.faults.many:
        items, total = cloned(list(shelf.items.values()), many, place.number, limit, since)
        more, last = place.number * limit < total, place.key
    else:
        found = shelf.found(since, client_id)
        start = bisect_right(found, place.key)
        keys = found[start : start + limit]
        items, total = [shelf.items[item_id] for _, item_id in keys], len(found)
        more, last = start + limit < total, keys[-1] if keys else place.key
    next_page = Place(place.number + 1, last).token() if more else None
    page: Page = {"items": items, "page": question.page, "limit": limit, "total": total, "nextPage": next_page}
    return await mischief.answer(page, name, place.number)
