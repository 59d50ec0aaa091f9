"""A sync without a queue, in a process of its own that can be killed or measured: it goes on with the run it is given.

As a program (`python -m tests.market.one_run DSN URL TOKEN ACCOUNT RUN`) it tells what that took.
"""

import json
import sys
import time
from typing import Any
from uuid import UUID, uuid4

import uvloop

from soloist.infra.db import Database
from soloist.infra.queue import Job
from soloist.infra.settings import Settings
from soloist.market.connection import doors_of
from soloist.market.jobs import Syncing, carry_out
from soloist.market.runs import SYNC
from tests.market.measuring import forget_peak, memory_mb


async def go_on(dsn: str, url: str, token: str, account: str, run: str) -> dict[str, Any]:
    """Carry out a run to its end, or go on with it."""
    settings = Settings.model_validate({"market_url": url, "market_token": token})
    db = Database(dsn, size=8, wait_seconds=10)
    await db.open()
    syncing = Syncing(doors_of(settings, b"k" * 32, db.clock))
    forget_peak()
    before, started = memory_mb("VmRSS"), time.monotonic()
    await carry_out(syncing, db, Job(SYNC, UUID(account), {"run": run}, 1, uuid4()))
    took = {"seconds": time.monotonic() - started, "grown_mb": memory_mb("VmHWM") - before}
    await syncing.end()
    await db.close()
    return took


def in_process(*where: str) -> None:
    """The same, for a process to be killed."""
    uvloop.run(go_on(*where))


if __name__ == "__main__":
    print(json.dumps(uvloop.run(go_on(*sys.argv[1:]))))  # noqa: T201  # what the test reads
