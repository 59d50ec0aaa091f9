"""What every request goes through: request id, safety headers, one log line, and the envelope on any failure.

Pure ASGI: no task and no copied body per request.
"""

import re
import time
import uuid
from collections.abc import Mapping
from urllib.parse import unquote

import orjson
import structlog
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from soloist.infra import jsonbody
from soloist.infra.db import UNAVAILABLE
from soloist.infra.errors import (
    InternalError,
    MethodNotAllowed,
    NotFound,
    Problem,
    ServiceUnavailable,
)
from soloist.infra.validation import faults_of, refusal_of

BASE = "/api/cockpit"
log = structlog.get_logger("soloist.http")

_ID = re.compile(rb"[A-Za-z0-9._\-]{1,128}")
_SAFETY: tuple[tuple[bytes, bytes], ...] = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-frame-options", b"DENY"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"strict-transport-security", b"max-age=31536000"),
    (b"permissions-policy", b"camera=(), microphone=(), geolocation=()"),
)
_API_ONLY: tuple[tuple[bytes, bytes], ...] = (
    (b"cache-control", b"no-store"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
)
JSON = "application/json"


def enveloped(raw: bytes | str, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """An answer whose `data` is `raw`, JSON already."""
    body = raw.encode() if isinstance(raw, str) else raw
    return Response(b'{"success":true,"data":' + body + b"}", status, dict(headers or {}), JSON)


def answer(data: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """An answer with plain values as its `data`."""
    return enveloped(orjson.dumps(data), status, headers)


def refused(problem: Problem, request_id: str) -> Response:
    """The error envelope of `problem`."""
    error: dict[str, object] = {"code": problem.code, "message": problem.message}
    if problem.details is not None:
        error["details"] = problem.details
    error["requestId"] = request_id
    envelope = {"success": False, "error": error}
    try:
        body = orjson.dumps(envelope)
    except orjson.JSONEncodeError:  # our words repeat something of the caller's, such as a number of 30 digits
        body = jsonbody.dumps(envelope).encode("utf-8", "replace")
    return Response(body, problem.status, problem.headers, JSON)


class Replay(Exception):
    """The answer was given before under the same Idempotency-Key and goes out again, byte for byte."""

    def __init__(self, response: Response) -> None:
        super().__init__("replayed")
        self.response = response


class Envelope:
    """Outermost of our layers: names the request, logs it, and turns whatever escapes into an answer."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started = time.perf_counter()
        request_id = _request_id(scope)
        state = scope.setdefault("state", {})
        state["request_id"] = request_id
        api = scope["path"].startswith(BASE)
        _keep_encoded_slashes(scope)
        head = scope["method"] == "HEAD"
        if head:
            # A copy: the server reads its own scope to know that no body is due.
            scope = {**scope, "method": "GET"}
        status = 0

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = message["headers"]
                headers.append((b"x-request-id", request_id.encode()))
                headers.extend(_SAFETY)
                if api:
                    present = {name for name, _ in headers}
                    headers.extend(pair for pair in _API_ONLY if pair[0] not in present)
                headers.extend(state.get("extra_headers", ()))
            elif head:
                message = {**message, "body": b""}
            await send(message)

        try:
            await self.app(scope, receive, sending)
        except Exception as fault:
            if status:
                raise
            problem = _as_problem(fault)
            if problem.status >= 500:
                log.error("request failed", request_id=request_id, exc_info=fault)
            await refused(problem, request_id)(scope, receive, sending)
        finally:
            _log_line(scope, state, "HEAD" if head else scope["method"], status, started)


def _request_id(scope: Scope) -> str:
    for name, value in scope["headers"]:
        if name == b"x-request-id" and _ID.fullmatch(value):
            return str(value, "ascii")
    return uuid.uuid4().hex


def _keep_encoded_slashes(scope: Scope) -> None:
    """`/clients/..%2f` is the client "../", not another path: each segment is decoded by itself."""
    raw = scope.get("raw_path")
    if raw and b"%2" in raw and b"%2f" in raw.lower():
        path = raw.partition(b"?")[0].decode("latin-1")
        scope["path"] = "/".join(unquote(part).replace("/", "%2F") for part in path.split("/"))


def _log_line(scope: Scope, state: Mapping[str, object], method: str, status: int, started: float) -> None:
    route = scope.get("route")
    actor = state.get("actor")
    log.info(
        "request",
        request_id=state["request_id"],
        method=method,
        route=getattr(route, "path", None) or "(none)",
        status=status,
        ms=round((time.perf_counter() - started) * 1000, 2),
        account=str(getattr(actor, "account_id", "")) or None,
    )


def _as_problem(fault: Exception) -> Problem:
    if isinstance(fault, Problem):
        return fault
    if isinstance(fault, UNAVAILABLE):
        return ServiceUnavailable("The database can't be reached at the moment. Nothing is lost: try again shortly.")
    return InternalError()


async def on_problem(request: Request, fault: Exception) -> Response:
    """A refusal raised by a handler, a rule or a dependency."""
    assert isinstance(fault, Problem)
    return refused(fault, request.state.request_id)


async def on_replay(request: Request, fault: Exception) -> Response:
    assert isinstance(fault, Replay)
    return fault.response


async def on_validation(request: Request, fault: Exception) -> Response:
    """FastAPI's own validation: body and path together, all faults at once."""
    assert isinstance(fault, RequestValidationError)
    model = getattr(request.scope.get("route"), "body_model", None)
    faults = faults_of(fault.errors(), model, skip=1)  # the path begins with "body"
    return refused(refusal_of(faults, model), request.state.request_id)


async def on_http_exception(request: Request, fault: Exception) -> Response:
    """The router's own 404 and 405."""
    assert isinstance(fault, HTTPException)
    allowed = allowed_methods(request)
    if fault.status_code in (404, 405) and allowed:
        problem: Problem = MethodNotAllowed(
            f"{request.method} is not known here; allowed: {', '.join(allowed)}.",
            details={"allowed": allowed},
            headers={"Allow": ", ".join(allowed)},
        )
    elif fault.status_code == 404:
        problem = NotFound(
            f"There is nothing at {request.method} {request.url.path[:200]}. The API starts at {BASE}; see {BASE}/docs."
        )
    else:
        problem = InternalError()
    return refused(problem, request.state.request_id)


def allowed_methods(request: Request) -> list[str]:
    """Every method that some route knows at this path."""
    found: set[str] = set()
    for route in request.app.routes:
        regex = getattr(route, "path_regex", None)
        if regex is not None and regex.match(request.scope["path"]):
            found |= getattr(route, "methods", None) or set()
    if "GET" in found:
        found.add("HEAD")
    return sorted(found)
