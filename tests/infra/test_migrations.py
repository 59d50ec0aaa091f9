"""Migrations: from nothing to the newest schema, once, whoever starts at the same time; and what is refused."""

import asyncio
import os
import re
import shutil
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory

from soloist.infra import migrations
from soloist.infra.migrations import QUEUE_STEP, MigrationFailed, SchemaTooNew, migrate, missing, pending, steps

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture
def empty(postgres: str, request: pytest.FixtureRequest) -> str:
    """A database with nothing in it."""
    name = re.sub(r"\W", "_", request.node.name)[:50]
    run(postgres.format("soloist"), f"create database {name}")
    return postgres.format(name)


def run(dsn: str, sql: str) -> list[Any]:
    async def fetch() -> list[Any]:
        conn = await asyncpg.connect(dsn)
        try:
            return [row[0] for row in await conn.fetch(sql)]
        finally:
            await conn.close()

    return asyncio.run(fetch())


def test_an_empty_database_gets_every_step_once(empty: str) -> None:
    everything = [*steps(), QUEUE_STEP]
    assert pending(empty) == everything
    assert migrate(empty) == everything
    assert pending(empty) == []
    assert migrate(empty) == []
    assert run(empty, "select to_regclass('clients') is not null") == [True]


def test_simultaneous_starts_take_turns(empty: str) -> None:
    with ThreadPoolExecutor(4) as starts:
        applied = list(starts.map(migrate, [empty] * 4))
    assert sorted(map(len, applied)) == [0, 0, 0, len(steps()) + 1]


def test_the_files_and_alembic_agree_on_the_order() -> None:
    config = Config()
    config.set_main_option("script_location", str(migrations.folder()))
    script = ScriptDirectory.from_config(config)
    assert len(script.get_heads()) == 1
    revisions = [revision.revision for revision in script.walk_revisions()]
    assert revisions[::-1] == [name.partition("_")[0] for name in steps()]


def test_a_newer_schema_is_refused(db_url: str) -> None:
    run(db_url, "update alembic_version set version_num = '9999'")
    for ask in (pending, migrate):
        with pytest.raises(SchemaTooNew, match="at step 9999"):
            ask(db_url)


def test_missing_queue_tables_are_seen_and_made(db_url: str) -> None:
    run(db_url, "drop table pgqueuer cascade")
    assert pending(db_url) == [QUEUE_STEP]
    assert migrate(db_url) == [QUEUE_STEP]
    assert run(db_url, "select count(*) from pgqueuer") == [0]


def test_the_environment_does_not_rename_the_queue() -> None:
    names = "from soloist.infra.queue import NAMES; print(NAMES.function, NAMES.channel, NAMES.queue_table)"
    odd = {"FUNCTION": "evil", "CHANNEL": "other", "PGQUEUER_PREFIX": "p_", "PGQUEUER_QUEUE_TABLE": "q"}
    done = subprocess.run(
        [sys.executable, "-c", names], env={**os.environ, **odd}, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["fn_pgqueuer_changed", "ch_pgqueuer", "pgqueuer"]


def test_nothing_to_do_loads_no_alembic(db_url: str) -> None:
    script = (
        "import sys; from soloist.infra.migrations import migrate; migrate(sys.argv[1]); "
        "print({'alembic', 'sqlalchemy', 'pgqueuer'} & sys.modules.keys())"
    )
    done = subprocess.run([sys.executable, "-c", script, db_url], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


# ---- steps of our own, in a copy of the project ----------------------------


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A copy of the project, to which a test may add steps."""
    for folder in ("src", "migrations"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__", "vendor"))
    return tmp_path


def add_step(project: Path, name: str, sql: str) -> None:
    versions = project / "migrations" / "versions"
    last = max(file.name.partition("_")[0] for file in versions.glob("0*.sql"))
    (versions / f"{name}.sql").write_text(sql)
    first = next(versions.glob("0001_*.py")).read_text()
    number = name.partition("_")[0]
    text = first.replace('revision = "0001"', f'revision = "{number}"').replace("= None", f'= "{last}"')
    (versions / f"{name}.py").write_text(text)


def migrate_in(project: Path, dsn: str) -> "subprocess.CompletedProcess[str]":
    script = "import sys; from soloist.infra.migrations import migrate; print(migrate(sys.argv[1]))"
    return subprocess.run(
        [sys.executable, "-c", script, dsn],
        env={**os.environ, "PYTHONPATH": str(project / "src")},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_a_failing_step_leaves_nothing_and_the_next_start_goes_on_there(project: Path, db_url: str) -> None:
    add_step(project, "0801_good", "create table good (id int);")
    add_step(project, "0802_bad", "create table bad (id int); select 1 / 0;")
    failed = migrate_in(project, db_url)
    assert "MigrationFailed: PostgreSQL refused a migration: division by zero" in failed.stderr
    assert run(db_url, "select version_num from alembic_version") == ["0801"]
    assert run(db_url, "select to_regclass('good') is not null and to_regclass('bad') is null") == [True]
    (project / "migrations" / "versions" / "0802_bad.sql").write_text("create table bad (id int);")
    assert migrate_in(project, db_url).stdout.strip() == "['0802_bad']"


def test_a_marked_step_runs_outside_a_transaction(project: Path, db_url: str) -> None:
    sql = """-- no-transaction
    -- two statements; the first one's text holds a semicolon; in the middle of a line
    create index concurrently by_notes on clients (account_id) where notes = 'a;b';
    create index concurrently by_phone on clients (account_id, phone);
    """
    add_step(project, "0801_concurrent", sql)
    done = migrate_in(project, db_url)
    assert done.stdout.strip() == "['0801_concurrent']", done.stderr
    valid = "select indisvalid from pg_index where indexrelid in ('by_notes'::regclass, 'by_phone'::regclass)"
    assert run(db_url, valid) == [True, True]


@pytest.mark.slow
def test_a_locked_table_is_waited_for_in_short_tries(project: Path, db_url: str) -> None:
    add_step(project, "0801_column", "alter table clients add column later int;")
    held, free = threading.Event(), threading.Event()

    async def hold() -> None:
        conn = await asyncpg.connect(db_url)
        async with conn.transaction():
            await conn.execute("lock table clients in access share mode")
            held.set()
            # Longer than one try lasts, so that it must come again.
            await asyncio.to_thread(free.wait, 4)
        await conn.close()

    holder = threading.Thread(target=lambda: asyncio.run(hold()))
    holder.start()
    held.wait(10)
    done = migrate_in(project, db_url)
    free.set()
    holder.join()
    assert done.stdout.strip() == "['0801_column']", done.stderr


async def test_what_is_missing_is_told_on_any_connection(db_url: str) -> None:
    conn = await asyncpg.connect(db_url)
    try:
        assert await missing(conn) == []
    finally:
        await conn.close()


@pytest.mark.parametrize("rights", ["usage", "usage, create"], ids=["no tables", "no extensions"])
def test_an_account_without_the_rights_hears_what_to_run(db_url: str, rights: str) -> None:
    run(db_url, "do $$ begin create role weak; exception when duplicate_object then null; end $$")
    run(db_url, "drop schema public cascade")
    run(db_url, "create schema public")
    run(db_url, f"grant {rights} on schema public to weak")
    with pytest.raises(MigrationFailed, match="create extension pg_trgm"):
        migrate(f"{db_url}&role=weak")
