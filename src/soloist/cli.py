"""`soloist`: the commands by name, and how a command ends. What they do is in `soloist.commands`."""

import os
import sys
from typing import Annotated

import typer
from typer.exceptions import TyperException

from soloist.commands import about, data, market, people, running
from soloist.commands.console import Code, Failure, end_with

app = typer.Typer(
    name="soloist",
    help="The freelancer's CRM: clients, interactions, health. Start it with: soloist serve",
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
user = typer.Typer(no_args_is_help=True, help="Add an account, or set its password.")
key = typer.Typer(no_args_is_help=True, help="API keys of an account.")


@app.callback()
def every_command(
    debug: Annotated[bool, typer.Option("--debug", help="Show the whole traceback of a failure.")] = False,
) -> None:
    """The freelancer's CRM: clients, interactions, health. Start it with: soloist serve"""


def _register() -> None:
    app.command(epilog="Example: soloist serve --port 8601 --data-dir ~/book")(running.serve)
    app.command(epilog="Example: DATABASE_URL=postgresql://crm@db/crm soloist worker")(running.worker)
    app.command(epilog="Example: soloist migrate --check")(data.migrate)
    app.command(epilog="Example: soloist token ada@example.com --ttl 8h")(people.token)
    app.command(epilog="Example: soloist seed --email demo@example.com --clients 200 --months 12")(data.seed)
    app.command("market-sim", epilog="Example: soloist market-sim --port 8700 --token a-token-for-tests")(
        market.simulate
    )
    app.command(epilog="Example: soloist backup ~/backups/book.zip")(data.backup)
    app.command(epilog="Example: soloist restore ~/backups/book.zip")(data.restore)
    app.command(epilog="Example: soloist doctor --json")(about.doctor)
    app.command(epilog="Example: soloist openapi > openapi.json")(about.openapi)
    app.command(epilog="Example: soloist version --json")(about.version)
    user.command("add", epilog="Example: pass show crm | soloist user add ada@example.com --password-stdin")(
        people.add_user
    )
    user.command("password", epilog="Example: soloist user password ada@example.com")(people.set_password)
    key.command("create", epilog="Example: soloist key create ada@example.com --scopes read,write")(people.create_key)
    app.add_typer(user, name="user")
    app.add_typer(key, name="key")


_register()


def main() -> None:
    """Run the command line; every failure is one line and an exit code, the traceback only with --debug."""
    arguments = sys.argv[1:]
    debug = "--debug" in arguments
    try:
        code = app(args=[word for word in arguments if word != "--debug"], prog_name="soloist", standalone_mode=False)
        sys.stdout.flush()
    except TyperException as fault:
        if debug:
            raise
        end_with(Failure(fault.format_message(), _usage_hint(arguments), Code.USAGE))
    except typer.Abort:
        end_with(Failure("Stopped before anything was done."))
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # nothing left to flush at the exit
        sys.exit(Code.BROKEN_PIPE)
    except Exception as fault:
        if debug:
            raise
        end_with(_failure(fault))
    sys.exit(code if isinstance(code, int) else 0)


def _usage_hint(arguments: list[str]) -> str:
    words = [word for word in arguments if not word.startswith("-")]
    names = {command.name or command.callback.__name__ for command in app.registered_commands if command.callback}
    groups = {"user": {"add", "password"}, "key": {"create"}}
    if words[:1] and words[0] in names:
        return f"soloist {words[0]} --help"
    if len(words) > 1 and words[1] in groups.get(words[0], ()):
        return f"soloist {words[0]} {words[1]} --help"
    return "soloist --help"


def _failure(fault: Exception) -> Failure:
    from soloist.commands.failures import failure_of

    return failure_of(fault) or Failure(
        f"an unexpected fault, which is a mistake of ours: {type(fault).__name__}: {fault}",
        "run it again with --debug for the whole story, and report it",
    )


if __name__ == "__main__":
    main()
