"""One attempt: sign what was stored, send it, and say how it went. Nothing here waits for the database."""

import time
from collections.abc import Callable
from datetime import datetime, timedelta
from secrets import SystemRandom
from typing import NamedTuple
from uuid import UUID

import asyncpg
import structlog

from soloist.infra.outbound import Answer, Failure, Outbound
from soloist.infra.sealing import Vault
from soloist.webhooks.deliveries import Outcome
from soloist.webhooks.model import GONE, RESPONSE_BYTES, AttemptError, DeliveryState, asked_delay, gap_after
from soloist.webhooks.signing import headers

log = structlog.get_logger("soloist.webhooks")
_chance = SystemRandom()


class Sender(NamedTuple):
    """What an attempt takes: the way out, the secrets, and the time."""

    outbound: Outbound
    vault: Vault
    now: Callable[[], datetime]


class _Result(NamedTuple):
    status_code: int | None
    error: AttemptError | None
    response: str | None = None
    asked: timedelta | None = None  # by Retry-After


async def attempt(sender: Sender, account_id: UUID, claimed: asyncpg.Record) -> Outcome:
    """Send a claimed delivery once; answers how it went and what becomes of it. Raises nothing but cancellation."""
    at, started = sender.now(), time.monotonic()
    result = await _result(sender, account_id, claimed, at)
    now = sender.now()
    state, next_attempt_at = DeliveryState.DELIVERED, None
    if result.error is not None:
        final = claimed["is_test"] or claimed["body"] is None or result.status_code == GONE
        gap = None if final else gap_after(claimed["tries"] + 1, _chance.uniform(-1, 1), result.asked)
        state = DeliveryState.FAILED if gap is None else DeliveryState.PENDING
        next_attempt_at = None if gap is None else now + gap
    return Outcome(
        delivery_id=claimed["id"],
        claimed_at=claimed["claimed_at"],
        state=state,
        next_attempt_at=next_attempt_at,
        attempted_at=at,
        duration_ms=round((time.monotonic() - started) * 1000),
        status_code=result.status_code,
        error=result.error,
        response=result.response,
        was_failing=claimed["failing_since"] is not None,
    )


async def _result(sender: Sender, account_id: UUID, claimed: asyncpg.Record, at: datetime) -> _Result:
    body: str | None = claimed["body"]
    if body is None:
        return _Result(None, AttemptError.EVENT_EXPIRED)
    try:
        secrets = [sender.vault.open(account_id, sealed) for sealed in claimed["secrets"]]
        signed = headers(claimed["event_id"], at, body, secrets)
        answer = await sender.outbound.post(claimed["url"], body.encode(), signed, keep=RESPONSE_BYTES)
    except Failure as failure:
        return _Result(None, AttemptError(failure.code))
    except Exception as fault:
        # One delivery that can't even be tried must not keep the others from going out.
        log.error("delivery failed here", delivery=str(claimed["id"]), exc_info=fault)
        return _Result(None, AttemptError.INTERNAL)
    return _judged(answer, sender.now())


def _judged(answer: Answer, now: datetime) -> _Result:
    shown = answer.body.decode("utf-8", "replace").replace("\x00", "\ufffd")
    if 200 <= answer.status < 300:
        return _Result(answer.status, None, shown)
    asked = asked_delay(answer.status, answer.headers.get("retry-after"), now)
    return _Result(answer.status, AttemptError.STATUS, shown, asked)
