"""The worker is killed again and again while it works, and the receiver fails one request in five."""

import random
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from crash.ledger import Client, Writing, settle_up
from crash.receiver import FAILING, FAILURES
from crash.verdicts import Verdict, none_of
from crash.world import World, kill, owner, scratch, served
from tests.cli.programs import until
from tests.people import Member, data

ROLLED_BACK = 0.15  # share of the changes
RENAMED = 0.3  # of the others
# A delivery that failed twice in a row waits for five minutes: it is sent again by hand, as its owner could.
FAR = timedelta(seconds=30)
MOST_SECONDS = 600.0
START_SECONDS = 2.0  # of a worker, about
DUPLICATES = 5.0  # per cent
# Rolled back, an event's row is gone, but not the place in the order that it had drawn.
_PLACES_LOST = "select last_value - (select count(*) from events) from event_positions"


@dataclass(frozen=True)
class Storm:
    """How many changes, at what rate, for how many accounts, and how often the worker is killed meanwhile."""

    changes: int
    per_second: float
    accounts: int
    kills: int


class _Book:
    """One account: its owner's program makes changes, some of them in vain."""

    def __init__(self, url: str, person: Member, seed: str) -> None:
        self.person = person
        self.client = Client(lambda: url, person.token or "")
        self._chance = random.Random(seed)

    def change(self, number: int) -> None:
        made = [each.record_id for each in list(self.client.changes) if each.version == 1]
        if self._chance.random() < ROLLED_BACK:
            self.client.create_in_vain(f"Never {number}")
        elif made and self._chance.random() < RENAMED:
            self.client.rename(self._chance.choice(made), f"Renamed {number}")
        else:
            self.client.create(f"Client {number}")


def run(plan: Storm, seed: int) -> list[Verdict]:
    """Make the changes, kill the workers, wait until everything is delivered, and settle up."""
    with scratch() as folder, served(folder, seed) as (world, url):
        books = [_Book(url, owner(url, world.hooks, "shaky"), f"{seed} {n}") for n in range(plan.accounts)]
        places_lost = world.ask(_PLACES_LOST)[0][0]
        writing = Writing(lambda n: books[n % len(books)].change(n), plan.per_second, 6)
        kills = _kill_workers(world, plan, random.Random(seed))
        until(lambda: writing.done >= plan.changes, MOST_SECONDS)
        writing.finish()
        places_lost = world.ask(_PLACES_LOST)[0][0] - places_lost
        replays, seconds = _deliver_all(world, [book.person for book in books])
        clients = [book.client for book in books]
        return [
            Verdict("workers killed while changes went on", kills, at_least=plan.kills),
            *_changes(plan, clients, places_lost),
            *_deliveries(world, clients),
            none_of("jobs given up", world.failed_jobs()),
            Verdict("until all was delivered", seconds, "s", more=f"after the last change; {replays} replayed by hand"),
        ]


def _kill_workers(world: World, plan: Storm, chance: random.Random) -> int:
    """Kill a worker at a random moment after its first delivery, start the next, and so on; answers how often.

    The last one lives.
    """
    kills = 0
    longest = max(plan.changes / plan.per_second / plan.kills - START_SECONDS, 0.5) * 2
    for _ in range(plan.kills):
        working = world.worker()
        seen = len(world.hooks.visits())
        until(lambda seen=seen: len(world.hooks.visits()) > seen)  # type: ignore[misc]
        time.sleep(chance.uniform(0, longest))
        kills += kill(working)
    world.worker()
    return kills


def _deliver_all(world: World, people: Sequence[Member]) -> tuple[int, float]:
    """Wait until nothing is left to be sent; answers how many deliveries were replayed, and the seconds it took."""
    started = time.monotonic()
    replays = 0
    while world.left():
        if time.monotonic() - started > MOST_SECONDS:
            break  # what is missing is counted as lost
        replays += sum(map(_hurry, people))
        time.sleep(1)
    return replays, time.monotonic() - started


def _hurry(person: Member) -> int:
    [hook] = data(person.get("/webhooks"))["webhooks"]
    waiting = data(person.get(f"/webhooks/{hook['id']}/deliveries?state=PENDING&limit=100"))["deliveries"]
    far = datetime.now(UTC) + FAR
    late = [each["id"] for each in waiting if datetime.fromisoformat(each["nextAttemptAt"]) > far]
    for delivery_id in late:
        data(person.post(f"/webhooks/deliveries/{delivery_id}/replay"))
    return len(late)


def _changes(plan: Storm, clients: Sequence[Client], places_lost: int) -> list[Verdict]:
    done = sum(len(client.changes) for client in clients)
    in_vain = sum(client.rolled_back for client in clients)
    return [
        Verdict("changes", done + in_vain, at_least=plan.changes, more=f"{done} committed, {in_vain} rolled back"),
        Verdict("rolled back after their event was written", places_lost, at_least=in_vain),
    ]


def _deliveries(world: World, clients: Sequence[Client]) -> list[Verdict]:
    found = settle_up(world, [change for client in clients for change in client.changes])
    answers = Counter(visit.answer for visit in world.hooks.visits())
    failed = sum(answers[each] for each in FAILURES) / answers.total() * 100
    failures = ", ".join(f"{answers[each]} × {each}" for each in FAILURES)
    share = found.repeated / found.events * 100
    return [
        Verdict("requests failed by the receiver", failed, "%", at_least=FAILING * 50, more=failures),
        none_of("committed events never delivered", found.lost, f"of {found.events}"),
        none_of("acknowledged changes without their event", found.unrecorded),
        none_of("deliveries of changes that were rolled back", found.ghosts),
        none_of("events or records beyond one for each change", found.doubled),
        none_of("deliveries with other bytes than the stored ones", found.altered, f"of {answers.total()} requests"),
        Verdict("duplicates, same id and bytes", share, "%", DUPLICATES, more=f"{found.repeated} of {found.events}"),
    ]
