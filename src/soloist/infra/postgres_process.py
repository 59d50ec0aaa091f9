"""One PostgreSQL server seen from the operating system: account, files, locks, start, signs of life, end.

Whether anything of a server still lives is asked of a file lock which its processes inherit, never of a
process id: an id is recycled, and it outlives a killed process as a zombie where no init collects it.
"""

import contextlib
import ctypes
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

if sys.platform != "win32":
    import fcntl
    import pwd

PORT = 5432  # names the socket file only; nothing listens on the network
POLL_SECONDS = 0.005
CONNECT_SECONDS = 1.0
END_SECONDS = 30.0
LONGEST_SOCKET_PATH = 103  # sun_path: 104 bytes with the closing zero on macOS, 108 on Linux
PR_SET_PDEATHSIG = 1
# Fast shutdown rolls back and writes everything; the immediate one leaves a recovery to the next start.
FAST_THEN_IMMEDIATE = (signal.SIGINT, signal.SIGQUIT) if sys.platform != "win32" else ()
# Nothing of ours may reach the server's programs: PGPORT, PGDATA, LC_* would change what they do.
ENVIRONMENT = {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC"}


class PostgresUnavailable(Exception):
    """The embedded PostgreSQL cannot be used; the text says why and what to do."""


class StartFailed(PostgresUnavailable):
    """PostgreSQL did not come up; the text ends with what its log or the system said."""


@dataclass(frozen=True, slots=True)
class Account:
    """The operating system's account that the server runs as; `name` is empty for an id without one."""

    uid: int
    gid: int
    name: str

    @property
    def is_ours(self) -> bool:
        """Whether Soloist itself runs as this account, so that nothing has to be changed."""
        return self.uid == os.geteuid()

    def __str__(self) -> str:
        return self.name or f"user {self.uid}"


@dataclass(frozen=True, slots=True)
class Status:
    """What a server wrote in its `postmaster.pid`; it may be left over from a dead one."""

    pid: int
    socket_dir: Path
    is_ready: bool


def server_account(cluster: Path, data_dir: Path) -> Account:
    """Our own account, but never root, which PostgreSQL refuses.

    Root gives the server to the owner of an existing cluster, else to the owner of the data directory
    when that is an account of this system, else to `nobody`. No account is added.
    Raises StartFailed for a user id without a name, for which PostgreSQL makes no cluster.
    """
    if os.geteuid() != 0:
        return _our_account()
    if cluster.exists() and (owner := cluster.stat()).st_uid != 0:
        return Account(owner.st_uid, owner.st_gid, name_of(owner.st_uid))
    uid = data_dir.stat().st_uid
    entry = pwd.getpwuid(uid) if uid != 0 and name_of(uid) else pwd.getpwnam("nobody")
    return Account(entry.pw_uid, entry.pw_gid, entry.pw_name)


def name_of(uid: int) -> str:
    """The account's name, empty for an id this system does not know (a container started with --user)."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return ""


def make_private_folder(path: Path, account: Account) -> None:
    """Create a folder only `account` (and root) can enter; one that exists is left as it is."""
    try:
        path.mkdir(mode=0o700)
    except FileExistsError:
        return
    if account.is_ours:
        return
    try:
        os.chown(path, account.uid, account.gid)
    except OSError as fault:
        path.rmdir()
        raise StartFailed(
            f"PostgreSQL refuses to run as root, and root may not hand over to {account} here "
            f"({fault.strerror}). Start Soloist as an ordinary user, or set DATABASE_URL."
        ) from fault


def open_private_file(path: Path, account: Account) -> int:
    """Open a file for appending, created for `account` alone; never follows a link laid in its place."""
    flags = os.O_RDWR | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
    try:
        descriptor = os.open(path, flags | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return os.open(path, flags)
    if not account.is_ours:
        os.fchown(descriptor, account.uid, account.gid)
    return descriptor


def write_private_file(path: Path, text: str, account: Account) -> None:
    """Replace a file in one step, so that a reader sees the old or the new text and nothing between."""
    fresh = path.with_name(path.name + ".new")
    fresh.unlink(missing_ok=True)
    with open(open_private_file(fresh, account), "w", encoding="utf-8") as file:
        file.write(text)
    fresh.replace(path)


def lock_now(descriptor: int) -> bool:
    """Take the file's lock if nobody has it; it lasts until every process that shares it closed it."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def lock_shared(descriptor: int) -> None:
    """Share the file's lock with others that do the same, after one who has it alone."""
    fcntl.flock(descriptor, fcntl.LOCK_SH)


def spawn(
    command: Sequence[str],
    folder: Path,
    account: Account,
    *,
    output: int,
    lock: int,
    on_our_death: signal.Signals,
) -> subprocess.Popen[bytes]:
    """Start a program on the cluster in `folder`, as `account`, in a session of its own, sharing the lock.

    On Linux it gets `on_our_death` when the calling *thread* ends, so call it from one that lasts.
    """
    with _folder_named_for(account, folder) as (name, descriptors):
        return subprocess.Popen(
            [*command, "-D", name],
            cwd="/",
            env=ENVIRONMENT,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,  # Ctrl-C in our terminal is for us; we stop the server in order
            pass_fds=(lock, *descriptors),
            user=None if account.is_ours else account.uid,
            group=None if account.is_ours else account.gid,
            extra_groups=None if account.is_ours else (),
            preexec_fn=_end_with_parent(on_our_death),
        )


def read_status(cluster: Path) -> Status | None:
    """What `postmaster.pid` says, None while there is none or it is not yet written to the end."""
    try:
        lines = (cluster / "postmaster.pid").read_text(encoding="utf-8").splitlines()
        return Status(int(lines[0]), cluster / lines[4], len(lines) > 7 and lines[7].strip() == "ready")
    except (FileNotFoundError, IndexError, ValueError):
        return None


def accepts(socket_dir: Path) -> bool:
    """Whether a server listens on this socket; a dead server's leftover socket refuses."""
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(CONNECT_SECONDS)
        try:
            client.connect(str(socket_dir / f".s.PGSQL.{PORT}"))
        except (BlockingIOError, TimeoutError):
            return True  # its queue is full: somebody is there
        except (FileNotFoundError, ConnectionRefusedError):
            return False
    return True


def fits_socket(folder: Path) -> bool:
    """Whether clients can name a socket in this folder: short enough, and no comma, which parts hosts."""
    return len(os.fsencode(folder / f".s.PGSQL.{PORT}")) <= LONGEST_SOCKET_PATH and "," not in str(folder)


def wait_until(condition: Callable[[], bool], seconds: float) -> bool:
    """Ask again every few milliseconds until it holds; False when the time is over."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(POLL_SECONDS)
    return True


def end(server: subprocess.Popen[bytes]) -> None:
    """End a server of ours in order; at once if it takes too long, which loses no commit either."""
    for order in FAST_THEN_IMMEDIATE:
        server.send_signal(order)
        with contextlib.suppress(subprocess.TimeoutExpired):
            server.wait(END_SECONDS)
            return
    server.kill()
    server.wait()


def end_earlier(cluster: Path, socket_dir: Path, lock: int) -> bool:
    """Take the lock that an earlier server's processes hold, ending it in order; False when they stay.

    Only a server that listens has for certain the pid it wrote down. Without one the last processes of a
    killed server are on their way out.
    """
    for order in FAST_THEN_IMMEDIATE:
        wait_until(lambda: lock_now(lock) or accepts(socket_dir), END_SECONDS)
        if lock_now(lock):
            return True
        if accepts(socket_dir) and (status := read_status(cluster)):
            os.kill(status.pid, order)
        if wait_until(lambda: lock_now(lock), END_SECONDS):
            return True
    return False


def _our_account() -> Account:
    uid = os.geteuid()
    if not name_of(uid):
        raise StartFailed(
            f"User id {uid}, which runs Soloist, has no name here, and PostgreSQL needs one. Run it as an "
            "account of /etc/passwd (in a container: --user with one of the image), or set DATABASE_URL."
        )
    return Account(uid, os.getegid(), name_of(uid))


@contextlib.contextmanager
def _folder_named_for(account: Account, folder: Path) -> Iterator[tuple[str, tuple[int, ...]]]:
    """What a program run by `account` calls the folder, and the descriptors it inherits for that.

    The account need not be able to walk there (a data directory in root's home): root opens the folder and
    the program goes through the descriptor, so that no rights of folders above are touched.
    """
    if account.is_ours or sys.platform != "linux":
        yield str(folder), ()
        return
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{descriptor}", (descriptor,)
    finally:
        os.close(descriptor)


def _end_with_parent(death_signal: signal.Signals) -> Callable[[], None] | None:
    """What the child does between fork and exec so that even our `kill -9` ends it (Linux only).

    It runs after the change of account, which would clear the setting, and makes only calls into the
    kernel: the parent has threads, and the child must not need a lock that one of them held.
    """
    if sys.platform != "linux":
        return None
    prctl = ctypes.CDLL(None).prctl
    parent = os.getpid()

    def arrange() -> None:
        prctl(PR_SET_PDEATHSIG, int(death_signal))
        if os.getppid() != parent:
            os._exit(1)  # the parent died before the kernel knew our wish

    return arrange
