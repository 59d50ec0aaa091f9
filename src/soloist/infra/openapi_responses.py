"""The answers of an operation in the OpenAPI document: one in the envelope, and every refusal by status and code.

Refusals that belong together are one shared component: most operations refuse the same things.
"""

import re
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, cast, get_args

from pydantic import BaseModel

from soloist.infra.errors import REGISTRY, IdempotencyKeyInUse, Problem
from soloist.infra.openapi_operations import Operation
from soloist.infra.openapi_schemas import PLACE, Schema, Schemas, name_of
from soloist.infra.paging import MAX_LIMIT
from soloist.infra.routing import Page

REQUEST_ID = "6f1c0a9be2d84f0f9d0c6f3f2c5d7a41"

HEADERS: Mapping[str, Schema] = {
    "X-Request-Id": {
        "description": "Names this request in our logs and in errors; yours, if you sent a valid one",
        "required": True,
        "schema": {"type": "string", "pattern": r"^[A-Za-z0-9._\-]{1,128}$"},
        "example": REQUEST_ID,
    },
    "RateLimit": {
        "description": "What is left: `r` requests, and `t` seconds until the window has room again. "
        "Absent where the limit is off.",
        "schema": {"type": "string"},
        "example": '"read";r=99;t=60',
    },
    "RateLimit-Policy": {
        "description": "What is allowed: `q` requests in any `w` seconds. Absent where the limit is off.",
        "schema": {"type": "string"},
        "example": '"read";q=100;w=60',
    },
    "ETag": {
        "description": "The record's version in quotes, to be sent as `If-Match` with a change",
        "required": True,
        "schema": {"type": "string", "pattern": '^"[0-9]+"$'},
        "example": '"3"',
    },
    "Location": {
        "description": "The address of what was made",
        "required": True,
        "schema": {"type": "string", "format": "uri-reference"},
    },
    "Idempotency-Replayed": {
        "description": "The same request was answered before under its Idempotency-Key; this is that answer again",
        "schema": {"type": "string", "const": "true"},
    },
    "Retry-After": {
        "description": "Seconds to wait before the next try",
        "schema": {"type": "string", "pattern": "^[0-9]+$"},
        "example": "2",
    },
    "WWW-Authenticate": {
        "description": "How to say who you are (RFC 6750)",
        "required": True,
        "schema": {"type": "string"},
        "example": 'Bearer realm="soloist"',
    },
}


def error_schemas() -> dict[str, Schema]:
    """The error envelope, with the registry of codes."""
    lines = [f"- `{code}` ({problem.status}): {plain(problem.text)}" for code, problem in sorted(REGISTRY.items())]
    return {
        "ErrorCode": {
            "type": "string",
            "enum": sorted(REGISTRY),
            "description": "\n".join(["Every code that an error can have:", "", *lines]),
        },
        "Fault": {
            "type": "object",
            "description": "One thing wrong with a request.",
            "properties": {
                "field": {"type": "string", "description": "Where, as a dotted path; empty for the whole body"},
                "code": {"type": "string", "description": "What kind of fault"},
                "message": {"type": "string", "description": "What is wrong, and what is allowed"},
            },
            "required": ["field", "code", "message"],
        },
        "Error": {
            "type": "object",
            "description": "Why a request was refused.",
            "properties": {
                "success": {"const": False},
                "error": {
                    "type": "object",
                    "properties": {
                        "code": {"$ref": f"{PLACE}ErrorCode"},
                        "message": {"type": "string", "description": "For a person; its wording may change"},
                        "details": {
                            "description": "Every fault of a `VALIDATION_ERROR`; an object with facts for some others",
                            "anyOf": [{"type": "array", "items": {"$ref": f"{PLACE}Fault"}}, {"type": "object"}],
                        },
                        "requestId": {"type": "string", "description": "The same as in `X-Request-Id`"},
                    },
                    "required": ["code", "message", "requestId"],
                },
            },
            "required": ["success", "error"],
        },
    }


def models_of(operation: Operation) -> list[type[BaseModel]]:
    """The records that its answer is made of."""
    shape = operation.answers.shape
    if isinstance(shape, Page):
        return [shape.line, shape.facets] if shape.facets else [shape.line]
    lines = get_args(shape)  # of a list[record]
    return [lines[0]] if lines else [cast(type[BaseModel], shape)]


class Responses:
    """The responses of operations; fills in `shared`, the components they refer to."""

    def __init__(self, schemas: Schemas, errors: Mapping[str, Mapping[str, object]]) -> None:
        self._schemas = schemas
        self._errors = errors
        self.shared: dict[str, Schema] = {}

    def of(self, operation: Operation, example: object = None) -> Schema:
        """All responses of `operation` by status."""
        by_status: dict[int, list[type[Problem]]] = {}
        for problem in operation.refusals():
            by_status.setdefault(problem.status, []).append(problem)
        refused = {str(status): self._refused(status, problems) for status, problems in by_status.items()}
        return {str(operation.status): self._success(operation, example), **refused}

    def _success(self, operation: Operation, example: object) -> Schema:
        record = operation.answers.shape
        names = ["X-Request-Id", "RateLimit", "RateLimit-Policy"]
        if isinstance(record, type) and "version" in getattr(record, "model_fields", {}):
            names.append("ETag")
        if operation.status == 201:
            names.append("Location")
        if operation.takes_key:
            names.append("Idempotency-Replayed")
        content: Schema = {"schema": _enveloped(self._data(operation))}
        if example is not None:
            content["example"] = {"success": True, "data": example}
        return {
            "description": HTTPStatus(operation.status).phrase,
            "headers": _headers(names),
            "content": {"application/json": content},
        }

    def _data(self, operation: Operation) -> Schema:
        shape, answered = operation.answers.shape, self._schemas.answered
        if isinstance(shape, Page):
            return self._page(shape)
        record = models_of(operation)[0]
        return {"type": "array", "items": answered(record)} if get_args(shape) else answered(record)

    def _page(self, page: Page) -> Schema:
        line = self._schemas.answered(page.line)
        properties: Schema = {
            page.plural: {"type": "array", "items": line, "maxItems": MAX_LIMIT},
            "total": {"type": "integer", "minimum": 0, "description": "How many there are on all pages, exactly"},
            "page": {"type": "integer", "minimum": 1},
            "limit": {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT},
            "nextCursor": {
                "type": ["string", "null"],
                "description": "Send it as `cursor` for the next page; null on the last one",
            },
        }
        required = list(properties)
        if page.facets is not None:
            properties["facets"] = self._schemas.answered(page.facets)
        name = f"{name_of(line)}Page"
        self._schemas.definitions[name] = {"type": "object", "properties": properties, "required": required}
        return {"$ref": PLACE + name}

    def _refused(self, status: int, problems: Sequence[type[Problem]]) -> Schema:
        name = "Or".join(problem.__name__ for problem in problems)
        if name not in self.shared:
            codes = [problem.code for problem in problems]
            narrowed = {"properties": {"error": {"properties": {"code": {"enum": codes}}}}}
            self.shared[name] = {
                "description": "\n".join(f"- `{problem.code}`: {plain(problem.text)}" for problem in problems),
                "headers": _headers(_refusal_headers(status, problems)),
                "content": {
                    "application/json": {
                        "schema": {"allOf": [{"$ref": f"{PLACE}Error"}, narrowed]},
                        "examples": {problem.code: {"value": refusal(problem, self._errors)} for problem in problems},
                    }
                },
            }
        return {"$ref": f"#/components/responses/{name}"}


def refusal(problem: type[Problem], errors: Mapping[str, Mapping[str, object]]) -> dict[str, Any]:
    """The error envelope of this problem as it might go out; `errors` has the message and details of some codes."""
    given = errors.get(problem.code, {})
    error = {"code": problem.code, "message": problem.text, **given, "requestId": REQUEST_ID}
    return {"success": False, "error": error}


def plain(text: str) -> str:
    """`text` in Markdown as it stands."""
    return text.replace("<", "\\<")


def _enveloped(data: Schema) -> Schema:
    properties = {"success": {"const": True}, "data": data}
    return {"type": "object", "properties": properties, "required": ["success", "data"]}


def _refusal_headers(status: int, problems: Sequence[type[Problem]]) -> list[str]:
    names = ["X-Request-Id", "RateLimit", "RateLimit-Policy"]
    if status == HTTPStatus.UNAUTHORIZED:
        names.append("WWW-Authenticate")
    if status in (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE) or IdempotencyKeyInUse in problems:
        names.append("Retry-After")
    return names


def _headers(names: Sequence[str]) -> dict[str, Schema]:
    return {name: {"$ref": f"#/components/headers/{re.sub('[^A-Za-z]', '', name)}"} for name in names}


def shared_headers() -> dict[str, Schema]:
    """The components that responses name their headers by."""
    return {re.sub("[^A-Za-z]", "", name): dict(header) for name, header in HEADERS.items()}
