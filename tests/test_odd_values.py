"""No field of any body and no parameter of any list turns an odd value into a crash: generated from the route table."""

from typing import Any
from uuid import uuid4

import pytest
from pydantic import BaseModel

from tests.people import Member, register
from tests.routes import body_of, call, changing_routes, name_of, own_records, path_of, private_routes, ready_records
from tests.serving import Served
from tests.wire import sound

ODD: list[Any] = [
    None, 10**30, 1e307, "", "\u202e🎉" * 60, "'\"\\%_{text}$1", "0002-01-01T00:00:00+23:59", "9997-12-31",
    str(uuid4()), ["x"] * 60, {"a": 1},
]  # fmt: skip
ODD_TEXTS = [str(value) for value in ODD if not isinstance(value, list | dict)]
# A record that was closed, completed or archived by an odd value would refuse the rest.
FRESH = ("OPPORTUNITY_CLOSED", "REMINDER_ALREADY_COMPLETED", "CLIENT_ARCHIVED", "_NOT_FOUND")


pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def owner(server: Served) -> Member:
    return register(server.url, "odd")


def test_odd_value_in_a_field_is_taken_or_refused(server: Served, owner: Member) -> None:
    tried = 0
    for route in changing_routes(server.app):
        model: type[BaseModel] | None = getattr(route, "body_model", None)
        if model is None or name_of(route) == "POST /auth/logout":
            continue
        ids = ready_records(owner, route)
        for name, field in model.model_fields.items():
            for value in ODD:
                body = {**(body_of(route, ids) or {}), field.alias or name: value}
                answer = call(owner, route, ids, json=body)
                assert answer.status_code < 500, f"{name_of(route)} {name}={value!r}"
                sound(answer)
                if any(code in answer.text for code in FRESH):
                    ids = ready_records(owner, route)
                tried += 1
    assert tried > 500


def test_odd_value_of_a_parameter_is_taken_or_refused(server: Served, owner: Member) -> None:
    tried = 0
    ids = own_records(owner)
    for route in private_routes(server.app):
        queries = [getattr(inner.call, "query_model", None) for inner in route.dependant.dependencies]
        for model in queries:
            for name, field in model.model_fields.items() if model else ():
                for text in ODD_TEXTS:
                    answer = owner.get(path_of(route, ids), params={field.alias or name: text})
                    assert answer.status_code < 500, f"{name_of(route)} {name}={text!r}"
                    sound(answer)
                    tried += 1
    assert tried > 300
