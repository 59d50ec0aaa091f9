"""What `soloist doctor` looks at: each finding says what is, and what to do where it is not right."""

import asyncio
import shutil
from collections.abc import Iterator
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import NamedTuple

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from soloist.commands.database import reached, working
from soloist.commands.failures import failure_of
from soloist.documents import jobs as documents
from soloist.infra import queue_upkeep, readiness
from soloist.infra.clock import system_clock
from soloist.infra.db import Database
from soloist.infra.errors import ServiceUnavailable
from soloist.infra.mail import Mailer, MailServer, Unreachable, mail_server
from soloist.infra.postgres import NoBinaries, find_binaries, running_dsn
from soloist.infra.secrets import FILE as SECRET
from soloist.infra.settings import Settings
from soloist.infra.statement import crossing
from soloist.infra.storage import Store
from soloist.infra.stores import open_store

EXTENSIONS = {"pg_trgm", "unaccent", "btree_gin"}
LEAST_FREE = 1_000_000_000
LARGEST_SKEW_SECONDS = 5.0

_DRIFT = crossing(
    "doctor: counters",
    "compares the counters of every account with its clients",
    """
    select count(*) from account_counters k
    left join (
        select account_id,
            count(*) filter (where status = 'LEAD') as lead,
            count(*) filter (where status = 'PROSPECT') as prospect,
            count(*) filter (where status = 'ACTIVE') as active,
            count(*) filter (where status = 'INACTIVE') as inactive,
            count(*) filter (where status = 'ARCHIVED') as archived
        from clients group by account_id
    ) c on c.account_id = k.account_id
    where (k.lead, k.prospect, k.active, k.inactive, k.archived) is distinct from
        (coalesce(c.lead, 0), coalesce(c.prospect, 0), coalesce(c.active, 0), coalesce(c.inactive, 0),
         coalesce(c.archived, 0))
    """,
)


class Finding(NamedTuple):
    """One thing looked at. `advice` is empty when it is right."""

    check: str
    ok: bool
    found: str
    advice: str = ""


def examine(settings: Settings) -> list[Finding]:
    """Look at everything; a database that can't be reached hides only what lies in it."""
    findings = [*_folder(settings.data_dir), *_programs(settings), *_mail(settings)]
    serving = settings.database_url is not None or running_dsn(settings.data_dir) is not None
    try:
        with reached(settings, create=False) as dsn:
            findings += working(settings, dsn, _database)
            findings += working(settings, dsn, partial(_documents, open_store(settings)))
            findings += working(settings, dsn, _jobs)
            if serving:
                findings += working(settings, dsn, _readiness)
            else:
                findings.append(Finding("server", True, "not running; start it with: soloist serve"))
    except Exception as fault:
        known = failure_of(fault)
        if known is None:
            raise
        findings.append(Finding("database", False, known.message, known.hint))
    return findings


def show_table(findings: list[Finding]) -> None:
    """Print the findings for a person."""
    table = Table(box=None, show_header=False, pad_edge=False)
    for finding in findings:
        mark = "[green]ok[/]" if finding.ok else "[bold red]wrong[/]"
        advice = f" [yellow]→ {escape(finding.advice)}[/]" if finding.advice else ""
        table.add_row(mark, finding.check, escape(finding.found) + advice)
    Console().print(table)


def _folder(data_dir: Path) -> Iterator[Finding]:
    if not data_dir.exists():
        yield Finding("data folder", True, f"{data_dir.resolve()} does not exist yet; the first start makes it")
        return
    mode = data_dir.stat().st_mode & 0o777
    advice = f"others can read it: chmod 700 {data_dir}" if mode & 0o077 else ""
    yield Finding("data folder", not advice, f"{data_dir.resolve()}, mode {mode:o}", advice)
    secret = data_dir / SECRET
    if secret.exists():
        mode = secret.stat().st_mode & 0o777
        advice = f"others can read it: chmod 600 {secret}" if mode & 0o077 else ""
        yield Finding("secret", not advice, f"{SECRET}, mode {mode:o}", advice)
    free = shutil.disk_usage(data_dir).free
    advice = "make room: PostgreSQL stops when the disk is full" if free < LEAST_FREE else ""
    yield Finding("disk", not advice, f"{free / 1e9:.1f} GB free", advice)


def _programs(settings: Settings) -> Iterator[Finding]:
    try:
        found = find_binaries(settings.pg_bin)
    except NoBinaries as fault:
        needed = settings.database_url is None
        advice = str(fault) if needed else ""
        yield Finding("PostgreSQL programs", not needed, "none; backup and restore need them", advice)
    else:
        yield Finding("PostgreSQL programs", True, f"{found.version} in {found.bin}")


def _mail(settings: Settings) -> Iterator[Finding]:
    server = mail_server(settings)
    if server is None:
        yield Finding("mail", True, "no mail server; none is sent")
        return
    place = f"{server.host}:{server.port}, {server.security}"
    try:
        asyncio.run(_greet(server))
    except Unreachable as fault:
        yield Finding("mail", False, f"{place}: {fault}", "look at SOLOIST_SMTP_HOST and the settings beside it")
    else:
        yield Finding("mail", True, f"{place}, from {server.sender}")


async def _greet(server: MailServer) -> None:
    async with Mailer(server) as mailer:
        await mailer.check()


async def _database(db: Database) -> list[Finding]:
    async with db.connection() as conn:
        before = system_clock()
        [[version, now]] = await conn.fetch("select current_setting('server_version'), clock_timestamp()")
        present = {row[0] for row in await conn.fetch("select extname from pg_extension")}
        drifted = None
        if await conn.fetchval("select to_regclass('account_counters') is not null"):
            drifted = await conn.fetchval(_DRIFT)
    return [
        Finding("database", True, f"PostgreSQL {version.split()[0]}"),
        _extensions(present),
        _clock(before, now, system_clock()),
        *([_counters(drifted)] if drifted is not None else []),
    ]


def _extensions(present: set[str]) -> Finding:
    lacking = sorted(EXTENSIONS - present)
    advice = "run 'soloist migrate', or as an administrator: " + "; ".join(f"create extension {e}" for e in lacking)
    found = ", ".join(sorted(EXTENSIONS & present)) or "none"
    return Finding("extensions", not lacking, found, advice if lacking else "")


def _clock(before: datetime, at_database: datetime, after: datetime) -> Finding:
    skew = max((before - at_database).total_seconds(), (at_database - after).total_seconds(), 0.0)
    advice = "set both clocks by NTP: tokens and reminders go by them" if skew > LARGEST_SKEW_SECONDS else ""
    return Finding("clock", not advice, f"{skew:.1f} s from the database's", advice)


def _counters(drifted: int) -> Finding:
    advice = "report it: counters are kept with every change and must not drift" if drifted else ""
    return Finding("counters", not drifted, f"{drifted} accounts differ" if drifted else "equal to the clients", advice)


async def _documents(store: Store, db: Database) -> list[Finding]:
    async with db.connection() as conn:
        if not await conn.fetchval("select to_regclass('uploads') is not null"):
            return []
    try:
        found = await documents.drift(store, db)
    except ServiceUnavailable as fault:
        return [Finding("documents", False, fault.message, "look at SOLOIST_S3_BUCKET and the settings beside it")]
    wrong = {
        f"{found.missing} documents without their file": found.missing,
        f"{found.altered} whose file has another size": found.altered,
        f"{found.leftover} files without a document": found.leftover,
    }
    shown = ", ".join(text for text, count in wrong.items() if count)
    if found.missing or found.altered:
        advice = "bring the files back from a backup; the API still lists these documents"
    else:
        advice = "the worker removes them within the hour; see that one runs" if shown else ""
    return [Finding("documents", not shown, shown or f"{found.files} files, each with its document", advice)]


async def _jobs(db: Database) -> list[Finding]:
    async with db.connection() as conn:
        if not await conn.fetchval("select to_regclass('pgqueuer') is not null"):
            return []
    failed = ", ".join(f"{times} of {name}" for name, times in (await queue_upkeep.failed(db)).items())
    advice = "the worker's log tells why, at level error; they are kept for a week" if failed else ""
    return [Finding("jobs", not failed, f"failed for good: {failed}" if failed else "none failed for good", advice)]


async def _readiness(db: Database) -> list[Finding]:
    found = await readiness.checks(db)
    return [
        Finding(name, check["ok"], "all right" if check["ok"] else "not right", check.get("reason", ""))
        for name, check in found.items()
        if name != "database"
    ]
