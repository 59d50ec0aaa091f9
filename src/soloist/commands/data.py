"""`soloist migrate`, `seed`, `backup`, `restore`: what is done to the data as a whole."""

from pathlib import Path
from typing import Annotated

import typer

from soloist.commands.console import Code, Json, show

File = Annotated[Path, typer.Argument(metavar="FILE", show_default=False)]


def migrate(
    check: Annotated[bool, typer.Option("--check", help="Only say what is missing; exit code 1 if anything.")] = False,
    as_json: Json = False,
) -> None:
    """Bring the database's schema up to date, as every start of the server does, too.

    Safe beside running servers and other migrations: one works, the others wait.
    """
    from soloist.commands.database import reached
    from soloist.infra import migrations
    from soloist.infra.settings import load

    with reached(load(), create=not check) as dsn:
        names = migrations.pending(dsn) if check else migrations.migrate(dsn)
    key, text = ("pending", "Missing: {}.") if check else ("applied", "Applied: {}.")
    show({key: names}, text.format(", ".join(names)) if names else "The schema is up to date.", as_json=as_json)
    if check and names:
        raise typer.Exit(Code.FAILED)


def backup(
    file: File,
    force: Annotated[bool, typer.Option("--force", help="Replace a file that exists.")] = False,
    as_json: Json = False,
) -> None:
    """Write everything into one file: the database, the documents and the signing secret.

    It works beside a running server and holds one moment of it. Keep the file as safe as the data folder:
    whoever has it has the book, and can sign tokens.
    """
    from soloist.commands.database import reached
    from soloist.infra.backup import back_up
    from soloist.infra.postgres import find_binaries
    from soloist.infra.settings import load

    settings = load()
    with reached(settings, create=False) as dsn:
        made = back_up(dsn, find_binaries(settings.pg_bin), settings.data_dir, file, replace=force)
    text = f"{file}: {made.rows:,} rows, {made.documents} documents, {file.stat().st_size / 1e6:.1f} MB."
    show({"file": str(file), **made.model_dump(mode="json")}, text, as_json=as_json)


def restore(file: File, as_json: Json = False) -> None:
    """Put a backup in the place of an empty database and data folder.

    The whole file is checked first. A target that holds data is refused, and so is one that a server uses.
    """
    from soloist.commands.database import reached
    from soloist.infra import migrations
    from soloist.infra.backup import restore as put_back
    from soloist.infra.backup import verified
    from soloist.infra.postgres import find_binaries
    from soloist.infra.settings import load

    settings = load()
    verified(file)
    with reached(settings, create=True) as dsn:
        made = put_back(dsn, find_binaries(settings.pg_bin), settings.data_dir, file)
        applied = migrations.migrate(dsn)
    text = f"Restored {made.rows:,} rows and {made.documents} documents of {made.made_at:%Y-%m-%d %H:%M} UTC."
    show({"migrated": applied, **made.model_dump(mode="json")}, text, as_json=as_json)


def seed(
    email: Annotated[str, typer.Option(help="The account to fill, made if missing.")] = "demo@soloist.example",
    clients: Annotated[int, typer.Option(min=1, max=1_000_000, help="Clients in each account.")] = 200,
    accounts: Annotated[int, typer.Option(min=1, max=1000, help="How many; they get +2, +3 … before the @.")] = 1,
    months: Annotated[int, typer.Option(min=1, max=120, help="How far the book goes back.")] = 12,
    seed: Annotated[int, typer.Option(help="The same number gives the same book.")] = 1,
    bulk: Annotated[
        bool, typer.Option("--bulk", help="Fast, for size: no events, no older health scores, fewer interactions.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Fill accounts with a believable demo book: clients, contacts, interactions, payments, follow-ups.

    It goes through the same actions as the API, each at its time in the past. An account that has clients is
    refused.
    """
    from soloist.commands import seeding
    from soloist.infra.settings import load
    from soloist.seed import Plan

    done = seeding.carry_out(load(), Plan(email, clients, accounts, months, seed), bulk=bulk)
    show({"accounts": [entry._asdict() for entry in done]}, seeding.in_words(done), as_json=as_json)
