"""The books: what was asked for and acknowledged, what the database holds of it, and what the receiver got.

Changes are made as a careful client makes them: with an Idempotency-Key, again and again until they are answered.
"""

import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import count
from uuid import uuid4

import httpx2
import orjson

from crash.receiver import Visit
from crash.world import World
from soloist.infra.http import BASE

CREATED, UPDATED = "client.created", "client.updated"
NEW_CLIENT = {"clientType": "COMPANY", "source": "MANUAL"}
PATIENCE = 90.0  # seconds for one change
PAUSE = 0.1  # before it is asked for again
# To be asked again: not there, still busy with the same request, or away.
AGAIN = {409, 503}


@dataclass(frozen=True, slots=True)
class Change:
    """A change that was acknowledged: the event it must have caused, and when it was asked for and answered."""

    type: str
    record_id: str
    version: int
    sent_at: float
    answered_at: float
    requests: int
    replayed: bool  # answered from what an earlier request of the same key had stored


class Client:
    """Somebody's program: it knows a token, and at each moment where the server is."""

    def __init__(self, where: Callable[[], str], token: str) -> None:
        self._where = where
        self._token = token
        self._http = httpx2.Client(trust_env=False, timeout=30, limits=httpx2.Limits(max_connections=16))
        self.changes: list[Change] = []
        self.rolled_back = 0

    def create(self, name: str) -> Change:
        """A new client, however often it has to be asked for."""
        return self._until_done("POST", "/clients", {**NEW_CLIENT, "companyName": name}, CREATED)

    def rename(self, client_id: str, name: str) -> Change:
        """Another name for a client."""
        return self._until_done("PATCH", f"/clients/{client_id}", {"companyName": name}, UPDATED)

    def create_in_vain(self, name: str) -> None:
        """A change that is rolled back after its event and its job were written.

        An If-Match that no record was there to meet makes the answer 412: that is found out when the answer is
        made, at the end of the transaction.
        """
        answer = self._send("POST", "/clients", {**NEW_CLIENT, "companyName": name}, {"If-Match": '"1"'})
        assert answer.status_code == 412, answer.text
        self.rolled_back += 1

    def _until_done(self, method: str, path: str, body: dict[str, str], event: str) -> Change:
        key = {"Idempotency-Key": str(uuid4())}
        sent_at = time.monotonic()
        requests = 1
        while (answer := self._answer(method, path, body, key)) is None:
            if time.monotonic() - sent_at > PATIENCE:
                raise RuntimeError(f"{method} {path} was not done in {PATIENCE:.0f} s")
            requests += 1
            time.sleep(PAUSE)
        record = answer.json()["data"]
        replayed = answer.headers.get("idempotency-replayed") == "true"
        done = Change(event, record["id"], record["version"], sent_at, time.monotonic(), requests, replayed)
        self.changes.append(done)
        return done

    def _answer(self, method: str, path: str, body: dict[str, str], key: dict[str, str]) -> httpx2.Response | None:
        """The answer to one request; None if it is to be made again."""
        try:
            answer = self._send(method, path, body, key)
        except httpx2.TransportError:
            return None
        if answer.is_success:
            return answer
        if answer.status_code in AGAIN:
            return None
        raise RuntimeError(f"{method} {path} was answered {answer.status_code}: {answer.text}")

    def _send(self, method: str, path: str, body: dict[str, str], headers: dict[str, str]) -> httpx2.Response:
        every = {"Authorization": f"Bearer {self._token}", **headers}
        return self._http.request(method, f"{self._where()}{BASE}{path}", json=body, headers=every)


class Writing:
    """Changes going on beside: `todo(n)` for n = 0, 1 … at a rate, by some threads, until `finish`."""

    def __init__(self, todo: Callable[[int], object], per_second: float, threads: int, most: int = 10**9) -> None:
        self._todo = todo
        self._gap = 1 / per_second
        self._most = most
        self._numbers = count()
        self.done = 0  # about how many
        self._started = time.monotonic()
        self._ended = threading.Event()
        self._pool = ThreadPoolExecutor(threads)
        self._threads: list[Future[None]] = [self._pool.submit(self._write) for _ in range(threads)]

    def _write(self) -> None:
        for number in self._numbers:
            wait = self._started + number * self._gap - time.monotonic()
            if number >= self._most or self._ended.wait(max(wait, 0)):
                return
            self._todo(number)
            self.done = number + 1

    def finish(self) -> None:
        """Begin no more changes, and wait until those under way are done; raises what went wrong."""
        self._ended.set()
        self.join()

    def join(self) -> None:
        """Wait until all `most` of them are done; raises what went wrong."""
        for each in self._threads:
            each.result()
        self._pool.shutdown()


@dataclass(frozen=True)
class Balance:
    """What does not agree. Everything but `repeated` has to be 0."""

    events: int  # in the database: what was committed
    received: int  # accepted by the receiver, each event at each path once
    unrecorded: int  # acknowledged, but not in the database, or without its event
    doubled: int  # events, or clients, beyond one for each acknowledged change
    lost: int  # event and path: never accepted
    ghosts: int  # requests that tell of something which is not in the database, or was not acknowledged
    altered: int  # requests whose body is not the stored one, byte by byte
    repeated: int  # requests for what had been accepted before


_EVENTS = "select account_id::text, 'evt_' || id as id, body from events"
_HOOKS = "select account_id::text, url from webhooks"
_CLIENTS = "select id::text from clients"


def settle_up(world: World, changes: Sequence[Change]) -> Balance:
    """Hold the acknowledged changes, the database and the receiver's visits against each other."""
    events = {row["id"]: row for row in world.ask(_EVENTS)}
    visits = world.hooks.visits()
    paths: dict[str, list[str]] = {}
    for row in world.ask(_HOOKS):
        paths.setdefault(row["account_id"], []).append(row["url"].removeprefix(world.hooks.url))
    told = Counter(_told(row["body"]) for row in events.values())
    asked = Counter((each.type, each.record_id, each.version) for each in changes)
    made = Counter(row["id"] for row in world.ask(_CLIENTS))
    wanted_clients = Counter(each.record_id for each in changes if each.type == CREATED)
    wanted = {(path, event_id) for event_id, row in events.items() for path in paths.get(row["account_id"], [])}
    accepted = {(each.path, each.id) for each in visits if each.answer == "200"}
    return Balance(
        events=len(events),
        received=len(accepted & wanted),
        unrecorded=(asked - told).total() + (wanted_clients - made).total(),
        doubled=(told - asked).total() + (made - wanted_clients).total(),
        lost=len(wanted - accepted),
        ghosts=sum((each.path, each.id) not in wanted or _told(each.body) not in asked for each in visits),
        altered=sum(each.id in events and each.body != events[each.id]["body"] for each in visits),
        repeated=sum(each.again for each in visits),
    )


def _told(body: str) -> tuple[str, str, int]:
    event = orjson.loads(body)
    return event["type"], event["data"]["id"], event["data"]["version"]


def latencies(changes: Sequence[Change], visits: Sequence[Visit]) -> list[float]:
    """Milliseconds from the moment a change was asked for, which is before its commit, to each arrival; sorted."""
    sent = {(each.type, each.record_id, each.version): each.sent_at for each in changes}
    found = []
    for visit in visits:
        asked_at = sent.get(_told(visit.body))
        if asked_at is not None:
            found.append((visit.at - asked_at) * 1000)
    return sorted(found)


def share(values: Sequence[float], part: float) -> float:
    """The value that `part` of the sorted `values` do not exceed."""
    return values[min(len(values) - 1, int(len(values) * part))]
