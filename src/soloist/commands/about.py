"""`soloist version`, `openapi`, `doctor`: what this is, what it offers, whether it is well."""

import json
from pathlib import Path

import typer

from soloist.commands.console import Code, Json, say, show


def version(as_json: Json = False) -> None:
    """Print the version of Soloist and of what it stands on."""
    import platform
    from importlib.metadata import version as version_of

    from soloist import __version__
    from soloist.infra.postgres import NoBinaries, find_binaries

    try:
        postgres: str | None = find_binaries().version
    except NoBinaries:
        postgres = None
    parts = {name: version_of(name) for name in ("fastapi", "asyncpg", "pgqueuer", "uvicorn")}
    facts = {"soloist": __version__, "python": platform.python_version(), "postgresql": postgres, **parts}
    show(
        facts,
        f"soloist {__version__} (Python {facts['python']}, PostgreSQL {postgres or 'not found'})",
        as_json=as_json,
    )


def openapi() -> None:
    """Print the API's OpenAPI 3.1 document as JSON; it needs no database."""
    import tempfile

    from soloist.app import create_app
    from soloist.infra.settings import load

    with tempfile.TemporaryDirectory() as scratch:
        app = create_app(load({}, data_dir=Path(scratch)), "postgresql:///none")
        say(json.dumps(app.openapi(), indent=2, ensure_ascii=False))


def doctor(as_json: Json = False) -> None:
    """Look at everything that must be right, and say what to do where it is not; exit code 1 then."""
    from soloist.commands import checkup
    from soloist.infra.settings import load

    findings = checkup.examine(load())
    well = all(finding.ok for finding in findings)
    if as_json:
        say(json.dumps({"ok": well, "checks": [finding._asdict() for finding in findings]}, indent=2))
    else:
        checkup.show_table(findings)
    if not well:
        raise typer.Exit(Code.FAILED)
