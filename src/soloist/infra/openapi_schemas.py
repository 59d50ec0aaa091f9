"""JSON schemas of our models: what a caller may send, what the API answers, what a query can ask.

One generator for all, because pydantic's own has titles nobody needs and defaults that stand for "not sent".
"""

from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaMode, JsonSchemaValue, models_json_schema
from pydantic_core import core_schema

from soloist.infra.fields import NOTHING_TO_CHANGE, Input
from soloist.infra.shape import Record

Schema = dict[str, Any]
Model = type[BaseModel]
PLACE = "#/components/schemas/"


class Schemas:
    """The schemas of a set of models: `definitions` for the components, and a reference to each."""

    def __init__(self, sent: Iterable[Model], answered: Iterable[Model]) -> None:
        wanted: list[tuple[Model, JsonSchemaMode]] = [
            *((model, "validation") for model in dict.fromkeys(sent)),
            *((model, "serialization") for model in dict.fromkeys(answered)),
        ]
        self._refs, top = models_json_schema(wanted, ref_template=PLACE + "{model}", schema_generator=_Shapes)
        found: Mapping[str, Schema] = top.get("$defs", {})
        self.definitions: dict[str, Schema] = {
            _plain(name): _untitled(_renamed(schema)) for name, schema in found.items()
        }

    def sent(self, model: Model) -> Schema:
        """A reference to the schema of a request body."""
        return {"$ref": _plain(self._refs[model, "validation"]["$ref"])}

    def answered(self, model: Model) -> Schema:
        """A reference to the schema of something answered."""
        return {"$ref": _plain(self._refs[model, "serialization"]["$ref"])}


def parameters_of(model: Model) -> list[Schema]:
    """The query parameters that `model` reads; a list may be given by repeating its name."""
    schema = model.model_json_schema(ref_template=PLACE + "{model}", schema_generator=_Parameters)
    found = []
    for name, kind in schema.get("properties", {}).items():
        parameter: Schema = {"name": name, "in": "query", "required": name in schema.get("required", ())}
        if description := kind.pop("description", None):
            parameter["description"] = description
        if kind.get("type") == "array":
            parameter |= {"style": "form", "explode": True}
        found.append({**parameter, "schema": kind})
    return found


def name_of(reference: Schema) -> str:
    """The component that a reference names."""
    return str(reference["$ref"]).removeprefix(PLACE)


def nullable(schema: Schema) -> Schema:
    """What `schema` allows, or null."""
    if isinstance(schema.get("type"), str):
        allowed = {**schema, "type": [schema["type"], "null"]}
        return {**allowed, "enum": [*schema["enum"], None]} if "enum" in schema else allowed
    return {"anyOf": [schema, {"type": "null"}]}


_LIMITS = {"ge": "minimum", "gt": "exclusiveMinimum", "le": "maximum", "lt": "exclusiveMaximum"}


class _Shapes(GenerateJsonSchema):
    """Limits and meanings only: no titles, no null defaults, plain numbers."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False

    def nullable_schema(self, schema: core_schema.NullableSchema) -> JsonSchemaValue:
        return nullable(self.generate_inner(schema["schema"]))

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        if schema.get("default", ...) is None:
            return self.generate_inner(schema["schema"])
        return super().default_schema(schema)

    def decimal_schema(self, schema: core_schema.DecimalSchema) -> JsonSchemaValue:
        given: Mapping[str, Any] = {**schema}
        return {"type": "number", **{name: float(given[key]) for key, name in _LIMITS.items() if key in given}}

    def model_schema(self, schema: core_schema.ModelSchema) -> JsonSchemaValue:
        made = super().model_schema(schema)
        model = schema["cls"]
        if self.mode == "serialization":
            made.pop("additionalProperties", None)  # fields are added in time: a client must pass over new ones
        if issubclass(model, Record):
            made["required"] = list(made.get("properties", {}))
        if issubclass(model, Input) and NOTHING_TO_CHANGE in model.cross_faults({}):
            made["minProperties"] = 1
        return made


class _Parameters(_Shapes):
    """A query parameter is there or not there, but never null."""

    def nullable_schema(self, schema: core_schema.NullableSchema) -> JsonSchemaValue:
        return self.generate_inner(schema["schema"])


def _untitled(schema: Schema) -> Schema:
    return {key: value for key, value in schema.items() if key != "title"}


def _plain(name: str) -> str:
    """A model that is both sent and answered has two schemas, which pydantic tells apart by a suffix."""
    return name.removesuffix("-Input").replace("-Output", "Shown")


def _renamed(schema: Any) -> Any:
    if isinstance(schema, dict):
        return dict(_renamed_entry(key, inner) for key, inner in schema.items())
    if isinstance(schema, list):
        return [_renamed(inner) for inner in schema]
    return schema


def _renamed_entry(key: str, inner: Any) -> tuple[str, Any]:
    if key == "$ref":
        return key, _plain(inner)
    if key in _LIMITS and not isinstance(inner, dict):  # how pydantic leaves a limit around a validator of ours
        return _LIMITS[key], float(inner)
    return key, _renamed(inner)
