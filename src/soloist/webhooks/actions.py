"""What may happen to an endpoint: the only writer of `webhooks` and `webhook_secrets`."""

from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from soloist.events import log
from soloist.events.model import TYPES
from soloist.infra.db import Tx
from soloist.infra.errors import Problem, one_fault
from soloist.infra.ids import new_id
from soloist.infra.queue import enqueue
from soloist.infra.sealing import Vault
from soloist.infra.statement import Statement, statement
from soloist.webhooks import deliveries, queries
from soloist.webhooks.mailing import TELL_DISABLED
from soloist.webhooks.model import (
    MAX_OLD_SECRETS,
    MAX_WEBHOOKS,
    OLD_SECRET_SIGNS,
    DisabledBecause,
    NewWebhook,
    WebhookChange,
    WebhookStatus,
    wants,
)
from soloist.webhooks.signing import new_secret

_LOCK_ACCOUNT = statement("select true from accounts where account_id = $1 for no key update")
_HOW_MANY = statement("select count(*) from webhooks where account_id = $1")
_INSERT = statement(
    """
    insert into webhooks (account_id, id, url, events, description, created_at, updated_at)
    values ($1, $2, $3, $4, $5, $6, $6)
    """
)
_ADD_SECRET = statement(
    """
    insert into webhook_secrets (account_id, id, webhook_id, sealed, created_at) values ($1, $2, $3, $4, $5)
    """
)


async def create(tx: Tx, new: NewWebhook, refusal: Problem | None, vault: Vault) -> tuple[UUID, str]:
    """Add an endpoint; answers its id and its sealed secret.

    `refusal` is what was found wrong with the address, raised here: a request that was answered before is not judged
    again. Raises ValidationFailed when the account has 20 endpoints.
    """
    if refusal is not None:
        raise refusal
    await tx.value(_LOCK_ACCOUNT)  # counting and adding must not interleave
    if await tx.value(_HOW_MANY) >= MAX_WEBHOOKS:
        raise one_fault("", "too_many", f"an account has at most {MAX_WEBHOOKS} webhooks; delete one that is not used")
    webhook_id = new_id()
    await tx.run(_INSERT, webhook_id, new.url, new.events, new.description, tx.now)
    return webhook_id, await _add_secret(tx, webhook_id, vault)


async def update(tx: Tx, webhook_id: UUID, change: WebhookChange, refusal: Problem | None) -> None:
    """Change the fields that were sent; equal values change nothing.

    Disabling cancels what is still to be sent. Enabling forgets for how long the endpoint has failed; what happened
    meanwhile is sent by a replay only. Raises WebhookNotFound, and `refusal` of a new address.
    """
    before = await queries.lock(tx, webhook_id)
    tx.expect(before["version"])
    changed = {name: value for name, value in change.sent().items() if before[name] != value}
    if "url" in changed and refusal is not None:
        raise refusal
    if not changed:
        return
    match changed.get("status"):
        case WebhookStatus.ENABLED:
            changed |= {"disabled_because": None, "disabled_at": None, "failing_since": None}
        case WebhookStatus.DISABLED:
            changed |= {"disabled_because": DisabledBecause.REQUESTED, "disabled_at": tx.now}
    await tx.run(_update(tuple(changed)), webhook_id, tx.now, *changed.values())
    if "status" in changed:
        # Also when it is enabled: an event that came while it was being disabled may have been left behind.
        await deliveries.cancel(tx, webhook_id)


_DELETE = statement("delete from webhooks where account_id = $1 and id = $2")


async def delete(tx: Tx, webhook_id: UUID) -> None:
    """Remove an endpoint with its secrets, its log, and whatever was still to be sent; raises WebhookNotFound."""
    tx.expect((await queries.lock(tx, webhook_id))["version"])
    await tx.run(_DELETE, webhook_id)


class NewSecret(NamedTuple):
    """A changed secret, sealed, and how long the ones before it sign along."""

    sealed: str
    old_ones_until: datetime | None


_EXPIRE = statement(
    """
    update webhook_secrets set expires_at = $3
    where account_id = $1 and webhook_id = $2 and (expires_at is null or expires_at > $3)
    """
)
_EXPIRE_CURRENT = statement(
    "update webhook_secrets set expires_at = $3 where account_id = $1 and webhook_id = $2 and expires_at is null"
)
_FORGET_SECRETS = statement(
    """
    delete from webhook_secrets
    where account_id = $1 and webhook_id = $2 and (expires_at <= $3 or id not in (
        select s.id from webhook_secrets s
        where s.account_id = $1 and s.webhook_id = $2 order by s.created_at desc, s.id desc limit $4))
    """
)
_TOUCH = statement("update webhooks set version = version + 1, updated_at = $3 where account_id = $1 and id = $2")


async def rotate_secret(tx: Tx, webhook_id: UUID, vault: Vault) -> NewSecret:
    """Give the endpoint a new secret; what it had before signs along for a day, nine secrets at most.

    Raises WebhookNotFound.
    """
    return await _rotate(tx, webhook_id, vault, tx.now + OLD_SECRET_SIGNS)


async def replace_secret(tx: Tx, webhook_id: UUID, vault: Vault) -> NewSecret:
    """Give the endpoint a new secret; what it had before signs nothing more. Raises WebhookNotFound."""
    return await _rotate(tx, webhook_id, vault, None)


async def _rotate(tx: Tx, webhook_id: UUID, vault: Vault, old_ones_until: datetime | None) -> NewSecret:
    tx.expect((await queries.lock(tx, webhook_id))["version"])
    if old_ones_until is None:
        await tx.run(_EXPIRE, webhook_id, tx.now)
    else:
        await tx.run(_EXPIRE_CURRENT, webhook_id, old_ones_until)
    await tx.run(_FORGET_SECRETS, webhook_id, tx.now, MAX_OLD_SECRETS)
    sealed = await _add_secret(tx, webhook_id, vault)
    await tx.run(_TOUCH, webhook_id, tx.now)
    return NewSecret(sealed, old_ones_until)


async def _add_secret(tx: Tx, webhook_id: UUID, vault: Vault) -> str:
    sealed = vault.seal(tx.account_id, new_secret())
    await tx.run(_ADD_SECRET, new_id(), webhook_id, sealed, tx.now)
    return sealed


async def send_sample(tx: Tx, webhook_id: UUID, event_type: str | None) -> UUID:
    """Send a sample of a type once, by default of the first that the endpoint asked for; answers the delivery's id.

    Raises WebhookNotFound.
    """
    webhook = await queries.lock(tx, webhook_id)
    tx.expect(webhook["version"])
    kind = TYPES[event_type or next(name for name in TYPES if wants(webhook["events"], name))]
    return await deliveries.send_test(tx, webhook_id, kind.type, log.body(kind.sample(), tx.now))


_FAILING_SINCE = statement("update webhooks set failing_since = $3 where account_id = $1 and id = $2")
_DISABLE = statement(
    """
    update webhooks set status = 'DISABLED', disabled_because = $3, disabled_at = $4,
        version = version + 1, updated_at = $4
    where account_id = $1 and id = $2 and status = 'ENABLED'
    """
)


async def note_health(tx: Tx, webhook_id: UUID, failing_since: datetime | None) -> None:
    """Keep since when an endpoint fails, or that it does not (None)."""
    await tx.run(_FAILING_SINCE, webhook_id, failing_since)


async def disable(tx: Tx, webhook_id: UUID, because: DisabledBecause) -> None:
    """Send nothing more to an endpoint that is gone or has failed for too long, and let its owner know."""
    if await tx.run(_DISABLE, webhook_id, because, tx.now):
        await deliveries.cancel(tx, webhook_id)
        await enqueue(tx, TELL_DISABLED, {"webhook": webhook_id})


def _update(columns: tuple[str, ...]) -> Statement:
    sets = ", ".join(f"{name} = ${index}" for index, name in enumerate(columns, 4))
    return statement(
        f"update webhooks set {sets}, updated_at = $3, version = version + 1 where account_id = $1 and id = $2"
    )
