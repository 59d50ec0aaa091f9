"""Big books by COPY, for measuring: clients with repeatable names, and what stands around them.

The database's own functions make the text that is searched and sorted, so it is what the application would
have stored; names, tags and times are invented here.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from soloist.infra.db import Connection

RARE_WORD = "Quixotry"  # in the name of every 25,000th client, from the 11th on
TWO_LETTERS = "qu"
RARE_TAG = "glassblowing"  # on the same clients
_RARE_EVERY, _RARE_AT = 25_000, 10
_SYLLABLES = (
    "ba cor del fen gar hol in jo kel lum mar nor os pel ran sol tem ul ver wes yor zan é bri cla dru mu".split()  # noqa: SIM905  # a list of 27 would take 27 lines
)
_ENDS = ("son", "ton", "ley", "field", "berg", "ski", "ova", "ini", "worth", "man", "ström", "dottir")
_TRADES = ("Studio", "Partners", "Works", "Labs", "Media", "Foods", "Travel", "Energy", "Books", "Design")
_TAGS = tuple(f"tag-{number:02}" for number in range(20))
_STATUSES = ("ACTIVE",) * 35 + ("LEAD",) * 5 + ("PROSPECT",) * 5 + ("INACTIVE",) * 4 + ("ARCHIVED",)
_SOURCES = ("MANUAL", "REFERRAL", "WEBSITE", "LINKEDIN", "UPWORK")
_FIELDS = ("id", "client_type", "source", "status", "company_name", "first_name", "last_name", "email", "tags",
           "total_revenue", "health_score", "last_interaction_at", "created_at")  # fmt: skip


@dataclass(frozen=True)
class Book:
    """Whose book to fill, how full, and as of when. `children` is how many interactions each client has."""

    account_id: UUID
    clients: int
    now: datetime
    children: int = 0
    seed: int = 1


async def fill(conn: Connection, book: Book) -> None:
    """Put the book's clients into an account that has none yet, count them, and analyse the tables."""
    async with conn.transaction():
        await conn.execute("set local statement_timeout = 0")
        await conn.execute(_INCOMING)
        await conn.copy_records_to_table("incoming", records=_rows(book), columns=_FIELDS)
        await conn.execute(_CLIENTS, book.account_id)
        await conn.execute(_COUNTERS, book.account_id)
        if book.children:
            # The foreign keys hold by construction; checking a million of them would take most of the time.
            await conn.execute("set local session_replication_role = replica")
            await conn.execute(_INTERACTIONS, book.account_id, book.children, book.now)
            await conn.execute("analyze clients, interactions")
            await conn.execute(_LAST_CONTACT, book.account_id)
        await conn.execute("drop table incoming")
    await conn.execute("vacuum (analyze)", timeout=300)


async def surround(conn: Connection, account_id: UUID, now: datetime) -> None:
    """Give every client of the account three contacts, two deals, five reminders and three documents."""
    for statement in (_CONTACTS, _DEALS, _REMINDERS, _DOCUMENTS):
        await conn.execute(statement, account_id, now, timeout=300)
    await conn.execute("vacuum (analyze)", timeout=300)


def _rows(book: Book) -> Iterator[tuple[Any, ...]]:
    draw = random.Random(book.seed)
    began = book.now - timedelta(days=900)
    step = timedelta(days=899) / book.clients
    for number in range(book.clients):
        rare = number % _RARE_EVERY == _RARE_AT
        created_at = began + step * number
        first, last = _word(draw, 2), _word(draw, 1) + draw.choice(_ENDS)
        company = f"{_word(draw, 2)} {draw.choice(_TRADES)}" if draw.random() < 0.6 else None
        if rare:
            company = f"{RARE_WORD} {last}"
        tags = [RARE_TAG] if rare else draw.sample(_TAGS, draw.randrange(4))
        contact = None if draw.random() < 0.1 else book.now - timedelta(minutes=draw.randrange(500_000))
        revenue = Decimal(draw.choice((0, 0, draw.randrange(60_000) * 100, draw.randrange(6_000_000)))) / 100
        yield (
            _id(created_at, draw), "COMPANY" if company else "INDIVIDUAL", draw.choice(_SOURCES),
            draw.choice(_STATUSES), company, first, last, f"{last}.{number}@example.com".lower(), tags, revenue,
            draw.randrange(101), contact, created_at,
        )  # fmt: skip


def _word(draw: random.Random, syllables: int) -> str:
    return "".join(draw.choices(_SYLLABLES, k=syllables + (draw.random() < 0.5))).capitalize()


def _id(moment: datetime, draw: random.Random) -> UUID:
    millis = int(moment.timestamp() * 1000)
    return UUID(int=(millis << 80) | (0x7 << 76) | (draw.getrandbits(12) << 64) | (0b10 << 62) | draw.getrandbits(62))


_INCOMING = """
create temporary table incoming (
    id uuid, client_type text, source text, status text, company_name text, first_name text, last_name text,
    email text, tags text[], total_revenue numeric, health_score smallint, last_interaction_at timestamptz,
    created_at timestamptz
)
"""
_CLIENTS = """
insert into clients (
    account_id, id, client_type, source, status, status_before_archive, company_name, first_name, last_name,
    display_name, sort_name, email, email_key, tags, total_revenue, health_score, last_interaction_at, search_text,
    created_at, updated_at, archived_at
)
select $1, n.id, n.client_type, n.source, n.status, case when n.status = 'ARCHIVED' then 'ACTIVE' end,
    n.company_name, n.first_name, n.last_name, x.name, fold(x.name), n.email, lower(n.email), n.tags,
    n.total_revenue, n.health_score, n.last_interaction_at,
    searchable(concat_ws(' ', n.company_name, n.first_name, n.last_name, n.email)),
    n.created_at, n.created_at, case when n.status = 'ARCHIVED' then n.created_at end
from incoming n
cross join lateral (select coalesce(n.company_name, n.first_name || ' ' || n.last_name) as name) as x
order by n.id
"""
_COUNTERS = """
update account_counters n set
    lead = s.lead, prospect = s.prospect, active = s.active, inactive = s.inactive, archived = s.archived
from (
    select count(*) filter (where status = 'LEAD') as lead, count(*) filter (where status = 'PROSPECT') as prospect,
        count(*) filter (where status = 'ACTIVE') as active, count(*) filter (where status = 'INACTIVE') as inactive,
        count(*) filter (where status = 'ARCHIVED') as archived
    from clients where account_id = $1
) as s
where n.account_id = $1
"""


def _new_id(moment: str, salt: str) -> str:
    """An expression for a UUIDv7 of that moment whose other bits follow from `salt`."""
    millis = f"lpad(to_hex((extract(epoch from {moment}) * 1000)::bigint), 12, '0')"
    return f"({millis} || '7' || substr(md5({salt}), 1, 3) || 'a' || substr(md5({salt}), 4, 15))::uuid"


_INTERACTIONS = f"""
insert into interactions (
    account_id, id, client_id, interaction_type, subject, notes, sentiment, sentiment_source, is_outbound,
    occurred_at, created_at, updated_at
)
select $1, {_new_id("x.at", "x.salt")}, c.id, (array['EMAIL', 'CALL', 'MEETING', 'MESSAGE', 'EMAIL'])[x.draw % 5 + 1],
    'Talked about step ' || n, 'What was said, in a sentence or two that a freelancer would write down.',
    (array['POSITIVE', 'NEUTRAL', 'NEGATIVE', 'POSITIVE'])[x.draw % 4 + 1],
    (array['ANALYSED', 'NONE', 'ANALYSED'])[x.draw % 3 + 1], x.draw % 7 < 4, x.at, x.at, x.at
from clients c
cross join generate_series(1, $2::int) as n
cross join lateral (select c.id::text || n as salt, abs(hashint8(hashtext(c.id::text) + n)) as draw) as s
cross join lateral (
    select s.salt, s.draw, $3::timestamptz - make_interval(mins => (s.draw % 260000)) as at
) as x
where c.account_id = $1
"""
_LAST_CONTACT = """
update clients c set last_interaction_at = m.at
from (select client_id, max(occurred_at) as at from interactions where account_id = $1 group by client_id) as m
where c.account_id = $1 and c.id = m.client_id
"""
_CONTACTS = f"""
insert into contacts (
    account_id, id, client_id, first_name, last_name, email, role, is_primary, created_at, updated_at
)
select $1, {_new_id("$2::timestamptz", "c.id::text || 'contact' || n")}, c.id, 'Person ' || n, 'Surname',
    'person@example.com', 'OTHER', n = 1, $2, $2
from clients c cross join generate_series(1, 3) as n where c.account_id = $1
"""
_DEALS = f"""
insert into opportunities (
    account_id, id, client_id, title, source, estimated_value, currency, base_value, stage, status, priority,
    probability, created_at, updated_at
)
select $1, {_new_id("$2::timestamptz", "c.id::text || 'deal' || n")}, c.id, 'Website, part ' || n, 'REFERRAL', 1500,
    'USD', 1500, 'PROPOSAL', 'OPEN', 'MEDIUM', 50, $2, $2
from clients c cross join generate_series(1, 2) as n where c.account_id = $1
"""
_REMINDERS = f"""
insert into reminders (
    account_id, id, client_id, title, reminder_type, priority, status, due_date, created_at, updated_at
)
select $1, {_new_id("$2::timestamptz", "c.id::text || 'reminder' || n")}, c.id, 'Call back', 'FOLLOW_UP', 'MEDIUM',
    'PENDING', $2 + make_interval(days => n), $2, $2
from clients c cross join generate_series(1, 5) as n where c.account_id = $1
"""
_DOCUMENTS = f"""
insert into documents (
    account_id, id, client_id, document_type, file_name, file_url, file_size, mime_type, created_at, updated_at
)
select $1, {_new_id("$2::timestamptz", "c.id::text || 'document' || n")}, c.id, 'PROPOSAL', 'proposal.pdf',
    'https://files.example.com/proposal.pdf', 12345, 'application/pdf', $2, $2
from clients c cross join generate_series(1, 3) as n where c.account_id = $1
"""
