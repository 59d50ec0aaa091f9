"""Examples of the Market: importing and synchronising clients, the runs, and the account's connection."""

from collections.abc import Mapping

from soloist.examples.clients import CLIENT, CLIENT_ID
from soloist.examples.parts import CHANGED, MADE, STAMPS, gone, page
from soloist.infra.openapi import Example

RUN_ID = "018d0a83-7d41-7c5a-a2e9-0b6f3d8c1e77"
ACCOUNT_ID = "018d0a40-3c1d-7a52-8f0e-2b4d6c8e1a31"
MARKET_ID = "client-4711"

IMPORTED: Mapping[str, object] = {**CLIENT, "source": "MARKET_IMPORT", "platformClientId": MARKET_ID}
ERROR: Mapping[str, object] = {
    "kind": "PAYMENT",
    "itemId": "payment-0815",
    "name": None,
    "code": "NOT_BY_CONTRACT",
    "message": "net: must be gross less fee",
}
RUN: Mapping[str, object] = {
    "id": RUN_ID,
    "state": "COMPLETED",
    "cause": "REQUESTED",
    "phase": None,
    "progress": 100,
    "fetched": 94,
    "planned": 15,
    "done": 15,
    "synced": 15,
    "created": 3,
    "updated": 12,
    "unchanged": 24,
    "kept": 1,
    "failed": 1,
    "failure": None,
    "createdAt": MADE,
    "startedAt": MADE,
    "finishedAt": CHANGED,
}
_ACME: Mapping[str, object] = {"clientId": CLIENT_ID, "platformClientId": MARKET_ID, "name": "Acme Corporation"}
_NEWS: Mapping[str, object] = {"payments": 2, "reviews": 1, "completedContracts": 1}
DETAIL: Mapping[str, object] = {
    **RUN,
    "createdClients": [{**_ACME, **_NEWS}],
    "updatedClients": [
        {**_ACME, **_NEWS, "changes": [{"field": "industry", "from": None, "to": "Technology"}]},
    ],
    "keptClients": [
        {
            **_ACME,
            "fields": [{"field": "phone", "yours": "+1234567890", "market": "+1987654321", "reason": "EDITED_BY_HAND"}],
        }
    ],
    "errors": [ERROR],
}
CANDIDATE: Mapping[str, object] = {
    "platformClientId": MARKET_ID,
    "displayName": "Acme Corporation",
    "clientType": "COMPANY",
    "companyName": "Acme Corporation",
    "firstName": None,
    "lastName": None,
    "email": "contact@acme.com",
    "relationshipSince": MADE,
    "matchingClientId": CLIENT_ID,
}
CONNECTION: Mapping[str, object] = {
    "connected": True,
    "isDefault": False,
    "baseUrl": "https://market.example.com/api",
    "lastRun": {"id": RUN_ID, "state": "COMPLETED", "createdAt": MADE, "finishedAt": CHANGED},
    **STAMPS,
}

EXAMPLES: Mapping[str, Example] = {
    "importClient": Example(IMPORTED, {"platformClientId": MARKET_ID}),
    "syncClients": Example({"synced": 15, "created": 3, "updated": 12, "runId": RUN_ID, "errors": [ERROR]}),
    "searchCandidates": Example(page("candidates", CANDIDATE)),
    "searchSyncRuns": Example(page("runs", RUN)),
    "getSyncRun": Example(DETAIL),
    "getMarket": Example(CONNECTION),
    "connectMarket": Example(
        CONNECTION, {"baseUrl": "https://market.example.com/api", "token": "the-token-the-market-gave-you"}
    ),
    "disconnectMarket": gone(ACCOUNT_ID),
}
