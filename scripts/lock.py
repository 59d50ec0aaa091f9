"""Writes the lock files anew from pyproject.toml and package.json (`make lock`).

Versions already locked stay, unless --upgrade asks for the newest that the ranges allow.
"""

import argparse
import subprocess
import sys
from pathlib import Path

from hatch_build import run_npm

ROOT = Path(__file__).resolve().parent.parent
# One resolution for all: the dev lock comes first, the others may only take versions from it.
LOCKS = (
    ("requirements-dev.lock", ["pyproject.toml", "--group", "dev"]),
    ("requirements.lock", ["pyproject.toml", "--constraint", "requirements-dev.lock"]),
    ("requirements-build.lock", ["--group", "build", "--constraint", "requirements-dev.lock"]),
    ("requirements-node.lock", ["--group", "node"]),
)
# Hashes for every platform and Python from 3.11 on; no index address, so that any mirror will do.
FORM = (
    *("--universal", "--python-version", "3.11", "--generate-hashes"),
    *("--no-emit-index-url", "--no-emit-find-links", "--no-header", "--no-annotate", "--quiet"),
)


def main() -> None:
    """Lock Python packages, then the npm ones; ends with the first failure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--upgrade", action="store_true", help="take the newest versions allowed")
    upgrade = parser.parse_args().upgrade
    uv = str(Path(sys.executable).parent / "uv")
    for lock, sources in LOCKS:
        print(f"Locking {lock} …", flush=True)
        extra = ["--upgrade"] if upgrade else []
        subprocess.run([uv, "pip", "compile", *sources, *FORM, *extra, "-o", lock], cwd=ROOT, check=True)
    print("Locking package-lock.json …", flush=True)
    run_npm(ROOT, "update" if upgrade else "install", "--package-lock-only", "--ignore-scripts")


if __name__ == "__main__":
    main()
