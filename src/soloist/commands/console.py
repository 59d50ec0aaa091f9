"""What every command shares: exit codes, how a failure is told, and output for people or as JSON."""

import json
import sys
from collections.abc import Mapping
from enum import IntEnum
from typing import Annotated, Any, NoReturn

import typer


class Code(IntEnum):
    """Exit codes, so that a script can tell the cases apart."""

    FAILED = 1
    USAGE = 2
    NOT_FOUND = 3
    NOT_ALLOWED = 4
    TEMPORARY = 75  # EX_TEMPFAIL: the same command may work later
    BROKEN_PIPE = 141  # as a program that SIGPIPE ended


class Failure(Exception):
    """A command can't do what was asked: what is wrong, a hint what to do, and the exit code."""

    def __init__(self, message: str, hint: str = "", code: Code = Code.FAILED) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.code = code


Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def show(data: Mapping[str, Any], text: str, *, as_json: bool) -> None:
    """Print a result: as JSON if asked, else as text."""
    say(json.dumps(data, indent=2, default=str) if as_json else text)


def say(text: str) -> None:
    """Print a line of the command's result."""
    print(text)  # noqa: T201  # this is what a command's output is


def note(text: str) -> None:
    """Tell a person something that is no part of the result."""
    print(text, file=sys.stderr)  # noqa: T201  # for the terminal


def end_with(failure: Failure) -> NoReturn:
    """Tell a failure on standard error, each of its lines with our name before it, and leave with its code."""
    for line in failure.message.splitlines():
        note(f"soloist: {line}")
    if failure.hint:
        note(f"hint: {failure.hint}")
    sys.exit(failure.code)
