"""The runs: one at a time, followed while they go on, told when they end, begun by themselves every six hours."""

import threading
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial
from typing import Any

import httpx2

from soloist.market import jobs
from tests.book import events, run, select, until, work
from tests.market.fair import Fair
from tests.market.houses import House, company, counts, failed, imported, payment, rows_of, run_of, sync
from tests.opportunities.deals import lasting
from tests.people import Member, Person, data, register
from tests.wire import refused


def last_run(owner: Member) -> dict[str, Any]:
    runs: list[dict[str, Any]] = data(owner.get("/clients/sync-runs"))["runs"]
    return runs[0] if runs else {}


def test_second_sync_at_the_same_time_is_refused(fair_market: Fair, owner: Member) -> None:
    company(fair_market, "m1")
    fair_market.faults(latencyMs=300)
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: owner.post("/clients/sync"), range(4)))
    assert sorted(answer.status_code for answer in answers) == [200, 409, 409, 409]
    run_id = next(data(answer)["runId"] for answer in answers if answer.status_code == 200)
    for answer in answers:
        if answer.status_code == 409:
            assert refused(answer, 409, "SYNC_IN_PROGRESS")["details"] == {"runId": run_id}
    assert data(owner.get("/clients/sync-runs"))["total"] == 1


def test_twin_with_the_same_key_is_told_that_the_first_still_runs(fair_market: Fair, owner: Member) -> None:
    fair_market.faults(latencyMs=300)
    keyed = {"headers": {"Idempotency-Key": "once"}}
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(owner.post, "/clients/sync", **keyed)
        until(lambda: last_run(owner).get("state") == "RUNNING")
        refused(owner.post("/clients/sync", **keyed), 409, "IDEMPOTENCY_KEY_IN_USE")
    answer = first.result()
    again = owner.post("/clients/sync", **keyed)
    assert (again.status_code, again.content) == (200, answer.content)
    assert data(owner.get("/clients/sync-runs"))["total"] == 1


def test_hanging_up_does_not_stop_it(house: House, fair_market: Fair, owner: Member) -> None:
    company(fair_market, "m1")
    fair_market.faults(latencyMs=300)
    with httpx2.Client(base_url=owner.url, timeout=0.4, trust_env=False) as impatient:
        try:
            impatient.post("/api/cockpit/clients/sync", headers={"Authorization": f"Bearer {owner.token}"})
            raise AssertionError("it was to take longer")
        except httpx2.ReadTimeout:
            pass
    until(lambda: last_run(owner).get("state") == "COMPLETED")
    assert imported(owner, "m1")["displayName"] == "Company m1"


def test_progress_is_seen_while_it_goes_on(fair_market: Fair, owner: Member) -> None:
    for number in range(3):
        company(fair_market, f"m{number}")
    fair_market.faults(latencyMs=200)
    seen: list[tuple[object, object]] = []
    thread = threading.Thread(target=sync, args=(owner,))
    thread.start()
    while thread.is_alive():
        now = last_run(owner)
        seen.append((now.get("state"), now.get("phase")))
    thread.join()
    assert ("RUNNING", "FETCHING") in seen
    after = last_run(owner)
    assert (after["state"], after["phase"], after["progress"]) == ("COMPLETED", None, 100)
    assert (after["fetched"], after["planned"], after["done"], after["created"]) == (3, 3, 3, 3)


def test_unreachable_market_fails_and_writes_nothing(house: House, fair_market: Fair, owner: Member) -> None:
    company(fair_market, "m1")
    company(fair_market, "m2")
    sync(owner)
    fair_market.put("clients", "m1", phone="+222")
    before = rows_of(house.served, owner)
    for name in ("clients", "reviews"):
        fair_market.faults(status=503, list=name)
        error = failed(owner.post("/clients/sync"))
        ended = data(owner.get(f"/clients/sync-runs/{error['details']['runId']}"))
        assert (ended["state"], ended["failure"]) == ("FAILED", error["message"])
        assert rows_of(house.served, owner) == before
    assert len(events(house.served, owner, "sync.failed")) == 2
    staged = select(house.served, "select 1 from market_staged where account_id = $1", owner.account["id"])
    until(lambda: not staged)
    fair_market.faults()
    assert counts(sync(owner)) == (0, 1, 0)


def test_events_tell_of_the_end(house: House, fair_market: Fair, owner: Member) -> None:
    company(fair_market, "m1")
    fair_market.put("clients", "m2", type="COMPANY")
    result = sync(owner)
    (told,) = events(house.served, owner, "sync.completed")
    assert told["data"] == {"runId": result["runId"], "synced": 1, "created": 1, "updated": 0, "errors": 1}
    assert len(events(house.served, owner, "client.created")) == 1


def test_runs_are_listed_newest_first_and_filtered(fair_market: Fair, owner: Member) -> None:
    ids = [sync(owner)["runId"] for _ in range(3)]
    fair_market.faults(status=401)
    ids.append(failed(owner.post("/clients/sync"), "token")["details"]["runId"])
    listed = data(owner.get("/clients/sync-runs"))
    assert [one["id"] for one in listed["runs"]] == ids[::-1]
    assert data(owner.get("/clients/sync-runs?state=FAILED"))["total"] == 1
    assert [one["id"] for one in data(owner.get("/clients/sync-runs?limit=2&page=2"))["runs"]] == ids[1::-1]


def test_unknown_run_is_not_found(owner: Member) -> None:
    refused(owner.get(f"/clients/sync-runs/{uuid.uuid4()}"), 404, "SYNC_RUN_NOT_FOUND")
    refused(owner.get("/clients/sync-runs/x"), 404, "SYNC_RUN_NOT_FOUND")


def test_key_without_sync_may_not_synchronise(owner: Member) -> None:
    key = data(owner.post("/me/api-keys", {"name": "writer", "scopes": ["write"]}), 201)["key"]
    refused(Person(owner.url, key).post("/clients/sync"), 403, "ACCESS_DENIED", "sync")
    key = data(owner.post("/me/api-keys", {"name": "syncer", "scopes": ["sync"]}), 201)["key"]
    data(Person(owner.url, key).post("/clients/sync"))


def begin_due(house: House) -> int:
    return work(house.served, partial(jobs.begin_due, True))


def settled(house: House) -> bool:
    return not select(house.served, "select 1 from market_runs where state in ('QUEUED', 'RUNNING')")


def test_connected_accounts_are_synchronised_every_six_hours(house: House, fair_market: Fair, owner: Member) -> None:
    owner = lasting(owner)
    company(fair_market, "m1")
    clock = house.served.clock
    try:
        begin_due(house)
        until(lambda: settled(house), 30)
        clock.advance(hours=6)
        begin_due(house)
        until(lambda: settled(house), 30)
        first = last_run(owner)
        assert (first["cause"], first["state"], first["created"]) == ("SCHEDULED", "COMPLETED", 1)
        begin_due(house)
        assert last_run(owner)["id"] == first["id"]
        clock.advance(hours=6)
        begin_due(house)
        until(lambda: settled(house), 30)
        assert data(owner.get("/clients/sync-runs"))["total"] == 2
    finally:
        clock.reset()


def test_accounts_do_not_come_all_at_once(house: House, fair_market: Fair) -> None:
    members = [register(house.served.url, "spread") for _ in range(12)]
    ids = [member.account["id"] for member in members]
    clock = house.served.clock
    begun = []
    try:
        for _ in range(6):
            clock.advance(hours=1)
            begin_due(house)
            rows = select(house.served, "select 1 from market_runs where account_id = any($1::uuid[])", ids)
            begun.append(len(rows))
            until(lambda: settled(house), 60)
    finally:
        clock.reset()
    assert begun[-1] == 12
    assert len(set(begun)) >= 3, begun


def test_scheduled_run_asks_for_what_changed_and_once_a_day_for_all(
    house: House, fair_market: Fair, owner: Member
) -> None:
    for number in range(3):
        company(fair_market, f"m{number}", updatedAt="2024-01-02T09:00:00Z")
    sync(owner)
    owner = lasting(owner)
    company(fair_market, "m3")
    clock = house.served.clock
    fetched: list[int] = []
    try:
        for _ in range(5):
            clock.advance(hours=6)
            begin_due(house)
            until(lambda: settled(house), 30)
            fetched.append(last_run(owner)["fetched"])
    finally:
        clock.reset()
    assert data(owner.get("/clients"))["total"] == 4
    assert 4 in fetched
    assert min(fetched) < 4, fetched


def test_run_that_nobody_works_on_is_taken_up(house: House, fair_market: Fair, owner: Member) -> None:
    company(fair_market, "m1")
    run_id = uuid.uuid4()
    run(
        house.served,
        "insert into market_runs (account_id, id, state, cause, phase, attempt, created_at, started_at) "
        "values ($1, $2, 'RUNNING', 'REQUESTED', 'FETCHING', 1, $3, $3)",
        owner.account["id"],
        run_id,
        house.served.clock() - timedelta(minutes=5),
    )
    refused(owner.post("/clients/sync"), 409, "SYNC_IN_PROGRESS")
    work(house.served, jobs.rescue)
    until(lambda: last_run(owner)["state"] == "COMPLETED")
    assert (last_run(owner)["id"], last_run(owner)["created"]) == (str(run_id), 1)


def test_old_runs_are_forgotten(house: House, fair_market: Fair, owner: Member) -> None:
    company(fair_market, "m1")
    payment(fair_market, "p1", "m1", 900)
    old = sync(owner)
    owner = lasting(owner)
    try:
        house.served.clock.advance(days=89)
        work(house.served, jobs.prune)
        assert run_of(owner, old)["created"] == 1
        house.served.clock.advance(days=2)
        work(house.served, jobs.prune)
    finally:
        house.served.clock.reset()
    refused(owner.get(f"/clients/sync-runs/{old['runId']}"), 404, "SYNC_RUN_NOT_FOUND")
    assert imported(owner, "m1")["totalRevenue"] == 900
