"""Keeping the stored score true: the only writer of `clients.health_score` (after creation) and of its history."""

from collections.abc import Sequence
from datetime import timedelta
from typing import NamedTuple
from uuid import UUID

from soloist.events import log
from soloist.events.model import HealthDropped
from soloist.health import queries
from soloist.health.model import assess, is_drop
from soloist.health.queries import Subject
from soloist.infra.clock import local_day
from soloist.infra.db import Tx
from soloist.infra.statement import statement

WEEK = timedelta(days=7)


class Move(NamedTuple):
    """A score that is to change."""

    subject: Subject
    score: int


async def refresh(tx: Tx, client_id: UUID) -> int:
    """Bring the client's stored score up to `tx.now` and answer it; a fall worth an alarm is recorded as an event.

    The client's row must be locked by this transaction, so that no other change of an input is missed.
    """
    return await settle(tx, await queries.subject(tx, client_id))


async def settle(tx: Tx, subject: Subject) -> int:
    """The same for a client whose facts were just read."""
    score = assess(subject.facts).overall
    if score != subject.score:
        await _store(tx, [Move(subject, score)])
    return score


async def refresh_batch(tx: Tx, after: UUID, size: int) -> tuple[int, UUID | None]:
    """Bring up to `size` clients after the id `after` up to date; answers (changed, last id or None at the end)."""
    subjects = await queries.lock_batch(tx, after, size)
    moves = [Move(subject, score) for subject in subjects if (score := assess(subject.facts).overall) != subject.score]
    if moves:
        await _store(tx, moves)
    return len(moves), subjects[-1].client_id if subjects else None


def begin_with(client: str, score: str, day: str, at: str) -> str:
    """The first day of a new client's history, as a part of the statement that makes `client` in a CTE."""
    return f"""
        insert into health_history (account_id, client_id, day, score, changed_at)
        select $1, {client}.id, {day}, {score}, {at} from {client}
    """


_STORE = statement(
    """
    with scored as (
        update clients c set health_score = m.score
        from unnest($2::uuid[], $3::smallint[]) as m (client_id, score)
        where c.account_id = $1 and c.id = m.client_id
    )
    insert into health_history as h (account_id, client_id, day, score, highest, dropped, changed_at)
    select $1, m.client_id, $6, m.score, greatest(m.score, m.previous), m.dropped, $7
    from unnest($2::uuid[], $3::smallint[], $4::smallint[], $5::boolean[]) as m (client_id, score, previous, dropped)
    on conflict (account_id, client_id, day) do update
        set score = excluded.score, highest = greatest(h.highest, excluded.highest),
            dropped = h.dropped or excluded.dropped, changed_at = excluded.changed_at
    """
)


async def _store(tx: Tx, moves: Sequence[Move]) -> None:
    ids = [move.subject.client_id for move in moves]
    scores = [move.score for move in moves]
    today = local_day(tx.actor.zone, tx.now)
    alarms = await _alarms(tx, moves, today)
    alarmed = {move.subject.client_id for move in alarms}
    previous = [move.subject.score for move in moves]
    await tx.run(_STORE, ids, scores, previous, [client_id in alarmed for client_id in ids], today, tx.now)
    await log.record(
        tx,
        *(
            HealthDropped(
                client_id=move.subject.client_id,
                client_name=move.subject.name,
                score=move.score,
                previous_score=move.subject.score,
            )
            for move in alarms
        ),
    )


async def _alarms(tx: Tx, moves: Sequence[Move], today: object) -> list[Move]:
    falling = [move for move in moves if move.score < move.subject.score and move.subject.status != "ARCHIVED"]
    if not falling:
        return []
    weeks = await queries.weeks(tx, [move.subject.client_id for move in falling], tx.now - WEEK, today)
    found = []
    for move in falling:
        week = weeks.get(move.subject.client_id)
        highest = max(move.subject.score, week.highest if week else 0)
        if not (week and week.alarmed) and is_drop(move.score, move.subject.score, highest):
            found.append(move)
    return found
