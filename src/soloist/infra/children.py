"""Child processes of ours: started, started again when they die, ended with us.

Each child holds the reading end of a pipe whose other end is ours alone: end of file there means that we are
gone, however we went. On a second pipe a child says that it is ready.
"""

import os
import subprocess
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import structlog

log = structlog.get_logger("soloist.children")

LOOK_SECONDS = 0.1
END_SECONDS = 25.0  # what a child may take for its running requests and jobs, and a little more
LONGEST_PAUSE = 10.0
SETTLED_SECONDS = 10.0


class ChildFailed(Exception):
    """A child ended before all were ready: the start as a whole has failed."""


@dataclass(slots=True)
class Child:
    """One command that is to run as long as we do.

    Its last two arguments will be the descriptors of the two pipes: whose end of file says that we are gone,
    and where to write a byte when it is ready.
    """

    name: str
    command: list[str]
    process: "subprocess.Popen[bytes] | None" = None
    started: float = 0.0
    due: float = 0.0
    deaths: int = 0


class Children:
    """Several children, watched from one thread. They inherit `environment` and the descriptors in `share`."""

    def __init__(self, children: list[Child], environment: Mapping[str, str], share: tuple[int, ...] = ()) -> None:
        self._children = children
        self._environment = dict(environment)
        self._share = share
        self._life, self._ours = os.pipe()
        self._ready, self._theirs = os.pipe()
        os.set_blocking(self._ready, False)
        self.stopping = threading.Event()
        self.forced = threading.Event()

    def run(self, on_ready: Callable[[], None]) -> None:
        """Keep them running until `stopping` is set, then end them in order, or at once when `forced` is set.

        Raises ChildFailed when one ends before all are ready.
        """
        try:
            for child in self._children:
                self._start(child)
            if self._all_ready():
                on_ready()
            while not self.stopping.wait(LOOK_SECONDS):
                for child in self._children:
                    self._look_after(child)
        finally:
            self._end_all()
            for descriptor in (self._life, self._ours, self._ready, self._theirs):
                os.close(descriptor)

    def _start(self, child: Child) -> None:
        child.started = time.monotonic()
        child.process = subprocess.Popen(
            [*child.command, str(self._life), str(self._theirs)],
            env=self._environment,
            pass_fds=(self._life, self._theirs, *self._share),
            stdin=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C in our terminal is for us; we end them in order
        )

    def _all_ready(self) -> bool:
        """Wait until each has said so; False when we were stopped before."""
        awaited = len(self._children)
        while not self.stopping.wait(LOOK_SECONDS):
            awaited -= self._announced()
            if awaited <= 0:
                return True
            for child in self._children:
                if child.process and (status := child.process.poll()) is not None:
                    raise ChildFailed(f"The {child.name} process ended while starting, with exit code {status}.")
        return False

    def _announced(self) -> int:
        try:
            return len(os.read(self._ready, 1024))
        except BlockingIOError:
            return 0

    def _look_after(self, child: Child) -> None:
        now = time.monotonic()
        if child.process is None:
            if now >= child.due:
                self._start(child)
        elif (status := child.process.poll()) is not None:
            child.deaths = child.deaths + 1 if now - child.started < SETTLED_SECONDS else 0
            child.due = now + (min(0.2 * 2**child.deaths, LONGEST_PAUSE) if child.deaths else 0.0)
            child.process = None
            log.warning("a process ended and is started again", process=child.name, status=status)

    def _end_all(self) -> None:
        running = [child.process for child in self._children if child.process]
        for process in running:
            process.terminate()
        end = time.monotonic() + END_SECONDS
        while any(process.poll() is None for process in running) and time.monotonic() < end:
            if self.forced.wait(LOOK_SECONDS / 2):
                break
        for process in running:
            process.kill()
            process.wait()


def when_parent_ends(descriptor: int, act: Callable[[], object]) -> None:
    """In a child: call `act` from a thread once the parent is gone, and leave by force if that takes too long."""

    def watch() -> None:
        os.read(descriptor, 1)  # returns at end of file: nobody ever writes there
        act()
        time.sleep(END_SECONDS)
        os._exit(1)

    threading.Thread(target=watch, name="parent-watch", daemon=True).start()
