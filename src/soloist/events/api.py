"""The JSON contract of events."""

from typing import Annotated

from fastapi import Depends
from starlette.requests import Request
from starlette.responses import Response

from soloist.accounts.actor import Reader
from soloist.events import queries
from soloist.events.shapes import EventLine, EventSearch
from soloist.infra import routing
from soloist.infra.changes import reading
from soloist.infra.http import enveloped

router = routing.router("Events")


@router.get("/events")
@routing.answers(routing.Page("events", EventLine))
async def search_events(
    asked: Annotated[EventSearch, Depends(routing.query(EventSearch))], request: Request, actor: Reader
) -> Response:
    """What happened in the last 30 days, oldest first

    The same that webhooks are sent, for tools that ask from time to time: pass the id of the last event you have
    seen as `after`. Nothing is left out between two calls.
    """
    async with reading(request, actor) as tx:
        return enveloped(await queries.search(tx, request.app.state.cursors, asked))
