"""The JSON contract of a client's health (document "Get Client Health Score")."""

from fastapi import Request, Response

from soloist.accounts.actor import Reader
from soloist.clients import queries as clients
from soloist.clients.api import ClientId
from soloist.health import queries
from soloist.health.model import assess
from soloist.health.shapes import HealthReport, HistoryDay, report
from soloist.infra import routing
from soloist.infra.changes import reading
from soloist.infra.http import enveloped

router = routing.router("Health")


@router.get("/clients/{client_id}/health-score")
@routing.answers(HealthReport)
async def get_client_health_score(client_id: ClientId, request: Request, actor: Reader) -> Response:
    """Get the health score as of now, explained"""
    async with reading(request, actor) as tx:
        subject = await queries.subject(tx, client_id)
    found = report(assess(subject.facts), subject.currency, subject.facts.now)
    return enveloped(found.model_dump_json(by_alias=True))


@router.get("/clients/{client_id}/health-score/history")
@routing.answers(list[HistoryDay])
async def get_client_health_history(client_id: ClientId, request: Request, actor: Reader) -> Response:
    """Get the days on which the score changed, oldest first"""
    async with reading(request, actor) as tx:
        await clients.check_exists(tx, client_id)
        return enveloped(await queries.history(tx, client_id))
