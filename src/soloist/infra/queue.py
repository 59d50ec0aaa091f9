"""Jobs on PostgreSQL: a thin layer over PgQueuer, which only this module and queue_worker.py know.

A job is written on the caller's own connection, so it exists exactly when the change that wants it does. It
runs at least once: a handler's effect must be one transaction, or harmless twice.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Protocol, cast
from uuid import UUID

import asyncpg
import orjson
from pgqueuer.adapters.drivers.asyncpg import AsyncpgDriver
from pgqueuer.adapters.persistence.qb import QueryBuilderEnvironment, QueryQueueBuilder, QuerySchedulerBuilder
from pgqueuer.adapters.persistence.queries import Queries
from pgqueuer.domain.settings import DBSettings, Durability
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource

from soloist.infra.db import Connection, Database, Tx


class _Names(DBSettings):
    """What PgQueuer calls its tables. Deaf to the environment: a variable FUNCTION would rename one."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return (init_settings,)


# Balanced: jobs and schedules survive a crash of the server; its log of finished jobs need not.
NAMES = _Names(durability=Durability.balanced)


@dataclass(frozen=True, slots=True)
class Kind:
    """How jobs of one name are run.

    One that fails is tried again after `first_gap`, then after twice that and so on, at most `longest_gap`; with
    its `tries` used up it is kept as failed. `patient` ones wait for somebody outside the house: they have places
    of their own in a worker, so that they never keep others from running.
    """

    name: str
    tries: int
    first_gap: timedelta
    longest_gap: timedelta
    patient: bool

    def gap_after(self, attempt: int) -> timedelta | None:
        """How long to wait after the failed `attempt`, which counts from 1; None when it was the last."""
        if attempt >= self.tries:
            return None
        return min(self.first_gap * 2.0 ** min(attempt - 1, 40), self.longest_gap)


KINDS: dict[str, Kind] = {}  # every kind of job there is; a worker has a handler for each


class UnknownJob(Exception):
    """A job was enqueued, or a handler given, under a name that no kind has: a programming fault."""


def kind(
    name: str,
    *,
    tries: int = 8,
    first_gap: timedelta = timedelta(seconds=1),
    longest_gap: timedelta = timedelta(minutes=5),
    patient: bool = False,
) -> str:
    """Declare a kind of job, beside the action that enqueues it; answers its name.

    Unless told otherwise it has eight tries, which take two minutes.
    """
    if name in KINDS:
        raise UnknownJob(f"two kinds of job share the name {name}")
    KINDS[name] = Kind(name, tries, first_gap, longest_gap, patient)
    return name


@dataclass(frozen=True, slots=True)
class Job:
    """One job as its handler sees it. `payload` holds ids, never personal data; `attempt` counts from 1.

    `worker_id` is the worker that runs it; worker_heartbeats tells that it lives.
    """

    name: str
    account_id: UUID
    payload: Mapping[str, Any]
    attempt: int
    worker_id: UUID


Handler = Callable[[Database, Job], Awaitable[None]]


class Companion(Protocol):
    """Work of a worker that goes on beside its jobs; the worker's heartbeat speaks for it, too."""

    async def start(self, db: Database, worker_id: UUID) -> None: ...

    async def end(self) -> None:
        """Begin nothing more, and finish what is under way; harmless when asked twice."""


@dataclass(frozen=True, slots=True)
class Companions:
    """Several of them, started in this order."""

    parts: Sequence[Companion]

    async def start(self, db: Database, worker_id: UUID) -> None:
        for part in self.parts:
            await part.start(db, worker_id)

    async def end(self) -> None:
        await asyncio.gather(*(part.end() for part in self.parts))


@dataclass(frozen=True, slots=True)
class Periodic:
    """Work without a trigger; `run` answers how many things it changed.

    A slot runs once however many workers there are. Slots missed while none ran are made up for by one run.
    """

    name: str
    every: timedelta
    run: Callable[[Database], Awaitable[int]]


async def enqueue(
    tx: Tx,
    name: str,
    payload: Mapping[str, object],
    *,
    dedupe_key: str | None = None,
    delay: timedelta = timedelta(0),
) -> None:
    """Have the job `name` done once this transaction has committed, `delay` later if given.

    With a `dedupe_key`, nothing is added while an equal job of this account waits or runs. Raises UnknownJob for a
    name that was never declared by `kind`: nobody would run it.
    """
    if name not in KINDS:
        raise UnknownJob(f"no kind of job is called {name}; there are {', '.join(KINDS)}")
    await queries(driver_of(tx.conn)).enqueue(
        name,
        orjson.dumps({"account": tx.account_id, "payload": payload}, default=str),  # asyncpg has UUIDs of its own
        execute_after=delay,
        dedupe_key=None if dedupe_key is None else f"{tx.account_id}:{name}:{dedupe_key}",
        on_conflict="skip",
    )


async def install_tables(conn: Connection) -> None:
    """Make PgQueuer's own tables, or bring them up to the installed PgQueuer."""
    await queries(driver_of(conn)).apply_upgrade()


def queries(driver: AsyncpgDriver) -> Queries:
    """PgQueuer's statements, with our names for its tables."""
    builders = QueryBuilderEnvironment(NAMES), QueryQueueBuilder(NAMES), QuerySchedulerBuilder(NAMES)
    return Queries(driver, *builders)


def driver_of(conn: Connection) -> AsyncpgDriver:
    """PgQueuer's view of a connection; a pool's connection does whatever it asks of one."""
    return AsyncpgDriver(cast("asyncpg.Connection[asyncpg.Record]", conn))
