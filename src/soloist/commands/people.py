"""`soloist user`, `token`, `key`: who may come in."""

import sys
from typing import Annotated

import typer

from soloist.commands.console import Code, Failure, Json, say, show

Email = Annotated[str, typer.Argument(metavar="EMAIL", show_default=False)]
FromStdin = Annotated[bool, typer.Option("--password-stdin", help="Read the password from standard input.")]


def add_user(email: Email, password_stdin: FromStdin = False, as_json: Json = False) -> None:
    """Add an account, whether or not registration is open. Asks for the password on a terminal."""
    from soloist.accounts import actions
    from soloist.accounts.passwords import Passwords
    from soloist.commands.database import migrated, working
    from soloist.infra.settings import load

    settings = load()
    password = _password(from_stdin=password_stdin)
    passwords = Passwords(settings.password_memory_kib, settings.password_passes)
    with migrated(settings, create=True) as dsn:
        made = working(settings, dsn, lambda db: actions.create_account(db, email, password, passwords=passwords))
    show({"id": str(made), "email": email}, f"Added {email}.", as_json=as_json)


def set_password(email: Email, password_stdin: FromStdin = False) -> None:
    """Set the password of an account; whoever is signed in to it must sign in again."""
    from soloist.accounts import actions
    from soloist.accounts.passwords import Passwords
    from soloist.commands.database import migrated, working
    from soloist.infra.settings import load

    settings = load()
    with migrated(settings, create=False) as dsn:
        password = _password(from_stdin=password_stdin)
        passwords = Passwords(settings.password_memory_kib, settings.password_passes)
        working(settings, dsn, lambda db: actions.set_password(db, email, password, passwords))
    say(f"The password of {email} is set; its sessions have ended.")


def token(
    email: Email,
    ttl: Annotated[str, typer.Option(help="How long it is valid: a number and s, m, h or d.", metavar="TIME")] = "1h",
) -> None:
    """Print a bearer token for an account, and nothing else.

    It needs no running server, works on each one that runs on this data directory, and can't be taken back:
    keep its life short.
    """
    from soloist.accounts import actions
    from soloist.commands.database import migrated, working
    from soloist.commands.times import duration
    from soloist.infra.secrets import derived, installation_secret
    from soloist.infra.settings import load

    life, settings = duration(ttl), load()
    with migrated(settings, create=False) as dsn:
        key = derived(installation_secret(settings), "tokens")
        say(working(settings, dsn, lambda db: actions.issue_token(db, email, life, key)))


def create_key(
    email: Email,
    scopes: Annotated[str, typer.Option(help="What it may do: read, write (and read), sync; with commas.")] = "read",
    name: Annotated[str, typer.Option(help="What the list of keys calls it.")] = "command line",
    as_json: Json = False,
) -> None:
    """Make an API key for an account and print it, once: only its hash is kept."""
    from soloist.accounts import actions
    from soloist.commands.database import migrated, working
    from soloist.infra.settings import load

    wanted = [scope.strip() for scope in scopes.split(",") if scope.strip()]
    settings = load()
    with migrated(settings, create=False) as dsn:
        key = working(settings, dsn, lambda db: actions.create_key(db, email, wanted, name))
    show({"key": key, "name": name, "scopes": wanted}, key, as_json=as_json)


def _password(*, from_stdin: bool) -> str:
    if from_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    if sys.stdin.isatty():
        return str(typer.prompt("Password", hide_input=True, confirmation_prompt=True, err=True))
    raise Failure("There is no terminal to ask for the password.", "pipe it in, with --password-stdin", Code.USAGE)
