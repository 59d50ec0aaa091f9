"""Faults of a request in words: every one at once, with the field's name on the wire and a near match."""

import difflib
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import core_schema

from soloist.infra.errors import MOST_FAULTS, Fault, Problem, ValidationFailed

BUILT_IN = frozenset(get_args(core_schema.ErrorType))  # pydantic's own kinds of error
M = TypeVar("M", bound=BaseModel)
SHOWN = 100  # characters of a name or value that we repeat

# Pydantic's error types whose words are ours; the rest keep pydantic's message.
_WORDS = {
    "missing": "this field is required",
    "string_type": "must be a string",
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
    "int_parsing": "must be a whole number",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "list_type": "must be a list",
    "dict_type": "must be an object",
    "model_type": "must be an object",
    "model_attributes_type": "must be an object",
    "decimal_type": "must be a number",
    "decimal_parsing": "must be a number",
    "float_type": "must be a number",
    "float_parsing": "must be a number",
    "finite_number": "must be a finite number",
    "uuid_type": "must be a UUID",
    "uuid_parsing": "must be a UUID, such as 0190b5a4-7c1e-7b3a-9d55-2f6c1f0a8e21",
}


def check(model: type[M], value: object, where: str = "") -> M:
    """`value` as a `model`; raises ValidationFailed naming every fault."""
    try:
        return model.model_validate(value)
    except ValidationError as fault:
        raise ValidationFailed(faults_of(fault.errors(include_url=False, include_input=True), model, where)) from None


def refusal_of(faults: list[Fault], model: type[BaseModel] | None) -> Problem:
    """What refuses a body with these faults: the one field's own problem if all lie there, else ValidationFailed."""
    failed = ValidationFailed(faults)
    fields = {fault["field"].partition(".")[0] for fault in faults}
    own = getattr(model, "own_refusals", {}).get(*fields) if len(fields) == 1 else None
    return own(failed.message, details=faults) if own else failed


def faults_of(
    errors: Sequence[Mapping[str, Any]], model: type[BaseModel] | None = None, where: str = "", skip: int = 0
) -> list[Fault]:
    """Pydantic's errors as our faults; past MOST_FAULTS, how many more.

    `where` is put before each path, `skip` parts of it are left out.
    """
    found: list[Fault] = []
    for error in errors[:MOST_FAULTS]:
        path = [str(part)[:SHOWN] for part in error["loc"][skip:]]
        kind = str(error["type"])
        if kind == "extra_forbidden":
            kind, message = _unknown(path, model)
        else:
            message = _message(error, kind)
        field = ".".join([where, *path] if where else path)
        found.append(Fault(field=field, code=kind, message=message))
    if (more := len(errors) - MOST_FAULTS) > 0:
        found.append(Fault(field="", code="more_faults", message=f"{more} more faults are not shown"))
    return found


def _message(error: Mapping[str, Any], kind: str) -> str:
    if kind in _WORDS:
        return _WORDS[kind]
    context = error.get("ctx") or {}
    match kind:
        case "string_too_short":
            least = context["min_length"]
            return "must not be empty" if least == 1 else f"must have at least {least} characters"
        case "string_too_long":
            return f"must have at most {context['max_length']} characters"
        case "too_long":
            return f"must have at most {context['max_length']} entries"
        case "greater_than_equal":
            return f"must be at least {context['ge']}"
        case "less_than_equal":
            return f"must be at most {context['le']}"
        case "value_error":
            return str(error["msg"]).removeprefix("Value error, ")
    message = str(error["msg"])
    return message[:1].lower() + message[1:] if kind in BUILT_IN else message


def _unknown(path: Sequence[str], model: type[BaseModel] | None) -> tuple[str, str]:
    """The code and the words for a field that can't be given."""
    name = path[-1][:SHOWN]
    owner = _owner(model, path[:-1])
    if owner is not None:
        advice = getattr(owner, "advice", {}).get(name)
        if advice:
            return "changed_elsewhere", f"{name} {advice}"
        if name in getattr(owner, "read_only", ()):
            return "read_only", f"{name} is read-only; leave it out"
        known = [info.alias or field for field, info in owner.model_fields.items()]
        near = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
        if near:
            return "unknown_field", f"unknown field {name}; did you mean {near[0]}?"
    return "unknown_field", f"unknown field {name}"


def _owner(model: type[BaseModel] | None, path: Sequence[str]) -> type[BaseModel] | None:
    """The model that the object at `path` was held against."""
    for part in path:
        if model is None:
            return None
        inner = next((info for field, info in model.model_fields.items() if part in (field, info.alias)), None)
        if inner is None:
            continue  # an index in a list
        kinds = [inner.annotation, *getattr(inner.annotation, "__args__", ())]
        model = next((kind for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel)), None)
    return model
