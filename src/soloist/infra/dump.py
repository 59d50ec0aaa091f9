"""A database as one stream, by PostgreSQL's own programs: out by pg_dump, in again in one transaction."""

import os
import shutil
import subprocess
import tempfile
import threading
from contextlib import suppress
from typing import IO, Protocol, Self
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit, urlunsplit

from soloist.infra.postgres import Binaries

CHUNK = 1 << 20
# Of the moment, not of the book: who was alive, and who asked how often.
TRANSIENT = ("worker_heartbeats", "rate_windows")

# Everything but the extensions, which an administrator may have made and which the dump makes only if missing.
# All commands are put together first: a cascade may take what a later one names.
_EMPTY = """
begin;
set local lock_timeout = '5s';
set local client_min_messages = warning;
do $$
declare
    command text;
    commands text[];
begin
    select array_agg(format('drop %s if exists %s cascade', found.kind, found.name)) into commands
    from (
        select oid, case relkind when 'v' then 'view' else 'table' end, oid::regclass::text
        from pg_class where relnamespace = 'public'::regnamespace and relkind in ('r', 'p', 'v')
        union all
        select oid, 'routine', oid::regprocedure::text
        from pg_proc where pronamespace = 'public'::regnamespace
        union all
        select oid, 'type', oid::regtype::text
        from pg_type where typnamespace = 'public'::regnamespace and typtype = 'e'
    ) as found (oid, kind, name)
    where not exists (select from pg_depend d where d.objid = found.oid and d.deptype = 'e');
    foreach command in array coalesce(commands, '{}') loop
        execute command;
    end loop;
end $$;
"""
# Said by newer programs; servers before 17 do not know it, and 0 is everywhere the default.
_UNKNOWN_TO_OLD = b"SET transaction_timeout = 0;\n"


class Target(Protocol):
    """Where a dump is written."""

    def write(self, data: bytes, /) -> int: ...


class DumpFailed(Exception):
    """One of PostgreSQL's programs failed; the text ends with what it said."""


def dump(dsn: str, binaries: Binaries, snapshot: str, target: Target) -> None:
    """Write the database as of an exported snapshot to `target`, compressed. Raises DumpFailed."""
    address, environment = _address(dsn)
    command = [str(binaries.tool("pg_dump")), "--format=custom", "--no-owner", "--no-privileges", "--no-password"]
    command += [f"--snapshot={snapshot}", *(f"--exclude-table-data={name}" for name in TRANSIENT)]
    with _Program([*command, f"--dbname={address}"], environment) as program:
        program.input.close()
        shutil.copyfileobj(program.output, target, CHUNK)
        program.check()


def load(dsn: str, binaries: Binaries, source: IO[bytes]) -> None:
    """Replace everything in the database by the dump in `source`, all or nothing. Raises DumpFailed."""
    address, environment = _address(dsn)
    read = [str(binaries.tool("pg_restore")), "--file=-", "--no-owner", "--no-privileges", "--no-comments"]
    write = [str(binaries.tool("psql")), "--no-psqlrc", "--quiet", "--no-password", "--set=ON_ERROR_STOP=1"]
    write += ["--output=/dev/null", f"--dbname={address}"]
    with _Program(write, environment) as writer, _Program(read, environment) as reader:
        threading.Thread(target=_feed, args=(source, reader.input), daemon=True).start()
        with suppress(BrokenPipeError):  # then the writer has failed, and says why
            _pass_on(reader.output, writer.input)
            reader.check()
            writer.input.write(b"\ncommit;\n")  # only now: a dump that breaks off is rolled back
            writer.input.close()
        writer.check()


class _Program:
    """One of PostgreSQL's programs for the length of a block, its errors kept."""

    def __init__(self, command: list[str], environment: dict[str, str]) -> None:
        self._name = command[0].rpartition("/")[2]
        self._said = tempfile.TemporaryFile()  # noqa: SIM115  # closed with the block
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=self._said, env=environment)
        assert self._process.stdin
        assert self._process.stdout
        self.input, self.output = self._process.stdin, self._process.stdout

    def check(self) -> None:
        """Wait for its end; raises DumpFailed with its last words if it failed."""
        if status := self._process.wait():
            self._said.seek(0)
            words = self._said.read().decode(errors="replace").split("\n")
            raise DumpFailed(f"{self._name} failed: {' '.join(words[-5:]).strip() or f'exit code {status}'}")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()
        self.output.close()
        with suppress(BrokenPipeError):
            self.input.close()
        self._said.close()


def _pass_on(script: IO[bytes], target: IO[bytes]) -> None:
    target.write(_EMPTY.encode())
    copying = False
    for line in script:
        copying = line.startswith(b"COPY ") or (copying and line != b"\\.\n")
        if copying or line != _UNKNOWN_TO_OLD:
            target.write(line)


def _feed(source: IO[bytes], target: IO[bytes]) -> None:
    with suppress(BrokenPipeError):  # then the program has failed, and says why
        shutil.copyfileobj(source, target, CHUNK)
        target.close()


def _address(dsn: str) -> tuple[str, dict[str, str]]:
    """The address without its password, which goes by the environment: a command line can be seen by everybody."""
    parts = urlsplit(dsn)
    query = dict(parse_qsl(parts.query))
    account, at, place = parts.netloc.rpartition("@")
    name, colon, secret = account.partition(":")
    password = query.pop("password", unquote(secret) if colon else None)
    environment = dict(os.environ)
    if password is not None:
        environment["PGPASSWORD"] = password
    return urlunsplit(parts._replace(netloc=f"{name}{at}{place}", query=urlencode(query))), environment
