"""Jobs that kill: one during which three workers died in a row is set aside instead of being run for ever.

Which of the jobs under way did it can't be seen the first time. So whatever was begun and never ended is run one
at a time when it is taken up again, and struck each time; only a job that was struck twice and begins once more is
guilty. What is merely slow gives way to the next suspect after a moment, and keeps its strike until it ends.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta

from soloist.infra.db import Database
from soloist.infra.queue import NAMES
from soloist.infra.statement import crossing

STRIKES = 2  # and the first time, when it was one of many: three dead workers
PATIENCE = 0.25  # seconds for which a suspect is alone

_BEGUN = crossing(
    "times a job was begun",
    "reads of a job of any account how often a worker took it up",
    f"select count(*) as times from {NAMES.queue_table_log} where job_id = $1 and status = 'picked'",
)
_STRIKE = crossing(
    "suspect job",
    "notes of a job of any account that it is under way, and alone",
    """
    insert into suspect_jobs as s (job_id, strikes) values ($1, 1)
    on conflict (job_id) do update set strikes = s.strikes + 1, struck_at = now()
    returning strikes
    """,
)
_CLEAR = crossing(
    "cleared job",
    "notes of a job of any account that it ended, so its worker lives",
    "delete from suspect_jobs where job_id = $1",
)


class KilledItsWorkers(Exception):
    """A job is not run: three workers died while it was under way, twice with no other suspect beside it."""


@dataclass(frozen=True, slots=True)
class Begun:
    """A job that was just taken up: since when it could have been, how long that is, and its tries before."""

    job_id: int
    waited: timedelta
    ended_before: int


class Suspects:
    """Tells the jobs that died with their worker, and runs them with care."""

    def __init__(self, db: Database, stale: timedelta) -> None:
        self._db = db
        self._stale = stale
        self._turn = asyncio.Lock()

    @asynccontextmanager
    async def watching(self, begun: Begun) -> AsyncIterator[None]:
        """Around the running of a job; raises KilledItsWorkers for one that must not be run again."""
        if not await self._is_suspect(begun):
            yield
            return
        async with self._alone():
            row = await self._db.cross_row(_STRIKE, begun.job_id)
            assert row is not None
            if row["strikes"] > STRIKES:
                raise KilledItsWorkers
            try:
                yield
            except Exception:  # it failed, but did not kill: a cancelled one, which has not ended, stays struck
                await self._db.cross_run(_CLEAR, begun.job_id)
                raise
            await self._db.cross_run(_CLEAR, begun.job_id)

    @asynccontextmanager
    async def _alone(self) -> AsyncIterator[None]:
        """A turn without other suspects, for PATIENCE at most."""
        await self._turn.acquire()
        held = True

        def release() -> None:
            nonlocal held
            if held:
                held = False
                self._turn.release()

        later = asyncio.get_running_loop().call_later(PATIENCE, release)
        try:
            yield
        finally:
            later.cancel()
            release()

    async def _is_suspect(self, begun: Begun) -> bool:
        if begun.waited < self._stale:  # no heartbeat can have grown old since
            return False
        row = await self._db.cross_row(_BEGUN, begun.job_id)
        assert row is not None
        times: int = row["times"]
        return times > begun.ended_before + 1
