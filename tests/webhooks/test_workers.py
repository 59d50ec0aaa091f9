"""Real worker processes: one is killed, one receiver hangs, and how long it takes from a commit to the receiver."""

import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.cli.programs import environment
from tests.people import data
from tests.receiver import HANG, Receiver, Reply
from tests.serving import Served
from tests.webhooks.hooks import LOOPBACK, Book, until

pytestmark = pytest.mark.slow


@contextmanager
def worker_process(served: Served) -> Iterator["subprocess.Popen[bytes]"]:
    """`soloist worker` on the server's database, stopped in order unless it was killed."""
    settings = {
        "DATABASE_URL": served.dsn,
        "SOLOIST_DATA_DIR": str(served.app.state.settings.data_dir),
        "SOLOIST_OUTBOUND_ALLOW": LOOPBACK,
    }
    command = [sys.executable, "-m", "soloist.cli", "worker"]
    process = subprocess.Popen(command, env=environment(**settings), stdout=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(40)


@pytest.fixture
def quiet_book(quiet: Served, receiver: Receiver) -> Book:
    return Book(quiet, receiver)


def test_a_killed_workers_deliveries_are_taken_up_within_15_seconds(
    quiet: Served, quiet_book: Book, receiver: Receiver
) -> None:
    hook = quiet_book.hook()
    receiver.plan(hook.path, Reply(wait=3))
    with worker_process(quiet) as first:
        quiet_book.happen(12)
        receiver.wait_for(4, hook.path, 30)
        first.kill()
        killed = time.monotonic()
    on_the_wire = {one.id for one in receiver.at(hook.path)}
    receiver.plan(hook.path, Reply())
    with worker_process(quiet):
        until(lambda: len({one.id for one in receiver.at(hook.path)}) == 12, 15 - (time.monotonic() - killed))
        until(lambda: [one["state"] for one in hook.deliveries()] == ["DELIVERED"] * 12)
    ids = [one.id for one in receiver.at(hook.path)]
    assert {one for one in ids if ids.count(one) > 1} == on_the_wire  # nothing else was sent twice
    for one in on_the_wire:
        assert len({request.body for request in receiver.at(hook.path) if request.id == one}) == 1


def test_a_stopped_worker_finishes_what_is_on_the_wire_and_sends_nothing_twice(
    quiet: Served, quiet_book: Book, receiver: Receiver
) -> None:
    hook = quiet_book.hook()
    receiver.plan(hook.path, Reply(wait=1))
    with worker_process(quiet):
        quiet_book.happen(10)
        receiver.wait_for(4, hook.path, 30)
    receiver.plan(hook.path, Reply())
    with worker_process(quiet):
        until(lambda: [one["state"] for one in hook.deliveries()] == ["DELIVERED"] * 10, 30)
    assert len(receiver.at(hook.path)) == 10


def test_a_receiver_that_hangs_delays_no_other(quiet: Served, quiet_book: Book, receiver: Receiver) -> None:
    slow, swift = quiet_book.hook(), quiet_book.hook()
    receiver.plan(slow.path, HANG)
    begun: dict[str, float] = {}
    with worker_process(quiet):
        quiet_book.happen()
        receiver.wait_for(1, swift.path, 30)
        for turn in range(20 * 20):  # 20 s at 20 events a second: longer than one attempt may hang
            due = time.monotonic()
            begun[quiet_book.happen()[0]] = time.monotonic()
            time.sleep(max(0.0, 0.05 - (time.monotonic() - due)))
            assert turn < 400
        requests = receiver.wait_for(len(begun) + 1, swift.path)
    waits = [one.at - begun[one.json["data"]["id"]] for one in requests if one.json["data"]["id"] in begun]
    assert len(waits) == len(begun)
    p95 = statistics.quantiles(waits, n=20)[-1]
    assert p95 < 1.0, f"p95 {p95:.3f} s"
    assert 4 <= len(receiver.at(slow.path)) <= 6  # four at once; after their time-outs one by one


def test_from_commit_to_receiver_takes_a_blink(quiet: Served, quiet_book: Book, receiver: Receiver) -> None:
    hook = quiet_book.hook()
    waits = []
    with worker_process(quiet):
        quiet_book.happen()
        receiver.wait_for(1, hook.path, 30)
        for turn in range(40):
            quiet_book.happen()
            committed = time.monotonic()
            request = receiver.wait_for(turn + 2, hook.path)[-1]
            waits.append(max(0.0, request.at - committed))
            time.sleep(0.05)
    waits.sort()
    print(f"commit to receiver: p50 {waits[19] * 1000:.0f} ms, p95 {waits[37] * 1000:.0f} ms")  # noqa: T201
    assert waits[19] < 0.1
    assert waits[37] < 0.5
    assert data(quiet_book.owner.get(f"/webhooks/{hook.id}"))["failingSince"] is None
