"""Checks what no linter does: links, addresses and paths that only work here, files grown too long.

Reads every text file of the project, whether git knows it or not; prints each finding as path:line.
"""

import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote

ROOT = Path(__file__).resolve().parent.parent
CODE = {".css", ".html", ".js", ".py"}
TEXT = CODE | {".cfg", ".ini", ".json", ".lock", ".md", ".sh", ".sql", ".toml", ".yml"}
TEXT_NAMES = {"Makefile", "run", ".npmrc", ".gitignore"}
NOT_OURS = {"node_modules", "vendor", "build", "dist", "data", "soloist-data", "__pycache__"}
DOT_FOLDERS_READ = {".ci"}

MOST_LINES = 350
MAY_BE_LONG = {"migrations"}

LINK = re.compile(r"(?<!!)\[[^\]]*\]\(\s*<?([^)>\s]+)>?[^)]*\)|!\[[^\]]*\]\(\s*([^)\s]+)[^)]*\)")
HEADING = re.compile(r"^#{1,6}\s+(.+?)\s*#*$")
FENCE = re.compile(r"^\s*(```|~~~)")
# Written so that this line does not find itself.
REGISTRY = re.compile(r"py(pi)\.org|files\.python(hosted)|registry\.npm(js)|deb\.debian\.(org)", re.I)
MACHINE_PATH = re.compile(r"(?<![\w.$}/-])/(root|work)/")


class Finding(NamedTuple):
    """One thing to mend, and where."""

    file: Path
    line: int
    text: str


def main() -> None:
    """Print all findings; exit code 1 if there is one."""
    findings = [finding for file in project_files() for finding in check(file)]
    for finding in findings:
        print(f"{finding.file.relative_to(ROOT)}:{finding.line}: {finding.text}")
    sys.exit(1 if findings else 0)


def project_files() -> Iterator[Path]:
    """All text files that are ours: no caches, nothing fetched, nothing built."""
    for folder, folders, files in os.walk(ROOT):
        folders[:] = sorted(
            name
            for name in folders
            if (name in DOT_FOLDERS_READ or not name.startswith(".")) and not _is_foreign(Path(folder), name)
        )
        for name in sorted(files):
            if Path(name).suffix in TEXT or name in TEXT_NAMES:
                yield Path(folder, name)


def check(file: Path) -> Iterator[Finding]:
    """Every finding in one file."""
    lines = file.read_text(encoding="utf-8").splitlines()
    for number, line in enumerate(lines, start=1):
        if REGISTRY.search(line):
            yield Finding(file, number, "names a package registry's host; any mirror must do: leave it out")
        if MACHINE_PATH.search(line):
            yield Finding(file, number, "holds a path of one machine; write it relative to the project")
    short = file.suffix in CODE and file.relative_to(ROOT).parts[0] not in MAY_BE_LONG
    if short and len(lines) > MOST_LINES:
        yield Finding(file, len(lines), f"is longer than {MOST_LINES} lines: divide it by what it is about")
    if file.suffix == ".md":
        yield from _check_links(file, lines)


def _is_foreign(folder: Path, name: str) -> bool:
    # Data folders are foreign at the top, where a server leaves them; tests/data is ours.
    return name in NOT_OURS and (name not in {"data", "soloist-data"} or folder == ROOT)


def _check_links(file: Path, lines: list[str]) -> Iterator[Finding]:
    for number, line in _outside_fences(lines):
        for match in LINK.finditer(re.sub(r"`[^`]*`", "", line)):
            target = match[1] or match[2]
            if re.match(r"[a-z][a-z0-9+.-]*:", target, re.IGNORECASE):
                continue
            path, _, anchor = unquote(target).partition("#")
            start = ROOT if path.startswith("/") else file.parent
            aim = start / path.lstrip("/") if path else file
            if not aim.exists():
                yield Finding(file, number, f"links to {target}, which does not exist")
            elif anchor and aim.suffix == ".md" and anchor not in _anchors(aim):
                yield Finding(file, number, f"links to {target}, but no heading there has that anchor")


def _anchors(file: Path) -> set[str]:
    lines = file.read_text(encoding="utf-8").splitlines()
    headings = [match[1] for _, line in _outside_fences(lines) if (match := HEADING.match(line))]
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def _outside_fences(lines: list[str]) -> Iterator[tuple[int, str]]:
    fenced = False
    for number, line in enumerate(lines, start=1):
        if FENCE.match(line):
            fenced = not fenced
        elif not fenced:
            yield number, line


if __name__ == "__main__":
    main()
