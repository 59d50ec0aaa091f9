"""/health and /ready: what they answer while the database, the migrations or the worker are not right."""

import asyncio
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asyncpg
import httpx2
import pytest

from tests.serving import Served, serving, settings_for


@pytest.fixture
def alone(db_url: str, tmp_path: Path) -> Iterator[Served]:
    """A server with a database of its own, and no worker."""
    with serving(settings_for(tmp_path), db_url) as served:
        yield served


def run(dsn: str, *statements: str) -> None:
    async def change() -> None:
        conn = await asyncpg.connect(dsn)
        for sql in statements:
            await conn.execute(sql)
        await conn.close()

    asyncio.run(change())


def ready(served: Served) -> tuple[int, dict[str, Any]]:
    """The status, and of each check what is wrong (None: nothing)."""
    answer = httpx2.get(f"{served.url}/ready", trust_env=False)
    body = answer.json()
    assert body["status"] == ("ready" if answer.status_code == 200 else "not ready")
    assert answer.headers["cache-control"] == "no-store"
    return answer.status_code, {name: check.get("reason") for name, check in body["checks"].items()}


def heartbeat(seconds_ago: int) -> str:
    return f"insert into worker_heartbeats values (gen_random_uuid(), now() - interval '{seconds_ago} seconds')"


def test_ready_needs_a_worker_seen_within_a_minute(alone: Served) -> None:
    status, reasons = ready(alone)
    assert status == 503
    assert reasons["database"] is None
    assert reasons["migrations"] is None
    assert "no worker runs" in reasons["worker"]
    run(alone.dsn, heartbeat(70))
    status, reasons = ready(alone)
    assert status == 503
    assert "last seen 70 s ago" in reasons["worker"]
    run(alone.dsn, heartbeat(50))
    assert ready(alone) == (200, {"database": None, "migrations": None, "worker": None})


def test_ready_needs_every_migration(alone: Served) -> None:
    run(alone.dsn, heartbeat(0), "comment on table pgqueuer is null")
    status, reasons = ready(alone)
    assert status == 503
    assert "soloist migrate" in reasons["migrations"]
    run(alone.dsn, "update alembic_version set version_num = '9999'")
    status, reasons = ready(alone)
    assert status == 503
    assert "at step 9999" in reasons["migrations"]


@pytest.mark.parametrize("listening", [False, True], ids=["refusing", "silent"])
def test_without_a_database_the_process_is_up_but_not_ready(listening: bool, tmp_path: Path) -> None:
    with socket.socket() as away:
        away.bind(("127.0.0.1", 0))
        if listening:
            away.listen()
        dsn = f"postgresql://nobody@127.0.0.1:{away.getsockname()[1]}/none"
        with serving(settings_for(tmp_path), dsn) as served:
            begin = time.monotonic()
            status, reasons = ready(served)
            assert time.monotonic() - begin < 3
            assert status == 503
            assert all(reasons.values())
            assert httpx2.get(f"{served.url}/health", trust_env=False).json() == {"status": "ok"}
