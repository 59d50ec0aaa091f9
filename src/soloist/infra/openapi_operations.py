"""What our routes are, read from the routes themselves: address, method, who may ask, what goes in and comes out.

Nothing here is said twice: body, query and path ids come from the handler's signature, the rest from
`@routing.answers`.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from inspect import getdoc
from typing import Any, get_args

from fastapi import FastAPI
from fastapi.routing import RouteContext, iter_route_contexts
from pydantic import BaseModel, BeforeValidator
from pydantic.alias_generators import to_camel

from soloist.infra.errors import (
    AccessDenied,
    IdempotencyKeyInUse,
    IdempotencyKeyReused,
    InternalError,
    MalformedJson,
    PayloadTooLarge,
    PreconditionFailed,
    Problem,
    RateLimited,
    ServiceUnavailable,
    TokenExpired,
    Unauthorized,
    UnsupportedMediaType,
    ValidationFailed,
)
from soloist.infra.http import BASE
from soloist.infra.routing import Answers

Guard = Callable[..., Any]


@dataclass(frozen=True, slots=True)
class Operation:
    """One method at one address under the base, its ids named as on the wire."""

    path: str
    method: str
    name: str
    words: str
    tag: str
    status: int
    answers: Answers
    ids: Mapping[str, type[Problem]]  # what is refused when there is no record with this id
    query: type[BaseModel] | None
    body: type[BaseModel] | None
    body_required: bool
    guard: Guard | None

    @property
    def summary(self) -> str:
        return self.words.partition("\n")[0]

    @property
    def description(self) -> str:
        return self.words.partition("\n")[2].strip()

    @property
    def changes(self) -> bool:
        """Whether it changes something, and so reads a body."""
        return self.method != "get"

    @property
    def takes_key(self) -> bool:
        """Whether an Idempotency-Key is honoured: keys belong to an account, so somebody must be known to ask."""
        return self.changes and self.guard is not None

    @property
    def takes_version(self) -> bool:
        """Whether If-Match is honoured: it changes one record that is there already."""
        if self.method == "post":
            return self.takes_key and self.status == 200 and bool(self.ids)
        return self.method in ("patch", "delete")

    def refusals(self) -> list[type[Problem]]:
        """Every refusal it can answer, by status."""
        found: list[type[Problem]] = [ValidationFailed, RateLimited, InternalError, ServiceUnavailable]
        if self.guard is not None:
            found += [Unauthorized, TokenExpired, AccessDenied]
        if self.changes:
            found += [MalformedJson, PayloadTooLarge, UnsupportedMediaType]
        if self.takes_key:
            found += [IdempotencyKeyInUse, IdempotencyKeyReused]
        if self.takes_version:
            found.append(PreconditionFailed)
        found += [*self.ids.values(), *self.answers.refusals]
        return sorted(dict.fromkeys(found), key=lambda problem: problem.status)


def operations(app: FastAPI) -> list[Operation]:
    """Every operation under the base that belongs in the description, in the order of the routes.

    Raises TypeError for a handler that does not say what it answers.
    """
    return [
        _operation(route, method.lower())
        for route in iter_route_contexts(app.routes)
        if (route.path or "").startswith(BASE) and getattr(route, "include_in_schema", False)
        for method in sorted(route.methods or ())
    ]


def _operation(route: RouteContext, method: str) -> Operation:
    handler = route.endpoint
    assert handler is not None
    answers: Answers | None = getattr(handler, "answers", None)
    if answers is None:
        raise TypeError(f"{handler.__module__}.{handler.__name__}: say what it answers, with @routing.answers(…)")
    calls = [inner.call for inner in route.dependant.dependencies]
    body = route.body_field
    return Operation(
        path=re.sub(r"\{(\w+)\}", lambda found: f"{{{to_camel(found[1])}}}", str(route.path).removeprefix(BASE)),
        method=method,
        name=to_camel(handler.__name__),
        words=getdoc(handler) or "",
        tag=str(route.tags[0]),
        status=route.status_code or 200,
        answers=answers,
        ids=dict(_ids(route)),
        query=next((call.query_model for call in calls if hasattr(call, "query_model")), None),
        body=_model(body.field_info.annotation) if body is not None else None,
        body_required=body is not None and body.field_info.is_required(),
        guard=next((call for call in calls if getattr(call, "guards", False)), None),
    )


def _model(annotation: Any) -> type[BaseModel]:
    """The model of a body; one that may be left out is annotated `Model | None`."""
    kinds = [kind for kind in (annotation, *get_args(annotation)) if isinstance(kind, type)]
    return next(kind for kind in kinds if issubclass(kind, BaseModel))


def _ids(route: RouteContext) -> Iterator[tuple[str, type[Problem]]]:
    for field in route.dependant.path_params:
        for mark in field.field_info.metadata:
            if isinstance(mark, BeforeValidator):
                yield to_camel(field.alias), mark.func.missing  # type: ignore[union-attr]


def links(created: Operation, others: list[Operation]) -> dict[str, dict[str, Any]]:
    """What can be done with the record that `created` makes: each operation whose ids its answer or address knows."""
    own = _id_of_created(created, others)
    found: dict[str, dict[str, Any]] = {}
    for other in others:
        if own in other.ids and other.ids.keys() - {own} <= created.ids.keys():
            places = {own: "$response.body#/data/id"}
            places |= {name: f"$request.path.{name}" for name in other.ids if name != own}
            found[other.name] = {"operationId": other.name, "parameters": places}
    return found


def _id_of_created(created: Operation, others: list[Operation]) -> str | None:
    if created.status != 201:
        return None
    for other in others:
        below = re.fullmatch(re.escape(created.path) + r"/\{(\w+)\}", other.path)
        same = other.method == "get" and other.answers.shape is created.answers.shape
        if below or (same and other.ids):
            return below[1] if below else list(other.ids)[-1]
    return None
