"""Examples of opportunities; the document's own where it has one."""

from collections.abc import Mapping

from soloist.examples.clients import CLIENT_ID
from soloist.examples.parts import CHANGED, NEWER, STAMPS, gone, page
from soloist.infra.openapi import Example

OPPORTUNITY_ID = "018d0a60-7c1d-7d83-9a4e-2b6f8c0d1e57"
ACTIVITY_ID = "018d0a61-0f2e-7a95-8b3c-6d7e9f0a1b2c"

NEW: Mapping[str, object] = {
    "clientId": CLIENT_ID,
    "title": "Website Redesign Project",
    "description": "Complete redesign of corporate website",
    "source": "INBOUND_INQUIRY",
    "sourceDetails": "Via website contact form",
    "estimatedValue": 15000,
    "currency": "USD",
    "expectedCloseDate": "2024-03-01",
    "stage": "LEAD",
    "priority": "HIGH",
    "tags": ["web", "design"],
    "serviceType": "Web Development",
}
OPPORTUNITY: Mapping[str, object] = {
    "id": OPPORTUNITY_ID,
    **NEW,
    "clientName": "Acme Corporation",
    "baseValue": 15000,
    "status": "OPEN",
    "probability": 10,
    "actualCloseDate": None,
    "closedAt": None,
    "lostReason": None,
    "resumeOn": None,
    **STAMPS,
}
QUALIFIED: Mapping[str, object] = {**OPPORTUNITY, **NEWER, "stage": "QUALIFIED", "probability": 25}
HELD: Mapping[str, object] = {**OPPORTUNITY, **NEWER, "status": "ON_HOLD", "resumeOn": "2024-02-01"}
ACTIVITY: Mapping[str, object] = {
    "id": ACTIVITY_ID,
    "activityType": "STAGE_CHANGED",
    "fromStage": "LEAD",
    "toStage": "QUALIFIED",
    "notes": "Client confirmed budget",
    "changes": None,
    "actor": "user",
    "createdAt": CHANGED,
}


def _column(stage: str, count: int, value: int, weighted: int, *shown: object) -> dict[str, object]:
    sums = {"count": count, "totalValue": value, "weightedValue": weighted, "unconverted": []}
    return {"stage": stage, "opportunities": list(shown), **sums}


PIPELINE: Mapping[str, object] = {
    "stages": [
        _column("LEAD", 5, 25000, 2500, OPPORTUNITY),
        _column("QUALIFIED", 3, 45000, 11250),
        _column("PROPOSAL", 3, 25000, 12500),
        _column("NEGOTIATION", 4, 55000, 41250),
    ],
    "summary": {
        "totalOpportunities": 15,
        "totalValue": 150000,
        "weightedValue": 67500,
        "avgDealSize": 10000,
        "currency": "USD",
        "unconverted": [],
    },
}
STATS: Mapping[str, object] = {
    "total": 50,
    "open": 15,
    "won": 25,
    "lost": 10,
    "winRate": 71,
    "totalWonValue": 375000,
    "totalLostValue": 100000,
    "totalOpenValue": 150000,
    "avgDealSize": 15000,
    "avgTimeToClose": 21,
    "bySource": {"INBOUND_INQUIRY": 20, "REFERRAL": 15, "MARKET_PROJECT": 10, "REPEAT_CLIENT": 5},
    "byStage": {"LEAD": 5, "QUALIFIED": 4, "PROPOSAL": 3, "NEGOTIATION": 3},
    "currency": "USD",
    "unconverted": [],
    "recalculating": False,
}
FORECAST: Mapping[str, object] = {
    "months": [{"month": "2024-03", "count": 4, "totalValue": 60000, "weightedValue": 21000, "unconverted": []}],
    "currency": "USD",
}

EXAMPLES: Mapping[str, Example] = {
    "createOpportunity": Example(OPPORTUNITY, NEW),
    "searchOpportunities": Example(page("opportunities", OPPORTUNITY)),
    "getPipeline": Example(PIPELINE),
    "getOpportunityStats": Example(STATS),
    "getForecast": Example(FORECAST),
    "getOpportunity": Example(OPPORTUNITY),
    "updateOpportunity": Example({**OPPORTUNITY, **NEWER, "priority": "URGENT"}, {"priority": "URGENT"}),
    "deleteOpportunity": gone(OPPORTUNITY_ID),
    "changeOpportunityStage": Example(QUALIFIED, {"stage": "QUALIFIED", "notes": "Client confirmed budget"}),
    "holdOpportunity": Example(HELD, {"resumeOn": "2024-02-01"}),
    "resumeOpportunity": Example({**OPPORTUNITY, **NEWER, "version": 3}),
    "reopenOpportunity": Example({**OPPORTUNITY, **NEWER}),
    "listOpportunityActivities": Example(page("activities", ACTIVITY)),
}
