"""Jobs on PostgreSQL: a thin layer over PgQueuer, which only this module and queue_worker.py know.

A job is written on the caller's own connection, so it exists exactly when the change that wants it does. It
runs at least once: a handler's effect must be one transaction, or harmless twice.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, cast
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
class Job:
    """One job as its handler sees it. `payload` holds ids, never personal data; `attempt` counts from 1."""

    name: str
    account_id: UUID
    payload: Mapping[str, Any]
    attempt: int


Handler = Callable[[Database, Job], Awaitable[None]]


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

    With a `dedupe_key`, nothing is added while an equal job of this account waits or runs.
    """
    await queries(driver_of(tx.conn)).enqueue(
        name,
        orjson.dumps({"account": tx.account_id, "payload": payload}),
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
