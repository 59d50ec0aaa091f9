"""One holder a data directory: who is refused, who finds the running server, and who starts one for a while."""

import contextlib
import signal
import subprocess
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from soloist.infra.postgres import AlreadyRunning, EmbeddedPostgres, connect_or_start, find_binaries, running_dsn
from soloist.infra.postgres_process import read_status, wait_until
from tests.infra.holding import ROOT, copied, holding, is_running, notes, query, write_notes


def test_second_holder_is_refused_and_told_who_holds_it(data_dir: Path) -> None:
    with holding(data_dir) as (holder, dsn, _):
        with pytest.raises(AlreadyRunning) as refusal:
            EmbeddedPostgres(data_dir).start()
        assert refusal.value.pid == holder.pid
        assert f"process {holder.pid}" in str(refusal.value)
        assert str(data_dir) in str(refusal.value)
        assert "--data-dir" in str(refusal.value)
        assert query(dsn, "select 1") == "1"


def test_a_running_server_is_found_and_used_beside_its_holder(data_dir: Path) -> None:
    assert running_dsn(data_dir) is None
    with holding(data_dir) as (_, dsn, pid):
        assert running_dsn(data_dir) == dsn
        with connect_or_start(data_dir) as found:
            assert found == dsn
        assert is_running(pid)
        assert query(dsn, "select 1") == "1"
    assert running_dsn(data_dir) is None


def test_without_a_server_one_runs_for_the_block(data_dir: Path) -> None:
    with connect_or_start(data_dir) as dsn:
        write_notes(dsn)
    assert running_dsn(data_dir) is None
    with contextlib.suppress(ZeroDivisionError), connect_or_start(data_dir) as dsn:
        _ = int(notes(dsn)) / 0
    assert running_dsn(data_dir) is None


def test_a_server_for_the_block_stays_for_those_who_came_later(data_dir: Path) -> None:
    came, leave, found = threading.Event(), threading.Event(), list[str]()

    def second() -> None:
        with connect_or_start(data_dir) as dsn:
            came.set()
            leave.wait(30)
            found.append(query(dsn, "select 'still here'"))

    later = threading.Thread(target=second)
    with connect_or_start(data_dir):
        later.start()
        assert came.wait(30)
        threading.Timer(0.3, leave.set).start()
    later.join()
    assert found == ["still here"]
    assert running_dsn(data_dir) is None


def test_those_who_come_during_the_first_start_find_the_database_made(tmp_path: Path) -> None:
    def ask(_: int) -> str:
        with connect_or_start(tmp_path) as dsn:
            return query(dsn, "select current_database()")

    with ThreadPoolExecutor(4) as crowd:
        assert list(crowd.map(ask, range(4))) == ["soloist"] * 4


def test_a_server_started_by_hand_is_left_alone_and_named(made_cluster: Path, open_dir: Path) -> None:
    cluster = copied(made_cluster, open_dir / "data") / "postgres" / "data"
    (open_dir / "data").chmod(0o755)
    owner = cluster.stat()
    by_hand = subprocess.Popen(
        [find_binaries().tool("postgres"), "-D", cluster],
        stderr=subprocess.DEVNULL,
        user=owner.st_uid if ROOT else None,
        group=owner.st_gid if ROOT else None,
        extra_groups=() if ROOT else None,
    )
    try:
        assert wait_until(lambda: (status := read_status(cluster)) is not None and status.is_ready, 30)
        with pytest.raises(AlreadyRunning, match=f"process {by_hand.pid}.*pg_ctl stop"):
            EmbeddedPostgres(open_dir / "data").start()
        assert by_hand.poll() is None
        assert (cluster / "postmaster.pid").exists()
    finally:
        by_hand.send_signal(signal.SIGINT)
        by_hand.wait()
