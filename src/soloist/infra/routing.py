"""How our routes read a request: JSON by our rules, query parameters by a model, path ids that are records.

FastAPI keeps what it does well: validation of the body, dependencies, the OpenAPI document.
"""

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeVar, get_args, get_origin
from uuid import UUID

from fastapi import APIRouter
from fastapi.routing import APIRoute
from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match
from starlette.types import Scope

from soloist.infra import jsonbody
from soloist.infra.errors import (
    MOST_FAULTS,
    Fault,
    PayloadTooLarge,
    Problem,
    UnsupportedMediaType,
    ValidationFailed,
    one_fault,
)
from soloist.infra.http import BASE
from soloist.infra.validation import check

Q = TypeVar("Q", bound=BaseModel)
G = TypeVar("G", bound=Callable[..., Any])
Handler = Callable[[Request], Coroutine[Any, Any, Response]]
MOST_VALUES = 100  # of a list in the query string
_BODY_METHODS = {"POST", "PUT", "PATCH", "DELETE"}


class JsonRequest(Request):
    """A request whose body was read and judged before FastAPI asks for it."""

    async def load(self, has_body: bool, limit: int, *, optional: bool = False) -> None:
        """Read at most `limit` bytes and parse them; a body where none belongs must be empty or `{}`."""
        raw = await self._read(limit)
        self._body = raw
        if not raw and (optional or not has_body):
            return
        if raw:
            self._check_media_type()
        value = jsonbody.parse(raw) if raw else None
        if not isinstance(value, dict):
            shown = "nothing" if not raw else _json_kind(value)
            raise one_fault("", "not_an_object", f"the body must be a JSON object, such as {{}}; found {shown}")
        if not has_body and value:
            raise ValidationFailed(
                [
                    Fault(field=key[:100], code="unknown_field", message="this action takes no fields")
                    for key in list(value)[:MOST_FAULTS]
                ]
            )
        self._json = value

    def _check_media_type(self) -> None:
        kind = self.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind != "application/json":
            shown = f"not {kind[:80]!r}" if kind else "the header is missing"
            raise UnsupportedMediaType(f"Send the body as 'Content-Type: application/json'; {shown}.")
        coding = self.headers.get("content-encoding", "identity").lower()
        if coding != "identity":
            raise UnsupportedMediaType("Send the body uncompressed, without Content-Encoding.")

    async def _read(self, limit: int) -> bytes:
        declared = self.headers.get("content-length", "")
        if declared.isdigit() and int(declared) > limit:
            raise _too_large(limit)
        chunks: list[bytes] = []
        size = 0
        async for chunk in self.stream():
            size += len(chunk)
            if size > limit:
                raise _too_large(limit)
            chunks.append(chunk)
        return b"".join(chunks)


def _too_large(limit: int) -> Problem:
    return PayloadTooLarge(
        f"The body is larger than {limit:,} bytes, the most that is read.",
        details={"maxBytes": limit},
        headers={"Connection": "close"},
    )


def _json_kind(value: object) -> str:
    names = {list: "a list", str: "a string", bool: "a boolean", type(None): "null"}
    return names.get(type(value), "a number")


class Route(APIRoute):
    """A route whose request is a JsonRequest."""

    body_model: type[BaseModel] | None = None

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """As FastAPI's, after two cheap questions: every request goes past all routes until one is its own.

        Another method is no match at all here; that the path is known is found out for the refusal.
        """
        if scope.get("method") not in (self.methods or ()) or not scope["path"].startswith(self._start):
            return Match.NONE, {}
        return super().matches(scope)

    @cached_property
    def _start(self) -> str:
        return self.path.partition("{")[0]

    def get_route_handler(self) -> Handler:
        # Who may not ask is told so before the query is judged, and (below) before the body is read.
        self.dependant.dependencies.sort(key=lambda inner: not _is_guard(inner.call))
        handle = super().get_route_handler()
        has_body = self.body_field is not None
        optional = self.body_field is not None and not self.body_field.field_info.is_required()
        if self.body_field is not None:
            kind = self.body_field.field_info.annotation
            parts = [kind, *get_args(kind)]  # a body that may be left out is `Model | None`
            self.body_model = next((one for one in parts if isinstance(one, type) and issubclass(one, BaseModel)), None)
        calls = [inner.call for inner in self.dependant.dependencies if inner.call is not None]
        guards = [call for call in calls if _is_guard(call)]
        if not (self.methods or set()) & _BODY_METHODS:
            asks = any(hasattr(call, "query_model") for call in calls)
            return handle if asks else _without_parameters(handle, guards)

        async def handle_json(request: Request) -> Response:
            for guard in guards:
                await guard(request)
            loaded = JsonRequest(request.scope, request.receive)
            await loaded.load(has_body, request.app.state.settings.max_body_bytes, optional=optional)
            return await handle(loaded)

        return handle_json


def _without_parameters(handle: Handler, guards: list[Callable[..., Any]]) -> Handler:
    """The handler of a GET that reads no query string: whoever sends one believes that it does something."""

    async def handle_bare(request: Request) -> Response:
        if request.scope["query_string"]:
            for guard in guards:
                await guard(request)
            _refuse_parameters(request)
        return await handle(request)

    return handle_bare


def _refuse_parameters(request: Request) -> None:
    names = dict.fromkeys(_shown(key) for key in request.query_params)
    if names:
        message = "unknown parameter; this address takes none"
        raise ValidationFailed(
            [Fault(field=name, code="unknown_field", message=message) for name in list(names)[:MOST_FAULTS]]
        )


def router(tag: str) -> APIRouter:
    """A domain's router: our kind of route, its answers already in the envelope."""
    return APIRouter(prefix=BASE, route_class=Route, tags=[tag], redirect_slashes=False)


def query(model: type[Q]) -> Callable[[Request], Coroutine[Any, Any, Q]]:
    """A dependency that reads the query string as `model`: unknown names are refused, lists take all three forms.

    A list may be repeated (`status=A&status=B`), comma-separated, or written `status[]=`; a single value
    given twice is refused.
    """
    lists = {info.alias or name for name, info in model.model_fields.items() if _is_list(info.annotation)}

    async def read(request: Request) -> Q:  # async though it waits for nothing: FastAPI runs others in threads
        if not request.scope["query_string"]:
            return check(model, {})
        given: dict[str, Any] = {}
        twice: list[Fault] = []
        for key, value in request.query_params.multi_items():
            if "\x00" in key or "\x00" in value:
                raise one_fault(_shown(key), "nul_character", "a NUL character (%00) is not allowed; remove it")
            name = key.removesuffix("[]")
            if name in lists:
                given.setdefault(name, []).extend(part for part in value.split(",") if part != "" or value == "")
                if len(given[name]) > MOST_VALUES:
                    raise one_fault(name, "too_long", f"give at most {MOST_VALUES} values")
            elif key in given:
                twice.append(Fault(field=key[:100], code="given_twice", message="give this parameter once"))
            else:
                given[key] = value
        try:
            result = check(model, given)
        except ValidationFailed as fault:
            raise ValidationFailed([_without_index(one, lists) for one in fault.faults] + twice) from None
        if twice:
            raise ValidationFailed(twice)
        return result

    read.query_model = model  # type: ignore[attr-defined]
    return read


def _shown(key: str) -> str:
    return key.replace("\x00", "\\u0000")[:100]


def _without_index(fault: Fault, lists: set[str]) -> Fault:
    # A list's fault belongs to its parameter: the caller wrote no index.
    name = fault["field"].partition(".")[0]
    return Fault(field=name, code=fault["code"], message=fault["message"]) if name in lists else fault


def _is_list(annotation: Any) -> bool:
    if get_origin(annotation) is list:
        return True
    return any(_is_list(inner) for inner in get_args(annotation) if get_origin(inner) is not None)


@dataclass(frozen=True, slots=True)
class Page:
    """The shape of a paged list: `{<plural>: […], total, page, limit, nextCursor}`, with `facets` if it has any."""

    plural: str
    line: type[BaseModel]
    facets: type[BaseModel] | None = None


Shape = type[BaseModel] | Page | type[list[Any]]


@dataclass(frozen=True, slots=True)
class Answers:
    """What an operation answers: the shape of its `data`, and the refusals that its signature does not tell."""

    shape: Shape
    refusals: tuple[type[Problem], ...]


def answers(shape: Shape, *refusals: type[Problem]) -> Callable[[G], G]:
    """Say at a handler what it answers and which rules of its domain may refuse; the OpenAPI document tells callers.

    A record, a `Page` or a `list[record]`. What every operation of its kind refuses is known without saying.
    """

    def mark(handler: G) -> G:
        handler.answers = Answers(shape, refusals)  # type: ignore[attr-defined]
        return handler

    return mark


def guard(dependency: G) -> G:
    """Mark a dependency that decides whether the caller may ask at all: it runs before the body is read."""
    dependency.guards = True  # type: ignore[attr-defined]
    return dependency


def _is_guard(call: object) -> bool:
    return bool(getattr(call, "guards", False))


def record_id(missing: type[Problem]) -> Callable[[object], UUID]:
    """Reads a path parameter that names a record: what is no UUID answers like an unknown one.

    Used as `ClientId = Annotated[UUID, BeforeValidator(record_id(ClientNotFound))]`.
    """

    def parse(value: object) -> UUID:
        if isinstance(value, UUID):
            return value
        try:
            return UUID(str(value))
        except ValueError:
            raise missing() from None

    parse.missing = missing  # type: ignore[attr-defined]
    return parse
