"""The OpenAPI document in the hands of a test: its operations, and what its schemas have against a value."""

from typing import Any, NamedTuple

from jsonschema import Draft202012Validator  # type: ignore[import-untyped]


class Told(NamedTuple):
    """An operation as the document has it."""

    method: str
    path: str
    operation: dict[str, Any]

    @property
    def name(self) -> str:
        return str(self.operation["operationId"])

    @property
    def requests(self) -> list[Any]:
        """The examples of what is sent to it; none for an operation without a body."""
        body = self.operation.get("requestBody")
        return examples_in(body["content"]["application/json"]) if body else []

    @property
    def success(self) -> str:
        """The status of the answer that is no refusal."""
        (status,) = [status for status in self.operation["responses"] if status.startswith("2")]
        return str(status)


def examples_in(content: dict[str, Any]) -> list[Any]:
    """The examples of one request or answer, whether there is one or several by name."""
    named = [example["value"] for example in content.get("examples", {}).values()]
    return named or ([content["example"]] if "example" in content else [])


def told_in(document: dict[str, Any]) -> list[Told]:
    """Every operation of the document."""
    return [
        Told(method, path, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]


def faults_of(document: dict[str, Any], schema: dict[str, Any], value: object) -> list[str]:
    """What the schema, which may refer to the document's components, has against the value."""
    validator = Draft202012Validator(
        {**schema, "components": document["components"]}, format_checker=Draft202012Validator.FORMAT_CHECKER
    )
    return [f"{fault.json_path}: {fault.message}" for fault in validator.iter_errors(value)]
