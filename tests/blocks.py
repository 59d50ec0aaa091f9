"""Reads the shell and JSON blocks out of a Markdown file, in order, so that the papers can be run."""

import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_BLOCK = re.compile(r"^```(bash|json)\n(.*?)^```$", re.DOTALL | re.MULTILINE)

_ANY_BLOCK = re.compile(r"^( *)```([a-z]*)\n(.*?)^\1```$", re.DOTALL | re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Step:
    """A shell block, and the JSON that its output must hold (empty: no promise is made)."""

    shell: str
    output: str


def blocks(paper: Path) -> list[tuple[str, str]]:
    """Every fenced block with its language, in order; indented ones too."""
    found = _ANY_BLOCK.findall(paper.read_text(encoding="utf-8"))
    return [(kind, textwrap.dedent(text)) for _, kind, text in found]


def steps(paper: Path) -> Iterator[Step]:
    """Each bash block with the json block that follows it, if one does before the next bash block."""
    found = _BLOCK.findall(paper.read_text(encoding="utf-8"))
    for (kind, text), (after, next_text) in zip(found, [*found[1:], ("", "")], strict=True):
        if kind == "bash":
            yield Step(text, next_text if after == "json" else "")
