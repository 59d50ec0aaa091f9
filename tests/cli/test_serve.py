"""`soloist serve` under real conditions: started, used, killed, stopped, and started again."""

import json
import os
import re
import signal
import socket
import sys
import time
from pathlib import Path

import httpx2
import pytest

from soloist.infra.http import BASE
from tests.cli.programs import Running, command_of, descendants, lives, serving, soloist, until
from tests.infra.holding import copied

PASSWORD = "correct horse battery staple"
NEW_CLIENT = {"clientType": "COMPANY", "source": "MANUAL", "companyName": "Survivor Ltd"}
on_linux = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory after its first start and an orderly stop."""
    data_dir = tmp_path_factory.mktemp("served")
    with serving(data_dir) as running:
        until(running.is_ready)
        assert running.said("migrated")
        assert running.end(signal.SIGTERM) == 0
    return data_dir


@pytest.fixture
def data_dir(made: Path, tmp_path: Path) -> Path:
    """A copy of it, for one test."""
    return copied(made, tmp_path / "data")


def register(url: str) -> dict[str, str]:
    """The headers of somebody who just registered."""
    account = {"email": "ada@example.com", "password": PASSWORD}
    answer = httpx2.post(f"{url}{BASE}/auth/register", json=account, trust_env=False, timeout=30)
    return {"Authorization": f"Bearer {answer.json()['data']['accessToken']}"}


def test_a_client_is_found_again_after_the_server_was_killed(data_dir: Path) -> None:
    with serving(data_dir) as running:
        until(running.is_ready)
        me = register(running.url)
        made = httpx2.post(f"{running.url}{BASE}/clients", json=NEW_CLIENT, headers=me, trust_env=False)
        assert made.status_code == 201
        family = descendants(running.process.pid)
        running.end(signal.SIGKILL)
        until(lambda: not any(map(lives, family)))
    with serving(data_dir) as running:
        until(running.is_ready)
        token = soloist("token", "ada@example.com", SOLOIST_DATA_DIR=str(data_dir)).stdout.strip()
        where = f"{running.url}{BASE}/clients/{made.json()['data']['id']}"
        found = httpx2.get(where, headers={"Authorization": f"Bearer {token}"}, trust_env=False)
    assert found.json()["data"]["companyName"] == "Survivor Ltd"


def seconds_worked(pid: int) -> float:
    """The processor time a process has used: how long it took, however busy the machine is."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@on_linux
def test_a_later_start_takes_less_than_three_seconds_and_150_mb(data_dir: Path) -> None:
    with serving(data_dir) as running:
        until(running.is_ready, 60)
        assert seconds_worked(running.process.pid) < 3
        memory = Path(f"/proc/{running.process.pid}/smaps_rollup").read_text()
    resident = re.search(r"^Rss: +(\d+) kB", memory, re.MULTILINE)
    assert resident
    assert int(resident[1]) < 150_000


@on_linux
def test_ctrl_c_stops_everything_in_order(data_dir: Path) -> None:
    with serving(data_dir) as running:
        until(running.is_ready)
        family = descendants(running.process.pid)
        assert any("postgres" in command_of(pid) for pid in family)
        assert running.end(signal.SIGINT) == 0
        assert not any(map(lives, family))
    said = "".join(running.lines)
    assert "Traceback" not in said
    assert json.loads(running.lines[-1])["event"] == "stopped"


def half_a_request(url: str, headers: dict[str, str]) -> tuple[socket.socket, bytes]:
    """A connection on which the body of a new client is still missing, and that body."""
    place = httpx2.URL(url)
    body = json.dumps(NEW_CLIENT).encode()
    head = (
        f"POST {BASE}/clients HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
    )
    assert place.port
    connection = socket.create_connection((place.host, place.port), timeout=20)
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    connection.sendall(f"{head}{lines}\r\n".encode() + body[:1])
    return connection, body[1:]


def is_refused(running: Running) -> bool:
    """Whether new connections are turned away."""
    place = httpx2.URL(running.url)
    with socket.socket() as probe:
        return probe.connect_ex((place.host, place.port)) != 0


def test_a_running_request_is_finished_before_the_stop(data_dir: Path) -> None:
    with serving(data_dir) as running:
        until(running.is_ready)
        connection, rest = half_a_request(running.url, register(running.url))
        until(lambda: running.said("request") is not None)
        running.process.send_signal(signal.SIGTERM)
        until(lambda: is_refused(running))
        with connection:
            connection.sendall(rest)
            assert b" 201 Created" in connection.recv(4096).split(b"\r\n")[0]
        assert running.end() == 0


def test_a_second_signal_does_not_wait_for_running_requests(data_dir: Path) -> None:
    with serving(data_dir) as running:
        until(running.is_ready)
        connection, _ = half_a_request(running.url, register(running.url))
        running.process.send_signal(signal.SIGINT)
        until(lambda: is_refused(running))
        begin = time.monotonic()
        assert running.end(signal.SIGINT) == 0
        assert time.monotonic() - begin < 9  # a running request would be waited for ten seconds
        connection.close()


def test_the_second_server_on_a_data_directory_says_so(data_dir: Path) -> None:
    with serving(data_dir) as first:
        until(first.is_ready)
        port = str(httpx2.URL(first.url).port)
        # On the same port, too, as a second start without options would be.
        second = soloist("serve", "--data-dir", str(data_dir), "--port", port)
        assert second.returncode == 75
        assert f"already runs on the data directory {data_dir}" in second.stderr
        assert first.is_ready()


def test_a_taken_port_is_one_clear_line(data_dir: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ended = soloist("serve", "--data-dir", str(data_dir), "--port", str(port))
    assert ended.returncode == 75
    assert f"Can't listen on 127.0.0.1, port {port}" in ended.stderr
    assert "--port" in ended.stderr
    assert "Traceback" not in ended.stderr


@on_linux
def test_a_killed_database_is_started_again(data_dir: Path) -> None:
    with serving(data_dir) as running:
        until(running.is_ready)
        me = register(running.url)
        postmaster = int((data_dir / "postgres" / "data" / "postmaster.pid").read_text().split()[0])
        os.kill(postmaster, signal.SIGKILL)
        until(lambda: not running.is_ready())
        until(running.is_ready)
        answer = httpx2.get(f"{running.url}{BASE}/clients", headers=me, trust_env=False)
        assert answer.status_code == 200
        assert running.process.poll() is None


def test_without_a_worker_it_is_not_ready_until_one_runs(data_dir: Path) -> None:
    with serving(data_dir, "--no-worker") as server:
        answer = httpx2.get(f"{server.url}/ready", trust_env=False)
        assert answer.status_code == 503
        assert "start 'soloist worker'" in answer.json()["checks"]["worker"]["reason"]
        assert answer.json()["checks"]["database"] == {"ok": True}
        assert httpx2.get(f"{server.url}/health", trust_env=False).json() == {"status": "ok"}
        with serving(data_dir, command="worker") as worker:
            until(server.is_ready)
            assert worker.end(signal.SIGTERM) == 0
        assert "Traceback" not in "".join(worker.lines)
        until(lambda: not server.is_ready())


@on_linux
def test_several_processes_serve_one_port_and_dead_ones_are_replaced(data_dir: Path) -> None:
    with serving(data_dir, "--workers", "2") as running:
        until(running.is_ready)
        family = {pid: command_of(pid) for pid in descendants(running.process.pid)}
        servers = [pid for pid, command in family.items() if "child server" in command]
        workers = [pid for pid, command in family.items() if "child worker" in command]
        assert (len(servers), len(workers)) == (2, 1)
        for pid in (servers[0], workers[0]):
            os.kill(pid, signal.SIGKILL)
        until(lambda: sum("commands.child" in command_of(pid) for pid in descendants(running.process.pid)) == 3)
        assert running.is_ready()
        family = dict.fromkeys(descendants(running.process.pid), "")
        running.end(signal.SIGKILL)
        until(lambda: not any(map(lives, family)), 30)


def test_several_processes_stop_in_order(data_dir: Path) -> None:
    with serving(data_dir, "--workers", "2") as running:
        until(running.is_ready)
        assert running.end(signal.SIGINT) == 0
    assert "Traceback" not in "".join(running.lines)


def test_another_postgresql_is_used_and_migrated(db_url: str, tmp_path: Path) -> None:
    with serving(tmp_path / "data", DATABASE_URL=db_url) as running:
        until(running.is_ready)
        register(running.url)
        assert running.end(signal.SIGTERM) == 0
    assert not (tmp_path / "data" / "postgres").exists()
