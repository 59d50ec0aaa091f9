"""What is secret or personal is in no log line, also when something breaks in the middle."""

import asyncio
import subprocess
import sys
import time
from pathlib import Path

import asyncpg
import pytest

from soloist.infra.http import BASE
from tests.people import Person, data, refusal

SERVER = """
import sys
from pathlib import Path
import uvicorn
from soloist.app import create_app
from soloist.infra import logs
from tests.serving import settings_for

form, dsn, folder, port_file = sys.argv[1:]
logs.configure(form, "debug", sys.stdout)
server = uvicorn.Server(uvicorn.Config(create_app(settings_for(Path(folder)), dsn), port=0, log_config=None))
started = server.startup
async def startup(sockets=None):
    await started(sockets)
    Path(port_file).write_text(str(server.servers[0].sockets[0].getsockname()[1]))
server.startup = startup
server.run()
"""

EMAIL, PASSWORD, WRONG = "canary.person@example.com", "canary password one", "canary password two"


@pytest.mark.parametrize("form", ["json", "text"])
def test_no_password_token_or_address_is_logged(db_url: str, tmp_path: Path, form: str) -> None:
    port_file, log_file = tmp_path / "port", tmp_path / "log"
    with log_file.open("wb") as log:
        command = [sys.executable, "-c", SERVER, form, db_url, str(tmp_path), str(port_file)]
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
        try:
            deadline = time.monotonic() + 20
            while not (port_file.exists() and port_file.read_text()):
                assert process.poll() is None, log_file.read_text()
                assert time.monotonic() < deadline, "the server did not start"
                time.sleep(0.02)
            secrets = _use_everything(f"http://127.0.0.1:{port_file.read_text()}", db_url)
        finally:
            process.terminate()
            process.wait(10)
    text = log_file.read_text()
    assert f"{BASE}/auth/login" in text or "/auth/login" in text
    assert "UndefinedTableError" in text, "the failure was to be logged"
    for secret in (*secrets, EMAIL, EMAIL.upper(), "canary"):
        assert secret not in text


def _use_everything(url: str, dsn: str) -> list[str]:
    person = Person(url)
    found = data(person.post("/auth/register", {"email": EMAIL, "password": PASSWORD, "name": "Canary"}), 201)
    member = Person(url, found["accessToken"])
    key = data(member.post("/me/api-keys", {"name": "canary", "scopes": ["read"]}), 201)["key"]
    data(Person(url, key).get("/me"))
    refusal(person.post("/auth/login", {"email": EMAIL, "password": WRONG}), 401, "INVALID_CREDENTIALS")
    refusal(person.post("/auth/register", {"email": EMAIL, "password": PASSWORD}), 409, "EMAIL_ALREADY_REGISTERED")
    refusal(Person(url, found["accessToken"] + "x").get("/me"), 401, "UNAUTHORIZED")
    again = data(person.post("/auth/refresh", {"refreshToken": found["refreshToken"]}))
    refusal(person.post("/auth/refresh", {"refreshToken": found["refreshToken"]}), 401, "UNAUTHORIZED")
    asyncio.run(_break(dsn))
    refusal(person.post("/auth/login", {"email": EMAIL, "password": PASSWORD}), 500, "INTERNAL_ERROR")
    refusal(person.post("/auth/refresh", {"refreshToken": again["refreshToken"]}), 500, "INTERNAL_ERROR")
    tokens = [found["accessToken"], found["refreshToken"], again["accessToken"], again["refreshToken"]]
    return [PASSWORD, WRONG, key, *tokens, *(token[-40:] for token in tokens)]


async def _break(dsn: str) -> None:
    conn = await asyncpg.connect(dsn)
    await conn.execute("alter table sessions rename to sessions_gone")
    await conn.close()
