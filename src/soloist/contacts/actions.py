"""What may happen to a client's contacts: the only writer of `contacts`. At most one is primary."""

from typing import Any
from uuid import UUID

from soloist.clients import actions as client_actions
from soloist.clients import queries as clients
from soloist.contacts import queries
from soloist.contacts.model import ContactChange, NewContact, full_name
from soloist.events import log
from soloist.events.model import ContactCreated, ContactDeleted, ContactUpdated
from soloist.infra.db import Tx
from soloist.infra.ids import new_id
from soloist.infra.statement import Statement, statement

_INSERT = statement(
    """
    insert into contacts (
        account_id, id, client_id, first_name, last_name, email, phone, role, job_title, is_primary,
        preferred_contact_method, created_at, updated_at
    ) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $12)
    """
)


async def add(tx: Tx, client_id: UUID, new: NewContact) -> UUID:
    """Add a contact to a client and answer its id; a new primary one takes that mark from the former.

    Raises ClientNotFound, or ClientArchived for an archived client.
    """
    await clients.lock_living(tx, client_id)
    if new.is_primary:
        await _clear_primary(tx, client_id, except_id=None)
    contact_id = new_id()
    await tx.run(
        _INSERT, contact_id, client_id, new.first_name, new.last_name, new.email, new.phone, new.role, new.job_title,
        new.is_primary, new.preferred_contact_method, tx.now,
    )  # fmt: skip
    await client_actions.contacts_changed(tx, client_id)
    event = ContactCreated(
        id=contact_id,
        client_id=client_id,
        contact_name=full_name(new.first_name, new.last_name),
        role=new.role,
        is_primary=new.is_primary,
        version=1,
    )
    await log.record(tx, event)
    return contact_id


async def update(tx: Tx, client_id: UUID, contact_id: UUID, change: ContactChange) -> None:
    """Change the fields that were sent; equal values change nothing.

    Raises ClientNotFound, ContactNotFound, or ClientArchived for an archived client's contact.
    """
    await clients.lock_living(tx, client_id)
    before = await queries.lock(tx, client_id, contact_id)
    tx.expect(before["version"])
    changed = {name: value for name, value in change.sent().items() if before[name] != value}
    if not changed:
        return
    if changed.get("is_primary"):
        await _clear_primary(tx, client_id, except_id=contact_id)
    await tx.run(_update(tuple(changed)), contact_id, tx.now, *changed.values())
    await client_actions.contacts_changed(tx, client_id)
    after: dict[str, Any] = {**dict(before), **changed}
    event = ContactUpdated(
        id=contact_id,
        client_id=client_id,
        contact_name=full_name(after["first_name"], after["last_name"]),
        changed=sorted(ContactChange.model_fields[name].alias or name for name in changed),
        version=before["version"] + 1,
    )
    await log.record(tx, event)


_DELETE = statement("delete from contacts where account_id = $1 and id = $2")


async def delete(tx: Tx, client_id: UUID, contact_id: UUID) -> None:
    """Remove a contact; its interactions stay, without naming it.

    Raises ClientNotFound, ContactNotFound, or ClientArchived for an archived client's contact.
    """
    await clients.lock_living(tx, client_id)
    before = await queries.lock(tx, client_id, contact_id)
    tx.expect(before["version"])
    await tx.run(_DELETE, contact_id)
    await client_actions.contacts_changed(tx, client_id)
    name = full_name(before["first_name"], before["last_name"])
    await log.record(tx, ContactDeleted(id=contact_id, client_id=client_id, contact_name=name))


_CLEAR = statement(
    """
    update contacts set is_primary = false, version = version + 1, updated_at = $4
    where account_id = $1 and client_id = $2 and is_primary and id is distinct from $3
    """
)


async def _clear_primary(tx: Tx, client_id: UUID, except_id: UUID | None) -> None:
    await tx.run(_CLEAR, client_id, except_id, tx.now)


def _update(columns: tuple[str, ...]) -> Statement:
    sets = ", ".join(f"{name} = ${index}" for index, name in enumerate(columns, 4))
    return statement(
        f"update contacts set {sets}, updated_at = $3, version = version + 1 where account_id = $1 and id = $2"
    )
