"""Makes and fills .venv; started by the Makefile with whatever Python the machine has.

Only the standard library, and no syntax newer than Python 3.7: an old interpreter must live long enough
to find a newer one or to say which is needed.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

OLDEST = (3, 11)
NEWER_NAMES = ("python3.14", "python3.13", "python3.12", "python3.11")
OLDEST_OUTER_PIP = (22, 3)  # the first with --python
UV = "uv>=0.13,<1"
ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
VENV_PYTHON = VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def main() -> None:
    """Carry out one step; each may be repeated, and a failed one leaves a clear last line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("step", choices=["runtime", "project", "dev", "locker"])
    step = parser.parse_args().step
    if sys.version_info < OLDEST:
        continue_with_newer_python()
    if step == "runtime":
        make_venv()
        install_locked("what the server needs", "requirements.lock", "requirements-build.lock")
    elif step == "dev":
        install_locked("what the tests and checks need", "requirements-dev.lock")
    elif step == "locker":
        install("uv, which writes the lock files", UV)
    else:
        if needs_node():
            install_locked("Node.js for the page assets", "requirements-node.lock")
        # Without isolation: what builds it stands in .venv already, by lock file.
        form = ["--no-deps", "--no-build-isolation", "--editable", str(ROOT)]
        install("soloist itself and the page assets", *form)


def continue_with_newer_python() -> None:
    """Start this script again with an interpreter that is new enough; without one, say so and end."""
    wanted = ".".join(map(str, OLDEST))
    for name in NEWER_NAMES:
        path = shutil.which(name)
        if path and subprocess.run([path, "-c", ""], stderr=subprocess.DEVNULL, check=False).returncode == 0:
            os.execv(path, [path, *sys.argv])  # noqa: S606  # no shell wanted: the same script, the same arguments
    have = ".".join(map(str, sys.version_info[:3]))
    sys.exit(
        f"Soloist needs Python {wanted} or newer, but {sys.executable} is {have}.\n"
        f"Install a newer one, or name it: make setup PYTHON=/path/to/python{wanted}"
    )


def make_venv() -> None:
    """Make .venv, unless one stands there whose Python still runs and is new enough."""
    check = f"import sys; sys.exit(sys.version_info < {OLDEST!r})"
    if VENV_PYTHON.exists() and subprocess.run([str(VENV_PYTHON), "-c", check], check=False).returncode == 0:
        return
    # --without-pip: Debian's ensurepip is a package of its own; see pip_command for where pip comes from.
    version = ".".join(map(str, sys.version_info[:3]))
    form = ["-m", "venv", "--clear", "--without-pip", str(VENV)]
    run(f"Making .venv with Python {version}", [sys.executable, *form])


def install_locked(what: str, *locks: str) -> None:
    """Install exactly what the lock files say; a file whose hash differs is refused."""
    arguments = ["--require-hashes"]
    for lock in locks:
        arguments += ["-r", str(ROOT / lock)]
    install(what, *arguments)


def install(what: str, *arguments: str) -> None:
    form = ["install", "--quiet", "--no-input", "--disable-pip-version-check"]
    run(f"Installing {what}", [*pip_command(), *form, *arguments])


def pip_command() -> list[str]:
    """The pip that fills .venv: its own; else this interpreter's, told to work there; else ensurepip's."""
    own = [str(VENV_PYTHON), "-m", "pip"]
    if pip_version(own):
        return own
    if pip_version([sys.executable, "-m", "pip"]) >= OLDEST_OUTER_PIP:
        return [sys.executable, "-m", "pip", "--python", str(VENV_PYTHON)]
    if importlib.util.find_spec("ensurepip"):
        run("Installing pip", [str(VENV_PYTHON), "-m", "ensurepip"])
        return own
    sys.exit(
        f"{sys.executable} has neither ensurepip nor pip {'.'.join(map(str, OLDEST_OUTER_PIP))} or newer.\n"
        "Install pip (on Debian: apt-get install python3-pip), then try again."
    )


def pip_version(pip: list[str]) -> tuple[int, ...]:
    """The version of a pip as numbers; empty when there is none."""
    ask = [*pip, "--version"]
    answer = subprocess.run(ask, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False).stdout
    found = re.match(rb"pip (\d+)\.(\d+)", answer)
    return tuple(map(int, found.groups())) if found else ()


def needs_node() -> bool:
    """Whether the build hook would have to fetch the assets and finds no usable Node.js on the machine."""
    question = (
        "import sys; from pathlib import Path; import hatch_build as build; "
        "sys.exit(build.is_current(Path.cwd()) or build.find_npm() is not None)"
    )
    return subprocess.run([str(VENV_PYTHON), "-c", question], cwd=ROOT, check=False).returncode == 0


def run(title: str, command: list[str]) -> None:
    """Run one command behind one line of output; its own output is shown only if it fails."""
    print(f"{title} …", end=" ", flush=True)
    started = time.monotonic()
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    if done.returncode == 0:
        print(f"{time.monotonic() - started:.1f} s", flush=True)
        return
    print("failed", flush=True)
    sys.stdout.buffer.write(done.stdout)
    sys.exit(f"This step failed with exit code {done.returncode}: {' '.join(command)}")


if __name__ == "__main__":
    main()
