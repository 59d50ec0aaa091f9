"""What may happen to a client: the only writer of `clients` (but for the health score) and of its counters."""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple, NoReturn
from uuid import UUID

import asyncpg
from pydantic.alias_generators import to_camel

from soloist.clients import queries, revenue
from soloist.clients.model import (
    LIVING,
    ClientAlreadyExists,
    ClientChange,
    ClientStatus,
    MarketLink,
    NewClient,
    display_name,
    email_key,
    name_faults,
)
from soloist.clients.queries import Locked
from soloist.events import log
from soloist.events.model import ClientArchived, ClientCreated, ClientRestored, ClientUpdated
from soloist.health import actions as health
from soloist.health.model import NEW_CLIENT_SCORE
from soloist.health.queries import Subject
from soloist.infra import jsonbody
from soloist.infra.changes import Found
from soloist.infra.clock import local_day
from soloist.infra.db import Tx
from soloist.infra.errors import Fault, ValidationFailed
from soloist.infra.fields import Input
from soloist.infra.ids import new_id
from soloist.infra.statement import Statement, statement

_MADE = f"""
    client as (
        insert into clients (
            account_id, id, client_type, source, status, company_name, first_name, last_name, display_name, sort_name,
            email, email_key, phone, website, industry, company_size, timezone, notes, tags, address, health_score,
            search_text, created_at, updated_at, platform_client_id
        ) values (
            $1, $2, $3, $4, $5, $6, $7, $8, $9, fold($9),
            $10, $11, $12, $13, $14, $15, $16, $17, $18, $19::jsonb, $20,
            searchable(concat_ws(' ', $6::text, $7::text, $8::text, $10::text)), $21, $21, $26
        )
        on conflict (account_id, email_key) do nothing
        returning *
    ), history as (
        {health.begin_with("client", score="$20", day="$22", at="$21")}
    ), event as (
        {log.record_with("client", event_id="$23", kind="$24", text="$25", at="$21")}
    )
"""


def _counting(status: str) -> str:
    sums = (f"{name.lower()} = n.{name.lower()} + ({status} = '{name}')::int" for name in LIVING)
    return f"update account_counters n set {', '.join(sums)}"


# One statement, for each costs about as much as all the rest of such a request, and it is a transaction by itself.
_CREATE = statement(
    f"""
    with {_MADE}, counted as ({_counting("$5")} from client where n.account_id = $1)
    {queries.whole("client")}
    """
)


class Created(NamedTuple):
    """A new client: its id, and the record as it is answered."""

    id: UUID
    found: Found


async def create(tx: Tx, new: NewClient) -> Created:
    """Add a client to the book.

    Raises ClientAlreadyExists when any client of the account, archived ones included, has the e-mail address.
    """
    client_id = new_id()
    row = await tx.row(_CREATE, *_new(tx, new, client_id, None))
    if row is None:
        await _refuse_duplicate(tx, email_key(new.email) or "")
    return Created(client_id, Found(row["version"], row["raw"]))


_CREATE_FROM_MARKET = statement(f"with {_MADE} select client.id from client")
_COUNT_IN = statement(f"{_counting('$2')} where n.account_id = $1")


async def create_from_market(tx: Tx, new: NewClient, platform_client_id: str) -> UUID:
    """Add a client of the Market to the book; raises as `create`.

    It is counted by `count_in`, last of all: until the commit nobody else of the account gets past that.
    """
    client_id: UUID | None = await tx.value(_CREATE_FROM_MARKET, *_new(tx, new, new_id(), platform_client_id))
    if client_id is None:
        await _refuse_duplicate(tx, email_key(new.email) or "")
    return client_id


async def count_in(tx: Tx, status: ClientStatus) -> None:
    """Count a new client in the account's totals."""
    await tx.run(_COUNT_IN, status)


def _new(tx: Tx, new: NewClient, client_id: UUID, platform_client_id: str | None) -> tuple[object, ...]:
    """The values of _MADE."""
    name = display_name(new.company_name, new.first_name, new.last_name)
    event = ClientCreated(
        id=client_id,
        client_name=name,
        client_type=new.client_type,
        status=new.status,
        source=new.source,
        version=1,
    )
    return (
        client_id, new.client_type, new.source, new.status, new.company_name, new.first_name, new.last_name,
        name, new.email, email_key(new.email), new.phone, new.website, new.industry, new.company_size, new.timezone,
        new.notes, new.tags, _column(new.address), NEW_CLIENT_SCORE, tx.now, local_day(tx.actor.zone, tx.now),
        new_id(), event.type, log.body(event, tx.now), platform_client_id,
    )  # fmt: skip


async def update(tx: Tx, client_id: UUID, change: ClientChange) -> None:
    """Change the fields that were sent; values equal to the present ones change nothing, not even the version.

    From now on the changed fields are the freelancer's: no sync replaces them.

    Raises ClientArchived for an archived client, ClientAlreadyExists for an e-mail address of another one, and
    ValidationFailed when the client would be left without the name its type needs.
    """
    client = await queries.lock_living(tx, client_id)
    tx.expect(client.version)
    changed = {name: value for name, value in change.sent().items() if not _same(client, name, value)}
    if not changed:
        return
    after = {**dict(client.row), **changed}
    faults = name_faults(after["client_type"], after["company_name"], after["first_name"], after["last_name"])
    if faults:
        raise ValidationFailed([Fault(field=field, code=code, message=text) for field, code, text in faults])
    by_hand = sorted({*client.row["set_by_hand"], *changed})
    await _write(tx, client, changed, {**after, "set_by_hand": by_hand})
    if "status" in changed:
        await _status_changed(tx, client, changed["status"])
    await _tell_updated(tx, client, changed, after)


async def follow_market(tx: Tx, client: Locked, changed: Mapping[str, Any], link: MarketLink | None) -> None:
    """Take field values over from the Market, and link the client to it if `link` is given.

    Which fields may change is the caller's to know. The status stays, that of an archived client, too. Raises
    ClientAlreadyExists for an e-mail address of another client.
    """
    columns = {**changed, **(link._asdict() if link else {})}
    after = {**dict(client.row), **columns}
    await _write(tx, client, {name: value for name, value in columns.items() if name != "set_by_hand"}, after)
    await _tell_updated(tx, client, columns.keys() - {"set_by_hand"}, after)


_ARCHIVE = statement(
    """
    update clients set status_before_archive = status, status = 'ARCHIVED', archived_at = $3, updated_at = $3,
        version = version + 1
    where account_id = $1 and id = $2
    """
)


async def archive(tx: Tx, client_id: UUID) -> None:
    """Put a client away; an archived one stays as it is, without a second event."""
    client = await queries.lock(tx, client_id)
    tx.expect(client.version)
    if client.status is ClientStatus.ARCHIVED:
        return
    await tx.run(_ARCHIVE, client_id, tx.now)
    await _status_changed(tx, client, ClientStatus.ARCHIVED)
    await log.record(tx, ClientArchived(id=client_id, client_name=client.name, version=client.version + 1))


_RESTORE = statement(
    """
    update clients set status = status_before_archive, status_before_archive = null, archived_at = null,
        updated_at = $3, version = version + 1
    where account_id = $1 and id = $2
    """
)


async def restore(tx: Tx, client_id: UUID) -> None:
    """Bring an archived client back with its former status; one that is not archived stays as it is."""
    client = await queries.lock(tx, client_id)
    tx.expect(client.version)
    if client.status is not ClientStatus.ARCHIVED:
        return
    former = ClientStatus(client.row["status_before_archive"])
    await tx.run(_RESTORE, client_id, tx.now)
    await _status_changed(tx, client, former)
    await health.refresh(tx, client_id)
    event = ClientRestored(id=client_id, client_name=client.name, status=former, version=client.version + 1)
    await log.record(tx, event)


_CONTACT_NAMES = """(select string_agg(concat_ws(' ', k.first_name, k.last_name), ' ' order by k.created_at, k.id)
    from contacts k
    where k.account_id = $1 and k.client_id = c.id)"""
_SEARCHED = "searchable(concat_ws(' ', c.company_name, c.first_name, c.last_name, c.email, " + _CONTACT_NAMES + "))"
_REFRESH_SEARCH = statement(f"update clients c set search_text = {_SEARCHED} where c.account_id = $1 and c.id = $2")


async def contacts_changed(tx: Tx, client_id: UUID) -> None:
    """Make the client findable by its contacts' present names."""
    await tx.run(_REFRESH_SEARCH, client_id)


_LAST_CONTACT = statement(
    """
    update clients c set last_interaction_at = (
        select max(i.occurred_at) from interactions i
        where i.account_id = $1 and i.client_id = c.id and i.occurred_at <= $3)
    where c.account_id = $1 and c.id = $2
    """
)


async def interactions_changed(tx: Tx, client_id: UUID) -> None:
    """Set `lastInteractionAt` to the newest interaction that is not in the future, and refresh the health score.

    The client's row must be locked by this transaction.
    """
    await last_contact_changed(tx, client_id)
    await health.refresh(tx, client_id)


async def last_contact_changed(tx: Tx, client_id: UUID) -> None:
    """As `interactions_changed`, where the health score is the caller's to refresh."""
    await tx.run(_LAST_CONTACT, client_id, tx.now)


async def revenue_changed(tx: Tx, client_id: UUID) -> None:
    """Count the client's revenue anew and refresh the health score; the client's row must be locked."""
    await health.settle(tx, await revenue.recount_one(tx, client_id))


async def book_win(tx: Tx, client: Locked, subject: Subject) -> None:
    """A deal of the client was won and its revenue counted: the client is ACTIVE from now on, its health judged anew.

    `subject` is what health is judged by since.
    """
    if client.status is not ClientStatus.ACTIVE:
        event = ClientUpdated(id=client.id, client_name=client.name, changed=["status"], version=client.version + 1)
        told = new_id(), event.type, log.body(event, tx.now)
        await tx.run(_ACTIVATE, *_status_change(tx, client, ClientStatus.ACTIVE), *told)
    await health.settle(tx, subject)


_SAME_EMAIL = "clients_email_unique"


async def _write(tx: Tx, client: Locked, changed: Mapping[str, Any], after: Mapping[str, Any]) -> None:
    columns = {name: _column(value) for name, value in changed.items()}
    columns["set_by_hand"] = after["set_by_hand"]
    if changed.keys() & {"company_name", "first_name", "last_name"}:
        columns["display_name"] = display_name(after["company_name"], after["first_name"], after["last_name"])
    if "email" in changed:
        columns["email_key"] = email_key(changed["email"])
    try:
        async with tx.conn.transaction():
            await tx.run(_update(tuple(columns)), client.id, tx.now, *columns.values())
    except asyncpg.UniqueViolationError as fault:
        if fault.constraint_name != _SAME_EMAIL:
            raise
        await _refuse_duplicate(tx, columns["email_key"] or "")
    if changed.keys() & {"company_name", "first_name", "last_name", "email"}:
        await tx.run(_REFRESH_SEARCH, client.id)


async def _tell_updated(tx: Tx, client: Locked, changed: Iterable[str], after: Mapping[str, Any]) -> None:
    name = display_name(after["company_name"], after["first_name"], after["last_name"])
    fields = sorted(to_camel(field) for field in changed)
    await log.record(tx, ClientUpdated(id=client.id, client_name=name, changed=fields, version=client.version + 1))


def _update(columns: tuple[str, ...]) -> Statement:
    """An update of just these columns; their values come from $4 on."""
    sets = [f"{name} = ${index}{'::jsonb' if name == 'address' else ''}" for index, name in enumerate(columns, 4)]
    if "display_name" in columns:
        sets.append(f"sort_name = fold(${columns.index('display_name') + 4})")
    return statement(
        f"""update clients set {", ".join(sets)}, updated_at = $3, version = version + 1
        where account_id = $1 and id = $2"""
    )


async def _refuse_duplicate(tx: Tx, key: str) -> NoReturn:
    existing = await queries.find_by_email(tx, key)
    if existing is None:  # it was there a moment ago and is gone again: nobody deletes clients
        raise ClientAlreadyExists
    archived = existing["status"] == ClientStatus.ARCHIVED
    message = f"A client with this e-mail address already exists: {existing['display_name']}."
    if archived:
        message += f" It is archived; bring it back with POST /clients/{existing['id']}/restore."
    raise ClientAlreadyExists(message, details={"clientId": str(existing["id"]), "archived": archived})


def _column(value: Any) -> Any:
    """A field's value as its column takes it."""
    return jsonbody.dumps(value.model_dump(by_alias=True, exclude_none=True)) if isinstance(value, Input) else value


def _same(client: Locked, name: str, value: Any) -> bool:
    present = client.row[name]
    if isinstance(value, Input) and present is not None:
        return bool(jsonbody.parse(present.encode()) == jsonbody.parse(_column(value).encode()))
    return bool(present == value)


_COUNTED = ", ".join(
    f"{name} = n.{name} + ($5 = '{status}')::int - ($4 = '{status}')::int"
    for status, name in ((status, status.lower()) for status in ClientStatus)
)
_NOTED = f"""
    counted as (update account_counters n set {_COUNTED} where n.account_id = $1)
    insert into status_changes (account_id, client_id, id, from_status, to_status, changed_at, changed_by)
    values ($1, $2, $3, $4, $5, $6, $7)
"""
_MOVED = statement(f"with {_NOTED}")
_ACTIVATE = statement(
    f"""
    with active as (
        update clients c set status = 'ACTIVE', updated_at = $6, version = c.version + 1
        where c.account_id = $1 and c.id = $2
        returning c.id
    ), told as ({log.record_with("active", event_id="$8", kind="$9", text="$10", at="$6")}), {_NOTED}
    """
)


async def _status_changed(tx: Tx, client: Locked, to: ClientStatus) -> None:
    """Note the change, and keep the account's counters; the client's row is locked before they are, always."""
    await tx.run(_MOVED, *_status_change(tx, client, to))


def _status_change(tx: Tx, client: Locked, to: ClientStatus) -> tuple[object, ...]:
    return client.id, new_id(), client.status, to, tx.now, tx.actor.label
