"""The document's section "Opportunities": its JSON blocks, tables and numbers, each sent or matched as written."""

import json
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from soloist.opportunities.shapes import Activity, Opportunity, OpportunityStats, Pipeline
from tests import make
from tests.book import events
from tests.opportunities.deals import deal, lasting, move, payment
from tests.people import Member, data, faults, refusal
from tests.serving import Served, SettableClock

# --- the document's own JSON; "uuid" stands for an id, "..." for more of the same ---

NEW_OPPORTUNITY = """{
  "clientId": "uuid",
  "title": "Website Redesign Project",
  "description": "Complete redesign of corporate website",
  "source": "INBOUND_INQUIRY",
  "sourceDetails": "Via website contact form",
  "estimatedValue": 15000,
  "currency": "USD",
  "expectedCloseDate": "2024-03-01",
  "stage": "LEAD",
  "priority": "HIGH",
  "tags": ["web", "design"],
  "serviceType": "Web Development"
}"""
SOURCES = ("MARKET_PROJECT", "MARKET_SERVICE", "REFERRAL", "COLD_OUTREACH", "INBOUND_INQUIRY", "REPEAT_CLIENT",
           "PARTNERSHIP", "OTHER")  # fmt: skip
PARAMETERS = ("clientId", "source", "stage", "status", "priority", "minValue", "maxValue", "expectedCloseBefore",
              "expectedCloseAfter", "sortBy", "sortOrder", "page", "limit")  # fmt: skip
PIPELINE = """{
  "success": true,
  "data": {
    "stages": [
      {"stage": "LEAD", "opportunities": ["..."], "count": 5, "totalValue": 25000, "weightedValue": 2500},
      {"stage": "QUALIFIED", "opportunities": ["..."], "count": 3, "totalValue": 45000, "weightedValue": 11250},
      "..."
    ],
    "summary": {"totalOpportunities": 15, "totalValue": 150000, "weightedValue": 67500, "avgDealSize": 10000}
  }
}"""
STATS = """{
  "success": true,
  "data": {
    "total": 50,
    "open": 15,
    "won": 25,
    "lost": 10,
    "winRate": 71,
    "totalWonValue": 375000,
    "totalLostValue": 100000,
    "totalOpenValue": 150000,
    "avgDealSize": 15000,
    "avgTimeToClose": 21,
    "bySource": {"INBOUND_INQUIRY": 20, "REFERRAL": 15, "MARKET_PROJECT": 10, "...": "..."},
    "byStage": {"LEAD": 5, "QUALIFIED": 4, "PROPOSAL": 3, "NEGOTIATION": 3}
  }
}"""
STAGE = '{"stage": "QUALIFIED", "notes": "Client confirmed budget"}'
PROBABILITY = {"LEAD": 10, "QUALIFIED": 25, "PROPOSAL": 50, "NEGOTIATION": 75, "WON": 100, "LOST": 0}
STATUSES = ("OPEN", "ON_HOLD", "WON", "LOST")


def holds(actual: Any, documented: Any, where: str = "") -> None:
    """Every documented field is there with that value and that kind of number; more fields may stand beside it."""
    if isinstance(documented, dict):
        for key, value in documented.items():
            if key != "...":
                assert key in actual, f"{where}.{key} is missing"
                holds(actual[key], value, f"{where}.{key}")
    elif isinstance(documented, list):
        named = [one for one in documented if one != "..."]
        assert len(actual) >= len(named) if "..." in documented else len(actual) == len(named), where
        for index, one in enumerate(named):
            holds(actual[index], one, f"{where}.{index}")
    else:
        assert (actual, type(actual)) == (documented, type(documented)), where


def test_create_takes_the_documents_body_and_answers_it_back(alice: Member) -> None:
    client = make.client(alice)
    body = NEW_OPPORTUNITY.replace("uuid", client["id"])
    answer = alice.request("POST", "/opportunities", content=body, headers={"Content-Type": "application/json"})
    made = data(answer, 201)
    holds(made, json.loads(body))
    assert (made["status"], made["probability"]) == ("OPEN", 10)
    Opportunity.model_validate(made)


@pytest.mark.parametrize("source", SOURCES)
def test_every_source_is_taken_and_found(alice: Member, source: str) -> None:
    made = deal(alice, source=source)
    [found] = data(alice.get(f"/opportunities?source={source}"))["opportunities"]
    assert (made["source"], found["id"]) == (source, made["id"])


def test_there_are_no_other_sources(alice: Member) -> None:
    told = faults(alice.post("/opportunities", {"title": "A", "source": "?"}))["source"]
    assert f"use one of {', '.join(SOURCES)}" in told


def test_every_parameter_of_the_search_has_its_effect(alice: Member) -> None:
    client = make.client(alice)
    mine = deal(alice, clientId=client["id"], title="B", source="REFERRAL", stage="PROPOSAL", priority="URGENT",
                estimatedValue=500, expectedCloseDate="2024-03-01")  # fmt: skip
    other = deal(alice, title="A", source="OTHER", stage="LEAD", priority="LOW", estimatedValue=5000,
                 expectedCloseDate="2024-05-01")  # fmt: skip
    data(alice.post(f"/opportunities/{mine['id']}/hold"))
    leaves_mine = {
        "clientId": client["id"],
        "source": "REFERRAL",
        "stage": "PROPOSAL",
        "status": "ON_HOLD",
        "priority": "URGENT",
        "maxValue": "4999.99",
        "expectedCloseBefore": "2024-04-30",
        "limit": "1&sortBy=estimatedValue&sortOrder=asc",
        "page": "2&limit=1&sortBy=createdAt&sortOrder=desc",
    }
    leaves_other = {"minValue": "500.01", "expectedCloseAfter": "2024-03-02", "page": "2&limit=1&sortBy=title"}
    tried = set()
    for expected, queries in ((mine, leaves_mine), (other, leaves_other)):
        for name, value in queries.items():
            shown = data(alice.get(f"/opportunities?{name}={value}"))
            assert [one["id"] for one in shown["opportunities"]] == [expected["id"]], name
            assert shown["total"] == (2 if "limit" in f"{name}={value}" else 1), name
            tried.add(name)
    for order, expected_order in (("asc", [other, mine]), ("desc", [mine, other])):
        shown = data(alice.get(f"/opportunities?sortBy=title&sortOrder={order}"))
        assert [one["id"] for one in shown["opportunities"]] == [one["id"] for one in expected_order]
        tried |= {"sortBy", "sortOrder"}
    assert tried == set(PARAMETERS)


@pytest.mark.parametrize("status", STATUSES)
def test_every_status_can_be_asked_for(alice: Member, status: str) -> None:
    made = {each: deal(alice)["id"] for each in STATUSES}
    data(alice.post(f"/opportunities/{made['ON_HOLD']}/hold"))
    for end in ("WON", "LOST"):
        move(alice, made[end], end)
    [found] = data(alice.get(f"/opportunities?status={status}"))["opportunities"]
    assert (found["id"], found["status"]) == (made[status], status)


def test_pipeline_has_the_documents_numbers(alice: Member) -> None:
    documented = json.loads(PIPELINE)
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
    holds(answer.json(), documented)
    shown = Pipeline.model_validate(data(answer))
    assert [column.stage for column in shown.stages] == ["LEAD", "QUALIFIED", "PROPOSAL", "NEGOTIATION"]
    assert [len(column.opportunities) for column in shown.stages] == [5, 3, 3, 4]


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
    answer = owner.get("/opportunities/stats")
    holds(answer.json(), json.loads(STATS))
    OpportunityStats.model_validate(data(answer))


def test_period_of_the_statistics_is_bounded_at_both_ends(clock: SettableClock, alice: Member) -> None:
    owner = lasting(alice)
    days = [clock.advance(days=1).date() for _ in range(3) if deal(owner)]
    first, second, _ = (day - timedelta(days=1) for day in days)
    for query, total in (("", 3), (f"startDate={second}", 2), (f"endDate={second}", 2), (f"endDate={first}", 1)):
        assert data(owner.get(f"/opportunities/stats?{query}"))["total"] == total, query
    assert data(owner.get(f"/opportunities/stats?startDate={second}&endDate={second}"))["total"] == 1


def test_stage_takes_the_documents_body(server: Served, alice: Member) -> None:
    made = deal(alice)
    path = f"/opportunities/{made['id']}/stage"
    moved = data(alice.request("POST", path, content=STAGE, headers={"Content-Type": "application/json"}))
    assert (moved["stage"], moved["probability"]) == ("QUALIFIED", 25)
    newest = data(alice.get(f"/opportunities/{made['id']}/activities"))["activities"][0]
    assert (newest["toStage"], newest["notes"]) == ("QUALIFIED", "Client confirmed budget")
    Activity.model_validate(newest)


@pytest.mark.parametrize("stage", PROBABILITY)
def test_every_stage_has_its_probability(alice: Member, stage: str) -> None:
    made = deal(alice, stage="QUALIFIED" if stage == "LEAD" else "LEAD")
    moved = move(alice, made["id"], stage)
    assert (moved["stage"], moved["probability"]) == (stage, PROBABILITY[stage])


def test_every_error_code_of_opportunities_is_answered_with_its_status(alice: Member) -> None:
    refusal(alice.get(f"/opportunities/{uuid4()}"), 404, "OPPORTUNITY_NOT_FOUND")
    made = deal(alice)
    stage = f"/opportunities/{made['id']}/stage"
    refusal(alice.post(stage, {"stage": "LEAD"}), 400, "INVALID_STAGE_TRANSITION")
    move(alice, made["id"], "WON")
    refusal(alice.post(stage, {"stage": "LOST"}), 400, "OPPORTUNITY_CLOSED")
    refusal(
        alice.post("/opportunities", {"title": "A", "source": "OTHER", "clientId": str(uuid4())}),
        404,
        "CLIENT_NOT_FOUND",
    )


def test_every_event_of_opportunities_is_recorded(server: Served, alice: Member) -> None:
    for end in ("WON", "LOST"):
        move(alice, deal(alice)["id"], end)
    types = [event["type"] for event in events(server, alice)]
    assert types == ["opportunity.created", "opportunity.stage_changed", "opportunity.won",
                     "opportunity.created", "opportunity.stage_changed", "opportunity.lost"]  # fmt: skip


def test_won_deals_make_the_documents_client_value(alice: Member) -> None:
    """250,000 over 35 active clients is 7,142.86: here all of it earned by deals and payments."""
    clients = [make.client(alice)["id"] for _ in range(35)]
    for client_id in clients[:4]:
        move(alice, deal(alice, clientId=client_id, estimatedValue=50_000)["id"], "WON")
    payment(alice, clients[4], 50_000)
    shown = data(alice.get("/clients/stats"))
    assert (shown["totalRevenue"], shown["activeClients"], shown["averageClientValue"]) == (250000, 35, 7142.86)
