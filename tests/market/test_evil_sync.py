"""A Market that lies, breaks and floods, through the whole product: no crash, no double, nothing half-written."""

import pytest

from soloist.market.simulator_faults import Fault
from tests.book import select
from tests.market.fair import Fair
from tests.market.houses import House, company, contract, imported, payment, review, rows_of, run_of, sync
from tests.people import Member, data, refusal

COUNT = 25


def stock(market: Fair) -> None:
    for number in range(COUNT):
        company(market, f"m{number:02}", email=f"m{number}@example.com")
        payment(market, f"p{number:02}", f"m{number:02}", 100)
        contract(market, f"c{number:02}", f"m{number:02}")
        review(market, f"v{number:02}", f"m{number:02}", 5)


def check_sound(house: House, owner: Member) -> None:
    """No doubles, and the figures are those of the rows."""
    account = owner.account["id"]
    doubles = "select 1 from clients where account_id = $1 group by platform_client_id having count(*) > 1"
    assert select(house.served, doubles, account) == []
    off = """
        select c.id from clients c
        left join (select client_id, sum(amount) as paid from market_payments where account_id = $1 group by 1) p
            on p.client_id = c.id
        where c.account_id = $1 and c.total_revenue <> coalesce(p.paid, 0)
    """
    assert select(house.served, off, account) == []
    (counted,) = select(
        house.served,
        """select n.active, (select count(*) from clients c where c.account_id = $1 and c.status = 'ACTIVE') as there
        from account_counters n where n.account_id = $1""",
        account,
    )
    assert counted["active"] == counted["there"]
    assert select(house.served, "select 1 from market_staged where account_id = $1", account) == []


@pytest.mark.parametrize("fault", [fault for fault in Fault if fault is not Fault.FOREVER])
def test_evil_market_does_no_harm(house: House, fair_market: Fair, owner: Member, fault: Fault) -> None:
    """Whole failures answer SYNC_FAILED and write nothing; what can be used of a partly bad answer is in."""
    stock(fair_market)
    fair_market.faults(fault=fault)
    answer = owner.post("/clients/sync", timeout=60)
    if answer.status_code == 500:
        run_id = refusal(answer, 500, "SYNC_FAILED")["details"]["runId"]
        ended = data(owner.get(f"/clients/sync-runs/{run_id}"))
        assert (ended["state"], bool(ended["failure"])) == ("FAILED", True)
        assert data(owner.get("/clients"))["total"] == 0
    else:
        result = data(answer)
        assert result["created"] == data(owner.get("/clients"))["total"] <= COUNT
        assert len(result["errors"]) == run_of(owner, result)["failed"] or len(result["errors"]) == 1000
        assert result["created"] == COUNT or result["errors"]
    check_sound(house, owner)
    fair_market.faults()
    mended = sync(owner)
    assert mended["errors"] == []
    assert data(owner.get("/clients"))["total"] == COUNT
    assert sync(owner)["updated"] == 0
    check_sound(house, owner)


def test_market_without_an_end_is_left_at_some_point(house: House, fair_market: Fair, owner: Member) -> None:
    stock(fair_market)
    fair_market.faults(fault=Fault.FOREVER, latencyMs=250)
    result = data(owner.post("/clients/sync", timeout=60))
    assert result["created"] == data(owner.get("/clients"))["total"] > COUNT
    assert {one["itemId"] for one in result["errors"]} >= {None}
    check_sound(house, owner)


@pytest.mark.parametrize("name", ["clients", "contracts", "payments", "reviews"])
@pytest.mark.parametrize("fault", [Fault.TRUNCATED, Fault.ABORT, Fault.HTML, Fault.WRONG_TYPES, Fault.REDIRECT])
def test_fault_of_one_list_does_no_harm(
    house: House, fair_market: Fair, owner: Member, name: str, fault: Fault
) -> None:
    stock(fair_market)
    fair_market.faults(fault=fault, list=name)
    answer = owner.post("/clients/sync", timeout=60)
    if answer.status_code == 500:
        refusal(answer, 500, "SYNC_FAILED")
        assert data(owner.get("/clients"))["total"] == 0
    else:
        assert data(answer)["errors"]
    check_sound(house, owner)


@pytest.mark.parametrize("fault", list(Fault))
def test_evil_market_does_no_harm_to_an_import_or_the_candidates(
    house: House, fair_market: Fair, owner: Member, fault: Fault
) -> None:
    stock(fair_market)
    fair_market.faults(fault=fault, latencyMs=250 if fault is Fault.FOREVER else 0)
    for answer in (
        owner.get("/clients/market", timeout=60),
        owner.post("/clients/import", {"platformClientId": "m00"}, timeout=60),
    ):
        assert answer.status_code in (200, 201, 404, 500), answer.text
        if answer.status_code == 500:
            refusal(answer, 500, "SYNC_FAILED")
    check_sound(house, owner)


@pytest.mark.parametrize("skew", [-400 * 86400, -3600, 3600, 30 * 86400])
def test_market_with_a_wrong_clock_is_taken_as_far_as_it_makes_sense(
    house: House, fair_market: Fair, owner: Member, skew: int
) -> None:
    stock(fair_market)
    fair_market.faults(skewSeconds=skew)
    sync(owner)
    assert data(owner.get("/clients"))["total"] == COUNT
    assert sync(owner)["updated"] == 0
    check_sound(house, owner)


def test_good_clients_of_a_partly_bad_answer_are_in(house: House, fair_market: Fair, owner: Member) -> None:
    stock(fair_market)
    sync(owner)
    before = imported(owner, "m03")
    fair_market.put("clients", "m01", phone="+111")
    fair_market.put("clients", "m02", phone=5)
    fair_market.put("clients", "m03", companyName="\x00")
    fair_market.put("payments", "p04", net=1)
    result = sync(owner)
    assert {(one["kind"], one["itemId"]) for one in result["errors"]} == {
        ("CLIENT", "m02"),
        ("CLIENT", "m03"),
        ("PAYMENT", "p04"),
    }
    assert imported(owner, "m01")["phone"] == "+111"
    assert imported(owner, "m03") == before
    assert imported(owner, "m04")["totalRevenue"] == 100


def test_database_that_fails_in_the_middle_leaves_no_client_half_written(
    house: House, fair_market: Fair, owner: Member
) -> None:
    """One client can't be written, by a rule that is not ours: the others come in, and the next run brings it."""
    stock(fair_market)
    forbid = "alter table market_reviews add constraint not_this check (id <> 'v07' or rating < 1) not valid"
    select(house.served, forbid)
    try:
        result = sync(owner)
    finally:
        select(house.served, "alter table market_reviews drop constraint not_this")
    assert (result["created"], [one["itemId"] for one in result["errors"]]) == (COUNT - 1, ["m07"])
    assert result["errors"][0]["code"] == "INTERNAL_ERROR"
    check_sound(house, owner)
    assert rows_of(house.served, owner, "market_payments")["market_payments"]
    assert sync(owner)["created"] == 1
    check_sound(house, owner)
