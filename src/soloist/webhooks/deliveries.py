"""What is to be sent and how it went: the only writer of `webhook_deliveries` and `webhook_attempts`.

A delivery is one event at one endpoint. The row is the truth: whoever sends it claims it first and settles it after
each attempt, and the claim of a worker whose heart stopped is void.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

import asyncpg

from soloist.infra.db import Tx
from soloist.infra.errors import one_fault
from soloist.infra.ids import new_id
from soloist.infra.queue import enqueue, kind
from soloist.infra.statement import statement
from soloist.webhooks import queries
from soloist.webhooks.model import (
    KEPT,
    MAX_WEBHOOKS,
    AttemptError,
    DeliveryNotFound,
    DeliveryState,
    ReplayRequest,
    ReplayScope,
    WebhookStatus,
)

DELIVER = kind("webhooks.deliver")  # look what is due at {"webhook": <id>}
REPLAY = kind("webhooks.replay")
SPARED: Mapping[ReplayScope, Sequence[DeliveryState]] = {
    ReplayScope.ALL: [],
    ReplayScope.UNDELIVERED: [DeliveryState.PENDING, DeliveryState.DELIVERED],
}

# Each endpoint once, however often this runs.
_FAN_OUT = statement(
    """
    insert into webhook_deliveries (
        account_id, id, webhook_id, event_id, event_type, next_attempt_at, created_at
    )
    select $1, ($5::uuid[])[row_number() over (order by w.id)], w.id, $2, $3, $4, $4
    from webhooks w
    where w.account_id = $1 and w.status = 'ENABLED' and w.events && array['*', $3::text]
    on conflict (account_id, webhook_id, event_id) do nothing
    returning webhook_id
    """
)


async def fan_out(tx: Tx, event_id: UUID, event_type: str) -> list[UUID]:
    """Have an event delivered to every enabled endpoint that asked for its type; answers those it is new to.

    Whoever runs this wakes their lanes after the commit. One that is not woken, for its process died, is found by
    the rescue: a job for each delivery would cost more than the delivery.
    """
    ids = [new_id() for _ in range(MAX_WEBHOOKS)]
    return [row["webhook_id"] for row in await tx.rows(_FAN_OUT, event_id, event_type, tx.now, ids)]


_ADD_TEST = statement(
    """
    insert into webhook_deliveries (
        account_id, id, webhook_id, event_id, event_type, next_attempt_at, test_body, created_at
    ) values ($1, $2, $3, $4, $5, $6, $7, $6)
    """
)


async def send_test(tx: Tx, webhook_id: UUID, event_type: str, body: str) -> UUID:
    """Have a sample sent once, also to an endpoint that is disabled; answers the delivery's id."""
    delivery_id = new_id()
    await tx.run(_ADD_TEST, delivery_id, webhook_id, new_id(), event_type, tx.now, body)
    await enqueue(tx, DELIVER, {"webhook": webhook_id})
    return delivery_id


_FIND = statement("select webhook_id from webhook_deliveries where account_id = $1 and id = $2")
_AGAIN = statement(
    """
    update webhook_deliveries set state = 'PENDING', next_attempt_at = $3, attempts_before = attempts,
        replayed_at = $3, finished_at = null
    where account_id = $1 and id = $2
    """
)


async def replay(tx: Tx, delivery_id: UUID) -> None:
    """Send a delivery again, whatever became of it, with the same `webhook-id` and a whole round of attempts.

    Raises DeliveryNotFound, and ValidationFailed while its endpoint is disabled.
    """
    webhook_id = await tx.value(_FIND, delivery_id)
    if webhook_id is None:
        raise DeliveryNotFound
    webhook = await queries.find_locked(tx, webhook_id)
    if webhook is None or not await tx.run(_AGAIN, delivery_id, tx.now):
        raise DeliveryNotFound
    _check_enabled(webhook)
    await enqueue(tx, DELIVER, {"webhook": webhook_id})


async def replay_since(tx: Tx, webhook_id: UUID, asked: ReplayRequest) -> int:
    """Send an endpoint every event since then that it asks for; a job does it. Answers how many there are.

    Raises WebhookNotFound, and ValidationFailed for a time to come or over 30 days ago, or a disabled endpoint.
    """
    webhook = await queries.lock(tx, webhook_id)
    tx.expect(webhook["version"])
    if not tx.now - KEPT <= asked.since <= tx.now:
        raise one_fault("since", "out_of_range", "must be a time in the last 30 days: older events are not kept")
    _check_enabled(webhook)
    payload = {"webhook": webhook_id, "since": asked.since, "until": tx.now, "which": asked.which}
    await enqueue(tx, REPLAY, payload)
    return await queries.count_events(tx, webhook_id, webhook["events"], asked.since, SPARED[asked.which])


def _check_enabled(webhook: asyncpg.Record) -> None:
    if webhook["status"] != WebhookStatus.ENABLED:
        raise one_fault(
            "", "disabled", 'the webhook is disabled: first enable it with PATCH /webhooks/:id {"status": "ENABLED"}'
        )


class ReplayPart(NamedTuple):
    """A stretch of a replay: events of `kinds` after a position, from `since` to `until`."""

    kinds: list[str]
    since: datetime
    until: datetime
    after: int


_NEXT_EVENTS = statement(
    """
    select e.id, e.type, e.position from events e
    where e.account_id = $1 and e.position > $2 and e.occurred_at between $3 and $4
        and ($5::text[] @> array['*'] or e.type = any($5::text[]))
    order by e.position limit $6
    """
)
# What this replay has touched already is left alone: the job may run twice.
_ADD_AGAIN = statement(
    """
    insert into webhook_deliveries as d (
        account_id, id, webhook_id, event_id, event_type, next_attempt_at, replayed_at, created_at
    )
    select $1, e.id, $2, e.event_id, e.type, $6, $7, $6
    from unnest($3::uuid[], $4::uuid[], $5::text[]) as e (id, event_id, type)
    on conflict (account_id, webhook_id, event_id) do update set
        state = 'PENDING', next_attempt_at = $6, attempts_before = d.attempts, replayed_at = $7, finished_at = null
    where d.account_id = $1 and d.replayed_at is distinct from $7 and d.state <> all ($8::text[])
    """
)


async def replay_part(tx: Tx, webhook_id: UUID, part: ReplayPart, which: ReplayScope, most: int) -> int | None:
    """Add the next `most` events of a replay; answers the position to go on from, None at the end."""
    events = await tx.rows(_NEXT_EVENTS, part.after, part.since, part.until, part.kinds, most)
    if not events:
        return None
    ids, kinds = [row["id"] for row in events], [row["type"] for row in events]
    fresh = [new_id() for _ in events]
    await tx.run(_ADD_AGAIN, webhook_id, fresh, ids, kinds, tx.now, part.until, SPARED[which])
    await enqueue(tx, DELIVER, {"webhook": webhook_id})
    position: int = events[-1]["position"]
    return position if len(events) == most else None


_CANCEL = statement(
    """
    update webhook_deliveries set state = 'CANCELLED', next_attempt_at = null, finished_at = $3
    where account_id = $1 and webhook_id = $2 and state = 'PENDING' and claimed_by is null and test_body is null
    """
)


async def cancel(tx: Tx, webhook_id: UUID) -> None:
    """Give up what is still to be sent to an endpoint; what is on the wire is left to whoever sends it."""
    await tx.run(_CANCEL, webhook_id, tx.now)


# Nobody has a delivery whose holder's heart stopped, or that was held for longer than any attempt can take.
# Times of claims and hearts are the database's own, all others the clock's.
FREE = """(d.claimed_by is null or d.claimed_at < now() - interval '3 minutes' or (d.claimed_by <> $worker
    and not exists (
        select from worker_heartbeats h where h.worker_id = d.claimed_by and h.seen_at > now() - $stale::interval)))"""
_CLAIM = statement(
    f"""
    with due as (
        select d.id from webhook_deliveries d
        where d.account_id = $1 and d.webhook_id = $2 and d.state = 'PENDING' and d.next_attempt_at <= $3
            and ({FREE.replace("$worker", "$4").replace("$stale", "$5")}
                or (d.claimed_by = $4 and d.id <> all ($7::uuid[])))
        order by d.next_attempt_at, d.id
        limit $6
        for no key update of d skip locked
    ), claimed as (
        update webhook_deliveries d set claimed_by = $4, claimed_at = now()
        from due where d.account_id = $1 and d.id = due.id
        returning d.id, d.event_id, d.claimed_at, d.attempts - d.attempts_before as tries, d.next_attempt_at,
            d.test_body
    )
    select c.id, c.event_id, c.claimed_at, c.tries, c.test_body is not null as is_test,
        coalesce(c.test_body, (select e.body from events e where e.account_id = $1 and e.id = c.event_id)) as body,
        w.url, w.status, w.failing_since,
        array(
            select s.sealed from webhook_secrets s
            where s.account_id = $1 and s.webhook_id = $2 and (s.expires_at is null or s.expires_at > $3)
            order by s.created_at desc, s.id desc
        ) as secrets
    from claimed c join webhooks w on w.account_id = $1 and w.id = $2
    order by c.next_attempt_at, c.id
    """
)


class Claimant(NamedTuple):
    """The worker that claims, and how long its heartbeat may be old."""

    worker_id: UUID
    stale: timedelta


async def claim(
    tx: Tx, webhook_id: UUID, claimant: Claimant, most: int, held: Collection[UUID]
) -> list[asyncpg.Record]:
    """Take up to `most` due deliveries of an endpoint in hand, the longest due first: each with what sending takes.

    `held` is all that this worker has in hand there. What else bears its name was claimed by a statement whose answer
    never came, and is taken as well.
    """
    return await tx.rows(_CLAIM, webhook_id, tx.now, claimant.worker_id, claimant.stale, most, list(held))


_RELEASE = statement(
    """
    update webhook_deliveries set claimed_by = null, claimed_at = null
    where account_id = $1 and id = any($2::uuid[]) and claimed_by = $3
    """
)


async def release(tx: Tx, delivery_ids: Sequence[UUID], worker_id: UUID) -> None:
    """Put deliveries back that were claimed and not sent."""
    await tx.run(_RELEASE, list(delivery_ids), worker_id)


class Outcome(NamedTuple):
    """How an attempt went, and what becomes of its delivery: settled, or tried again at `next_attempt_at`."""

    delivery_id: UUID
    claimed_at: datetime
    state: DeliveryState
    next_attempt_at: datetime | None
    attempted_at: datetime
    duration_ms: int
    status_code: int | None
    error: AttemptError | None
    response: str | None
    was_failing: bool  # the endpoint, when the delivery was claimed


_SETTLE = statement(
    """
    with given as (
        select * from unnest(
            $4::uuid[], $5::timestamptz[], $6::text[], $7::timestamptz[], $8::timestamptz[], $9::int[],
            $10::smallint[], $11::text[], $12::text[]
        ) as g (id, claimed_at, state, next_attempt_at, attempted_at, duration_ms, status_code, error, response)
    ), settled as (
        update webhook_deliveries d set state = g.state, next_attempt_at = g.next_attempt_at,
            attempts = d.attempts + 1, claimed_by = null, claimed_at = null,
            finished_at = case when g.state <> 'PENDING' then $3::timestamptz end
        from given g
        where d.account_id = $1 and d.id = g.id and d.claimed_by = $2 and d.claimed_at = g.claimed_at
        returning d.id, d.attempts
    )
    insert into webhook_attempts (
        account_id, delivery_id, number, attempted_at, duration_ms, status_code, error, response
    )
    select $1, s.id, s.attempts, g.attempted_at, g.duration_ms, g.status_code, g.error, g.response
    from settled s join given g on g.id = s.id
    """
)


async def settle(tx: Tx, worker_id: UUID, outcomes: Sequence[Outcome]) -> int:
    """Log attempts and what becomes of their deliveries; answers how many.

    What is no longer in this worker's hand (another took it up, or the endpoint was deleted) is passed over.
    """
    fields = [list(field) for field in zip(*(outcome[:-1] for outcome in outcomes), strict=True)]
    return await tx.run(_SETTLE, worker_id, tx.now, *fields)
