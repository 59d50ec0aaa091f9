"""What the tests of webhooks say often."""

import shutil
import time
from collections.abc import Callable
from datetime import timedelta
from itertools import count
from typing import Any

import hatch_build
from soloist.infra.times import wire
from tests import make
from tests.people import Member, data, register
from tests.receiver import Receiver
from tests.serving import Served

LOOPBACK = "127.0.0.0/8"
NOWHERE = "https://127.0.0.1:65535/hook"  # nobody listens there
ENDED = ("DELIVERED", "FAILED", "CANCELLED")
_numbers = count(1)


def make_hook(person: Member, url: str = NOWHERE, events: tuple[str, ...] = ("*",), **fields: Any) -> dict[str, Any]:
    """A new endpoint, as the answer that shows its secret."""
    made: dict[str, Any] = data(person.post("/webhooks", {"url": url, "events": list(events), **fields}), 201)
    return made


def until(condition: Callable[[], bool], seconds: float = 15) -> None:
    """Ask again until it holds; fails when the time is over."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.02)


def node() -> str:
    """The program that runs JavaScript: the machine's, or that of the wheel."""
    npm = hatch_build.find_npm()
    assert npm is not None
    return npm[0] if len(npm) > 1 else str(shutil.which("node"))


class Book:
    """An account with endpoints at the receiver, each at a path of its own."""

    def __init__(self, server: Served, receiver: Receiver) -> None:
        self.server = server
        self.receiver = receiver
        self.owner = register(server.url, "hooked")

    def hook(self, *events: str) -> "Hook":
        """A new endpoint, for all events unless some are named."""
        path = f"/{next(_numbers)}"
        made = make_hook(self.owner, self.receiver.url(path), events or ("*",))
        return Hook(self, path, made)

    def happen(self, times: int = 1) -> list[str]:
        """That many `client.created`; answers the clients' ids."""
        return [make.client(self.owner)["id"] for _ in range(times)]

    def delivery(self, delivery_id: str) -> dict[str, Any]:
        found: dict[str, Any] = data(self.owner.get(f"/webhooks/deliveries/{delivery_id}"))
        return found


class Hook:
    """One endpoint and what is known of it."""

    def __init__(self, book: Book, path: str, made: dict[str, Any]) -> None:
        self.book, self.path = book, path
        self.id: str = made["id"]
        self.secret: str = made["secret"]

    @property
    def now(self) -> dict[str, Any]:
        """The record."""
        found: dict[str, Any] = data(self.book.owner.get(f"/webhooks/{self.id}"))
        return found

    def deliveries(self, **asked: str) -> list[dict[str, Any]]:
        """Newest first."""
        answer = self.book.owner.get(f"/webhooks/{self.id}/deliveries", params=asked)
        found: list[dict[str, Any]] = data(answer)["deliveries"]
        return found

    def post(self, action: str, body: Any = None) -> Any:
        return data(self.book.owner.post(f"/webhooks/{self.id}/{action}", body))

    def patch(self, **fields: Any) -> Any:
        return data(self.book.owner.patch(f"/webhooks/{self.id}", fields))

    def replay_all(self, **fields: Any) -> int:
        """Replay the last hour; answers how many events there are."""
        since = wire(self.book.server.clock() - timedelta(hours=1))
        found: int = self.post("replay", {"since": since, **fields})["events"]
        return found

    def wait_ended(self, number: int = 1) -> list[dict[str, Any]]:
        """The deliveries when that many have ended, newest first."""
        until(lambda: sum(one["state"] in ENDED for one in self.deliveries()) >= number)
        return self.deliveries()
