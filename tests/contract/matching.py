"""Sends the document's JSON blocks as they stand, and holds answers against those that it shows."""

import json
import re
from datetime import datetime
from typing import Any
from uuid import UUID

from tests.people import Person, data

MORE = "..."
_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\S+Z")
_AFTER_A_FIELD = re.compile(r'("\w+": [^\n]*,\n\s*)\.\.\.(?=\n)')
_AFTER_AN_ENTRY = re.compile(r"(?<=[\[\s])\.\.\.(?=[\]\n])")


def parsed(block: str) -> Any:
    """The block as JSON; what it leaves out is a field or an entry called `...`."""
    return json.loads(_AFTER_AN_ENTRY.sub('"..."', _AFTER_A_FIELD.sub(r'\1"...": "..."', block)))


def filled(block: str, **ids: str) -> str:
    """The block with real ids in the place of its `uuid`."""
    for field, record_id in ids.items():
        shown = f'"{field}": "uuid"'
        assert shown in block
        block = block.replace(shown, f'"{field}": "{record_id}"')
    assert '"uuid"' not in block
    return block


def send(person: Person, method: str, path: str, block: str, status: int = 200) -> Any:
    """What a request with this body is answered, byte by byte as it stands."""
    headers = {"Content-Type": "application/json"}
    return data(person.request(method, path, content=block.encode(), headers=headers), status)


def create(person: Person, path: str, block: str) -> Any:
    """The record made of this body, which answers everything that it was given."""
    made = send(person, "POST", path, block, 201)
    holds(made, parsed(block))
    return made


def holds(actual: Any, documented: Any, where: str = "") -> None:
    """Every documented field is there, with that value and that kind of number; more fields may stand beside it."""
    if isinstance(documented, dict):
        for key, value in documented.items():
            if key != MORE:
                assert key in actual, f"{where}.{key} is missing"
                holds(actual[key], value, f"{where}.{key}")
    elif isinstance(documented, list):
        named = [one for one in documented if one != MORE]
        assert len(actual) > len(named) if MORE in documented else len(actual) == len(named), where
        for index, one in enumerate(named):
            holds(actual[index], one, f"{where}.{index}")
    elif documented == "uuid":
        assert UUID(actual), where
    elif isinstance(documented, str) and _MOMENT.fullmatch(documented):
        assert datetime.fromisoformat(actual) == datetime.fromisoformat(documented), where
    else:
        assert (actual, type(actual)) == (documented, type(documented)), where


def resembles(actual: Any, documented: Any, where: str = "") -> None:
    """Every documented field is there and of that kind, whatever its value."""
    assert type(actual) is type(documented), f"{where}: {actual!r}"
    if isinstance(documented, dict):
        for key, value in documented.items():
            assert key in actual, f"{where}.{key} is missing"
            resembles(actual[key], value, f"{where}.{key}")
    elif isinstance(documented, list):
        assert actual, f"{where} is empty"
        for one in actual:
            resembles(one, documented[0], where)
    elif isinstance(documented, str) and _MOMENT.fullmatch(documented):
        assert _MOMENT.fullmatch(actual), where
