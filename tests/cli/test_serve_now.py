"""`soloist serve --now`: the clock of a demo is set, everywhere at once, and never under a real book."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx2
import pytest

from soloist.infra.http import BASE
from tests.cli.programs import Running, serving, soloist, until
from tests.infra.holding import copied

pytestmark = pytest.mark.slow
THEN = "2024-01-31T09:00Z"
MONTH_END = {
    "title": "Send the invoice",
    "reminderType": "CUSTOM",
    "dueDate": "2024-01-31T18:00:00Z",
    "isRecurring": True,
    "recurringPattern": {"frequency": "monthly", "interval": 1},
}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory after its first start under a clock that was set, with one account."""
    data_dir = tmp_path_factory.mktemp("demo")
    with serving(data_dir, "--now", THEN) as running:
        until(running.is_ready)
        me = {"email": "demo@example.com", "password": "correct horse battery staple"}
        assert ask(running, "POST", "/auth/register", me).status_code == 201
    return data_dir


@pytest.fixture
def demo(made: Path, tmp_path: Path) -> Path:
    """A copy of it, for one test."""
    return copied(made, tmp_path / "data")


def ask(running: Running, method: str, path: str, body: object = None, token: str = "") -> httpx2.Response:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return httpx2.request(method, f"{running.url}{BASE}{path}", json=body, headers=headers, trust_env=False, timeout=30)


def offset_to(moment: datetime) -> str:
    return str(round((moment - datetime.now(UTC)).total_seconds()))


def token_of(data_dir: Path, moment: datetime) -> str:
    """A token as the operator makes one under the same clock."""
    settings = {"SOLOIST_DATA_DIR": str(data_dir), "SOLOIST_CLOCK_OFFSET": offset_to(moment)}
    return soloist("token", "demo@example.com", **settings).stdout.strip()


@pytest.mark.parametrize("options", [(), ("--workers", "2")], ids=["one process", "two"])
def test_a_reminder_of_then_is_due_today_and_announced_then(demo: Path, options: tuple[str, ...]) -> None:
    with serving(demo, "--now", "2024-01-31T17:59:50Z", *options, SOLOIST_RATE_LIMIT_READ="off") as running:
        until(running.is_ready)
        token = token_of(demo, datetime(2024, 1, 31, 17, 59, 50, tzinfo=UTC))
        reminder = ask(running, "POST", "/reminders", MONTH_END, token).json()["data"]
        assert reminder["createdAt"].startswith("2024-01-31T")
        today = ask(running, "GET", "/reminders/today", token=token).json()["data"]
        assert [each["id"] for each in today] == [reminder["id"]]

        def announced() -> list[dict[str, Any]]:
            events = ask(running, "GET", "/events?type=reminder.due", token=token).json()["data"]["events"]
            return [event for event in events if event["data"]["id"] == reminder["id"]]

        until(lambda: len(announced()) == 1)
        assert announced()[0]["timestamp"].startswith("2024-01-31T18:0")
        done = ask(running, "POST", f"/reminders/{reminder['id']}/complete", {}, token).json()["data"]
    assert done["nextOccurrence"]["dueDate"] == "2024-02-29T18:00:00.000Z"


def test_the_clock_may_be_set_again_where_all_is_demo_data(demo: Path) -> None:
    with serving(demo, "--now", "2030-06-01") as running:
        until(running.is_ready)
        token = token_of(demo, datetime(2030, 6, 1, tzinfo=UTC))
        assert ask(running, "GET", "/me", token=token).status_code == 200
        assert (said := running.said("the clock is set"))
        assert said["now"].startswith("2030-06-01T00:00")


def test_a_seeded_book_may_be_shown_at_another_time(tmp_path: Path) -> None:
    done = soloist("seed", "--clients", "3", "--months", "2", SOLOIST_DATA_DIR=str(tmp_path))
    assert done.returncode == 0, done.stderr
    with serving(tmp_path, "--now", "2027-01-01") as running:
        until(running.is_ready)


def test_the_clock_of_a_real_book_is_not_touched(demo: Path) -> None:
    settings = {"SOLOIST_DATA_DIR": str(demo)}
    added = soloist(
        "user", "add", "real@example.com", "--password-stdin", stdin="correct horse battery staple\n", **settings
    )
    assert added.returncode == 0, added.stderr
    refused = soloist("serve", "--port", "0", "--now", THEN, **settings)
    assert refused.returncode == 2
    assert "no demo data" in refused.stderr
    assert "--data-dir demo" in refused.stderr


@pytest.mark.parametrize("text", ["yesterday", "2024-02-30", "1492-10-12", "9999-12-31T23:59:59-12:00"])
def test_a_time_that_is_none_is_refused_with_an_example(text: str, tmp_path: Path) -> None:
    refused = soloist("serve", "--now", text, SOLOIST_DATA_DIR=str(tmp_path))
    assert refused.returncode == 2
    assert "2024-01-31T09:00Z" in refused.stderr
    assert not list(tmp_path.iterdir())
