"""The lanes of one worker: what is due at an endpoint goes out beside that of others, and waits for none of it.

A lane has at most WIDTH attempts under way, one after a time-out until the next success. Lanes live in memory and
may vanish at any time: what is to be sent stands in the database, and `rescue` wakes whoever was forgotten.
"""

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

import asyncpg
import structlog

from soloist.accounts.model import Actor
from soloist.accounts.unattended import unattended
from soloist.infra.db import UNAVAILABLE, Database
from soloist.infra.errors import ServiceUnavailable
from soloist.infra.outbound import Outbound
from soloist.infra.sealing import Vault
from soloist.webhooks import deliveries, outcomes
from soloist.webhooks.deliveries import Claimant, Outcome
from soloist.webhooks.model import AttemptError, WebhookStatus
from soloist.webhooks.sending import Sender, attempt

log = structlog.get_logger("soloist.webhooks")
WIDTH = 4
# A retry sooner than this is waited for here; a later one is found by the rescue, whose few seconds it can spare.
WAITED_FOR = timedelta(minutes=1)
AGAIN_SECONDS = 3  # until a lane that broke off looks again: what it had claimed is known to nobody else
SETTLE_TRIES = 60  # a second apart: a database that was started again is there by then
AWAY: tuple[type[Exception], ...] = (*UNAVAILABLE, ServiceUnavailable, OSError)


@dataclass(eq=False, slots=True)
class Lane:
    """The way to one endpoint. `more` says that something may have become due since the lane last looked."""

    actor: Actor
    webhook_id: UUID
    width: int = WIDTH
    more: bool = False
    runner: asyncio.Task[None] | None = None
    ready: deque[asyncpg.Record] = field(default_factory=deque)  # claimed, not yet sent
    sending: set[asyncio.Task[Outcome]] = field(default_factory=set)
    held: set[UUID] = field(default_factory=set)  # claimed, not yet settled
    news: asyncio.Event = field(default_factory=asyncio.Event)  # of `more`, for a runner that waits for the wire


class Lanes:
    """The lanes of a worker, from `start` to `end`."""

    def __init__(self, outbound: Outbound, vault: Vault, stale: timedelta) -> None:
        self._outbound = outbound
        self._vault = vault
        self._stale = stale
        self._lanes: dict[tuple[UUID, UUID], Lane] = {}
        self._ending = False

    async def start(self, db: Database, worker_id: UUID) -> None:
        """Be ready to send for the worker with this id, whose heartbeat keeps its claims."""
        self._db = db
        self.claimant = Claimant(worker_id, self._stale)
        self._sender = Sender(self._outbound, self._vault, db.now)
        await self._outbound.__aenter__()

    async def end(self) -> None:
        """Send nothing more, and wait until all that is on the wire is settled."""
        if self._ending:
            return
        self._ending = True
        try:
            if runners := {lane.runner for lane in self._lanes.values() if lane.runner is not None}:
                await asyncio.wait(runners)
        finally:
            await self._outbound.__aexit__(None, None, None)

    def wake(self, account_id: UUID, webhook_id: UUID) -> None:
        """Have the endpoint's lane look what is due; it does so by itself."""
        if self._ending:
            return
        key = account_id, webhook_id
        lane = self._lanes.get(key)
        if lane is None:
            lane = self._lanes[key] = Lane(unattended(account_id, "UTC", "USD"), webhook_id)
        lane.more = True
        lane.news.set()
        if lane.runner is None:
            lane.runner = asyncio.create_task(self._run(lane))
            lane.runner.add_done_callback(lambda task: self._ran(lane, task))

    def _ran(self, lane: Lane, task: "asyncio.Task[None]") -> None:
        lane.runner = None
        lane.held.clear()
        if lane.width == WIDTH:  # else it is kept for what it knows of the endpoint
            self._lanes.pop((lane.actor.account_id, lane.webhook_id), None)
        fault = None if task.cancelled() else task.exception()
        if fault is not None:
            self._wake_later(lane, AGAIN_SECONDS)
        if isinstance(fault, AWAY):
            log.warning("deliveries wait for the database", error=type(fault).__name__)
        elif fault is not None:
            log.error("a lane of deliveries broke off", webhook=str(lane.webhook_id), exc_info=fault)
        elif lane.more:
            self.wake(lane.actor.account_id, lane.webhook_id)

    async def _run(self, lane: Lane) -> None:
        """Send what is due at the lane's endpoint until nothing is. Raises only when nothing is on the wire."""
        fault: Exception | None = None
        while True:
            try:
                if fault is None:
                    await self._take(lane)
                self._send(lane)
                if not lane.sending:
                    break
                done = await self._first_done(lane, fault is None)
                self._send(lane)  # before the database is asked: the wire must not wait for it
                if done:
                    await self._settle(lane, done)
            except Exception as stumble:
                fault = stumble
        if lane.ready:
            await self._release(lane)
        if fault is not None:
            raise fault

    async def _take(self, lane: Lane) -> None:
        """Claim what is due when there is room and nothing left in hand; at full width, one round ahead."""
        room = lane.width - len(lane.sending)
        if lane.ready or room <= 0 or self._ending:
            return
        lane.more = False
        lane.news.clear()
        lane.ready.extend(await self._claim(lane, room + WIDTH if lane.width == WIDTH else room))

    async def _first_done(self, lane: Lane, taking: bool) -> list[Outcome]:
        """The attempts that are over, as soon as one is; none when there is more to send, and room for it."""
        waiting: set[asyncio.Task[Any]] = set(lane.sending)
        listening = None
        if taking and not self._ending and not lane.ready and len(lane.sending) < lane.width:
            listening = asyncio.create_task(lane.news.wait())
            waiting.add(listening)
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        if listening is not None:
            listening.cancel()
        done = {task for task in lane.sending if task.done()}
        lane.sending -= done
        return [task.result() for task in done]

    def _send(self, lane: Lane) -> None:
        while lane.ready and len(lane.sending) < lane.width and not self._ending:
            sending = attempt(self._sender, lane.actor.account_id, lane.ready.popleft())
            lane.sending.add(asyncio.create_task(sending))

    async def _release(self, lane: Lane) -> None:
        ids = [row["id"] for row in lane.ready]
        lane.ready.clear()
        async with self._db.reading(lane.actor) as tx:
            await deliveries.release(tx, ids, self.claimant.worker_id)

    async def _claim(self, lane: Lane, most: int) -> list[asyncpg.Record]:
        async with self._db.reading(lane.actor) as tx:
            found = await deliveries.claim(tx, lane.webhook_id, self.claimant, most, lane.held)
        lane.held.update(row["id"] for row in found)
        idle = [row["id"] for row in found if row["status"] == WebhookStatus.DISABLED and not row["is_test"]]
        if idle:  # added while the endpoint was being disabled
            async with self._db.changing(lane.actor) as tx:
                await deliveries.release(tx, idle, self.claimant.worker_id)
                await deliveries.cancel(tx, lane.webhook_id)
        return [row for row in found if row["id"] not in idle]

    async def _settle(self, lane: Lane, done: Sequence[Outcome]) -> None:
        for outcome in done:
            if outcome.error is None:
                lane.width = WIDTH
            elif outcome.error == AttemptError.TIMED_OUT:
                lane.width = 1
        await self._record(lane, done)
        lane.held.difference_update(outcome.delivery_id for outcome in done)
        for outcome in done:
            if outcome.next_attempt_at is not None:
                gap = outcome.next_attempt_at - self._db.now()
                if gap <= WAITED_FOR:
                    self._wake_later(lane, max(gap.total_seconds(), 0) + 0.01)

    def _wake_later(self, lane: Lane, seconds: float) -> None:
        asyncio.get_running_loop().call_later(seconds, self.wake, lane.actor.account_id, lane.webhook_id)

    async def _record(self, lane: Lane, done: Sequence[Outcome]) -> None:
        """Settle, however often it takes: an outcome that is lost means the same delivery once more."""
        for left in range(SETTLE_TRIES, 0, -1):
            try:
                await outcomes.settle(self._db, lane.actor, lane.webhook_id, self.claimant.worker_id, done)
                return
            except AWAY:
                if left == 1:
                    raise
                await asyncio.sleep(1 if left < SETTLE_TRIES else 0.1)
