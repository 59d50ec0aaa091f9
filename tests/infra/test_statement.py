"""SQL that forgets whose data it touches is refused before it can run; what may cross accounts is listed here."""

import importlib
import pkgutil

import pytest

import soloist
from soloist.infra.statement import ACCOUNT_TABLES, CROSSING, Unconfined, crossing, statement
from tests.book import select
from tests.serving import Served

GOOD = {
    "select": "select * from clients where account_id = $1 and id = $2",
    "alias": "select * from clients c where c.account_id = $1",
    "alias with as": "select * from clients as c where c.account_id = $1",
    "spaces": "select * from\n  clients c\nwhere c.account_id  =  $1",
    "capitals": "SELECT * FROM clients c WHERE c.account_id = $1",
    "table's name before the column": "select * from clients where clients.account_id = $1",
    "join": "select 1 from clients c join contacts k on k.account_id = $1 and k.id = c.id where c.account_id = $1",
    "subselect": "select (select 1 from accounts a where a.account_id = $1) from clients c where c.account_id = $1",
    "twice, each tied": """select from clients c where c.account_id = $1
        union select from clients c where c.account_id = $1""",
    "twice, bare": "select from clients where account_id = $1 union all select from clients where account_id = $1",
    "lateral": """select * from clients c left join lateral (select 1 from interactions i
        where i.account_id = $1 and i.client_id = c.id) as n on true where c.account_id = $1""",
    "insert": "insert into clients (account_id, id) values ($1, $2)",
    "insert from a select": "insert into events (account_id, id) select $1, e.id from unnest($2::uuid[]) as e (id)",
    "insert with an alias": "insert into clients as c (account_id, id) values ($1, $2) on conflict do nothing",
    "update": "update clients set notes = $3 where account_id = $1 and id = $2",
    "update from": "update clients c set notes = m.n from unnest($2::text[]) as m (n) where c.account_id = $1",
    "delete": "delete from contacts where account_id = $1 and id = $2",
    "delete using": "delete from contacts k using clients c where k.account_id = $1 and c.account_id = $1",
    "no account's table": "select 1 from unnest($2::text[]) as t",
    "distinct from": "select a is distinct from b from clients where account_id = $1",
    "part of a date": "select extract(day from c.created_at) from clients c where c.account_id = $1",
    "or about something else": "select from clients c where c.account_id = $1 and (c.notes is null or c.email is null)",
    "text that looks like SQL": "select 'from contacts' from clients c where c.account_id = $1",
    "comment that looks like SQL": "select 1 -- from contacts\nfrom clients c where c.account_id = $1",
    "column called like a table": "select k.id, k.events from clients c join hooks k on true where c.account_id = $1",
}


@pytest.mark.parametrize("sql", GOOD.values(), ids=GOOD)
def test_statement_tied_to_its_account_is_taken_as_it_is(sql: str) -> None:
    assert statement(sql) == sql


BAD = {
    "nothing": "select * from clients",
    "only the id": "select * from clients where id = $2",
    "another parameter": "select * from clients where account_id = $2",
    "parameter 10": "select * from clients where account_id = $10",
    "parameter 12 in an insert": "insert into clients (account_id, id) values ($12, $2)",
    "another column": "select * from clients where id = $1",
    "other alias": "select * from clients c where k.account_id = $1",
    "bare column, alias": "select 1 from clients c join contacts k on k.client_id = c.id where account_id = $1",
    "join untied": "select * from clients c join contacts k on k.client_id = c.id where c.account_id = $1",
    "subselect untied": "select (select max(i.occurred_at) from interactions i) from clients c where c.account_id = $1",
    "second mention untied": "select from clients c where c.account_id = $1 union select from clients c",
    "second mention untied, bare": "select from clients where account_id = $1 union select from clients",
    "comma": "select * from clients c, contacts k where c.account_id = $1",
    "comma, both tied": "select * from clients c, contacts k where c.account_id = $1 and k.account_id = $1",
    "comma after a function": "select * from unnest($2::uuid[]) as u (id), clients c where c.id = u.id",
    "or": "select * from clients c where c.account_id = $1 or c.id = $2",
    "or before": "select * from clients c where c.id = $2 or c.account_id = $1",
    "comment": "select * from clients where id = $2 -- account_id = $1",
    "block comment": "select * from clients where id = $2 /* account_id = $1 */",
    "text": "select * from clients where notes = 'account_id = $1'",
    "schema": "select * from public.clients where id = $2",
    "quotes": 'select * from "clients" where id = $2',
    "capitals": "SELECT * FROM CLIENTS WHERE id = $2",
    "only": "select * from only clients where id = $2",
    "insert without it": "insert into clients (id) values ($2)",
    "insert of another": "insert into clients (account_id, id) values ($2, $1)",
    "insert, id first": "insert into clients (id, account_id) values ($1, $1)",
    "insert without columns": "insert into clients values ($1, $2)",
    "insert from an untied select": "insert into events (account_id, id) select $1, c.id from clients c",
    "insert in capitals": "INSERT INTO clients (id) VALUES ($1)",
    "update": "update clients set notes = null",
    "update with an alias": "update clients c set notes = null where id = $2",
    "update sets it": "update clients set account_id = $2 where id = $3",
    "delete": "delete from clients where id = $2",
    "delete using": "delete from contacts k using clients c where k.account_id = $1",
    "with": "with x as (select * from clients) select * from x",
    "table": "table clients",
    "truncate": "truncate clients",
    "truncate table": "truncate table clients",
    "merge": "merge into clients c using contacts k on true when matched then delete",
    "lock": "lock table clients",
}


@pytest.mark.parametrize("sql", BAD.values(), ids=BAD)
def test_statement_that_could_touch_another_account_is_refused(sql: str) -> None:
    with pytest.raises(Unconfined):
        statement(sql)


@pytest.mark.parametrize("table", sorted(ACCOUNT_TABLES))
def test_every_accounts_table_is_watched(table: str) -> None:
    with pytest.raises(Unconfined):
        statement(f"select * from {table} where true")


MAY_CROSS = {
    "API key",
    "abandoned uploads",
    "accounts due for a sync",
    "accounts to recalculate",
    "accounts whose digest is due",
    "accounts with rates of today",
    "accounts with reminders to announce",
    "any account",
    "any real account",
    "arrived interactions",
    "cleared job",
    "deals to resume",
    "failed logins",
    "first registration",
    "forgotten deliveries",
    "health decay",
    "login",
    "next mail",
    "platform identity",
    "prune deliveries",
    "prune events",
    "prune idempotency keys",
    "prune jobs",
    "prune mails",
    "prune sessions",
    "prune sync runs",
    "rate limit",
    "recorded files",
    "suspect job",
    "size of the book",
    "staged items of ended runs",
    "statistics of the book",
    "statistics of the plan",
    "statistics of the stage",
    "sweep rate windows",
    "syncs under way",
    "times a job was begun",
}
# Run from the command line, not by the server.
OPERATORS_ONLY = {"doctor: counters", "doctor: failed jobs", "doctor: files"}


def test_statements_that_cross_accounts_are_just_these() -> None:
    """A new one needs a reason, and a second look at what it answers to whom."""
    for module in pkgutil.walk_packages(soloist.__path__, "soloist."):
        importlib.import_module(module.name)
    assert CROSSING.keys() == MAY_CROSS | OPERATORS_ONLY
    assert all(len(reason) > 20 for reason in CROSSING.values())


def test_two_crossing_statements_can_not_share_a_name() -> None:
    with pytest.raises(Unconfined, match="login"):
        crossing("login", "a second one", "select 1")


def test_list_of_accounts_tables_is_that_of_the_database(server: Served) -> None:
    rows = select(
        server,
        """select c.relname::text as name from pg_class c join pg_attribute a on a.attrelid = c.oid
        where c.relkind in ('r', 'p') and c.relnamespace = 'public'::regnamespace and a.attname = 'account_id'
            and not a.attisdropped""",
    )
    looked_up_without_knowing_the_account = {"logins", "platform_identities"}
    assert {row["name"] for row in rows} - looked_up_without_knowing_the_account == ACCOUNT_TABLES


def test_every_accounts_table_has_the_account_first_in_each_key(server: Served) -> None:
    """Primary, foreign and unique keys begin with account_id, so that no row can point into another book."""
    rows = select(
        server,
        """select t.relname || '.' || i.relname as name, a.attname as first
        from pg_index x join pg_class t on t.oid = x.indrelid join pg_class i on i.oid = x.indexrelid
        join pg_attribute a on a.attrelid = t.oid and a.attnum = x.indkey[0]
        where t.relname = any($1::text[]) and x.indisunique
        union all
        select t.relname || '.' || k.conname, a.attname
        from pg_constraint k join pg_class t on t.oid = k.conrelid
        join pg_attribute a on a.attrelid = t.oid and a.attnum = k.conkey[1]
        where t.relname = any($1::text[]) and k.contype = 'f'""",
        sorted(ACCOUNT_TABLES),
    )
    assert len(rows) > 30
    assert [row["name"] for row in rows if row["first"] != "account_id"] == []
