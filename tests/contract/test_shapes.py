"""Every answer holds exactly the fields of the record that names them: no more, no less, of the right kinds."""

import json
import re
from collections.abc import Iterator
from decimal import Decimal
from types import GenericAlias
from typing import Any, get_args

import pytest
from fastapi.routing import APIRoute
from pydantic import BaseModel

from soloist.infra.routing import Page
from tests import make
from tests.people import Member, data, register
from tests.routes import call, name_of, own_records, path_of, private_routes, ready_records
from tests.serving import Served

MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
MOMENTS = re.compile(r"(At|dueDate|Until|lastCalculated|effectiveDate|timestamp)$")
PAGE_FIELDS = {"total": int, "page": int, "limit": int}


def fits(shape: Any, value: Any) -> None:
    """Hold a part of an answer against the shape that its handler names."""
    if isinstance(shape, Page):
        assert value.keys() == {shape.plural, *PAGE_FIELDS, "nextCursor"} | ({"facets"} if "facets" in value else set())
        assert all(isinstance(value[name], kind) for name, kind in PAGE_FIELDS.items())
        assert value["nextCursor"] is None or isinstance(value["nextCursor"], str)
        for line in value[shape.plural]:
            fits(shape.line, line)
        if "facets" in value:
            assert shape.facets is not None
            fits(shape.facets, value["facets"])
    elif isinstance(shape, GenericAlias):
        assert isinstance(value, list)
        for line in value:
            fits(get_args(shape)[0], line)
    else:
        assert issubclass(shape, BaseModel)
        read = shape.model_validate_json(json.dumps(value))
        assert set(value) == {field.alias or name for name, field in shape.model_fields.items()}
        for name, field in shape.model_fields.items():
            number = isinstance(getattr(read, name), Decimal | int | float)
            assert number == isinstance(value[field.alias or name], int | float), f"{name} is of another kind"
    check_moments(value)


def check_moments(value: Any) -> None:
    """Every moment on the wire is UTC with milliseconds and Z."""
    if isinstance(value, dict):
        for name, part in value.items():
            if isinstance(part, str) and MOMENTS.search(name):
                assert MOMENT.fullmatch(part), f"{name}: {part}"
            check_moments(part)
    elif isinstance(value, list):
        for part in value:
            check_moments(part)


def shape_of(route: APIRoute) -> Any:
    return route.endpoint.answers.shape  # type: ignore[attr-defined]


@pytest.fixture(scope="module")
def owner(server: Served) -> Member:
    return register(server.url, "shapes")


def calls(server: Served, owner: Member) -> Iterator[tuple[APIRoute, Any]]:
    shown = own_records(owner)
    for route in private_routes(server.app):
        if name_of(route) == "POST /auth/logout":
            continue
        ids = shown if route.methods == {"GET"} else ready_records(owner, route)
        answer = call(owner, route, ids)
        assert answer.status_code in (200, 201), f"{name_of(route)}: {answer.text}"
        yield route, answer.json()["data"]


def test_every_answer_fits_its_record(server: Served, owner: Member) -> None:
    for route, value in calls(server, owner):
        try:
            fits(shape_of(route), value)
        except (AssertionError, ValueError) as fault:
            raise AssertionError(f"{name_of(route)}: {fault}") from fault


def test_bare_records_fit_too(server: Served) -> None:
    """Nothing optional is there, and every list is empty."""
    person = register(server.url, "bare")
    client = make.client(person)
    bare = {
        "client_id": client["id"],
        "contact_id": make.contact(person, client["id"])["id"],
        "interaction_id": make.interaction(person, client["id"])["id"],
    }
    for route in private_routes(server.app):
        if route.methods == {"GET"} and set(route.param_convertors) <= bare.keys():
            fits(shape_of(route), data(person.get(path_of(route, bare))))


def test_facets_fit_their_shape(server: Served, owner: Member) -> None:
    for route in private_routes(server.app):
        if isinstance(shape_of(route), Page) and shape_of(route).facets is not None:
            value = data(owner.get(f"{path_of(route, {})}?facets=true"))
            assert value["facets"]
            fits(shape_of(route), value)
