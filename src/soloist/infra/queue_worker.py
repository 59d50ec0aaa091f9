"""The worker: runs jobs and periodic work, tells that it is alive, and stops in order.

One connection of its own listens, claims and reports; the work itself goes through a small pool.
"""

import asyncio
import contextlib
import logging
import time
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from datetime import timedelta
from uuid import UUID

import asyncpg
import orjson
import structlog
from pgqueuer.adapters.drivers.asyncpg import AsyncpgDriver
from pgqueuer.core.qm import QueueManager
from pgqueuer.core.sm import SchedulerManager
from pgqueuer.domain import models
from pgqueuer.domain.errors import RetryRequested
from pgqueuer.ports.driver import NotifyCallback

from soloist.infra.clock import Clock, system_clock
from soloist.infra.db import UNAVAILABLE, Database
from soloist.infra.ids import new_id
from soloist.infra.queue import KINDS, NAMES, Companion, Handler, Job, Kind, Periodic, UnknownJob, queries
from soloist.infra.suspects import Begun, KilledItsWorkers, Suspects

log = structlog.get_logger("soloist.worker")

# A killed worker's jobs are taken up by another after at most STALE + POLL, which is to stay below 15 s.
STALE = timedelta(seconds=8)
POLL = timedelta(seconds=1)  # how late a job that was put off, or tried again, may begin
BEAT_SECONDS = 2.0
GRACE_SECONDS = 15.0  # for running jobs at a stop; what still runs then is left to another worker
BATCH = 20
AT_ONCE = 100  # jobs that need nobody outside the house; full, PgQueuer looks for more every 0.1 s
PATIENT_AT_ONCE = 200  # jobs that wait for somebody
CALM_SECONDS = 0.02  # several notices within this time count as one
BACK_OFF = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
LOST: tuple[type[Exception], ...] = (*UNAVAILABLE, OSError)

# Beside the heartbeat, periodic work that died with its worker is made free for its next slot: PgQueuer itself waits
# half a minute.
_BEAT = f"""
with beat as (
    insert into worker_heartbeats (worker_id, seen_at) values ($1, now())
    on conflict (worker_id) do update set seen_at = excluded.seen_at
)
update {NAMES.schedules_table} set status = 'queued' where status = 'picked' and heartbeat < now() - $2::interval
"""


class JobFailed(Exception):
    """A job's failure as it is kept in the log of jobs: the kind of fault, for its text may quote somebody's data."""


class Worker:
    """Works from `run` to `stop`; a database that goes away is waited for, never given up."""

    def __init__(
        self,
        dsn: str,
        handlers: Mapping[str, Handler],
        periodic: Sequence[Periodic],
        clock: Clock = system_clock,
        companion: Companion | None = None,
    ) -> None:
        if strange := handlers.keys() - KINDS.keys():
            raise UnknownJob(f"no kind of job is declared for the handlers of {', '.join(sorted(strange))}")
        self._dsn = dsn
        self._handlers = handlers
        self._periodic = periodic
        self._companion = companion
        self._db = Database(dsn, size=8, clock=clock, wait_seconds=10)
        self._suspects = Suspects(self._db, STALE)
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
            if self._companion is not None:
                await self._companion.start(self._db, self._id)
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
            if self._companion is not None:
                await self._companion.end()
            await self._db.close()

    async def _session(self) -> None:
        async with _connected(self._dsn) as (conn, ended):
            driver = _CalmDriver(conn)
            shutdown = asyncio.Event()
            working = asyncio.create_task(self._work(driver, shutdown))
            beating = asyncio.create_task(self._beat(driver))
            signals = [asyncio.create_task(ended.wait()), asyncio.create_task(self._stopping.wait())]
            finishing: set[asyncio.Task[None]] = {working}
            try:
                await asyncio.wait({working, beating, *signals}, return_when=asyncio.FIRST_COMPLETED)
                shutdown.set()
                if self._companion is not None and self._stopping.is_set():
                    finishing.add(asyncio.create_task(self._companion.end()))
                await asyncio.wait(finishing, timeout=0 if ended.is_set() else GRACE_SECONDS)
                if not working.done():
                    conn.terminate()  # first, so that a job cut off below is not reported as cancelled
            finally:
                await _end(*finishing, beating, *signals)
            if ended.is_set():
                raise ConnectionError("the connection ended")
            await driver.execute("delete from worker_heartbeats where worker_id = $1", self._id)

    async def _work(self, driver: AsyncpgDriver, shutdown: asyncio.Event) -> None:
        managers = [
            manager.run(
                dequeue_timeout=POLL,
                batch_size=BATCH,
                max_concurrent_tasks=at_once,
                shutdown_on_listener_failure=True,
                heartbeat_timeout=STALE,
                log_aggregation_interval=timedelta(0),
            )
            for patient, at_once in ((False, AT_ONCE), (True, PATIENT_AT_ONCE))
            for manager in self._managers(driver, shutdown, patient=patient)
        ]
        try:
            async with asyncio.TaskGroup() as group:
                for work in (*managers, self._scheduler(driver, shutdown).run()):
                    group.create_task(work)
        except ExceptionGroup as faults:  # whichever fell first took the others with it
            raise faults.exceptions[0] from None

    def _managers(self, driver: AsyncpgDriver, shutdown: asyncio.Event, *, patient: bool) -> Iterator[QueueManager]:
        """One that runs our patient, or our other, kinds of jobs; none if there are none."""
        kinds = [KINDS[name] for name in self._handlers if KINDS[name].patient is patient]
        if kinds:
            manager = QueueManager(queries(driver), NAMES.channel)
            manager.shutdown = shutdown
            for kind in kinds:
                run = self._job(kind, self._handlers[kind.name])
                manager.entrypoint(kind.name, accepts_context=False, on_failure="hold")(run)
            yield manager

    def _scheduler(self, driver: AsyncpgDriver, shutdown: asyncio.Event) -> SchedulerManager:
        scheduler = SchedulerManager(queries(driver))
        scheduler.shutdown = shutdown
        for entry in self._periodic:
            scheduler.schedule(entry.name, cron(entry.every), accepts_context=False)(self._slot(entry))
        return scheduler

    def _job(self, kind: Kind, handler: Handler) -> Callable[[models.Job], Awaitable[None]]:
        async def run(row: models.Job) -> None:
            given = orjson.loads(row.payload or b"{}")
            job = Job(kind.name, UUID(given["account"]), given["payload"], row.attempts + 1, self._id)
            try:
                async with self._suspects.watching(Begun(row.id, row.updated - row.execute_after, row.attempts)):
                    await handler(self._db, job)
            except KilledItsWorkers:
                log.error("job set aside: three workers died while it ran", job=kind.name, id=row.id)
                raise
            except Exception as fault:
                gap = kind.gap_after(job.attempt)
                tell = log.warning if gap is not None else log.error
                text = "job failed" if gap is not None else "job failed for the last time and is kept as failed"
                tell(text, job=kind.name, id=row.id, attempt=job.attempt, error=type(fault).__name__, at=_place(fault))
                if gap is None:
                    raise JobFailed(type(fault).__name__) from None
                raise RetryRequested(gap, type(fault).__name__) from None

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
            await driver.execute(_BEAT, self._id, STALE)
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


class _CalmDriver(AsyncpgDriver):
    """Passes on that there are jobs at once, and then at most every CALM_SECONDS; that one is done, not at all.

    PgQueuer looks for work at each notice, and PostgreSQL sends one for each change of the queue's table.
    """

    async def add_listener(self, channel: str, callback: NotifyCallback) -> None:
        resting = False
        waiting: str | bytes | bytearray | None = None

        def pass_on(payload: str | bytes | bytearray) -> None:
            nonlocal resting, waiting
            text = payload if isinstance(payload, str) else payload.decode()
            if "table_changed_event" not in text:
                callback(payload)
            elif '"delete"' in text:
                return
            elif resting:
                waiting = payload
            else:
                resting = True
                callback(payload)
                asyncio.get_running_loop().call_later(CALM_SECONDS, wake)

        def wake() -> None:
            nonlocal resting, waiting
            resting, payload = False, waiting
            waiting = None
            if payload is not None:
                pass_on(payload)

        await super().add_listener(channel, pass_on)


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


def _place(fault: Exception) -> str:
    """Where it happened, in a file and line: the text of a fault may quote a row, this can't."""
    frames = traceback.extract_tb(fault.__traceback__)
    return f"{frames[-1].filename.rpartition('/')[2]}:{frames[-1].lineno}" if frames else ""


def _millis_since(started: float) -> int:
    return round((time.monotonic() - started) * 1000)
