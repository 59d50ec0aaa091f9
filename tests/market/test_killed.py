"""A sync that is killed anywhere and taken up again ends as one that ran through; and one of 10,000 clients."""

import json
import multiprocessing
import random
import subprocess
import sys
import time
from collections import Counter
from typing import Any
from uuid import uuid4

import pytest

from soloist.market.model import RunCause
from tests.book import events, run, select, until
from tests.market.fair import Fair
from tests.market.houses import House, company, contract, payment, review
from tests.market.one_run import in_process
from tests.people import Member, data, register

pytestmark = pytest.mark.slow
KILLS = 30
CLIENTS = 40


def stock(market: Fair) -> None:
    for number in range(CLIENTS):
        name = f"m{number:02}"
        company(market, name, email=f"{name}@example.com", phone=f"+1000{number}", address={"city": "Wien"})
        for part in range(number % 4):
            payment(market, f"p{number}-{part}", name, 100 + part)
            contract(market, f"c{number}-{part}", name)
            review(market, f"v{number}-{part}", name, 1 + number % 5)


def begun(house: House, owner: Member) -> str:
    """A run that nobody has taken up; its id."""
    run_id = uuid4()
    sql = "insert into market_runs (account_id, id, state, cause, created_at) values ($1, $2, 'QUEUED', $3, $4)"
    run(house.served, sql, owner.account["id"], run_id, RunCause.REQUESTED, house.served.clock())
    return str(run_id)


def prepared(house: House) -> Member:
    """The owner of a book with a client to be linked, one to be updated with a field set by hand, and one put away."""
    owner = register(house.served.url, "killed")
    new = {"clientType": "COMPANY", "source": "MANUAL", "companyName": "Mine", "email": "m05@example.com"}
    data(owner.post("/clients", new), 201)
    data(owner.post("/clients/import", {"platformClientId": "m06"}), 201)
    by_hand = data(owner.post("/clients/import", {"platformClientId": "m07"}), 201)
    data(owner.patch(f"/clients/{by_hand['id']}", {"phone": "+999"}))
    away = data(owner.post("/clients/import", {"platformClientId": "m08"}), 201)
    data(owner.post(f"/clients/{away['id']}/archive"))
    return owner


def end_state(house: House, owner: Member) -> dict[str, Any]:
    """Everything of a book but ids and times."""
    account = owner.account["id"]
    clients = select(
        house.served,
        """select c.platform_client_id, c.company_name, c.email, c.phone, c.industry, c.address::text, c.source,
            c.status, c.set_by_hand, c.total_revenue, c.health_score, c.version, c.search_text, c.last_interaction_at,
            (select array_agg(p.id || ' ' || p.amount order by p.id) from market_payments p
                where p.account_id = $1 and p.client_id = c.id) as payments,
            (select array_agg(v.id || ' ' || v.rating order by v.id) from market_reviews v
                where v.account_id = $1 and v.client_id = c.id) as reviews,
            (select array_agg(i.metadata::text order by i.metadata::text) from interactions i
                where i.account_id = $1 and i.client_id = c.id) as interactions
        from clients c where c.account_id = $1 order by c.platform_client_id""",
        account,
    )
    counters = select(
        house.served, "select active, archived, lead from account_counters where account_id = $1", account
    )
    ended = data(owner.get("/clients/sync-runs"))["runs"][0]
    return {
        "clients": [tuple(row.values()) for row in clients],
        "counters": [tuple(row.values()) for row in counters],
        "events": Counter(event["type"] for event in events(house.served, owner)),
        "run": {name: ended[name] for name in ("state", "created", "updated", "kept", "failed")},
        "staged": len(select(house.served, "select 1 from market_staged where account_id = $1", account)),
    }


def test_sync_killed_at_random_points_ends_like_one_that_ran_through(house: House, fair_market: Fair) -> None:
    stock(fair_market)
    owners = [prepared(house) for _ in range(KILLS + 1)]
    for name in ("m06", "m07", "m08"):
        fair_market.put("clients", name, industry="Tea", phone="+777")
    spawn = multiprocessing.get_context("forkserver")
    spawn.set_forkserver_preload(["tests.market.one_run"])

    def carry(owner: Member, run_id: str) -> Any:
        where = (house.served.dsn, fair_market.url, fair_market.token, owner.account["id"], run_id)
        process = spawn.Process(target=in_process, args=where)
        process.start()
        return process

    first, run_id = owners[0], begun(house, owners[0])
    process = carry(first, run_id)
    process.join()
    assert process.exitcode == 0
    expected = end_state(house, first)
    assert expected["run"] == {"state": "COMPLETED", "created": CLIENTS - 4, "updated": 3, "kept": 3, "failed": 0}
    lasted = data(first.get(f"/clients/sync-runs/{run_id}"))
    took = 0.05 + seconds(lasted["finishedAt"]) - seconds(lasted["startedAt"])
    dice, phases = random.Random(5), Counter[str]()
    for owner in owners[1:]:
        run_id = begun(house, owner)
        process = carry(owner, run_id)

        def state(owner: Member = owner, run_id: str = run_id) -> dict[str, Any]:
            found: dict[str, Any] = data(owner.get(f"/clients/sync-runs/{run_id}"))
            return found

        until(lambda state=state: state()["state"] != "QUEUED", 30)  # type: ignore[misc]
        time.sleep(dice.uniform(0, took))  # the moment of the kill is what is tried, not awaited
        process.kill()
        process.join()
        phases[str(state()["phase"])] += 1
        process = carry(owner, run_id)
        process.join()
        assert process.exitcode == 0
        assert end_state(house, owner) == expected
    assert len(phases) >= 2, phases


def seconds(moment: str) -> float:
    minutes, _, rest = moment.partition("T")[2].removesuffix("Z").rpartition(":")
    hours, _, minutes = minutes.partition(":")
    return int(hours) * 3600 + int(minutes) * 60 + float(rest)


def test_ten_thousand_clients_come_in_a_minute_and_a_hundred_megabytes(house: House) -> None:
    owner = register(house.served.url, "many")
    command = [
        sys.executable,
        "-m",
        "soloist.cli",
        "market-sim",
        "--port",
        "0",
        "--clients",
        "10000",
        "--token",
        "many",
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as market:
        try:
            assert market.stdout is not None
            url = market.stdout.readline().split("at ")[1].split(",")[0]
            for created, updated in ((10_000, 0), (0, 0)):
                run_id = begun(house, owner)
                where = [house.served.dsn, url, "many", owner.account["id"], run_id]
                done = subprocess.run(
                    [sys.executable, "-m", "tests.market.one_run", *where], capture_output=True, text=True, check=False
                )
                assert done.returncode == 0, done.stderr
                took = json.loads(done.stdout)
                print(took)  # noqa: T201  # shown by `pytest -s`: the figures
                ended = data(owner.get(f"/clients/sync-runs/{run_id}"))
                assert (ended["created"], ended["updated"], ended["failed"]) == (created, updated, 0)
                assert took["seconds"] < 60
                assert 0 < took["grown_mb"] < 100
        finally:
            market.terminate()
