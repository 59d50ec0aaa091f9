"""The embedded PostgreSQL after `kill -9`: of its holder, of the server, of both, and while it is made."""

import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from soloist.infra.postgres import EmbeddedPostgres, running_dsn
from soloist.infra.postgres_process import wait_until
from tests.infra.holding import (
    HOLDER,
    HOLDER_ELSEWHERE,
    ROOT,
    ask_again,
    copied,
    holding,
    is_running,
    notes,
    query,
    write_notes,
)

on_linux = pytest.mark.skipif(sys.platform != "linux", reason="needs Linux's /proc and parent-death signal")

# Plays the init that collects no dead children: a killed server then stays a zombie.
CARELESS_INIT = """
import ctypes, json, os, pathlib, signal, subprocess, sys, time
from soloist.infra.postgres import EmbeddedPostgres
ctypes.CDLL(None).prctl(36, 1)  # PR_SET_CHILD_SUBREAPER
holder = subprocess.Popen([sys.executable, "-c", sys.argv[2], sys.argv[1]], stdin=-1, stdout=-1, text=True)
pid = int(holder.stdout.readline().split()[1])
for victim in (holder.pid, pid):
    os.kill(victim, signal.SIGSTOP)
for victim in (pid, holder.pid):
    os.kill(victim, signal.SIGKILL)
holder.wait()
state = lambda: pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
end = time.monotonic() + 10
while state() != "Z" and time.monotonic() < end:
    time.sleep(0.01)
with EmbeddedPostgres(pathlib.Path(sys.argv[1])) as server:
    print(json.dumps([state(), server.alive()]))
"""


def test_committed_data_survives_kill_of_the_holder(data_dir: Path) -> None:
    with holding(data_dir) as (holder, dsn, pid):
        write_notes(dsn)
        holder.kill()
        holder.wait()
        with EmbeddedPostgres(data_dir) as server:
            assert notes(server.dsn) == "500"
            assert not is_running(pid)


def test_committed_data_survives_kill_of_the_server_which_its_holder_starts_again(data_dir: Path) -> None:
    with holding(data_dir) as (holder, dsn, pid):
        write_notes(dsn)
        assert ask_again(holder) == (False, pid)
        os.kill(pid, signal.SIGKILL)
        assert wait_until(lambda: not is_running(pid), 10)
        restarted, new_pid = ask_again(holder)
        assert restarted
        assert new_pid != pid
        assert running_dsn(data_dir) == dsn
        assert notes(dsn) == "500"


def test_committed_data_survives_kill_of_both_at_once(data_dir: Path) -> None:
    with holding(data_dir) as (holder, dsn, pid):
        write_notes(dsn)
        os.kill(pid, signal.SIGKILL)
        holder.kill()
        holder.wait()
        with EmbeddedPostgres(data_dir) as server:
            assert notes(server.dsn) == "500"


@on_linux
def test_the_server_ends_by_itself_when_its_holder_is_killed(data_dir: Path) -> None:
    with holding(data_dir) as (holder, _, pid):
        holder.kill()
        assert wait_until(lambda: not is_running(pid), 20)
    assert "database system is shut down" in (data_dir / "postgres" / "postgres.log").read_text()
    with EmbeddedPostgres(data_dir) as server:
        assert server.alive()


def test_the_server_does_not_end_with_the_thread_that_started_it(data_dir: Path) -> None:
    server = EmbeddedPostgres(data_dir)
    starter = threading.Thread(target=server.start)
    starter.start()
    starter.join()
    try:
        assert not wait_until(lambda: not server.alive(), 0.5)
        assert query(server.dsn, "select 1") == "1"
    finally:
        server.stop()


@on_linux
def test_a_server_left_behind_without_holder_is_ended_and_replaced(made_cluster: Path, open_dir: Path) -> None:
    data_dir = copied(made_cluster, open_dir / "data")
    for folder in (data_dir, data_dir / "postgres"):
        folder.chmod(0o755)
    with holding(data_dir, HOLDER_ELSEWHERE) as (holder, dsn, pid):
        write_notes(dsn)
        holder.kill()
        holder.wait()
        assert not wait_until(lambda: not is_running(pid), 0.3)
        with EmbeddedPostgres(data_dir) as server:
            assert not is_running(pid)
            assert server.pid != pid
            assert notes(server.dsn) == "500"


@on_linux
def test_a_killed_server_that_stays_a_zombie_does_not_stop_the_next_start(data_dir: Path) -> None:
    answer = subprocess.run(
        [sys.executable, "-c", CARELESS_INIT, data_dir, HOLDER],
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.returncode == 0, answer.stderr
    assert json.loads(answer.stdout) == ["Z", True]


def test_a_recycled_pid_is_not_our_server(data_dir: Path) -> None:
    cluster = data_dir / "postgres" / "data"
    owner = cluster.stat().st_uid  # of another account's process PostgreSQL itself knows better
    with subprocess.Popen(["/bin/sleep", "60"], user=owner if ROOT else None) as bystander:
        left_over = [str(bystander.pid), str(cluster), "1", "5432", ".", "", "1 1", "ready   "]
        (cluster / "postmaster.pid").write_text("\n".join(left_over) + "\n")
        (cluster / ".s.PGSQL.5432.lock").write_text("\n".join(left_over[:5]) + "\n")
        assert running_dsn(data_dir) is None
        with EmbeddedPostgres(data_dir) as server:
            assert server.pid != bystander.pid
        assert bystander.poll() is None
        bystander.kill()


def test_a_kill_while_the_cluster_is_made_leaves_nothing_half_made(tmp_path: Path) -> None:
    home = tmp_path / "postgres"
    command = [sys.executable, "-c", HOLDER, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as starter:
        assert wait_until((home / "data.new" / "PG_VERSION").exists, 30)
        starter.kill()
    assert not (home / "data").exists()
    with EmbeddedPostgres(tmp_path) as server:
        assert query(server.dsn, "select 1") == "1"
    assert not (home / "data.new").exists()
