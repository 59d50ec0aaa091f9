"""The route table, and what it takes to call each route: ids for its path, a body it accepts.

Tests that must hold for every route walk this. A route that is not described here fails them.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute

from soloist.examples.market import MARKET_ID
from soloist.infra.http import BASE
from tests import make
from tests.market.fair import TOKEN
from tests.people import PASSWORD, Member, Person, data

SOON = (datetime.now(UTC) + timedelta(days=30)).strftime("%Y-%m-%dT%H:%M:%SZ")
LINK = {"documentType": "CONTRACT", "fileName": "a.pdf", "fileUrl": "https://files.example/a.pdf"}
YESTERDAY = (datetime.now(UTC) - timedelta(days=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
HOOK = {"url": "https://8.8.8.8/hook", "events": ["reminder.overdue"]}
CHANGING = ("POST", "PUT", "PATCH", "DELETE")

# Path parameter → the code that a missing record of that kind answers.
MISSING = {
    "client_id": "CLIENT_NOT_FOUND",
    "contact_id": "CONTACT_NOT_FOUND",
    "interaction_id": "INTERACTION_NOT_FOUND",
    "key_id": "API_KEY_NOT_FOUND",
    "opportunity_id": "OPPORTUNITY_NOT_FOUND",
    "reminder_id": "REMINDER_NOT_FOUND",
    "document_id": "DOCUMENT_NOT_FOUND",
    "webhook_id": "WEBHOOK_NOT_FOUND",
    "delivery_id": "DELIVERY_NOT_FOUND",
    "run_id": "SYNC_RUN_NOT_FOUND",
}
# Body field that names another record → the path parameter of its kind.
LINKS = {"clientId": "client_id", "contactId": "contact_id", "opportunityId": "opportunity_id"}
# Names something that is no record of ours.
ELSEWHERE = {"platformClientId"}
# Open to everybody; all else needs a token.
PUBLIC = {
    "POST /auth/register": {"email": "route.{n}@example.com", "password": PASSWORD},
    "POST /auth/login": {"email": "nobody@example.com", "password": PASSWORD},
    "POST /auth/refresh": {"refreshToken": "x"},
    "POST /auth/password/forgot": {"email": "nobody@example.com"},
    "POST /auth/password/reset": {"token": "x", "password": PASSWORD},
    "GET /openapi.json": None,
    "GET /docs": None,
}
# A body that each changing route accepts (None: it takes none); "{client_id}" stands for that id.
BODIES: dict[str, dict[str, Any] | None] = {
    "POST /auth/logout": None,
    "PATCH /me": {"name": "Changed"},
    "PUT /me/exchange-rates": {"rates": [{"currency": "EUR", "date": "2024-01-02", "rate": 1.1}]},
    "POST /me/api-keys": {"name": "Another", "scopes": ["read"]},
    "DELETE /me/api-keys/{key_id}": None,
    "POST /clients": {"clientType": "COMPANY", "source": "MANUAL", "companyName": "Changed"},
    "PATCH /clients/{client_id}": {"notes": "Changed"},
    "POST /clients/{client_id}/archive": None,
    "POST /clients/{client_id}/restore": None,
    "POST /clients/{client_id}/contacts": {"firstName": "Changed", "isPrimary": True},
    "PATCH /clients/{client_id}/contacts/{contact_id}": {"firstName": "Changed"},
    "DELETE /clients/{client_id}/contacts/{contact_id}": None,
    "POST /clients/{client_id}/interactions": {"interactionType": "CALL", "subject": "Changed"},
    "PATCH /interactions/{interaction_id}": {"subject": "Changed"},
    "DELETE /interactions/{interaction_id}": None,
    "POST /opportunities": {"title": "Changed", "source": "REFERRAL"},
    "PATCH /opportunities/{opportunity_id}": {"title": "Changed"},
    "DELETE /opportunities/{opportunity_id}": None,
    "POST /opportunities/{opportunity_id}/stage": {"stage": "QUALIFIED"},
    "POST /opportunities/{opportunity_id}/hold": {"resumeOn": "2030-01-02"},
    "POST /opportunities/{opportunity_id}/resume": None,
    "POST /opportunities/{opportunity_id}/reopen": None,
    "POST /reminders": {"title": "Changed", "reminderType": "CUSTOM", "dueDate": SOON},
    "PATCH /reminders/{reminder_id}": {"title": "Changed"},
    "DELETE /reminders/{reminder_id}": None,
    "POST /reminders/{reminder_id}/complete": {"notes": "Changed"},
    "POST /reminders/{reminder_id}/snooze": {"snoozeUntil": SOON},
    "POST /reminders/{reminder_id}/cancel": None,
    "POST /reminders/{reminder_id}/reopen": None,
    "POST /reminders/{reminder_id}/skip": None,
    "POST /documents/upload-url": {"clientId": "{client_id}", "fileName": "a.pdf", "documentType": "CONTRACT"},
    "POST /documents": {**LINK, "clientId": "{client_id}"},
    "PATCH /documents/{document_id}": {"description": "Changed"},
    "DELETE /documents/{document_id}": None,
    "POST /webhooks": HOOK,
    "PATCH /webhooks/{webhook_id}": {"description": "Changed"},
    "DELETE /webhooks/{webhook_id}": None,
    "POST /webhooks/{webhook_id}/test": {"type": "client.created"},
    "POST /webhooks/{webhook_id}/rotate-secret": {"expireImmediately": True},
    "POST /webhooks/{webhook_id}/replay": {"since": YESTERDAY},
    "POST /webhooks/deliveries/{delivery_id}/replay": None,
    "POST /clients/import": {"platformClientId": MARKET_ID},
    "POST /clients/sync": None,
    "PUT /me/market": {"token": TOKEN},
    "DELETE /me/market": None,
}
# What must have happened before a route can do its work.
BEFORE: dict[str, tuple[str, dict[str, Any] | None]] = {
    "POST /opportunities/{opportunity_id}/reopen": ("/opportunities/{opportunity_id}/stage", {"stage": "LOST"}),
    "POST /reminders/{reminder_id}/reopen": ("/reminders/{reminder_id}/complete", None),
}


def name_of(route: APIRoute) -> str:
    """`METHOD /path` without the base."""
    return f"{method_of(route)} {route.path.removeprefix(BASE)}"


def method_of(route: APIRoute) -> str:
    """Its one method."""
    (method,) = sorted(route.methods or ())
    return method


def api_routes(app: FastAPI) -> list[APIRoute]:
    """Every route under the base."""
    return [route for route in app.routes if isinstance(route, APIRoute) and route.path.startswith(f"{BASE}/")]


def private_routes(app: FastAPI) -> Iterator[APIRoute]:
    """Those that need a token; fails for a changing one that BODIES does not describe."""
    for route in api_routes(app):
        name = name_of(route)
        if name in PUBLIC:
            continue
        if name.startswith(CHANGING) and name not in BODIES:
            pytest.fail(f"{name} is a new route: say in tests/routes.py which body it takes")
        yield route


def changing_routes(app: FastAPI) -> list[APIRoute]:
    """The private routes that change something."""
    return [route for route in private_routes(app) if name_of(route).startswith(CHANGING)]


def own_records(person: Member, kinds: Collection[str] = frozenset(MISSING)) -> dict[str, str]:
    """A new record of this person for each path parameter, or just for those in `kinds` (and the client they are of).

    Each holds a text that nothing of another account may ever show.
    """
    marker = f"canary of {person.email}"
    ids = {"client_id": make.client(person, companyName=marker, notes=marker, tags=["canary"])["id"]}
    of_client = f"/clients/{ids['client_id']}"
    monthly = {"isRecurring": True, "recurringPattern": {"frequency": "monthly", "interval": 1}}
    made: dict[str, tuple[str, dict[str, Any]]] = {
        "contact_id": (f"{of_client}/contacts", {"firstName": marker, "isPrimary": True}),
        "interaction_id": (
            f"{of_client}/interactions",
            {"interactionType": "CALL", "subject": marker, "followUpDate": "2030-01-02", "metadata": {"x": marker}},
        ),
        "key_id": ("/me/api-keys", {"name": marker, "scopes": ["read"]}),
        "opportunity_id": (
            "/opportunities",
            {"clientId": ids["client_id"], "title": marker, "source": "REFERRAL", "tags": ["canary"]},
        ),
        "reminder_id": (
            "/reminders",
            {"clientId": ids["client_id"], "title": marker, "reminderType": "CHECK_IN", "dueDate": SOON, **monthly},
        ),
        "document_id": ("/documents", {**LINK, "clientId": ids["client_id"], "description": marker}),
        "webhook_id": ("/webhooks", {**HOOK, "description": marker}),
    }
    for kind, (path, body) in made.items():
        if kind in kinds:
            ids[kind] = data(person.post(path, body), 201)["id"]
    if "delivery_id" in kinds:
        webhook_id = ids.get("webhook_id") or data(person.post("/webhooks", HOOK), 201)["id"]
        ids["delivery_id"] = data(person.post(f"/webhooks/{webhook_id}/test"))["id"]
    if "run_id" in kinds:
        data(person.put("/me/market", {"token": "of-nobody"}))  # so that it brings nothing
        ids["run_id"] = person.post("/clients/sync").json()["error"]["details"]["runId"]
        data(person.delete("/me/market"))
    return ids


def ready_records(person: Member, route: APIRoute) -> dict[str, str]:
    """`own_records` for this route, in the state in which it works."""
    ids = own_records(person, parameters_of(route))
    if name_of(route) in BEFORE:
        path, body = BEFORE[name_of(route)]
        data(person.post(path.format(**ids), body))
    return ids


def path_of(route: APIRoute, ids: Mapping[str, str]) -> str:
    """The route's path below the base, filled; fails for a parameter that nobody described."""
    path = route.path.removeprefix(BASE)
    for parameter in parameters_of(route):
        if parameter not in ids:
            pytest.fail(f"{name_of(route)}: say in tests/routes.py what a {parameter} is and how a missing one answers")
        path = path.replace("{" + parameter + "}", ids[parameter])
    return path


def parameters_of(route: APIRoute) -> list[str]:
    """The path's parameters in order."""
    return list(route.param_convertors)


def body_of(route: APIRoute, ids: Mapping[str, str]) -> dict[str, Any] | None:
    """A body that the route accepts from the owner of `ids`."""
    body = BODIES.get(name_of(route))
    return body and {name: value.format(**ids) if name in LINKS else value for name, value in body.items()}


def call(person: Person, route: APIRoute, ids: Mapping[str, str], **more: Any) -> httpx2.Response:
    """The answer to a request of `person` for the records `ids`; `more` goes to `Person.request`."""
    body = body_of(route, ids)
    if body is not None and not more.keys() & {"json", "content"}:
        more["json"] = body
    return person.request(method_of(route), path_of(route, ids), **more)


def methods_at(routes: Iterable[APIRoute], path: str) -> set[str]:
    """Every method that some route knows at this path below the base."""
    known = {method for route in routes if route.path_regex.match(BASE + path) for method in route.methods or ()}
    return known | {"HEAD"} if "GET" in known else known
