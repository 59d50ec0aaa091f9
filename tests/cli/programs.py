"""`soloist` as a real process: run to its end, or kept running as a server until the block ends."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2

PROGRAM = [sys.executable, "-m", "soloist.cli"]
QUICK = {"SOLOIST_PASSWORD_MEMORY_KIB": "8", "SOLOIST_PASSWORD_PASSES": "1"}


def environment(**given: str) -> dict[str, str]:
    """What the program finds: nothing of ours but what is given, and password hashes at low cost."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "PYTHONPATH") if name in os.environ}
    return {**kept, **QUICK, **given}


def soloist(*arguments: str, stdin: str | None = None, **settings: str) -> "subprocess.CompletedProcess[str]":
    """Run a command to its end; there is no terminal."""
    return subprocess.run(
        [*PROGRAM, *arguments],
        env=environment(**settings),
        input=stdin if stdin is not None else "",
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )


def until(condition: Callable[[], bool], seconds: float = 60) -> None:
    """Ask again until it holds; fails when the time is over."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.02)


class Running:
    """A server process, and what it has said so far."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self.process = process
        self.lines: list[str] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout
        self.lines.extend(iter(self.process.stdout.readline, ""))

    def close(self) -> None:
        """Read what is left; the process has ended."""
        self._reader.join(5)
        if self.process.stdout:
            self.process.stdout.close()

    @property
    def url(self) -> str:
        """Where it serves, once it has said so."""
        until(lambda: self.said("ready") is not None or self.process.poll() is not None, 60)
        ready = self.said("ready")
        assert ready, "".join(self.lines)
        return str(ready["url"])

    def said(self, event: str) -> dict[str, Any] | None:
        """The first log line with this event."""
        for line in list(self.lines):
            with contextlib.suppress(ValueError):
                entry = json.loads(line)
                if entry.get("event") == event:
                    return dict(entry)
        return None

    def is_ready(self) -> bool:
        """Whether /ready answers 200."""
        with contextlib.suppress(httpx2.TransportError):
            return httpx2.get(f"{self.url}/ready", trust_env=False, timeout=10).status_code == 200
        return False

    def end(self, *signals: signal.Signals, seconds: float = 30) -> int:
        """Send the signals and wait for the end; answers the exit code."""
        for number in signals:
            self.process.send_signal(number)
        return self.process.wait(seconds)


@contextlib.contextmanager
def serving(data_dir: Path, *options: str, command: str = "serve", **settings: str) -> Iterator[Running]:
    """A server, or another lasting command, on a free port; killed at the end if it still runs."""
    place = ["--data-dir", str(data_dir), "--port", "0"] if command == "serve" else []
    process = subprocess.Popen(
        [*PROGRAM, command, *place, *options],
        env=environment(SOLOIST_DATA_DIR=str(data_dir), SOLOIST_REGISTRATION="open", **settings),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        text=True,
    )
    running = Running(process)
    try:
        yield running
    finally:
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
        process.wait()
        running.close()


def descendants(pid: int) -> set[int]:
    """Every process below `pid` (Linux)."""
    found: set[int] = set()
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            for child in map(int, task.read_text().split()):
                found |= {child} | descendants(child)
    return found


def lives(pid: int) -> bool:
    """Whether a process runs; a zombie does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def command_of(pid: int) -> str:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")
    return ""
