"""A backup: one zip file with the database's dump, the documents, the secret, and a manifest with their hashes.

The dump and the row counts are of one moment, also while the server works. A restore checks the whole file
before it touches anything, and puts it in the place of an empty database in one transaction.
"""

import asyncio
import contextlib
import hashlib
import os
import shutil
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Literal

import asyncpg
from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError

from soloist import __version__
from soloist.infra import dump, migrations
from soloist.infra.clock import Clock, system_clock
from soloist.infra.postgres import Binaries
from soloist.infra.secrets import FILE as SECRET

MANIFEST, DUMP, DOCUMENTS = "manifest.json", "database.dump", "documents"
SEAL = 64  # the file's last bytes: the SHA-256 of all before them, so that no altered bit goes unseen
Session = asyncpg.Connection

_IN_USE = """
select exists (
    select from pg_stat_activity where datname = current_database() and application_name ^@ 'soloist'
)
"""


class BackupRefused(Exception):
    """The backup can't be made or restored; nothing was changed, unless the text says so."""


class Member(BaseModel):
    """One file inside a backup."""

    model_config = ConfigDict(extra="forbid")

    size: int
    sha256: str


class Manifest(BaseModel):
    """What is in a backup, and from what. `tables` counts the rows of each table."""

    model_config = ConfigDict(extra="forbid")

    format: Literal[1] = 1
    soloist: str
    schema_step: str
    postgresql: str
    made_at: AwareDatetime
    tables: dict[str, int]
    members: dict[str, Member]

    @property
    def rows(self) -> int:
        return sum(self.tables.values())

    @property
    def documents(self) -> int:
        return sum(name.startswith(f"{DOCUMENTS}/") for name in self.members)


def back_up(
    dsn: str, binaries: Binaries, data_dir: Path, target: Path, *, replace: bool, clock: Clock = system_clock
) -> Manifest:
    """Write a backup of the database and the data directory's files to `target`, beside a running server.

    The file appears whole or not at all, readable by its owner only. Raises BackupRefused if it exists and
    `replace` is not given, or if the programs are older than the server.
    """
    if target.exists() and not replace:
        raise BackupRefused(f"{target} exists already; name another file, or replace it with --force.")
    draft = target.with_name(f"{target.name}.part")
    try:
        with _private_file(draft) as file:
            with zipfile.ZipFile(file, "w") as archive:
                manifest = _fill(archive, dsn, binaries, data_dir, clock)
                archive.comment = b"0" * SEAL
            _seal(file)
        draft.rename(target)
    except dump.DumpFailed as fault:
        raise BackupRefused(f"{fault}.") from None
    finally:
        draft.unlink(missing_ok=True)
    return manifest


def restore(dsn: str, binaries: Binaries, data_dir: Path, source: Path) -> Manifest:
    """Put a backup in the place of an empty database and an empty data directory.

    Raises BackupRefused, with nothing touched, for a file that is cut off, altered or of a newer Soloist, and
    for a target that holds data or is in use. The schema is then the backup's: migrate it.
    """
    manifest = verified(source)
    if any((data_dir / DOCUMENTS).glob("*")):
        raise BackupRefused(f"{data_dir / DOCUMENTS} holds documents: restore into an empty data directory.")
    asyncio.run(_check_database(dsn))
    fresh = data_dir / f"{DOCUMENTS}.restoring"
    shutil.rmtree(fresh, ignore_errors=True)
    with zipfile.ZipFile(source) as archive:
        for name in manifest.members:
            if name.startswith(f"{DOCUMENTS}/"):
                _extract(archive, name, fresh / name.removeprefix(f"{DOCUMENTS}/"))
        try:
            with archive.open(DUMP) as file:
                dump.load(dsn, binaries, file)
        except dump.DumpFailed as fault:
            shutil.rmtree(fresh, ignore_errors=True)
            raise BackupRefused(f"The database took nothing of the backup: {fault}.") from None
        if fresh.exists():
            fresh.rename(data_dir / DOCUMENTS)
        if SECRET in manifest.members:
            _extract(archive, SECRET, data_dir / SECRET)
    asyncio.run(_analyze(dsn))
    return manifest


def _fill(archive: zipfile.ZipFile, dsn: str, binaries: Binaries, data_dir: Path, clock: Clock) -> Manifest:
    members: dict[str, Member] = {}
    with _snapshot(dsn, binaries) as (snapshot, facts), _Member(archive, DUMP, members) as target:
        dump.dump(dsn, binaries, snapshot, target)
    for path in _files(data_dir):
        name = path.relative_to(data_dir).as_posix()
        # A document that is deleted just now is in the dump, but has no file any more.
        with (
            contextlib.suppress(FileNotFoundError),
            path.open("rb") as source,
            _Member(archive, name, members) as target,
        ):
            shutil.copyfileobj(source, target, dump.CHUNK)
    manifest = Manifest(soloist=__version__, made_at=clock(), members=members, **facts)
    archive.writestr(MANIFEST, manifest.model_dump_json(indent=2))
    return manifest


@contextmanager
def _snapshot(dsn: str, binaries: Binaries) -> Iterator[tuple[str, dict[str, Any]]]:
    """An exported snapshot as long as the block runs, and what the database looks like in it."""
    with asyncio.Runner() as runner:
        conn = runner.run(_connect(dsn))
        try:
            yield runner.run(_export(conn, binaries))
        finally:
            runner.run(conn.close())


async def _connect(dsn: str) -> Session:
    return await asyncpg.connect(dsn, timeout=migrations.CONNECT_SECONDS)


async def _export(conn: Session, binaries: Binaries) -> tuple[str, dict[str, Any]]:
    version = conn.get_server_version()
    if binaries.major < version.major:
        raise BackupRefused(
            f"The server is PostgreSQL {version.major}, and the programs in {binaries.bin} are of "
            f"{binaries.version}, which can't read it. Name newer ones by SOLOIST_PG_BIN."
        )
    if left := await migrations.missing(conn):
        raise BackupRefused(f"The database lacks migrations: {', '.join(left)}. Run 'soloist migrate' first.")
    await conn.execute("begin isolation level repeatable read read only")
    facts = {
        "schema_step": await conn.fetchval("select max(version_num) from alembic_version"),
        "postgresql": f"{version.major}.{version.minor}",
        "tables": {name: await conn.fetchval(f"select count(*) from {name}") for name in await _tables(conn)},
    }
    return await conn.fetchval("select pg_export_snapshot()"), facts


async def _tables(conn: Session) -> list[str]:
    rows = await conn.fetch(
        """
        select c.oid::regclass::text as name from pg_class c
        where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') and c.relname <> all($1)
        order by 1
        """,
        dump.TRANSIENT,
    )
    return [row["name"] for row in rows]


def _files(data_dir: Path) -> Iterator[Path]:
    if (data_dir / SECRET).is_file():
        yield data_dir / SECRET
    # What is hidden is still arriving: no row knows of it.
    kept = (path for part in (data_dir / DOCUMENTS).glob("[!.]*") for path in (part, *part.rglob("*")))
    yield from sorted(path for path in kept if path.is_file() and not path.is_symlink())


class _Member:
    """A file inside the archive that is being written; notes its size and hash when it is closed."""

    def __init__(self, archive: zipfile.ZipFile, name: str, members: dict[str, Member]) -> None:
        self._file = archive.open(zipfile.ZipInfo(name), "w", force_zip64=True)
        self._name = name
        self._members = members
        self._digest = hashlib.sha256()
        self._size = 0

    def write(self, data: bytes) -> int:
        self._digest.update(data)
        self._size += len(data)
        return self._file.write(data)

    def __enter__(self) -> "_Member":
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()
        self._members[self._name] = Member(size=self._size, sha256=self._digest.hexdigest())


def verified(source: Path) -> Manifest:
    """The manifest of a backup that is whole; raises BackupRefused for any other file."""
    broken = BackupRefused(
        f"{source} is no whole backup: it was cut off or altered. Nothing was touched; take another."
    )
    with source.open("rb") as file:
        if file.seek(0, os.SEEK_END) <= SEAL or not _is_sealed(file):
            raise broken
        try:
            with zipfile.ZipFile(file) as archive:
                manifest = Manifest.model_validate_json(archive.read(MANIFEST))
                sizes = {entry.filename: entry.file_size for entry in archive.infolist() if entry.filename != MANIFEST}
        except (zipfile.BadZipFile, KeyError, ValidationError):
            raise broken from None
    if sizes != {name: member.size for name, member in manifest.members.items()} or not all(map(_is_known, sizes)):
        raise broken
    newest = list(migrations.steps())[-1]
    if manifest.schema_step > newest:
        raise BackupRefused(
            f"{source} was made by Soloist {manifest.soloist}, whose schema ({manifest.schema_step}) is newer than "
            f"this one's ({newest}). Install that version or a newer one, then restore."
        )
    return manifest


def _is_known(name: str) -> bool:
    parts = name.split("/")
    return name in (DUMP, SECRET) or (parts[0] == DOCUMENTS and len(parts) > 1 and not {"", ".", ".."} & set(parts))


async def _check_database(dsn: str) -> None:
    conn = await _connect(dsn)
    try:
        if await conn.fetchval(_IN_USE):
            raise BackupRefused("A Soloist server or worker uses this database: stop it, restore, start it again.")
        for name in await _tables(conn):
            own = name == "alembic_version" or name.startswith("pgqueuer")
            if not own and await conn.fetchval(f"select exists (select from {name})"):
                raise BackupRefused(
                    f"The database is not empty (there are {name}). Restore into a new data directory "
                    "(SOLOIST_DATA_DIR) or another database (DATABASE_URL)."
                )
    finally:
        await conn.close()


async def _analyze(dsn: str) -> None:
    conn = await _connect(dsn)
    try:
        await conn.execute("analyze")  # a restored table has no statistics, and plans without them are slow
    finally:
        await conn.close()


def _extract(archive: zipfile.ZipFile, name: str, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = target.with_name(f"{target.name}.part")
    with _private_file(draft) as file, archive.open(name) as source:
        shutil.copyfileobj(source, file, dump.CHUNK)
    draft.rename(target)


@contextmanager
def _private_file(path: Path) -> Iterator[IO[bytes]]:
    """A new file for its owner alone, on the disk for certain when the block has ended."""
    path.unlink(missing_ok=True)
    with open(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600), "w+b") as file:
        yield file
        file.flush()
        os.fsync(file.fileno())


def _seal(file: IO[bytes]) -> None:
    seal = _digest_of_all_but_seal(file)
    file.seek(-SEAL, os.SEEK_END)
    file.write(seal)


def _is_sealed(file: IO[bytes]) -> bool:
    seal = _digest_of_all_but_seal(file)
    file.seek(-SEAL, os.SEEK_END)
    return file.read(SEAL) == seal


def _digest_of_all_but_seal(file: IO[bytes]) -> bytes:
    left = file.seek(0, os.SEEK_END) - SEAL
    file.seek(0)
    digest = hashlib.sha256()
    while left > 0 and (chunk := file.read(min(dump.CHUNK, left))):
        digest.update(chunk)
        left -= len(chunk)
    return digest.hexdigest().encode()
