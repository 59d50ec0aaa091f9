"""Another process that holds a data directory, and what the launcher's tests ask of it and its server."""

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import soloist
from soloist.infra.postgres import find_binaries

ROOT = os.geteuid() == 0
SOURCE = Path(soloist.__file__).parents[1]

# Holds the server until its input closes; each line of input asks for ensure_running.
HOLDER = """
import sys
from pathlib import Path
from soloist.infra.postgres import EmbeddedPostgres
server = EmbeddedPostgres(Path(sys.argv[1]))
print(server.start(), server.pid, flush=True)
for _ in sys.stdin:
    print(server.ensure_running(), server.pid, flush=True)
server.stop()
"""

# The same where the system does not tell a child that its parent died.
HOLDER_ELSEWHERE = "import ctypes, subprocess, sys; sys.platform = 'darwin'" + HOLDER


def copied(made: Path, target: Path) -> Path:
    subprocess.run(["/bin/cp", "-a", made, target], check=True)
    return target


def query(dsn: str, sql: str) -> str:
    command = [str(find_binaries().tool("psql")), "-XAtq", "-v", "ON_ERROR_STOP=1", "-d", dsn, "-c", sql]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


@contextlib.contextmanager
def holding(data_dir: Path, script: str = HOLDER) -> Iterator[tuple["subprocess.Popen[str]", str, int]]:
    """Another process that holds the data directory; ended by closing its input, if it still lives."""
    command = [sys.executable, "-c", script, str(data_dir)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as holder:
        assert holder.stdout
        dsn, pid = holder.stdout.readline().split()
        yield holder, dsn, int(pid)


def ask_again(holder: "subprocess.Popen[str]") -> tuple[bool, int]:
    assert holder.stdin
    assert holder.stdout
    holder.stdin.write("\n")
    holder.stdin.flush()
    restarted, pid = holder.stdout.readline().split()
    return restarted == "True", int(pid)


def is_running(pid: int) -> bool:
    """Whether the process still does anything: a zombie does not."""
    answer = subprocess.run(["/bin/ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return answer.stdout.strip()[:1] not in ("", "Z")


def write_notes(dsn: str) -> None:
    query(dsn, "create table notes as select n from generate_series(1, 500) n")


def notes(dsn: str) -> str:
    return query(dsn, "select count(*) from notes")
