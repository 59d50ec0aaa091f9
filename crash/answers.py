"""The server is killed between commit and answer, just before the commit, and at any moment; clients ask again."""

import random
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from crash.ledger import Client, Writing, settle_up
from crash.receiver import receiver
from crash.verdicts import Verdict, none_of
from crash.world import SETTINGS, World, kill, owner, scratch
from soloist.infra.postgres import EmbeddedPostgres, find_binaries
from tests.cli.programs import Running, serving, until
from tests.postgres_wire import COMMIT, COMMITTED, Towards, Wire, wire

CLIENTS = 3
PER_SECOND = 20.0  # while there is a server
LONGEST_LIFE = 0.5  # seconds that a server works before it is to be killed
CATCH_SECONDS = 20.0
DRAIN_SECONDS = 60.0


class Moment(Enum):
    """When a server is killed."""

    AFTER_COMMIT = 1  # the database has committed, the server does not know it yet
    BEFORE_COMMIT = 2  # the server has asked for the commit, the database does not know it yet
    ANY = 3


@dataclass(frozen=True)
class Kills:
    """How often a server is killed, by moment."""

    after_commit: int
    before_commit: int
    any_moment: int


class _Place:
    """Where the server is at the moment."""

    def __init__(self) -> None:
        self.url = ""


def run(plan: Kills, seed: int) -> list[Verdict]:
    """Kill servers under the requests of some clients, and settle up."""
    chance = random.Random(seed)
    moments = [
        *[Moment.AFTER_COMMIT] * plan.after_commit,
        *[Moment.BEFORE_COMMIT] * plan.before_commit,
        *[Moment.ANY] * plan.any_moment,
    ]
    chance.shuffle(moments)
    place = _Place()
    killed = dict.fromkeys(Moment, 0)
    with scratch() as folder, _database(folder, seed) as (world, line):
        with _server(folder, line) as first:
            person = owner(first.url, world.hooks, "well")
            kill(first)
        world.worker()
        clients = [Client(lambda: place.url, person.token or "") for _ in range(CLIENTS)]
        writing = Writing(lambda n: clients[n % CLIENTS].create(f"Client {n}"), PER_SECOND, CLIENTS)
        for moment in moments:
            with _server(folder, line) as running:
                place.url = running.url
                if _is_killed(running, line, moment, chance):
                    killed[moment] += 1
        with _server(folder, line) as running:
            place.url = running.url
            writing.finish()
        until(lambda: world.left() == 0, DRAIN_SECONDS)
        return _judge(plan, world, clients, killed)


def _is_killed(running: Running, line: Wire, moment: Moment, chance: random.Random) -> bool:
    """Kill the server at that moment; False if the moment did not come."""
    time.sleep(chance.uniform(0, LONGEST_LIFE))
    match moment:
        case Moment.AFTER_COMMIT:
            line.hold(Towards.PROGRAM, COMMITTED)
        case Moment.BEFORE_COMMIT:
            line.hold(Towards.DATABASE, COMMIT)
    if moment is not Moment.ANY and not line.caught(CATCH_SECONDS):
        return False
    return kill(running)


def _judge(plan: Kills, world: World, clients: list[Client], killed: dict[Moment, int]) -> list[Verdict]:
    changes = [change for client in clients for change in client.changes]
    found = settle_up(world, changes)
    after = killed[Moment.AFTER_COMMIT]
    again = sum(change.requests > 1 for change in changes)
    replayed = sum(change.replayed for change in changes)
    return [
        Verdict("servers killed between commit and answer", after, at_least=plan.after_commit),
        Verdict("servers killed just before the commit", killed[Moment.BEFORE_COMMIT], at_least=plan.before_commit),
        Verdict("servers killed at any moment", killed[Moment.ANY], at_least=plan.any_moment),
        Verdict("changes acknowledged", len(changes), more=f"{again} of them asked for more than once"),
        Verdict("answered from the first, unheard answer", replayed, at_least=after),
        none_of("rows and events missing", found.unrecorded, f"of {len(changes)}"),
        none_of("rows and events too many", found.doubled),
        none_of("events never delivered", found.lost, f"of {found.events}"),
        none_of("deliveries of what was not committed", found.ghosts),
        none_of("jobs given up", world.failed_jobs()),
    ]


@contextmanager
def _database(folder: Path, seed: int) -> Iterator[tuple[World, Wire]]:
    """A database that outlives the servers, a wire to it, and a receiver."""
    with ExitStack() as stack:
        hooks = stack.enter_context(receiver(seed))
        postgres = stack.enter_context(EmbeddedPostgres(folder, find_binaries()))
        yield World(folder, postgres.dsn, stack, hooks), stack.enter_context(wire(postgres.dsn))


@contextmanager
def _server(folder: Path, line: Wire) -> Iterator[Running]:
    """A server that reaches the database through the wire only, once it answers."""
    with serving(folder, "--no-worker", DATABASE_URL=line.dsn, **SETTINGS) as running:
        assert running.url  # it serves
        yield running
