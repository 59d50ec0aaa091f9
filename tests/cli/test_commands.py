"""The commands that end: what they print, what they refuse, and with which exit code."""

import asyncio
import json
import subprocess
import sys
from pathlib import Path

import asyncpg
import httpx2
import pytest
import typer

from soloist import __version__
from soloist.cli import app
from soloist.infra.http import BASE
from tests.cli.programs import PROGRAM, environment, soloist
from tests.serving import serving, settings_for

PASSWORD = "correct horse battery staple"
pytestmark = pytest.mark.slow  # each test starts programs


def run(dsn: str, sql: str) -> None:
    """Change the database behind the program's back."""

    async def change() -> None:
        conn = await asyncpg.connect(dsn)
        await conn.execute(sql)
        await conn.close()

    asyncio.run(change())


def every_command() -> list[list[str]]:
    found = []
    groups: list[tuple[list[str], typer.Typer]] = [([], app)]
    for group in app.registered_groups:
        assert group.typer_instance
        groups.append(([group.name or ""], group.typer_instance))
    for words, group_app in groups:
        for command in group_app.registered_commands:
            assert command.callback
            found.append([*words, command.name or command.callback.__name__])
    return found


# ---- help and usage ---------------------------------------------------------


@pytest.mark.parametrize("words", every_command(), ids=" ".join)
def test_help_of_every_command_has_an_example(words: list[str]) -> None:
    groups = {group.name: group.typer_instance for group in app.registered_groups}
    commands = groups[words[0]] if len(words) > 1 else app
    assert commands
    [command] = [c for c in commands.registered_commands if c.callback and words[-1] in (c.name, c.callback.__name__)]
    assert f"soloist {' '.join(words)}" in (command.epilog or "")
    assert command.callback
    assert command.callback.__doc__


def test_help_loads_nothing_heavy() -> None:
    script = """
import sys
sys.argv = ["soloist", "--help"]
from soloist.cli import main
try:
    main()
finally:
    heavy = {"fastapi", "pydantic", "asyncpg", "sqlalchemy", "pgqueuer", "uvicorn"} & sys.modules.keys()
    print("heavy:", sorted(heavy))
"""
    done = subprocess.run([sys.executable, "-c", script], env=environment(), capture_output=True, text=True, check=True)
    assert "serve" in done.stdout
    assert "heavy: []" in done.stdout


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["serv"], "No such command 'serv'"),
        (["serve", "--prot", "1"], "No such option: --prot"),
        (["serve", "--port", "many"], "--port"),
        (["token"], "Missing argument 'EMAIL'"),
        (["token", "a@example.com", "--ttl", "soon"], "'soon' is no length of time"),
        (["seed", "--clients", "0"], "--clients"),
    ],
)
def test_wrong_usage_is_one_line_with_a_hint_and_code_2(words: list[str], told: str) -> None:
    done = soloist(*words, DATABASE_URL="postgresql:///nowhere")
    assert done.returncode == 2
    first, hint = done.stderr.splitlines()
    assert told in first
    assert hint.startswith("hint: ")
    assert done.stdout == ""


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"SOLOIST_PROT": "1"}, "SOLOIST_PROT: there is no such setting; did you mean SOLOIST_PORT?"),
        ({"SOLOIST_WORKERS": "0"}, "SOLOIST_WORKERS: "),
        ({"SOLOIST_RATE_LIMIT_READ": "fast"}, "such as '100/minute', or 'off'"),
        ({"SOLOIST_CONFIG": "/nowhere.toml"}, "/nowhere.toml can't be read"),
    ],
)
def test_a_setting_that_is_not_understood_stops_the_start(settings: dict[str, str], told: str, tmp_path: Path) -> None:
    done = soloist("serve", "--data-dir", str(tmp_path / "data"), **settings)
    assert done.returncode == 2
    assert told in done.stderr
    assert not (tmp_path / "data").exists()


def test_a_database_that_is_away_is_temporary(tmp_path: Path) -> None:
    done = soloist("migrate", "--check", DATABASE_URL=f"postgresql://u@/db?host={tmp_path}")
    assert done.returncode == 75
    assert "The database can't be reached" in done.stderr
    assert "Traceback" not in done.stderr


def test_debug_shows_the_whole_story(tmp_path: Path) -> None:
    done = soloist("migrate", "--debug", DATABASE_URL=f"postgresql://u@/db?host={tmp_path}")
    assert done.returncode == 1
    assert "Traceback" in done.stderr


# ---- documents --------------------------------------------------------------


def test_openapi_is_complete_without_a_database() -> None:
    done = soloist("openapi", SOLOIST_DATA_DIR="/nowhere/at/all")
    assert done.returncode == 0
    document = json.loads(done.stdout)
    assert document["openapi"].startswith("3.1")
    assert document["info"]["version"] == __version__
    assert any("/clients" in path for path in document["paths"])


def test_a_closed_pipe_is_no_accident() -> None:
    command = f"set -o pipefail; {' '.join(PROGRAM)} openapi | head -c 10"
    done = subprocess.run(["/bin/bash", "-c", command], env=environment(), capture_output=True, text=True, check=False)
    assert done.stdout
    assert done.stderr == ""


def test_version_is_given_in_words_and_as_json() -> None:
    assert soloist("version").stdout.startswith(f"soloist {__version__} ")
    assert json.loads(soloist("version", "--json").stdout)["soloist"] == __version__


# ---- people -----------------------------------------------------------------


def test_an_added_account_gets_a_token_that_works(db_url: str, tmp_path: Path) -> None:
    settings = {"DATABASE_URL": db_url, "SOLOIST_DATA_DIR": str(tmp_path)}
    added = soloist("user", "add", "ada@example.com", "--password-stdin", "--json", stdin=f"{PASSWORD}\n", **settings)
    assert added.returncode == 0, added.stderr
    assert json.loads(added.stdout)["email"] == "ada@example.com"
    token = soloist("token", "ada@example.com", "--ttl", "5m", **settings)
    assert token.returncode == 0
    assert token.stdout.count("\n") == 1
    key = soloist("key", "create", "Ada@example.com", "--scopes", "read", **settings)
    assert key.stdout.startswith("slk_")
    with serving(settings_for(tmp_path), db_url) as server:
        for credential in (token.stdout.strip(), key.stdout.strip()):
            headers = {"Authorization": f"Bearer {credential}"}
            me = httpx2.get(f"{server.url}{BASE}/me", headers=headers, trust_env=False)
            assert me.json()["data"]["email"] == "ada@example.com"
        changed = soloist(
            "user", "password", "ada@example.com", "--password-stdin", stdin="another long one", **settings
        )
        assert changed.returncode == 0
        given = {"email": "ada@example.com", "password": "another long one"}
        assert httpx2.post(f"{server.url}{BASE}/auth/login", json=given, trust_env=False).status_code == 200


@pytest.mark.parametrize(
    "words",
    [
        ["token", "nobody@example.com"],
        ["key", "create", "nobody@example.com"],
        ["user", "password", "nobody@example.com", "--password-stdin"],
    ],
    ids=" ".join,
)
def test_somebody_unknown_is_not_found(words: list[str], db_url: str, tmp_path: Path) -> None:
    done = soloist(*words, stdin=PASSWORD, DATABASE_URL=db_url, SOLOIST_DATA_DIR=str(tmp_path))
    assert done.returncode == 3
    assert "nobody@example.com" in done.stderr
    assert done.stdout == ""


def test_a_token_makes_no_data_directory(tmp_path: Path) -> None:
    done = soloist("token", "ada@example.com", SOLOIST_DATA_DIR=str(tmp_path / "none"))
    assert done.returncode == 3
    assert "There is no database" in done.stderr
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize(
    ("words", "stdin", "told"),
    [
        (["user", "add", "ada@example.com"], "", "--password-stdin"),
        (["user", "add", "ada@example.com", "--password-stdin"], "short\n", "10"),
        (["user", "add", "not an address", "--password-stdin"], f"{PASSWORD}\n", "email"),
        (["key", "create", "ada@example.com", "--scopes", "reed"], "", "reed"),
    ],
)
def test_what_can_not_be_used_is_refused(words: list[str], stdin: str, told: str, db_url: str, tmp_path: Path) -> None:
    settings = {"DATABASE_URL": db_url, "SOLOIST_DATA_DIR": str(tmp_path)}
    if words[0] == "key":
        soloist("user", "add", "ada@example.com", "--password-stdin", stdin=PASSWORD, **settings)
    done = soloist(*words, stdin=stdin, **settings)
    assert done.returncode in (1, 2)
    assert told in done.stderr
    assert "Traceback" not in done.stderr


def test_an_account_is_added_once(db_url: str, tmp_path: Path) -> None:
    settings = {"DATABASE_URL": db_url, "SOLOIST_DATA_DIR": str(tmp_path)}
    codes = [
        soloist("user", "add", email, "--password-stdin", stdin=PASSWORD, **settings).returncode
        for email in ("ada@example.com", "ADA@example.com")
    ]
    assert codes == [0, 1]


# ---- migrate and doctor -----------------------------------------------------


def test_migrate_check_tells_what_is_missing_and_changes_nothing(db_url: str) -> None:
    assert soloist("migrate", "--check", DATABASE_URL=db_url).returncode == 0
    run(db_url, "comment on table pgqueuer is null")
    for _ in range(2):
        missing = soloist("migrate", "--check", "--json", DATABASE_URL=db_url)
        assert missing.returncode == 1
        assert json.loads(missing.stdout) == {"pending": ["the tables of the job queue"]}
    assert soloist("token", "a@example.com", DATABASE_URL=db_url).returncode == 75
    applied = soloist("migrate", "--json", DATABASE_URL=db_url)
    assert json.loads(applied.stdout) == {"applied": ["the tables of the job queue"]}
    assert soloist("migrate", "--check", DATABASE_URL=db_url).returncode == 0


def test_doctor_finds_what_is_wrong(db_url: str, tmp_path: Path) -> None:
    settings = {"DATABASE_URL": db_url, "SOLOIST_DATA_DIR": str(tmp_path)}
    soloist("user", "add", "ada@example.com", "--password-stdin", stdin=PASSWORD, **settings)
    run(db_url, "insert into worker_heartbeats values (gen_random_uuid(), now())")
    well = soloist("doctor", "--json", **settings)
    assert well.returncode == 0, well.stdout
    run(db_url, "update account_counters set active = 7; delete from worker_heartbeats")
    tmp_path.chmod(0o755)
    ill = soloist("doctor", "--json", **settings)
    assert ill.returncode == 1
    wrong = {finding["check"]: finding["advice"] for finding in json.loads(ill.stdout)["checks"] if not finding["ok"]}
    assert wrong.keys() == {"counters", "worker", "data folder"}
    assert "chmod 700" in wrong["data folder"]
    assert "soloist worker" in wrong["worker"]
    told = soloist("doctor", NO_COLOR="1", **settings)
    assert "wrong" in told.stdout
    assert "\x1b" not in told.stdout


def test_doctor_says_that_the_database_is_away(tmp_path: Path) -> None:
    done = soloist(
        "doctor", "--json", DATABASE_URL=f"postgresql://u@/db?host={tmp_path}", SOLOIST_DATA_DIR=str(tmp_path)
    )
    assert done.returncode == 1
    [database] = [finding for finding in json.loads(done.stdout)["checks"] if finding["check"] == "database"]
    assert not database["ok"]
