"""Backup and restore: the same rows and files again, or a refusal that has touched nothing."""

import asyncio
import hashlib
import shutil
import stat
import threading
import zipfile
from pathlib import Path
from random import Random

import asyncpg
import pytest

from soloist.infra import backup, migrations
from soloist.infra.backup import BackupRefused, back_up, restore
from soloist.infra.dump import TRANSIENT
from soloist.infra.postgres import find_binaries
from tests.cli.programs import soloist
from tests.databases import clone

PROGRAMS = find_binaries()
ACCOUNT = "00000000-0000-7000-8000-000000000001"
BOOK = f"""
insert into accounts (account_id, email, created_at, updated_at) values ('{ACCOUNT}', 'ada@example.com', now(), now());
insert into account_counters (account_id, active) values ('{ACCOUNT}', 300);
insert into clients (account_id, id, client_type, source, status, company_name, display_name, sort_name, health_score,
    search_text, created_at, updated_at)
select '{ACCOUNT}', gen_random_uuid(), 'COMPANY', 'MANUAL', 'ACTIVE', name, name, fold(name), 42, searchable(name),
    now(), now()
from (select 'Zoë & Straße ' || n as name from generate_series(1, 300) as n) as names;
insert into worker_heartbeats values (gen_random_uuid(), now());
"""
ADD = f"insert into logins (email_key, account_id) values ($1, '{ACCOUNT}')"


@pytest.fixture
def book(db_url: str, tmp_path: Path) -> tuple[str, Path]:
    """A database with a few hundred clients, and a data directory with a secret and documents."""
    run(db_url, BOOK)
    data_dir = tmp_path / "data"
    (data_dir / "documents" / "ab" / "cd").mkdir(parents=True)
    (data_dir / "documents" / "ab" / "cd" / "proposal.pdf").write_bytes(b"%PDF" + Random(1).randbytes(70_000))
    (data_dir / "documents" / "empty.txt").touch()
    (data_dir / "secret.key").write_bytes(bytes(range(32)))
    return db_url, data_dir


@pytest.fixture
def target(postgres: str, tmp_path: Path) -> tuple[str, Path]:
    """An empty, migrated database and a data directory that does not exist yet."""
    return clone(postgres), tmp_path / "restored"


def run(dsn: str, sql: str) -> None:
    async def change() -> None:
        conn = await asyncpg.connect(dsn)
        await conn.execute(sql)
        await conn.close()

    asyncio.run(change())


def contents(dsn: str) -> dict[str, tuple[int, str | None]]:
    """Of every table the number of rows and a hash of all of them."""

    async def read() -> dict[str, tuple[int, str | None]]:
        conn = await asyncpg.connect(dsn)
        tables = await conn.fetch("select tablename from pg_tables where schemaname = 'public' order by 1")
        found = {}
        for (table,) in tables:
            rows = await conn.fetchrow(
                f"select count(*), md5(string_agg(t::text, '|' order by t::text)) from {table} t"
            )
            assert rows
            found[table] = (rows[0], rows[1])
        await conn.close()
        return found

    return asyncio.run(read())


def files(folder: Path) -> dict[str, str]:
    """Of every file below the folder its hash, with its rights."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_a_restored_book_is_the_same_in_every_row_and_file(
    book: tuple[str, Path], target: tuple[str, Path], tmp_path: Path
) -> None:
    dsn, data_dir = book
    file = tmp_path / "book.zip"
    made = back_up(dsn, PROGRAMS, data_dir, file, replace=False)
    assert made.tables["clients"] == 300
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert not file.with_name("book.zip.part").exists()

    restored = restore(*target[:1], PROGRAMS, target[1], file)
    assert restored == made
    assert migrations.pending(target[0]) == [migrations.QUEUE_STEP]  # comments are not restored
    assert migrations.migrate(target[0]) == [migrations.QUEUE_STEP]
    expected = contents(dsn) | dict.fromkeys(TRANSIENT, (0, None))
    assert contents(target[0]) == expected
    assert files(target[1]) == files(data_dir)
    assert stat.S_IMODE((target[1] / "secret.key").stat().st_mode) == 0o600
    run(target[0], "select fold('É') = 'e', public.searchable('Jean-Luc')")


def test_a_backup_beside_a_writer_holds_one_moment(
    book: tuple[str, Path], target: tuple[str, Path], tmp_path: Path
) -> None:
    dsn, data_dir = book
    stop, written = threading.Event(), threading.Event()

    async def write() -> None:
        conn = await asyncpg.connect(dsn)
        number = 0
        while not stop.is_set():
            # Two rows or none: half a pair in the backup would be half a transaction.
            async with conn.transaction():
                for half in "ab":
                    await conn.execute(ADD, f"{number}{half}")
            number += 1
            if number == 50:
                written.set()
        await conn.close()

    writer = threading.Thread(target=lambda: asyncio.run(write()))
    writer.start()
    written.wait(10)
    made = back_up(dsn, PROGRAMS, data_dir, tmp_path / "book.zip", replace=False)
    stop.set()
    writer.join()
    restore(target[0], PROGRAMS, target[1], tmp_path / "book.zip")
    count = contents(target[0])["logins"][0]
    assert count == made.tables["logins"] >= 100
    assert count % 2 == 0
    assert count < contents(dsn)["logins"][0]


def test_what_is_cut_off_or_altered_is_refused_untouched(
    book: tuple[str, Path], target: tuple[str, Path], tmp_path: Path
) -> None:
    whole = tmp_path / "book.zip"
    back_up(*book[:1], PROGRAMS, book[1], whole, replace=False)
    raw = whole.read_bytes()
    before = contents(target[0])
    rng = Random(7)
    bad = tmp_path / "bad.zip"
    places = [0, len(raw) - 1, *(rng.randrange(len(raw)) for _ in range(60))]
    damaged = [raw[:length] for length in (0, 1, 63, 64, 100, len(raw) // 2, len(raw) - 1)]
    damaged += [raw[:at] + bytes([raw[at] ^ (1 << rng.randrange(8))]) + raw[at + 1 :] for at in places]
    damaged += [raw + b"more"]
    for content in damaged:
        bad.write_bytes(content)
        with pytest.raises(BackupRefused, match="no whole backup"):
            restore(target[0], PROGRAMS, target[1], bad)
    assert contents(target[0]) == before
    assert not target[1].exists()


@pytest.mark.parametrize("name", ["documents/../../evil", "documents//evil", "documents/", "evil", "/documents/evil"])
def test_a_name_that_leads_out_is_refused(
    name: str, book: tuple[str, Path], target: tuple[str, Path], tmp_path: Path
) -> None:
    """Such a file can only be forged: it is made by the same program from a manifest that names it so."""
    forged = tmp_path / "forged.zip"
    back_up(book[0], PROGRAMS, book[1], forged, replace=False)
    with zipfile.ZipFile(forged) as archive:
        members = {entry: archive.read(entry) for entry in archive.namelist()}
    manifest = members.pop("manifest.json").replace(b'"documents/empty.txt"', f'"{name}"'.encode())
    members[name] = members.pop("documents/empty.txt")
    with backup._private_file(forged) as file:
        with zipfile.ZipFile(file, "w") as archive:
            for entry, content in {**members, "manifest.json": manifest}.items():
                archive.writestr(zipfile.ZipInfo(entry), content)
            archive.comment = b"0" * backup.SEAL
        backup._seal(file)
    with pytest.raises(BackupRefused, match="no whole backup"):
        restore(target[0], PROGRAMS, target[1], forged)


def test_a_file_that_exists_is_kept_unless_told(book: tuple[str, Path], tmp_path: Path) -> None:
    file = tmp_path / "book.zip"
    file.write_text("mine")
    with pytest.raises(BackupRefused, match="--force"):
        back_up(book[0], PROGRAMS, book[1], file, replace=False)
    assert file.read_text() == "mine"
    back_up(book[0], PROGRAMS, book[1], file, replace=True)
    assert zipfile.is_zipfile(file)


def test_a_target_with_data_is_refused(book: tuple[str, Path], target: tuple[str, Path], tmp_path: Path) -> None:
    file = tmp_path / "book.zip"
    back_up(book[0], PROGRAMS, book[1], file, replace=False)
    before = contents(book[0])
    with pytest.raises(BackupRefused, match="not empty"):
        restore(book[0], PROGRAMS, target[1], file)
    assert contents(book[0]) == before
    with pytest.raises(BackupRefused, match="holds documents"):
        restore(target[0], PROGRAMS, book[1], file)
    assert not (book[1] / "documents.restoring").exists()


def test_a_target_in_use_is_refused(book: tuple[str, Path], target: tuple[str, Path], tmp_path: Path) -> None:
    file = tmp_path / "book.zip"
    back_up(book[0], PROGRAMS, book[1], file, replace=False)

    async def restore_in_use() -> None:
        conn = await asyncpg.connect(target[0], server_settings={"application_name": "soloist"})
        try:
            with pytest.raises(BackupRefused, match="stop it"):
                await asyncio.to_thread(restore, target[0], PROGRAMS, target[1], file)
        finally:
            await conn.close()

    asyncio.run(restore_in_use())


def test_a_database_that_refuses_the_dump_stays_as_it_was(
    book: tuple[str, Path], target: tuple[str, Path], tmp_path: Path
) -> None:
    file = tmp_path / "book.zip"
    back_up(book[0], PROGRAMS, book[1], file, replace=False)
    # A table of somebody else's, which the dump knows nothing of and can't be made beside.
    run(
        target[0],
        "create schema other; create type public.pgqueuer_status2 as enum ('x'); create view other.v as select 1",
    )
    run(target[0], "create function other.stop() returns event_trigger language plpgsql as $$ begin raise 'no'; end $$")
    run(
        target[0],
        "create event trigger stop on ddl_command_end when tag in ('CREATE INDEX') execute function other.stop()",
    )
    before = contents(target[0])
    with pytest.raises(BackupRefused, match="took nothing of the backup"):
        restore(target[0], PROGRAMS, target[1], file)
    assert contents(target[0]) == before
    assert not (target[1] / "documents").exists()
    assert not (target[1] / "secret.key").exists()


@pytest.mark.slow
def test_the_commands_back_up_beside_a_server_and_restore_elsewhere(
    book: tuple[str, Path], target: tuple[str, Path], tmp_path: Path
) -> None:
    file = tmp_path / "book.zip"
    here = {"DATABASE_URL": book[0], "SOLOIST_DATA_DIR": str(book[1])}
    there = {"DATABASE_URL": target[0], "SOLOIST_DATA_DIR": str(target[1])}
    made = soloist("backup", str(file), **here)
    assert made.returncode == 0, made.stderr
    assert "2 documents" in made.stdout
    assert soloist("backup", str(file), **here).returncode == 1
    shutil.copy(file, tmp_path / "cut.zip")
    (tmp_path / "cut.zip").write_bytes(file.read_bytes()[:-1])
    refused = soloist("restore", str(tmp_path / "cut.zip"), SOLOIST_DATA_DIR=str(tmp_path / "never"))
    assert refused.returncode == 1
    assert "no whole backup" in refused.stderr
    assert not (tmp_path / "never").exists()
    done = soloist("restore", str(file), **there)
    assert done.returncode == 0, done.stderr
    assert migrations.pending(target[0]) == []
    assert contents(target[0])["clients"] == contents(book[0])["clients"]
    missing = soloist("restore", str(tmp_path / "none.zip"), **there)
    assert missing.returncode == 1
    assert "No such file" in missing.stderr
