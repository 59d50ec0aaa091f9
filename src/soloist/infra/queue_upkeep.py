"""Old traces of jobs are forgotten, and those that failed for good can be counted."""

from datetime import timedelta

from soloist.infra.db import Database
from soloist.infra.queue import NAMES
from soloist.infra.statement import crossing

KEPT = timedelta(days=7)  # what happened to jobs, and jobs that failed for good
BATCH = 10_000

_FORGET = crossing(
    "prune jobs",
    "a sweep over the job queue, of what is older than a week; jobs hold ids only",
    f"""
    with log as (
        delete from {NAMES.queue_table_log} where id in (
            select l.id from {NAMES.queue_table_log} l where l.created < $1 order by l.created limit $2)
        returning id
    ), suspects as (
        delete from suspect_jobs where struck_at < $1
    ), failed as (
        delete from {NAMES.queue_table} where status = 'failed' and updated < $1
    )
    select count(*) as gone from log
    """,
)
_FAILED = crossing(
    "doctor: failed jobs",
    "counts the jobs of all accounts that are kept as failed, by kind",
    f"""
    select entrypoint as name, count(*) as times from {NAMES.queue_table}
    where status = 'failed' group by entrypoint order by entrypoint
    """,
)


async def prune(db: Database) -> int:
    """Forget what happened to jobs over a week ago, and jobs that failed then; answers how many lines."""
    total, gone = 0, BATCH
    while gone == BATCH:
        row = await db.cross_row(_FORGET, db.now() - KEPT, BATCH)
        assert row is not None
        gone = row["gone"]
        total += gone
    return total


async def failed(db: Database) -> dict[str, int]:
    """Name → how many jobs of that kind failed for good in the last week."""
    return {row["name"]: row["times"] for row in await db.cross_rows(_FAILED)}
