"""How a deal moves: along the stages, to won or lost, on hold and off it, back by reopening; and what each causes."""

from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any

import pytest

from tests import make
from tests.opportunities.deals import (
    OPEN_STAGES,
    PROBABILITY,
    STAGES,
    act,
    client_of,
    deal,
    history,
    kinds,
    move,
    payment,
    seen,
    told,
)
from tests.people import Member, data, faults, refusal, register
from tests.serving import Served, SettableClock

CLOSED = ("WON", "LOST")


@pytest.mark.parametrize(("state", "to"), [*product(("OPEN", "ON_HOLD"), STAGES)])
@pytest.mark.parametrize("stage", OPEN_STAGES)
def test_open_deal_moves_to_every_other_stage(alice: Member, stage: str, state: str, to: str) -> None:
    made = deal(alice, stage=stage, probability=33)
    if state == "ON_HOLD":
        act(alice, made["id"], "hold")
    answer = alice.post(f"/opportunities/{made['id']}/stage", {"stage": to})
    if to == stage:
        error = refusal(answer, 400, "INVALID_STAGE_TRANSITION")
        allowed = [other for other in STAGES if other != stage]
        assert error["details"] == {"from": stage, "to": stage, "allowed": allowed}
        assert ", ".join(allowed) in error["message"]
        assert (seen(alice, made["id"])["status"], seen(alice, made["id"])["probability"]) == (state, 33)
    else:
        after = data(answer)
        assert (after["stage"], after["probability"]) == (to, PROBABILITY[to])
        assert after["status"] == (to if to in CLOSED else "OPEN")
        assert (after["actualCloseDate"] is not None) == (to in CLOSED)
        assert seen(alice, made["id"]) == after


@pytest.mark.parametrize(("end", "to"), [*product(CLOSED, STAGES)])
def test_closed_deal_moves_nowhere(alice: Member, end: str, to: str) -> None:
    made = deal(alice, stage="PROPOSAL")
    closed = move(alice, made["id"], end)
    error = refusal(alice.post(f"/opportunities/{made['id']}/stage", {"stage": to}), 400, "OPPORTUNITY_CLOSED")
    assert error["details"] == {"stage": end, "status": end, "closedAt": closed["closedAt"]}
    assert end in error["message"]
    assert closed["closedAt"] in error["message"]
    assert "/reopen" in error["message"]
    assert seen(alice, made["id"]) == closed


@pytest.mark.parametrize("end", CLOSED)
@pytest.mark.parametrize(
    ("method", "rest", "body"),
    [
        ("PATCH", "", {"title": "Another"}), ("PATCH", "", {"title": "Website Redesign Project"}),
        ("PATCH", "", {"clientId": None}), ("PATCH", "", {"estimatedValue": 1}), ("DELETE", "", None),
        ("POST", "/hold", None), ("POST", "/hold", {"resumeOn": "2100-01-01"}), ("POST", "/resume", None),
    ],
)  # fmt: skip
def test_closed_deal_refuses_every_change_and_delete(
    server: Served, alice: Member, end: str, method: str, rest: str, body: Any
) -> None:
    made = deal(alice)
    closed = move(alice, made["id"], end)
    since = len(told(server, alice))
    answer = alice.request(method, f"/opportunities/{made['id']}{rest}", **({"json": body} if body else {}))
    assert refusal(answer, 400, "OPPORTUNITY_CLOSED")["details"]["status"] == end
    assert seen(alice, made["id"]) == closed
    assert told(server, alice, since) == []
    assert kinds(alice, made["id"]) == ["CREATED", end]


@pytest.mark.parametrize("field", ["stage", "status"])
def test_patch_of_stage_or_status_names_the_way(alice: Member, field: str) -> None:
    made = deal(alice)
    for value in ("WON", "OPEN", None):
        assert "/opportunities/:id/stage" in faults(alice.patch(f"/opportunities/{made['id']}", {field: value}))[field]


def test_probability_by_hand_stays_until_the_next_move(alice: Member) -> None:
    made = deal(alice, stage="QUALIFIED")
    path = f"/opportunities/{made['id']}"
    assert data(alice.patch(path, {"probability": 60}))["probability"] == 60
    assert data(alice.patch(path, {"title": "B"}))["probability"] == 60
    assert act(alice, made["id"], "hold")["probability"] == 60
    assert act(alice, made["id"], "resume")["probability"] == 60
    assert move(alice, made["id"], "PROPOSAL")["probability"] == 50
    data(alice.patch(path, {"probability": 99}))
    assert move(alice, made["id"], "LEAD")["probability"] == 10


# --- won and lost ---


@pytest.mark.parametrize("status", ["LEAD", "PROSPECT", "ACTIVE", "INACTIVE"])
def test_won_makes_the_client_active_and_books_the_value(server: Served, alice: Member, status: str) -> None:
    client = make.client(alice, status=status)
    made = deal(alice, clientId=client["id"], estimatedValue=12_000)
    since = len(told(server, alice))
    won = move(alice, made["id"], "WON", "Signed today")
    after = client_of(alice, client["id"])
    assert (won["status"], won["stage"], won["probability"], won["lostReason"]) == ("WON", "WON", 100, None)
    assert (after["status"], after["totalRevenue"], after["opportunities"]) == ("ACTIVE", 12_000, [])
    own = {"id": made["id"], "clientId": client["id"], "title": made["title"], "version": 2}
    client_event = ("client.updated", {"id": client["id"], "clientName": "Acme Corporation", "changed": ["status"],
                                       "version": 2})  # fmt: skip
    assert told(server, alice, since) == [
        ("opportunity.stage_changed", {**own, "fromStage": "LEAD", "toStage": "WON"}),
        ("opportunity.won", {**own, "value": 12_000, "currency": "USD"}),
        *([client_event] if status != "ACTIVE" else []),
    ]
    assert after["version"] == (1 if status == "ACTIVE" else 2)
    statuses = [one for one in data(alice.get(f"/clients/{client['id']}/timeline"))["entries"]
                if one["type"] == "STATUS_CHANGED"]  # fmt: skip
    assert len(statuses) == (status != "ACTIVE")


def test_won_raises_the_clients_health(alice: Member) -> None:
    client = make.client(alice)
    path = f"/clients/{client['id']}/health-score"
    assert data(alice.get(path))["components"]["monetary"] == 0
    before = client["healthScore"]
    made = deal(alice, clientId=client["id"], estimatedValue=50_000)
    move(alice, made["id"], "WON")
    now = data(alice.get(path))
    assert now["components"]["monetary"] == 100
    assert client_of(alice, client["id"])["healthScore"] == now["overallScore"] == before + 20
    act(alice, made["id"], "reopen")
    assert client_of(alice, client["id"])["healthScore"] == before


def test_lost_keeps_the_notes_as_reason_and_leaves_the_client(server: Served, alice: Member) -> None:
    client = make.client(alice, status="PROSPECT")
    made = deal(alice, clientId=client["id"], estimatedValue=12_000)
    since = len(told(server, alice))
    lost = move(alice, made["id"], "LOST", "Chose a cheaper one")
    assert (lost["status"], lost["probability"], lost["lostReason"]) == ("LOST", 0, "Chose a cheaper one")
    after = client_of(alice, client["id"])
    assert (after["status"], after["totalRevenue"], after["version"]) == ("PROSPECT", 0, 1)
    own = {"id": made["id"], "clientId": client["id"], "title": made["title"], "version": 2}
    assert told(server, alice, since) == [
        ("opportunity.stage_changed", {**own, "fromStage": "LEAD", "toStage": "LOST"}),
        ("opportunity.lost", {**own, "value": 12_000, "currency": "USD"}),
    ]
    assert move(alice, deal(alice)["id"], "LOST")["lostReason"] is None


def test_move_between_open_stages_is_told_and_kept(server: Served, alice: Member) -> None:
    made = deal(alice)
    since = len(told(server, alice))
    move(alice, made["id"], "QUALIFIED", "Client confirmed budget")
    payload = {"id": made["id"], "clientId": None, "title": made["title"], "fromStage": "LEAD", "toStage": "QUALIFIED",
               "version": 2}  # fmt: skip
    assert told(server, alice, since) == [("opportunity.stage_changed", payload)]
    line = history(alice, made["id"])[-1]
    shown = {name: line[name] for name in ("activityType", "fromStage", "toStage", "notes", "changes", "actor")}
    assert shown == {"activityType": "STAGE_CHANGED", "fromStage": "LEAD", "toStage": "QUALIFIED",
                     "notes": "Client confirmed budget", "changes": None, "actor": "user"}  # fmt: skip


def test_refused_move_leaves_no_trace(server: Served, alice: Member) -> None:
    made = deal(alice)
    since = len(told(server, alice))
    refusal(alice.post(f"/opportunities/{made['id']}/stage", {"stage": "LEAD"}), 400, "INVALID_STAGE_TRANSITION")
    refusal(alice.post(f"/opportunities/{made['id']}/stage", {"stage": "GONE"}), 400, "VALIDATION_ERROR")
    assert seen(alice, made["id"]) == made
    assert told(server, alice, since) == []
    assert kinds(alice, made["id"]) == ["CREATED"]


@pytest.mark.parametrize(
    ("zone", "day"), [("Pacific/Kiritimati", "2024-03-02"), ("UTC", "2024-03-01"), ("Pacific/Pago_Pago", "2024-02-29")]
)
def test_close_date_is_the_day_in_the_accounts_zone(server: Served, clock: SettableClock, zone: str, day: str) -> None:
    clock.freeze(datetime(2024, 3, 1, 10, 30, tzinfo=UTC))
    owner = register(server.url, "zone", timeZone=zone)
    made = deal(owner)
    closed = move(owner, made["id"], "WON")
    assert (closed["actualCloseDate"], closed["closedAt"]) == (day, "2024-03-01T10:30:00.000Z")


# --- reopen ---


@pytest.mark.parametrize(("stage", "end"), [*product(OPEN_STAGES, CLOSED)])
def test_reopened_deal_is_back_where_it_was_closed_from(server: Served, alice: Member, stage: str, end: str) -> None:
    client = make.client(alice, status="LEAD")
    made = deal(alice, clientId=client["id"], stage=stage, estimatedValue=800, probability=5)
    move(alice, made["id"], end, "Because")
    status = client_of(alice, client["id"])["status"]
    since = len(told(server, alice))
    back = act(alice, made["id"], "reopen")
    assert (back["stage"], back["status"], back["probability"]) == (stage, "OPEN", PROBABILITY[stage])
    assert (back["actualCloseDate"], back["closedAt"], back["lostReason"]) == (None, None, None)
    after = client_of(alice, client["id"])
    assert (after["totalRevenue"], after["status"]) == (0, status)
    assert status == ("ACTIVE" if end == "WON" else "LEAD")
    payload = {"id": made["id"], "clientId": client["id"], "title": made["title"], "stage": stage, "version": 3}
    assert told(server, alice, since) == [("opportunity.reopened", payload)]
    line = history(alice, made["id"])[-1]
    assert (line["activityType"], line["fromStage"], line["toStage"]) == ("REOPENED", end, stage)
    assert move(alice, made["id"], "WON")["version"] == 4


def test_reopening_an_open_deal_changes_nothing(server: Served, alice: Member) -> None:
    made = deal(alice)
    held = act(alice, made["id"], "hold")
    since = len(told(server, alice))
    assert act(alice, made["id"], "reopen") == held
    assert told(server, alice, since) == []


def test_win_takes_only_its_own_revenue_back(alice: Member) -> None:
    client = make.client(alice)
    first, second = (deal(alice, clientId=client["id"], estimatedValue=value) for value in (100, 20))
    payment(alice, client["id"], 3)
    move(alice, first["id"], "WON")
    move(alice, second["id"], "WON")
    assert client_of(alice, client["id"])["totalRevenue"] == 123
    act(alice, first["id"], "reopen")
    assert client_of(alice, client["id"])["totalRevenue"] == 23


# --- hold and resume ---


def in_days(server: Served, days: int) -> str:
    return (server.clock().date() + timedelta(days=days)).isoformat()


def test_held_deal_is_told_kept_and_resumed(server: Served, alice: Member) -> None:
    made = deal(alice)
    since, day = len(told(server, alice)), in_days(server, 10)
    held = act(alice, made["id"], "hold", {"resumeOn": day})
    assert (held["status"], held["resumeOn"], held["stage"], held["version"]) == ("ON_HOLD", day, "LEAD", 2)
    back = act(alice, made["id"], "resume")
    assert (back["status"], back["resumeOn"], back["version"]) == ("OPEN", None, 3)
    assert kinds(alice, made["id"]) == ["CREATED", "ON_HOLD", "RESUMED"]
    assert history(alice, made["id"])[1]["notes"] == f"Until {day}"
    own = {"id": made["id"], "clientId": None, "title": made["title"], "changed": ["resumeOn", "status"]}
    events = [("opportunity.updated", {**own, "version": 2}), ("opportunity.updated", {**own, "version": 3})]
    assert told(server, alice, since) == events


@pytest.mark.parametrize("body", [None, {}, {"resumeOn": None}])
def test_deal_is_held_without_a_day(alice: Member, body: Any) -> None:
    made = deal(alice)
    held = act(alice, made["id"], "hold", body)
    assert (held["status"], held["resumeOn"]) == ("ON_HOLD", None)


def test_holding_and_resuming_twice_is_holding_and_resuming_once(server: Served, alice: Member) -> None:
    made = deal(alice)
    body = {"resumeOn": in_days(server, 3)}
    held = act(alice, made["id"], "hold", body)
    since = len(told(server, alice))
    assert act(alice, made["id"], "hold", body) == held
    assert told(server, alice, since) == []
    back = act(alice, made["id"], "resume")
    assert act(alice, made["id"], "resume") == back
    assert kinds(alice, made["id"]) == ["CREATED", "ON_HOLD", "RESUMED"]


def test_holding_again_for_another_day_changes_the_day(server: Served, alice: Member) -> None:
    made = deal(alice)
    first, second = in_days(server, 3), in_days(server, 5)
    act(alice, made["id"], "hold", {"resumeOn": first})
    since = len(told(server, alice))
    assert act(alice, made["id"], "hold", {"resumeOn": second})["resumeOn"] == second
    assert [(kind, payload["changed"]) for kind, payload in told(server, alice, since)] == [
        ("opportunity.updated", ["resumeOn"])
    ]
    assert history(alice, made["id"])[-1]["changes"] == {"resumeOn": {"from": first, "to": second}}
    assert act(alice, made["id"], "hold")["resumeOn"] is None


@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "UTC", "Pacific/Pago_Pago"])
def test_day_to_resume_lies_ahead_in_the_accounts_zone(server: Served, clock: SettableClock, zone: str) -> None:
    clock.freeze(datetime(2024, 3, 1, 10, 30, tzinfo=UTC))
    owner = register(server.url, "holder", timeZone=zone)
    made = deal(owner)
    today = {"Pacific/Kiritimati": 2, "UTC": 1, "Pacific/Pago_Pago": 0}[zone]
    for day in (today - 1, today):
        body = {"resumeOn": (datetime(2024, 2, 29, tzinfo=UTC) + timedelta(days=day)).date().isoformat()}
        assert "after today" in faults(owner.post(f"/opportunities/{made['id']}/hold", body))["resumeOn"]
    tomorrow = (datetime(2024, 3, 1, tzinfo=UTC) + timedelta(days=today)).date().isoformat()
    assert act(owner, made["id"], "hold", {"resumeOn": tomorrow})["resumeOn"] == tomorrow


@pytest.mark.parametrize("to", ["QUALIFIED", "WON", "LOST"])
def test_moving_a_held_deal_resumes_it_first(server: Served, alice: Member, to: str) -> None:
    made = deal(alice)
    act(alice, made["id"], "hold", {"resumeOn": in_days(server, 3)})
    since = len(told(server, alice))
    after = move(alice, made["id"], to)
    assert (after["resumeOn"], after["version"]) == (None, 3)
    last = "STAGE_CHANGED" if to == "QUALIFIED" else to
    assert kinds(alice, made["id"]) == ["CREATED", "ON_HOLD", "RESUMED", last]
    assert told(server, alice, since)[0][0] == "opportunity.stage_changed"
    assert act(alice, made["id"], "reopen")["status"] == "OPEN"


# --- archived clients ---


def test_deals_of_an_archived_client_refuse_every_change(server: Served, alice: Member) -> None:
    client = make.client(alice)
    open_one, held, won = (deal(alice, clientId=client["id"]) for _ in range(3))
    act(alice, held["id"], "hold")
    move(alice, won["id"], "WON")
    data(alice.post(f"/clients/{client['id']}/archive"))
    since = len(told(server, alice))
    tries = [
        alice.post("/opportunities", {"title": "A", "source": "OTHER", "clientId": client["id"]}),
        alice.patch(f"/opportunities/{open_one['id']}", {"title": "B"}),
        alice.patch(f"/opportunities/{open_one['id']}", {"clientId": None}),
        alice.delete(f"/opportunities/{open_one['id']}"),
        *(alice.post(f"/opportunities/{open_one['id']}/stage", {"stage": stage}) for stage in STAGES),
        alice.post(f"/opportunities/{open_one['id']}/hold"),
        alice.post(f"/opportunities/{held['id']}/resume"),
        alice.post(f"/opportunities/{won['id']}/reopen"),
    ]
    for answer in tries:
        error = refusal(answer, 400, "CLIENT_ARCHIVED")
        assert error["details"] == {"clientId": client["id"]}
        assert "/restore" in error["message"]
    assert told(server, alice, since) == []
    data(alice.post(f"/clients/{client['id']}/restore"))
    assert move(alice, open_one["id"], "QUALIFIED")["stage"] == "QUALIFIED"
    assert act(alice, held["id"], "resume")["status"] == "OPEN"
