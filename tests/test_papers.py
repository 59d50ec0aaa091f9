"""Every shell block of the README and the tutorial runs as written, and prints what stands below it."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.blocks import steps
from tests.databases import clone
from tests.serving import serving, settings_for

ROOT = Path(__file__).parent.parent
MARK = "----- next block -----"


@pytest.mark.parametrize("paper", ["README.md", "docs/tutorial.md"])
def test_paper_runs_as_written(paper: str, postgres: str, tmp_path: Path) -> None:
    """One shell runs all blocks in order, in an empty directory, against a server of its own."""
    written = list(steps(ROOT / paper))
    assert written
    script = "set -euo pipefail\n" + "".join(f"{step.shell}\necho; echo '{MARK}'\n" for step in written)
    with serving(settings_for(tmp_path / "data"), clone(postgres)) as served:
        done = subprocess.run(
            ["/bin/bash", "-c", script.replace("http://127.0.0.1:8600", served.url)],
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
            holds(json.loads(output), json.loads(step.output), step.shell)
    assert done.returncode == 0, done.stderr[-2000:]
    assert len(outputs) == len(written) + 1, done.stderr[-2000:]


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
