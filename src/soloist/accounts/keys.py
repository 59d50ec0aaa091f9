"""What may happen to an account's API keys."""

from uuid import UUID

from soloist.accounts.model import MAX_KEYS, ApiKeyNotFound, NewApiKey, Scope
from soloist.accounts.revocations import announce
from soloist.accounts.tokens import digest
from soloist.infra.db import Tx
from soloist.infra.errors import one_fault
from soloist.infra.statement import statement

_LOCK_ACCOUNT = statement("select true from accounts where account_id = $1 for no key update")
_COUNT = statement("select count(*) from api_keys where account_id = $1")
_ADD = statement(
    """
    insert into api_keys (account_id, id, name, key_hash, hint, scopes, created_at, updated_at, expires_at)
    values ($1, $2, $3, $4, $5, $6, $7, $7, $8)
    """
)
_LOCK = statement("select version from api_keys where account_id = $1 and id = $2 for update")
_DELETE = statement("delete from api_keys where account_id = $1 and id = $2")
_USED = statement(
    """
    update api_keys set last_used_at = $3
    where account_id = $1 and id = $2
        and (last_used_at is null or last_used_at <= $3::timestamptz - interval '1 minute')
    """
)


async def make(tx: Tx, key_id: UUID, asked: NewApiKey, key: str) -> None:
    """Let `key` act for the account; only its hash and last four characters are kept.

    Raises ValidationFailed for an expiry that has passed, or when the account has 100 keys.
    """
    if asked.expires_at is not None and asked.expires_at <= tx.now:
        raise one_fault("expiresAt", "past", "must lie in the future; leave it out for a key that does not expire")
    await tx.value(_LOCK_ACCOUNT)  # counting and adding must not interleave
    if await tx.value(_COUNT) >= MAX_KEYS:
        raise one_fault("", "too_many", f"an account has at most {MAX_KEYS} API keys; delete one that is not used")
    scopes = [scope for scope in Scope if scope in asked.scopes]
    await tx.run(_ADD, key_id, asked.name, digest(key), key[-4:], scopes, tx.now, asked.expires_at)


async def delete(tx: Tx, key_id: UUID) -> None:
    """End an API key, at once and for good; raises ApiKeyNotFound."""
    version = await tx.value(_LOCK, key_id)
    if version is None:
        raise ApiKeyNotFound
    tx.expect(version)
    await tx.run(_DELETE, key_id)
    await announce(tx)


async def note_use(tx: Tx, key_id: UUID) -> None:
    """Note that an API key is in use; written at most once a minute."""
    await tx.run(_USED, key_id, tx.now)
