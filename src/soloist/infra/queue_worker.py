"""The worker: runs jobs and periodic work, tells that it is alive, and stops in order.

One connection of its own listens, claims and reports; the work itself goes through a small pool.
"""

import asyncio
import contextlib
import functools
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from datetime import timedelta
from uuid import UUID

import asyncpg
import orjson
import structlog
from pgqueuer.adapters.drivers.asyncpg import AsyncpgDriver
from pgqueuer.core.applications import PgQueuer
from pgqueuer.core.executors import DatabaseRetryEntrypointExecutor
from pgqueuer.domain import models

from soloist.infra.clock import Clock, system_clock
from soloist.infra.db import UNAVAILABLE, Database
from soloist.infra.ids import new_id
from soloist.infra.queue import NAMES, Handler, Job, Periodic, driver_of, queries

log = structlog.get_logger("soloist.worker")

# A killed worker's jobs are taken up by another after at most STALE + POLL, which is to stay below 15 s.
STALE = timedelta(seconds=8)
POLL = timedelta(seconds=5)
BEAT_SECONDS = 5.0
GRACE_SECONDS = 15.0  # for running jobs at a stop; what still runs then is left to another worker
ATTEMPTS = 8  # at 1, 2, 4 … 64 s, then the job is kept as failed
BATCH = 10
AT_ONCE = 20
BACK_OFF = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
LOST: tuple[type[Exception], ...] = (*UNAVAILABLE, OSError)

_BEAT = """
insert into worker_heartbeats (worker_id, seen_at) values ($1, now())
on conflict (worker_id) do update set seen_at = excluded.seen_at
"""


class Worker:
    """Works from `run` to `stop`; a database that goes away is waited for, never given up."""

    def __init__(
        self,
        dsn: str,
        handlers: Mapping[str, Handler],
        periodic: Sequence[Periodic],
        clock: Clock = system_clock,
    ) -> None:
        self._dsn = dsn
        self._handlers = handlers
        self._periodic = periodic
        self._db = Database(dsn, size=4, clock=clock, wait_seconds=10)
        self._id = new_id()
        self._stopping = asyncio.Event()
        # PgQueuer logs whole exceptions, whose texts may quote a row; what failed is logged here instead.
        logging.getLogger("pgqueuer").setLevel(logging.CRITICAL)

    def stop(self) -> None:
        """Take no more work; `run` ends when what runs is done, at most GRACE_SECONDS later."""
        self._stopping.set()

    async def run(self) -> None:
        """Work until `stop` is called."""
        await self._db.open()
        failures = 0
        try:
            while not self._stopping.is_set():
                started = time.monotonic()
                try:
                    await self._session()
                except LOST as fault:
                    log.warning("the worker lost the database", error=type(fault).__name__)
                except Exception as fault:
                    log.error("the worker stumbled and starts again", exc_info=fault)
                failures = 0 if time.monotonic() - started > 30 else min(failures + 1, len(BACK_OFF) - 1)
                await _unless_set(self._stopping, BACK_OFF[failures])
        finally:
            await self._db.close()

    async def _session(self) -> None:
        async with _connected(self._dsn) as (conn, ended):
            driver = driver_of(conn)
            queuer = self._queuer(driver)
            working = asyncio.create_task(
                queuer.run(
                    dequeue_timeout=POLL,
                    batch_size=BATCH,
                    max_concurrent_tasks=AT_ONCE,
                    shutdown_on_listener_failure=True,
                    heartbeat_timeout=STALE,
                )
            )
            beating = asyncio.create_task(self._beat(driver))
            signals = [asyncio.create_task(ended.wait()), asyncio.create_task(self._stopping.wait())]
            try:
                await asyncio.wait({working, beating, *signals}, return_when=asyncio.FIRST_COMPLETED)
                queuer.shutdown.set()
                await asyncio.wait({working}, timeout=0 if ended.is_set() else GRACE_SECONDS)
                if not working.done():
                    conn.terminate()  # first, so that a job cut off below is not reported as cancelled
            finally:
                await _end(working, beating, *signals)
            if ended.is_set():
                raise ConnectionError("the connection ended")
            await driver.execute("delete from worker_heartbeats where worker_id = $1", self._id)

    def _queuer(self, driver: AsyncpgDriver) -> PgQueuer:
        queuer = PgQueuer(driver, channel=NAMES.channel, queries=queries(driver))
        for name, handler in self._handlers.items():
            executor = functools.partial(
                DatabaseRetryEntrypointExecutor, max_attempts=ATTEMPTS - 1, max_delay=timedelta(minutes=5)
            )
            queuer.entrypoint(name, accepts_context=False, on_failure="hold", executor_factory=executor)(
                self._job(name, handler)
            )
        for entry in self._periodic:
            queuer.schedule(entry.name, cron(entry.every), accepts_context=False)(self._slot(entry))
        return queuer

    def _job(self, name: str, handler: Handler) -> Callable[[models.Job], Awaitable[None]]:
        async def run(row: models.Job) -> None:
            given = orjson.loads(row.payload or b"{}")
            job = Job(name, UUID(given["account"]), given["payload"], row.attempts + 1)
            try:
                await handler(self._db, job)
            except Exception as fault:
                log.warning("job failed", job=name, id=row.id, attempt=job.attempt, error=type(fault).__name__)
                raise

        return run

    def _slot(self, entry: Periodic) -> Callable[[models.Schedule], Awaitable[None]]:
        async def run(_: models.Schedule) -> None:
            started = time.monotonic()
            try:
                changed = await entry.run(self._db)
            except UNAVAILABLE as fault:
                log.warning("periodic work was cut short", work=entry.name, error=type(fault).__name__)
            except Exception as fault:
                log.error("periodic work failed", work=entry.name, exc_info=fault)
            else:
                if changed:
                    log.info("periodic work", work=entry.name, changed=changed, ms=_millis_since(started))

        return run

    async def _beat(self, driver: AsyncpgDriver) -> None:
        await driver.execute("delete from worker_heartbeats where seen_at < now() - interval '1 hour'")
        while True:
            await driver.execute(_BEAT, self._id)
            await asyncio.sleep(BEAT_SECONDS)


def cron(every: timedelta) -> str:
    """The cron expression for a period that divides a minute, an hour or a day evenly; else ValueError."""
    seconds = every.total_seconds()
    for unit, size, form in ((1, 60, "* * * * * */{}"), (60, 60, "*/{} * * * *"), (3600, 24, "0 */{} * * *")):
        count = seconds / unit
        if count.is_integer() and 1 <= count < size and size % count == 0:
            return form.format(int(count))
    if seconds == 86_400:
        return "0 0 * * *"
    raise ValueError(f"{every} does not divide a minute, an hour or a day evenly")


@contextlib.asynccontextmanager
async def _connected(dsn: str) -> AsyncIterator[tuple["asyncpg.Connection[asyncpg.Record]", asyncio.Event]]:
    """A connection, and the event that it has ended."""
    conn = await asyncpg.connect(
        dsn,
        timeout=10,
        command_timeout=20,
        server_settings={"application_name": "soloist worker", "timezone": "UTC", "jit": "off"},
    )
    ended = asyncio.Event()
    conn.add_termination_listener(lambda _: ended.set())
    try:
        yield conn, ended
    finally:
        try:
            await conn.close(timeout=2)
        except LOST:
            conn.terminate()


async def _end(*tasks: "asyncio.Task[object]") -> None:
    """End the tasks and raise what the first of them had to say."""
    for task in tasks:
        task.cancel()
    for outcome in await asyncio.gather(*tasks, return_exceptions=True):
        if isinstance(outcome, Exception):
            raise outcome


async def _unless_set(event: asyncio.Event, seconds: float) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()


def _millis_since(started: float) -> int:
    return round((time.monotonic() - started) * 1000)
