"""The OpenAPI 3.1 document and its page: put together from the routes at the first request, then kept.

What only the domain can say (examples, meanings of tags, rules between fields) comes in as `Words`.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import orjson
from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import Response

from soloist.infra.apidocs import docs_page
from soloist.infra.http import BASE, JSON
from soloist.infra.openapi_operations import Guard, Operation, links, operations
from soloist.infra.openapi_responses import Responses, error_schemas, models_of, shared_headers
from soloist.infra.openapi_schemas import Schema, Schemas, parameters_of

URL = f"{BASE}/openapi.json"
DOCS_URL = f"{BASE}/docs"
KEPT = {"Cache-Control": "no-cache"}


@dataclass(frozen=True, slots=True)
class Example:
    """What may be sent to an operation, and the `data` it then answers; `more` has other requests by name."""

    answer: object = None
    request: Mapping[str, object] | None = None
    more: Mapping[str, Mapping[str, object]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Words:
    """What the routes can't say of themselves."""

    title: str
    summary: str
    description: str
    tags: Mapping[str, str]
    scopes: Mapping[Guard, str]
    examples: Mapping[str, Example]  # by operation id
    errors: Mapping[str, Mapping[str, object]] = field(default_factory=dict)  # code → message and details
    rules: Mapping[str, Schema] = field(default_factory=dict)  # schema → what is added to it


PARAMETERS: Mapping[str, Schema] = {
    "IdempotencyKey": {
        "name": "Idempotency-Key",
        "in": "header",
        "required": False,
        "description": "Makes a repeated request safe: within 24 hours the same key and request get the same answer, "
        "and nothing is done twice. A UUID serves well.",
        "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$"},
    },
    "IfMatch": {
        "name": "If-Match",
        "in": "header",
        "required": False,
        "description": 'The `ETag` of the record as you read it, such as `"3"`: if it has changed since, nothing is '
        "done and the answer is 412 `PRECONDITION_FAILED`. Without it the last change wins.",
        "schema": {"type": "string", "pattern": r'^(\*|"[0-9]{1,18}")$'},
    },
    "RequestId": {
        "name": "X-Request-Id",
        "in": "header",
        "required": False,
        "description": "Your own name for the request: 1 to 128 letters, digits, `.`, `_` or `-`. It comes back in the "
        "answer; without a valid one we make one.",
        "schema": {"type": "string"},
    },
}
SECURITY = {
    "accessToken": {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "JWT",
        "description": "The access token of somebody who has signed in, or of a platform that is trusted here.",
    },
    "apiKey": {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "slk_…",
        "description": "An API key, sent like a token. It may do what its scopes say: `read`, `write` (which includes "
        "reading) or `sync`.",
    },
}


def add(app: FastAPI, words: Words) -> None:
    """Serve the document and its page to anybody; `app.openapi()` gives it, too. It is built when first asked for."""
    description = _Description(app, words)

    async def openapi_json(request: Request) -> Response:
        headers = {**KEPT, "ETag": description.etag}
        if request.headers.get("if-none-match") == description.etag:
            return Response(None, 304, headers)
        return Response(description.raw, 200, headers, JSON)

    async def docs() -> Response:
        page = docs_page(URL, words.title)
        page.headers.update(KEPT)
        return page

    app.add_api_route(URL, openapi_json, methods=["GET"], include_in_schema=False)
    app.add_api_route(DOCS_URL, docs, methods=["GET"], include_in_schema=False)
    app.openapi = lambda: description.document  # type: ignore[method-assign]


class _Description:
    def __init__(self, app: FastAPI, words: Words) -> None:
        self._app = app
        self._words = words

    @cached_property
    def document(self) -> dict[str, Any]:
        return document(self._app, self._words)

    @cached_property
    def raw(self) -> bytes:
        return orjson.dumps(self.document)

    @cached_property
    def etag(self) -> str:
        return f'"{hashlib.sha256(self.raw).hexdigest()[:16]}"'


def document(app: FastAPI, words: Words) -> dict[str, Any]:
    """The OpenAPI 3.1 document of everything under the base.

    Raises TypeError for an operation that does not say what it answers.
    """
    known = operations(app)
    schemas = Schemas(
        sent=[operation.body for operation in known if operation.body is not None],
        answered=[model for operation in known for model in models_of(operation)],
    )
    responses = Responses(schemas, words.errors)
    paths: dict[str, dict[str, Schema]] = {}
    for operation in known:
        paths.setdefault(operation.path, {})[operation.method] = _described(operation, known, words, schemas, responses)
    for name, rule in words.rules.items():
        schemas.definitions[name] = _merged(schemas.definitions[name], rule)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": words.title,
            "version": app.version,
            "summary": words.summary,
            "description": words.description,
            "license": {"name": "Apache License 2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": BASE, "description": "This installation"}],
        "tags": [{"name": name, "description": text} for name, text in words.tags.items()],
        "security": [{name: []} for name in SECURITY],
        "paths": paths,
        "components": {
            "securitySchemes": SECURITY,
            "parameters": PARAMETERS,
            "headers": shared_headers(),
            "responses": responses.shared,
            "schemas": dict(sorted({**schemas.definitions, **error_schemas()}.items())),
        },
    }


def _described(
    operation: Operation, known: list[Operation], words: Words, schemas: Schemas, responses: Responses
) -> Schema:
    example = words.examples.get(operation.name, Example())
    scope = words.scopes[operation.guard] if operation.guard else None
    needs = f"Needs the scope `{scope}`." if scope else "Needs no token."
    told: Schema = {
        "tags": [operation.tag],
        "operationId": operation.name,
        "summary": operation.summary,
        "description": "\n\n".join(part for part in (operation.description, needs) if part),
        "security": [{"accessToken": []}, {"apiKey": [scope]}] if scope else [],
        "parameters": _parameters(operation),
        "responses": responses.of(operation, example.answer),
    }
    if operation.body is not None:
        content = {"schema": schemas.sent(operation.body), **_requests(example)}
        told["requestBody"] = {"required": operation.body_required, "content": {JSON: content}}
    if onward := links(operation, known):
        told["responses"][str(operation.status)]["links"] = onward
    return told


def _requests(example: Example) -> Schema:
    if example.more:
        named = {"plain": example.request, **example.more}
        return {"examples": {name: {"value": request} for name, request in named.items()}}
    return {} if example.request is None else {"example": example.request}


def _parameters(operation: Operation) -> list[Schema]:
    found: list[Schema] = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string", "format": "uuid"}}
        for name in operation.ids
    ]
    if operation.query is not None:
        found += parameters_of(operation.query)
    shared = ["RequestId"]
    if operation.takes_version:
        shared.insert(0, "IfMatch")
    if operation.takes_key:
        shared.insert(0, "IdempotencyKey")
    return found + [{"$ref": f"#/components/parameters/{name}"} for name in shared]


def _merged(schema: Schema, more: Schema) -> Schema:
    """`schema` with `more` put in, objects key by key."""
    found = dict(schema)
    for key, value in more.items():
        found[key] = _merged(found[key], value) if isinstance(value, dict) and key in found else value
    return found
