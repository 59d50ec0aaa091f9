"""Writes docs/reference: every error code, event, setting and the OpenAPI document, as the code has them.

`--check` writes nothing and fails when a file is not what the code says now.
"""

import sys
import tomllib
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from http import HTTPStatus
from ipaddress import IPv4Network
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin

import annotated_types as limits
import orjson
from fastapi import FastAPI
from pydantic import SecretStr
from pydantic.fields import FieldInfo

from soloist.api_words import ERRORS
from soloist.app import create_app
from soloist.events import log
from soloist.events.model import TYPES, Event
from soloist.infra.errors import REGISTRY
from soloist.infra.openapi_responses import plain, refusal
from soloist.infra.settings import PREFIX, Rate, Settings

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "docs" / "reference"
TEXTS = Path(__file__).with_name("error_texts.toml")
SAMPLE_TIME = datetime(2024, 1, 15, 10, 30, tzinfo=UTC)
MADE = "<!-- Written by `make docs` from the code: change it there. -->"


def main() -> None:
    """Write the files that have changed, or with `--check` name them and fail."""
    stale = {FOLDER / name: text for name, text in reference().items() if not _holds(FOLDER / name, text)}
    check = "--check" in sys.argv[1:]
    for path, text in stale.items():
        if check:
            print(f"{path.relative_to(ROOT)} is not what the code says: run `make docs`", file=sys.stderr)
        else:
            FOLDER.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
            print(path.relative_to(ROOT))
    sys.exit(1 if check and stale else 0)


def reference() -> dict[str, str]:
    """The text of every file by its name."""
    document = described().openapi()
    return {
        "errors.md": "\n".join(errors_page(error_texts(), document)) + "\n",
        "events.md": "\n".join(events_page()) + "\n",
        "settings.md": "\n".join(settings_page()) + "\n",
        "openapi.json": orjson.dumps(document, option=orjson.OPT_INDENT_2).decode() + "\n",
    }


def described() -> FastAPI:
    """The application, only to be asked what it offers: no database is behind it."""
    return create_app(Settings(secret=SecretStr("only to describe, nothing is signed")), "postgresql:///none")


def error_texts() -> dict[str, dict[str, str]]:
    """Code → when it happens, and the cure. Raises KeyError if the codes are not those of the registry."""
    texts: dict[str, dict[str, str]] = tomllib.loads(TEXTS.read_text(encoding="utf-8"))
    if odd := sorted(texts.keys() ^ REGISTRY.keys()):
        raise KeyError(f"{TEXTS.name} and the registry of problems differ in: {', '.join(odd)}")
    return texts


def errors_page(texts: Mapping[str, Mapping[str, str]], document: Mapping[str, Any]) -> Iterator[str]:
    """errors.md, line by line: a table of all codes, then a section each."""
    problems = sorted(REGISTRY.values(), key=lambda problem: (problem.status, problem.code))
    yield from (MADE, "", "# Error codes", "")
    yield (
        "Every refusal is answered in the envelope that the examples show. `code` is stable: decide by it, and show "
        "`message` to a person. `requestId` is what the log knows the request by."
    )
    yield from ("", "| status | code | in short |", "|---|---|---|")
    for problem in problems:
        short = plain(_first_sentence(problem.text))
        yield f"| {problem.status} | [`{problem.code}`](#{problem.code.lower()}) | {short} |"
    answering = _answering(document)
    for problem in problems:
        text = texts[problem.code]
        yield from ("", f"## {problem.code}", "")
        yield f"**Status {problem.status} {HTTPStatus(problem.status).phrase}.** {plain(problem.text)}"
        yield from ("", f"**When.** {text['when']}", "", f"**What to do.** {text['cure']}", "")
        yield from (f"**Answered by.** {answering.get(problem.code, 'no operation of this version')}.", "", "```json")
        yield orjson.dumps(refusal(problem, ERRORS), option=orjson.OPT_INDENT_2).decode()
        yield "```"


def _first_sentence(text: str) -> str:
    return text.partition(". ")[0].removesuffix(".")


FEW = 8


def _answering(document: Mapping[str, Any]) -> dict[str, str]:
    """Code → the operations that can answer it, in words."""
    operations: dict[str, list[str]] = {}
    shared = document["components"]["responses"]
    all_of_them = [operation for methods in document["paths"].values() for operation in methods.values()]
    for operation in all_of_them:
        for response in operation["responses"].values():
            if "$ref" in response:
                name = response["$ref"].rpartition("/")[2]
                for code in shared[name]["content"]["application/json"]["examples"]:
                    operations.setdefault(code, []).append(operation["operationId"])
    outside = {
        "NOT_FOUND": "any address that is not in the API description",
        "METHOD_NOT_ALLOWED": "any address of the API description, for a method that it does not name",
    }
    return outside | {
        code: ", ".join(f"`{name}`" for name in sorted(names))
        if len(names) <= FEW
        else f"{len(names)} of {len(all_of_them)} operations"
        for code, names in operations.items()
    }


EVENTS = """\
An event says that something happened in an account: a fact, written in the same transaction as the change itself. It
goes to every webhook that asks for its type, and `GET /events` lists the last 30 days of them, oldest first.

The body is `type`, `timestamp` (when it happened) and `data`, as below; a list adds `id`, which a webhook sends as its
header `webhook-id`. What can be relied on:

- An event exists if and only if its change was committed, and it never changes: each attempt to deliver it sends the
  same bytes under the same id.
- A webhook gets it at least once: after a crash on either side it may come again. Keep the ids you have handled, and
  pass over one you know.
- Webhooks promise no order. Of two events of one record the one with the higher `data.version` is later. `GET /events`
  keeps its order: go on with `after=<the last id>` and none is missed and none comes twice.
- `data` holds ids, names and what changed; never notes, phone numbers or addresses. Read the record for the rest.
- New types and new fields may be added: pass over what you do not know."""


def events_page() -> Iterator[str]:
    """events.md, line by line: a table of all types, then a section each with its fields and a sample body."""
    yield from (MADE, "", "# Events", "", EVENTS, "", "| type | when |", "|---|---|")
    for name, event in TYPES.items():
        yield f"| [`{name}`](#{_anchor(name)}) | {_when(event)} |"
    for name, event in TYPES.items():
        yield from ("", f"## {name}", "", _when(event), "", "| field of `data` | type | meaning |", "|---|---|---|")
        for field, shape in event.model_json_schema(by_alias=True)["properties"].items():
            yield f"| `{field}` | {_json_type(shape)} | {shape['description']} |"
        sample = orjson.loads(log.body(event.sample(), SAMPLE_TIME))
        yield from ("", "```json", orjson.dumps(sample, option=orjson.OPT_INDENT_2).decode(), "```")


def _anchor(heading: str) -> str:
    return heading.replace(".", "")


def _when(event: type[Event]) -> str:
    return plain(" ".join(str(event.__doc__).split()))


def _json_type(shape: Mapping[str, Any]) -> str:
    if "anyOf" in shape:
        words = [_json_type(part) for part in shape["anyOf"]]
        return "number" if words == ["integer", "number"] else " or ".join(words)
    match shape:
        case {"type": "array", "items": items}:
            return f"list of {_json_type(items)}s"
        case {"type": "string", "format": "uuid"}:
            return "UUID"
        case {"type": str(kind)}:
            return kind
    raise TypeError(f"the type of {shape} can't be said yet: teach it to _json_type")


def settings_page() -> Iterator[str]:
    """settings.md, line by line."""
    yield from (MADE, "", "# Settings", "")
    yield (
        f"Every setting can stand in the environment, or in a TOML file that `{PREFIX}CONFIG` names. The environment "
        "wins over the file, and an option of the command line over both. A name or value that is not understood "
        "stops the start and says what is allowed."
    )
    yield from ("", "```toml", "# soloist.toml", "port = 8600", 'rate_limit_read = "200/minute"', "```", "")
    yield from ("| environment | in the file | default | allowed | what it is |", "|---|---|---|---|---|")
    for name, info in Settings.model_fields.items():
        told = str(info.description).replace("|", "\\|")
        yield f"| `{PREFIX}{name.upper()}` | `{name}` | {_default(info)} | {_allowed(name, info)} | {told} |"
    yield from ("", f"`{PREFIX}CONFIG` itself, and `DATABASE_URL`, are read from the environment only.")


def _default(info: FieldInfo) -> str:
    default = info.default
    if default is None and Rate in get_args(info.annotation):
        return "`off`"
    return "" if default in (None, ()) else f"`{default}`"


def _allowed(name: str, info: FieldInfo) -> str:
    kinds = set(_parts(info.annotation))
    if get_origin(info.annotation) is Literal:
        return ", ".join(f"`{value}`" for value in get_args(info.annotation))
    if Rate in kinds:
        return "a number per second, minute, hour or day, such as `100/minute`, or `off`"
    if IPv4Network in kinds:
        return "networks in CIDR notation, with commas between"
    if Path in kinds:
        return "a path"
    if int in kinds or float in kinds:
        return f"{'a whole number' if int in kinds else 'a number'} {_range(info)}".strip()
    if str in kinds or SecretStr in kinds:
        least = next((mark.min_length for mark in info.metadata if isinstance(mark, limits.MinLen)), None)
        return f"text of at least {least} characters" if least else "text"
    raise TypeError(f"what is allowed for {name} ({info.annotation}) can't be said yet: teach it to _allowed")


def _parts(annotation: Any) -> Iterator[Any]:
    """The types that an annotation is made of, without their validators."""
    yield annotation
    inner = get_args(annotation)
    for part in inner[:1] if get_origin(annotation) is Annotated else inner:
        yield from _parts(part)


def _range(info: FieldInfo) -> str:
    marks = {type(mark): mark for mark in info.metadata}
    words = []
    if limits.Ge in marks:
        words.append(f"from {marks[limits.Ge].ge}")
    if limits.Gt in marks:
        words.append(f"above {marks[limits.Gt].gt}")
    if limits.Le in marks:
        words.append(f"to {marks[limits.Le].le}" if limits.Ge in marks else f"and at most {marks[limits.Le].le}")
    return " ".join(words)


def _holds(path: Path, text: str) -> bool:
    return path.is_file() and path.read_text(encoding="utf-8") == text


if __name__ == "__main__":
    main()
