"""How soon an event arrives when nothing else is to be done, how many a second, and beside a receiver that hangs."""

import random
import signal
import time
from dataclasses import dataclass

from crash.ledger import Client, Writing, latencies, share
from crash.receiver import Visit
from crash.verdicts import Verdict, none_of
from crash.world import World, kill, owner, scratch, served
from tests.cli.programs import Running, until
from tests.people import Member

HANGING_PER_SECOND = 20.0
NEIGHBOURS = 4
IDLE_GAP = (0.1, 0.4)  # seconds between two changes
MOST_WEBHOOKS = 20
IDLE_P50, IDLE_P95, NEIGHBOUR_P95 = 100.0, 500.0, 1000.0  # ms
FAN_OUT = 300.0  # a second
ARRIVAL_SECONDS = 120.0


@dataclass(frozen=True)
class Pace:
    """How many changes when idle; how many for the fan-out, to 20 webhooks each; how long beside one that hangs."""

    idle: int
    burst: int
    hanging_seconds: float


def run(plan: Pace, seed: int) -> list[Verdict]:
    """Measure all three with one worker process."""
    with scratch() as folder, served(folder, seed) as (world, url):
        working = world.worker()
        found = _idle(world, url, plan, random.Random(seed))
        found += _fan_out(world, url, plan, working)
        found += _beside_one_that_hangs(world, url, plan)
        kill(working)  # in order it would end only when the hanging attempts do
        return found


def _idle(world: World, url: str, plan: Pace, chance: random.Random) -> list[Verdict]:
    person = owner(url, world.hooks, "well")
    client = Client(lambda: url, person.token or "")
    client.create("The first wakes everything up")
    _wait_for(world, person, 1)
    changes = []
    for number in range(plan.idle):
        time.sleep(chance.uniform(*IDLE_GAP))
        changes.append(client.create(f"Client {number}"))
    taken = latencies(changes, _wait_for(world, person, plan.idle + 1))
    more = f"{plan.idle} changes, one at a time; from the request, so that the commit is later"
    return [
        Verdict("idle: change to receiver, p50", share(taken, 0.5), "ms", IDLE_P50, more=more),
        Verdict("idle: change to receiver, p95", share(taken, 0.95), "ms", IDLE_P95),
    ]


def _fan_out(world: World, url: str, plan: Pace, working: Running) -> list[Verdict]:
    """The worker is frozen while the changes are made: then everything that it takes is on its side."""
    person = owner(url, world.hooks, *["well"] * MOST_WEBHOOKS)
    client = Client(lambda: url, person.token or "")
    working.process.send_signal(signal.SIGSTOP)
    writing = Writing(lambda n: client.create(f"Client {n}"), 10**6, 4, plan.burst)
    writing.join()
    working.process.send_signal(signal.SIGCONT)
    began = time.monotonic()
    wanted = plan.burst * MOST_WEBHOOKS
    visits = _wait_for(world, person, wanted)
    until(lambda: world.left() == 0, ARRIVAL_SECONDS)  # what comes next is not to wait for this
    seconds = max(visit.at for visit in visits) - began
    return [
        Verdict("fan-out from one worker process", wanted / seconds, "/s", at_least=FAN_OUT, more=f"{wanted} in all"),
        none_of("fan-out: delivered more than once", len(visits) - wanted),
    ]


def _beside_one_that_hangs(world: World, url: str, plan: Pace) -> list[Verdict]:
    person = owner(url, world.hooks, "stuck", *["well"] * NEIGHBOURS)
    client = Client(lambda: url, person.token or "")
    changes = int(plan.hanging_seconds * HANGING_PER_SECOND)
    Writing(lambda n: client.create(f"Client {n}"), HANGING_PER_SECOND, 4, changes).join()
    visits = _wait_for(world, person, changes * NEIGHBOURS)
    taken = latencies(client.changes, visits)
    hung = sum(visit.path.startswith("/stuck") for visit in _visits(world, person))
    more = f"{changes} changes at {HANGING_PER_SECOND:.0f}/s, {NEIGHBOURS} webhooks; {hung} attempts hung on the other"
    return [
        Verdict("beside one that hangs: p95", share(taken, 0.95), "ms", NEIGHBOUR_P95, more=more),
        Verdict("beside one that hangs: attempts at it", hung, at_least=1),
    ]


def _wait_for(world: World, person: Member, count: int) -> list[Visit]:
    """What has come to this account's good webhooks when it is `count` or more."""

    def visits() -> list[Visit]:
        return [visit for visit in _visits(world, person) if visit.path.startswith("/well")]

    until(lambda: len(visits()) >= count, ARRIVAL_SECONDS)
    return visits()


def _visits(world: World, person: Member) -> list[Visit]:
    return [visit for visit in world.hooks.visits() if person.account["id"] in visit.path]
