"""A private PostgreSQL in the data directory: no network port, never root, one holder at a time.

`<data_dir>/postgres` keeps the cluster (`data`, with the socket in it), the log and the locks. The holder's
lock lasts as long as its process, so `kill -9` frees it; the server's lock is shared by every process of it.
"""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self

from soloist.infra.postgres_binaries import COPIES, Binaries, NoBinaries, find_binaries, runnable_by
from soloist.infra.postgres_cluster import Cluster, WrongMajor, dsn
from soloist.infra.postgres_process import (
    END_SECONDS,
    POLL_SECONDS,
    PORT,
    Account,
    PostgresUnavailable,
    StartFailed,
    accepts,
    end,
    end_earlier,
    lock_now,
    lock_shared,
    make_private_folder,
    open_private_file,
    read_status,
    server_account,
    spawn,
    wait_until,
)

__all__ = [
    "AlreadyRunning",
    "Binaries",
    "EmbeddedPostgres",
    "NoBinaries",
    "PostgresUnavailable",
    "StartFailed",
    "WrongMajor",
    "connect_or_start",
    "find_binaries",
    "running_dsn",
]

START_SECONDS = 300.0  # recovery after a crash may have to read a gigabyte of log
READY = b" ready"  # follows the holder's pid once its server runs and has our database
LARGEST_LOG = 8_000_000
LOG_TAIL = 2_000


class AlreadyRunning(PostgresUnavailable):
    """Another live process has the data directory; `pid` is that process, None when it did not say."""

    def __init__(self, message: str, pid: int | None) -> None:
        super().__init__(message)
        self.pid = pid


class EmbeddedPostgres:
    """The PostgreSQL of one data directory, held by this process from `start` to `stop`.

    The server ends with its holder: in order by `stop`, and by itself after a `kill -9` (on Linux; elsewhere
    the next start ends it). Keep the object as long as the server is needed.
    """

    def __init__(self, data_dir: Path, binaries: Binaries | None = None, *, copies: Path = COPIES) -> None:
        self.data_dir = data_dir.resolve()
        self._home = _home(data_dir)
        self._log = self._home / "postgres.log"
        self._log_start = 0
        self._binaries = binaries
        self._copies = copies
        self._guard = threading.RLock()
        self._holder: int | None = None
        self._keeper = _new_keeper()
        self._cluster: Cluster | None = None
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def dsn(self) -> str:
        """Where the started server's database is."""
        return dsn(self._started().socket_dir)

    @property
    def pid(self) -> int | None:
        """The server's main process, None before `start` and after `stop`."""
        return self._process.pid if self._process else None

    def start(self) -> str:
        """Bring the server up and answer its DSN; makes the cluster and the database where missing.

        Raises AlreadyRunning when another process holds the data directory, WrongMajor for a cluster of
        another PostgreSQL, NoBinaries without programs, StartFailed otherwise. What a killed holder or
        server left is cleared; a server that still runs without a holder is ended in order and replaced.
        """
        with self._guard:
            if self._process is None:
                try:
                    with _explained(self._home):
                        self._bring_up()
                except BaseException:
                    self.stop()
                    raise
            return self.dsn

    def alive(self) -> bool:
        """Whether the server's main process runs."""
        process = self._process
        return process is not None and process.poll() is None

    def ensure_running(self) -> bool:
        """Start the server again if it died, and answer whether it had; nothing before `start`, after `stop`.

        For a periodic call from any thread. The DSN stays; committed data is there; connections are not.
        """
        with self._guard:
            if self._process is None or self.alive():
                return False
            with _explained(self._home), self._server_lock() as lock:
                self._run(lock)
            return True

    def stop(self) -> None:
        """End the server in order (open transactions are rolled back) and let go of the data directory."""
        with self._guard:
            if self._process is not None:
                end(self._process)
                self._process = None
            self._keeper.shutdown()
            self._keeper = _new_keeper()
            if self._cluster is not None:
                self._cluster.release_short_folder()
                self._cluster = None
            if self._holder is not None:
                os.close(self._holder)
                self._holder = None

    def _bring_up(self) -> None:
        account = _open_home(self.data_dir)
        self._holder = self._hold(account)
        binaries = runnable_by(self._binaries or find_binaries(), account, self._copies)
        cluster = self._cluster = Cluster(self._home / "data", account, binaries)
        if cluster.exists:
            cluster.check_major()
        with self._server_lock() as lock:
            if not cluster.exists:
                cluster.create(partial(self._run_to_end, lock))
            self._run(lock)
        cluster.ensure_database()
        os.write(self._holder, READY)

    def _hold(self, account: Account) -> int:
        descriptor = open_private_file(self._home / "holder.lock", account)
        if lock_now(descriptor):
            os.truncate(descriptor, 0)
            os.write(descriptor, str(os.getpid()).encode())
            return descriptor
        said = os.read(descriptor, 20).decode(errors="replace").removesuffix(READY.decode())
        os.close(descriptor)
        pid = int(said) if said.isdecimal() else None
        process, kill = (f" (process {pid})", f", or: kill {pid}") if pid else ("", "")
        raise AlreadyRunning(
            f"Soloist{process} already runs on the data directory {self.data_dir}. Stop it first (Ctrl-C in "
            f"its terminal{kill}), or choose another data directory with --data-dir or SOLOIST_DATA_DIR.",
            pid,
        )

    @contextlib.contextmanager
    def _server_lock(self) -> Iterator[int]:
        """The lock for a new server's processes, once none of an earlier one is left, nor its leftovers."""
        cluster = self._started()
        lock = open_private_file(self._home / "server.lock", cluster.account)
        try:
            if not lock_now(lock) and not end_earlier(cluster.data, cluster.socket_dir, lock):
                raise StartFailed(f"Processes of an earlier PostgreSQL work in {cluster.data}; end them first.")
            _refuse_foreign(cluster)
            # The pid in them may live on as a zombie or as another program: PostgreSQL takes it for a server.
            (cluster.data / "postmaster.pid").unlink(missing_ok=True)
            (cluster.socket_dir / f".s.PGSQL.{PORT}.lock").unlink(missing_ok=True)
            yield lock
        finally:
            os.close(lock)

    def _run(self, lock: int) -> None:
        cluster = self._started()
        cluster.configure()
        if self._log.exists() and self._log.stat().st_size > LARGEST_LOG:
            self._log.replace(self._log.with_suffix(".log.1"))
        process = self._process = self._spawn(lock, cluster.command(), cluster.data, signal.SIGINT)

        def is_ready() -> bool:
            if process.poll() is not None:
                raise StartFailed(f"PostgreSQL did not start. {self._last_words()}")
            status = read_status(cluster.data)
            return status is not None and status.pid == process.pid and status.is_ready

        if not wait_until(is_ready, START_SECONDS):
            raise StartFailed(f"PostgreSQL was not ready after {START_SECONDS:.0f} s. {self._last_words()}")

    def _run_to_end(self, lock: int, command: list[str], folder: Path) -> None:
        if self._spawn(lock, command, folder, signal.SIGKILL).wait() != 0:
            raise StartFailed(f"{command[0]} could not make the database. {self._last_words()}")

    def _spawn(
        self, lock: int, command: list[str], folder: Path, on_our_death: signal.Signals
    ) -> subprocess.Popen[bytes]:
        account = self._started().account
        log = open_private_file(self._log, account)
        self._log_start = os.fstat(log).st_size
        begin = partial(spawn, command, folder, account, output=log, lock=lock, on_our_death=on_our_death)
        try:
            return self._keeper.submit(begin).result()
        finally:
            os.close(log)

    def _last_words(self) -> str:
        with self._log.open("rb") as log:
            log.seek(max(self._log_start, log.seek(0, os.SEEK_END) - LOG_TAIL))
            return f"Its log {self._log} ends:\n{log.read().decode(errors='replace').strip()}"

    def _started(self) -> Cluster:
        if self._cluster is None:
            raise PostgresUnavailable(f"The PostgreSQL in {self._home} is not started; call start() first.")
        return self._cluster


def running_dsn(data_dir: Path) -> str | None:
    """The DSN of the live server in this data directory, None when there is none. Takes no lock."""
    _refuse_windows()
    home = _home(data_dir)
    with _explained(home):
        status = read_status(home / "data")
        if status is None or not status.is_ready or not accepts(status.socket_dir):
            return None
        if not (home / "holder.lock").read_bytes().endswith(READY):
            return None
    return dsn(status.socket_dir)


@contextlib.contextmanager
def connect_or_start(data_dir: Path, binaries: Binaries | None = None) -> Iterator[str]:
    """The DSN of the running server, else of one started for the length of the block.

    Several may do so at once: the one that started the server stops it after the others, for which it waits
    END_SECONDS at most. Raises what `EmbeddedPostgres.start` raises; AlreadyRunning only when the holder's
    server does not come up in time.
    """
    server = EmbeddedPostgres(data_dir, binaries)
    with _explained(_home(data_dir)):
        users = open_private_file(_home(data_dir) / "users.lock", _open_home(server.data_dir))
    try:
        lock_shared(users)
        try:
            yield _running_or_started(server)
        finally:
            if server.pid is not None:
                wait_until(lambda: lock_now(users), END_SECONDS)
    finally:
        server.stop()
        os.close(users)


def _running_or_started(server: EmbeddedPostgres) -> str:
    deadline = time.monotonic() + START_SECONDS
    while (found := running_dsn(server.data_dir)) is None:
        try:
            return server.start()
        except AlreadyRunning:  # its holder is just starting it, or starting it again
            if time.monotonic() > deadline:
                raise
        time.sleep(POLL_SECONDS)
    return found


def _home(data_dir: Path) -> Path:
    return data_dir.resolve() / "postgres"


def _open_home(data_dir: Path) -> Account:
    """Make the folders; the answer is who they and the server belong to."""
    _refuse_windows()
    data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    home = _home(data_dir)
    account = server_account(home / "data", data_dir)
    make_private_folder(home, account)
    return account


def _new_keeper() -> ThreadPoolExecutor:
    """The one thread that starts programs; Linux tells them of our death when the thread that did so ends."""
    return ThreadPoolExecutor(max_workers=1, thread_name_prefix="postgres-keeper")


def _refuse_foreign(cluster: Cluster) -> None:
    status = read_status(cluster.data)
    if status and accepts(status.socket_dir):
        raise AlreadyRunning(
            f"A PostgreSQL that Soloist did not start (process {status.pid}) works in {cluster.data}. "
            f"Stop it first: {cluster.binaries.bin / 'pg_ctl'} stop -D {cluster.data}",
            status.pid,
        )


@contextlib.contextmanager
def _explained(home: Path) -> Iterator[None]:
    try:
        yield
    except OSError as fault:
        raise StartFailed(
            f"The embedded PostgreSQL cannot work in {home}: {fault}. The folder must be writable for "
            "the account that runs Soloist and on a disk with file locks. Start as its owner, choose another "
            "with --data-dir or SOLOIST_DATA_DIR, or set DATABASE_URL."
        ) from fault


def _refuse_windows() -> None:
    if sys.platform == "win32":
        raise PostgresUnavailable(
            "The embedded PostgreSQL needs Linux or macOS. On Windows set DATABASE_URL to a PostgreSQL 15 or newer."
        )
