"""`soloist seed` with its progress on the terminal."""

import asyncio
import gc
import sys
from collections.abc import Sequence

import uvloop
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from soloist import seed, seed_bulk
from soloist.accounts.passwords import Passwords
from soloist.commands.database import migrated
from soloist.infra.settings import Settings
from soloist.seed import Plan, Seeded


def carry_out(settings: Settings, plan: Plan, *, bulk: bool) -> list[Seeded]:
    """Fill the accounts; on a terminal a bar on standard error shows how far it is."""
    passwords = Passwords(settings.password_memory_kib, settings.password_passes)
    console = Console(stderr=True)
    columns = (TextColumn("Clients"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with (
        migrated(settings, create=True) as dsn,
        Progress(*columns, console=console, transient=True, disable=not sys.stderr.isatty()) as progress,
    ):
        task = progress.add_task("clients", total=plan.clients * plan.accounts)
        if bulk:
            gc.disable()  # millions of rows, no cycles: looking for some takes half of the time
            work = seed_bulk.fill(dsn, plan, settings.clock(), passwords, lambda count: progress.advance(task, count))
        else:
            work = seed.fill(dsn, plan, settings.clock(), passwords, lambda: progress.advance(task))
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:  # a third faster than without
            return runner.run(work)


def in_words(done: Sequence[Seeded]) -> str:
    """What was made, and how to come in."""
    lines = [
        f"{entry.email}: {entry.clients:,} clients, {entry.contacts:,} contacts, {entry.interactions:,} interactions"
        for entry in done
    ]
    new = [f"Sign in as {entry.email} with the password {entry.password}" for entry in done if entry.password]
    return "\n".join([*lines, *new[:3], f"Token for the API: soloist token {done[0].email}"])
