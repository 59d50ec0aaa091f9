"""The document's section "Opportunities": its JSON blocks sent and matched as they stand there."""

from datetime import timedelta

from tests import make
from tests.contract import blocks
from tests.contract.matching import create, filled, holds, parsed, send
from tests.opportunities.deals import deal, lasting, move, payment
from tests.people import Member, data
from tests.serving import SettableClock


def test_create_opportunity(alice: Member) -> None:
    block = filled(blocks.CREATE_OPPORTUNITY, clientId=make.client(alice)["id"])
    made = create(alice, "/opportunities", block)
    assert (made["status"], made["probability"]) == ("OPEN", 10)
    assert data(alice.get(f"/opportunities/{made['id']}")) == made
    assert data(alice.get("/opportunities"))["opportunities"] == [made]


def test_pipeline_has_the_documents_numbers(alice: Member) -> None:
    values = {
        "LEAD": [5000] * 5,
        "QUALIFIED": [15000] * 3,
        "PROPOSAL": [10000, 10000, 5000],
        "NEGOTIATION": [20000, 20000, 10000, 5000],
    }
    for stage, amounts in values.items():
        for amount in amounts:
            deal(alice, stage=stage, estimatedValue=amount)
    answer = alice.get("/opportunities/pipeline")
    holds(answer.json(), parsed(blocks.PIPELINE))
    columns = data(answer)["stages"]
    assert [column["stage"] for column in columns] == ["LEAD", "QUALIFIED", "PROPOSAL", "NEGOTIATION"]
    assert [len(column["opportunities"]) for column in columns] == [5, 3, 3, 4]


def test_statistics_have_the_documents_numbers(clock: SettableClock, alice: Member) -> None:
    owner = lasting(alice)
    clock.freeze()
    sources = ["INBOUND_INQUIRY"] * 20 + ["REFERRAL"] * 15 + ["MARKET_PROJECT"] * 10 + ["OTHER"] * 5
    stages = ["LEAD"] * 5 + ["QUALIFIED"] * 4 + ["PROPOSAL"] * 3 + ["NEGOTIATION"] * 3
    ends = ["WON"] * 25 + ["LOST"] * 10
    closing = [deal(owner, source=sources.pop(), estimatedValue=15000 if end == "WON" else 10000) for end in ends]
    for stage in stages:
        deal(owner, source=sources.pop(), stage=stage, estimatedValue=10000)
    clock.advance(days=21)
    for one, end in zip(closing, ends, strict=True):
        move(owner, one["id"], end)
    holds(owner.get("/opportunities/stats").json(), parsed(blocks.OPPORTUNITY_STATS))


def test_period_of_the_statistics_is_bounded_at_both_ends(clock: SettableClock, alice: Member) -> None:
    owner = lasting(alice)
    days = [clock.advance(days=1).date() for _ in range(3) if deal(owner)]
    first, second, _ = (day - timedelta(days=1) for day in days)
    for query, total in (("", 3), (f"startDate={second}", 2), (f"endDate={second}", 2), (f"endDate={first}", 1)):
        assert data(owner.get(f"/opportunities/stats?{query}"))["total"] == total, query
    assert data(owner.get(f"/opportunities/stats?startDate={second}&endDate={second}"))["total"] == 1


def test_update_opportunity_stage(alice: Member) -> None:
    made = deal(alice)
    moved = send(alice, "POST", f"/opportunities/{made['id']}/stage", blocks.CHANGE_STAGE)
    documented = parsed(blocks.CHANGE_STAGE)
    assert (moved["stage"], moved["probability"]) == (documented["stage"], 25)
    newest, created = data(alice.get(f"/opportunities/{made['id']}/activities"))["activities"]
    assert (newest["fromStage"], newest["toStage"], newest["notes"]) == ("LEAD", *documented.values())
    assert created["activityType"] == "CREATED"


def test_won_deals_make_the_documents_client_value(alice: Member) -> None:
    """250,000 over 35 active clients is 7,142.86: here all of it earned by deals and payments."""
    clients = [make.client(alice)["id"] for _ in range(35)]
    for client_id in clients[:4]:
        move(alice, deal(alice, clientId=client_id, estimatedValue=50_000)["id"], "WON")
    payment(alice, clients[4], 50_000)
    shown = data(alice.get("/clients/stats"))
    assert (shown["totalRevenue"], shown["activeClients"], shown["averageClientValue"]) == (250000, 35, 7142.86)
