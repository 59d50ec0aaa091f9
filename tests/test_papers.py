"""Every shell block of the papers runs as written and prints what stands below it; every other block is right."""

import ast
import json
import re
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from soloist.infra.errors import REGISTRY
from soloist.infra.settings import load
from tests.blocks import blocks, steps
from tests.databases import clone
from tests.serving import serving, settings_for, working

ROOT = Path(__file__).parent.parent
MARK = "----- next block -----"


RUN = ["README.md", "docs/tutorial.md"]
PAPERS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])


@pytest.mark.parametrize("paper", RUN)
def test_paper_runs_as_written(paper: str, postgres: str, tmp_path: Path) -> None:
    """One shell runs all blocks in order, in an empty directory, against a server of its own."""
    written = list(steps(ROOT / paper))
    assert written
    script = "set -euo pipefail\n" + "".join(f"{step.shell}\necho; echo '{MARK}'\n" for step in written)
    settings = settings_for(tmp_path / "data", outbound_allow="127.0.0.0/8")
    ports = {port: str(free_port()) for port in ("8601", "8700")}
    with serving(settings, clone(postgres)) as served, working(settings, served):
        script = with_ports(script.replace("http://127.0.0.1:8600", served.url), ports)
        done = subprocess.run(
            ["/bin/bash", "-c", script],
            cwd=tmp_path,
            env={"PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin", "HOME": str(tmp_path), "LC_ALL": "C.UTF-8"},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
    outputs = done.stdout.split(MARK)
    for step, output in zip(written, outputs, strict=False):
        if step.output:
            holds(json.loads(output), json.loads(with_ports(step.output, ports)), step.shell)
    assert done.returncode == 0, done.stderr[-2000:]
    assert len(outputs) == len(written) + 1, done.stderr[-2000:]


def with_ports(text: str, ports: Mapping[str, str]) -> str:
    """The text with each port of the paper's programs replaced by a free one."""
    for port, own in ports.items():
        text = text.replace(port, own)
    return text


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as spare:
        spare.bind(("127.0.0.1", 0))
        port: int = spare.getsockname()[1]
    return port


def holds(actual: Any, promised: Any, where: str) -> None:
    """Everything promised is there, word for word; the paper may leave fields out. "…" stands for any value."""
    if promised == "…":
        assert actual, where
    elif isinstance(promised, dict):
        assert isinstance(actual, dict), where
        for key, value in promised.items():
            assert key in actual, f"{key} is missing after\n{where}\nin {actual}"
            holds(actual[key], value, where)
    elif isinstance(promised, list):
        assert len(actual) == len(promised), f"{actual} after\n{where}"
        for one, other in zip(actual, promised, strict=True):
            holds(one, other, where)
    else:
        assert actual == promised, f"{actual!r} instead of {promised!r} after\n{where}"


@pytest.mark.parametrize("paper", PAPERS, ids=lambda paper: str(paper.relative_to(ROOT)))
def test_no_block_of_a_paper_is_left_unproved(paper: Path, tmp_path: Path) -> None:
    """Shell and JSON stand only where they are run, or are generated; other languages are at least read."""
    for kind, text in blocks(paper):
        if kind in ("bash", "sh", "console"):
            assert str(paper.relative_to(ROOT)) in RUN, f"this is never run:\n{text}"
        elif kind == "json":
            json.loads(text)
        elif kind == "toml":
            (tmp_path / "soloist.toml").write_text(text, encoding="utf-8")
            load({"SOLOIST_CONFIG": str(tmp_path / "soloist.toml")})
        elif kind == "python":
            ast.parse(text)
        else:
            assert kind in ("", "text", "javascript", "js", "ini", "mermaid"), f"what is a block of {kind!r}?"


def test_every_refusal_in_the_papers_is_one_of_ours() -> None:
    """The examples of errors.md: under the heading of their code, with its status and the envelope's fields."""
    page = (ROOT / "docs/reference/errors.md").read_text(encoding="utf-8")
    sections = re.split(r"^## ", page, flags=re.MULTILINE)[1:]
    shown = [section for section in sections if "```json" in section]
    assert {section.split("\n", 1)[0] for section in shown} == REGISTRY.keys()
    for section in shown:
        code = section.split("\n", 1)[0]
        example = json.loads(section.split("```json\n")[1].split("```")[0])
        assert example["success"] is False
        assert example["error"]["code"] == code
        assert example["error"].keys() <= {"code", "message", "details", "requestId"}
        assert f"**Status {REGISTRY[code].status} " in section
