"""PostgreSQL is killed, a worker is frozen and wakes up, every connection is ended; changes go on all the while."""

import contextlib
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import asyncpg

from crash.ledger import Client, Writing, settle_up
from crash.verdicts import Verdict, none_of
from crash.world import World, owner, scratch, served
from tests.cli.programs import Running, lives, until

PER_SECOND = 10.0
BEFORE = 2.0  # seconds of changes before the fault, and after it
AFTER = 3.0
FROZEN = 10.0  # longer than a heartbeat may be old: another worker takes over what this one has in hand
RECOVERY = 30.0  # seconds to an empty queue
HOOKS = ("slow",) * 3  # at any moment something is on the wire
_END_ALL = (
    "select pg_terminate_backend(pid) from pg_stat_activity where pid <> pg_backend_pid() and datname is not null"
)


def run(rounds: int, seed: int) -> list[Verdict]:
    """Each kind of outage so many times, one after the other, in one installation with two workers."""
    found = []
    with scratch() as folder, served(folder, seed) as (world, url):
        person = owner(url, world.hooks, *HOOKS)
        client = Client(lambda: url, person.token or "")
        workers = [world.worker(), world.worker()]
        faults: dict[str, Callable[[], None]] = {
            "PostgreSQL's main process killed": lambda: _kill_postgres(folder),
            f"a worker frozen for {FROZEN:.0f} s": lambda: _freeze(workers[0]),
            "all connections terminated": lambda: _end_connections(world),
        }
        for name, fault in faults.items():
            seconds = [_recovery(world, client, fault) for _ in range(rounds)]
            each = ", ".join(f"{one:.1f} s" for one in seconds)
            found.append(Verdict(f"{name}: until all is done", max(seconds), "s", RECOVERY, more=each))
        return found + _judge(world, client)


def _recovery(world: World, client: Client, fault: Callable[[], None]) -> float:
    """Seconds from the end of the fault until nothing is left to be done; changes go on for AFTER of them."""
    writing = Writing(lambda n: client.create(f"Client {n}"), PER_SECOND, 2)
    time.sleep(BEFORE)
    fault()
    began = time.monotonic()
    time.sleep(AFTER)
    writing.finish()

    def is_done() -> bool:
        with contextlib.suppress(OSError, asyncpg.PostgresError):
            return world.left() == 0
        return False

    with contextlib.suppress(AssertionError):  # what takes longer still is a figure, too
        until(is_done, 3 * RECOVERY)
    return time.monotonic() - began


def _judge(world: World, client: Client) -> list[Verdict]:
    found = settle_up(world, client.changes)
    again = sum(change.requests > 1 for change in client.changes)
    wanted = found.events * len(HOOKS)
    return [
        none_of("acknowledged changes lost", found.unrecorded, f"of {len(client.changes)}; {again} asked for again"),
        none_of("changes or events doubled", found.doubled),
        none_of("deliveries lost", found.lost, f"of {wanted}"),
        none_of("deliveries of what is not in the database", found.ghosts),
        none_of("deliveries with other bytes than the stored ones", found.altered),
        none_of("jobs given up", world.failed_jobs()),
        Verdict("delivered more than once", found.repeated / wanted * 100, "%", more=f"{found.repeated} of {wanted}"),
    ]


def _kill_postgres(folder: Path) -> None:
    pid = int((folder / "postgres" / "data" / "postmaster.pid").read_text().split()[0])
    os.kill(pid, signal.SIGKILL)
    until(lambda: not lives(pid))


def _freeze(worker: Running) -> None:
    worker.process.send_signal(signal.SIGSTOP)
    time.sleep(FROZEN)
    worker.process.send_signal(signal.SIGCONT)


def _end_connections(world: World) -> None:
    world.ask(_END_ALL)
