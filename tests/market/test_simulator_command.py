"""`soloist market-sim` as a program, and the settings that lead to a Market."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from subprocess import PIPE, Popen

import httpx2
import pytest

from soloist.infra.settings import SettingsInvalid, load
from tests.cli.programs import PROGRAM, environment, soloist


@contextmanager
def simulated(*arguments: str) -> Iterator[tuple[str, list[str]]]:
    """The program, running: where it says it is, and the tokens it names."""
    with Popen([*PROGRAM, "market-sim", "--port", "0", *arguments], stdout=PIPE, text=True, env=environment()) as run:
        assert run.stdout
        try:
            said = run.stdout.readline()
            tokens = [run.stdout.readline().split()[1] for _ in range(max(arguments.count("--token"), 1))]
            yield said.split()[4].rstrip(","), tokens
        finally:
            run.terminate()
    assert run.returncode == 0


@pytest.mark.slow
def test_the_program_serves_a_market_and_ends_in_order() -> None:
    with simulated("--clients", "7", "--token", "one", "--token", "two") as (url, tokens):
        assert tokens == ["one", "two"]
        for token in tokens:
            answer = httpx2.get(f"{url}/v1/clients", headers={"Authorization": f"Bearer {token}"})
            assert answer.json()["total"] == 7
        assert httpx2.get(f"{url}/v1/clients").status_code == 401
        assert httpx2.get(f"{url}/openapi.json").json()["info"]["title"] == "Market"


@pytest.mark.slow
def test_without_a_token_it_tells_the_one_it_takes() -> None:
    with simulated() as (url, [token]):
        answer = httpx2.get(f"{url}/v1/me", headers={"Authorization": f"Bearer {token}"})
        assert answer.status_code == 200


@pytest.mark.slow
def test_a_port_in_use_and_a_strange_token_are_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        done = soloist("market-sim", "--port", str(taken.getsockname()[1]))
    assert (done.returncode, "--port" in done.stderr) == (75, True)
    done = soloist("market-sim", "--token", "a token\n")
    assert (done.returncode, "visible ASCII" in done.stderr) == (2, True)


def test_the_markets_settings() -> None:
    found = load({"SOLOIST_MARKET_URL": "https://market.example/api/", "SOLOIST_MARKET_TOKEN": "hush-hush"})
    assert found.market_url == "https://market.example/api"
    assert found.market_token is not None
    assert "hush-hush" not in repr(found)
    assert load({}).market_url is None
    assert load({"SOLOIST_MARKET_URL": "http://127.0.0.1:8700"}).market_token is None


@pytest.mark.parametrize(
    ("environ", "told"),
    [
        ({"SOLOIST_MARKET_TOKEN": "secret"}, "SOLOIST_MARKET_URL is needed"),
        ({"SOLOIST_MARKET_URL": "market.example"}, "https://"),
        ({"SOLOIST_MARKET_URL": "https://user:secret@market.example"}, "without a user"),
        ({"SOLOIST_MARKET_URL": "https://market.example/?a=b"}, "query"),
    ],
)
def test_settings_that_lead_to_no_market_stop_the_start(environ: dict[str, str], told: str) -> None:
    with pytest.raises(SettingsInvalid, match=told) as caught:
        load(environ)
    assert "secret" not in str(caught.value)
