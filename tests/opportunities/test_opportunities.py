"""A deal's own life: created with defaults, read, changed field by field, deleted while open."""

from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest

from tests import make
from tests.book import select
from tests.opportunities.deals import act, client_of, deal, history, kinds, move, payment, seen, told
from tests.people import Member, data, faults, refusal, register
from tests.serving import Served

FULL = {
    "title": "Website Redesign Project",
    "description": "Complete redesign of corporate website",
    "source": "INBOUND_INQUIRY",
    "sourceDetails": "Via website contact form",
    "estimatedValue": 15000,
    "currency": "USD",
    "expectedCloseDate": "2024-03-01",
    "stage": "PROPOSAL",
    "priority": "HIGH",
    "tags": ["web", "design"],
    "serviceType": "Web Development",
}


def test_title_and_source_are_enough(alice: Member) -> None:
    made = deal(alice, title="A", source="OTHER")
    nothing = ("clientId", "clientName", "description", "sourceDetails", "expectedCloseDate", "actualCloseDate",
               "closedAt", "lostReason", "resumeOn", "serviceType")  # fmt: skip
    assert {name: made[name] for name in nothing} == dict.fromkeys(nothing)
    assert (made["stage"], made["status"], made["priority"], made["probability"]) == ("LEAD", "OPEN", "MEDIUM", 10)
    assert (made["estimatedValue"], made["currency"], made["baseValue"], made["tags"]) == (0, "USD", 0, [])
    assert (made["version"], made["createdAt"]) == (1, made["updatedAt"])


def test_everything_given_is_kept_and_answered_alike_by_get(alice: Member) -> None:
    client = make.client(alice)
    answer = alice.post("/opportunities", {**FULL, "clientId": client["id"]})
    made = data(answer, 201)
    assert made.items() >= {**FULL, "clientId": client["id"], "clientName": "Acme Corporation"}.items()
    assert made["probability"] == 50
    assert answer.headers["location"] == f"/api/cockpit/opportunities/{made['id']}"
    assert answer.headers["etag"] == '"1"'
    got = alice.get(f"/opportunities/{made['id']}")
    assert data(got) == made
    assert got.headers["etag"] == '"1"'


def test_currency_defaults_to_the_base_currency_and_is_written_in_capitals(server: Served, alice: Member) -> None:
    swiss = register(server.url, "swiss", baseCurrency="CHF")
    assert deal(swiss)["currency"] == "CHF"
    assert deal(swiss, currency=None)["currency"] == "CHF"
    assert deal(alice, currency="eur")["currency"] == "EUR"


@pytest.mark.parametrize("stage", ["LEAD", "QUALIFIED", "PROPOSAL", "NEGOTIATION"])
def test_probability_is_the_stages_own_unless_set_by_hand(alice: Member, stage: str) -> None:
    own = {"LEAD": 10, "QUALIFIED": 25, "PROPOSAL": 50, "NEGOTIATION": 75}[stage]
    assert deal(alice, stage=stage)["probability"] == own
    assert deal(alice, stage=stage, probability=0)["probability"] == 0
    assert deal(alice, stage=stage, probability=100)["probability"] == 100
    assert deal(alice, stage=stage, probability=None)["probability"] == own


@pytest.mark.parametrize(
    ("value", "currency"),
    [
        (999_999_999_999.99, "USD"), (0.01, "USD"), (0, "USD"), (15000.50, "USD"), (999_999_999_999, "JPY"),
        (0.001, "KWD"), (1234.567, "KWD"), (0.0001, "CLF"),
    ],
)  # fmt: skip
def test_amount_as_fine_as_its_currency_is_exact(server: Served, alice: Member, value: float, currency: str) -> None:
    made = deal(alice, estimatedValue=value, currency=currency)
    assert made["estimatedValue"] == value
    [row] = select(server, "select estimated_value from opportunities where id = $1", made["id"])
    assert row["estimated_value"] == Decimal(str(value))


def test_amount_is_written_without_trailing_zeros(alice: Member) -> None:
    headers = {"Content-Type": "application/json"}
    body = b'{"title": "A", "source": "OTHER", "estimatedValue": 15000.00}'
    answer = alice.request("POST", "/opportunities", content=body, headers=headers)
    assert '"estimatedValue":15000,' in answer.text.replace(" ", "")


def test_limits_count_characters_not_bytes(alice: Member) -> None:
    made = deal(alice, title="ß" * 255, description="🎉" * 5000, sourceDetails="é" * 255, serviceType="語" * 100)
    assert (len(made["title"]), len(made["description"])) == (255, 5000)


def test_tags_are_folded_and_keep_their_order(alice: Member) -> None:
    assert deal(alice, tags=["web", "design", "web"])["tags"] == ["web", "design"]


def test_deal_of_a_client_stands_in_the_clients_record_while_open(alice: Member) -> None:
    client = make.client(alice)
    first, second = deal(alice, clientId=client["id"]), deal(alice, clientId=client["id"])
    assert [one["id"] for one in client_of(alice, client["id"])["opportunities"]] == [second["id"], first["id"]]
    move(alice, second["id"], "LOST")
    act(alice, first["id"], "hold")
    [line] = client_of(alice, client["id"])["opportunities"]
    assert (line["id"], line["status"]) == (first["id"], "ON_HOLD")


def test_new_deal_is_told_once(server: Served, alice: Member) -> None:
    client = make.client(alice)
    since = len(told(server, alice))
    made = deal(alice, **{**FULL, "clientId": client["id"]})
    assert told(server, alice, since) == [
        (
            "opportunity.created",
            {"id": made["id"], "clientId": client["id"], "title": FULL["title"], "stage": "PROPOSAL", "value": 15000,
             "currency": "USD", "version": 1},
        )
    ]  # fmt: skip


@pytest.mark.parametrize(
    "path", ["not-a-uuid", "00000000-0000-0000-0000-000000000000", "%00", "0190b5a4-7c1e-7b3a-9d55-2f6c1f0a8e21", "👋"]
)
@pytest.mark.parametrize(
    ("method", "rest", "body"),
    [
        ("GET", "", None), ("PATCH", "", {"title": "x"}), ("DELETE", "", None), ("POST", "/stage", {"stage": "WON"}),
        ("POST", "/hold", None), ("POST", "/resume", None), ("POST", "/reopen", None), ("GET", "/activities", None),
    ],
)  # fmt: skip
def test_id_of_no_deal_is_not_found(alice: Member, path: str, method: str, rest: str, body: Any) -> None:
    answer = alice.request(method, f"/opportunities/{path}{rest}", **({"json": body} if body else {}))
    refusal(answer, 404, "OPPORTUNITY_NOT_FOUND")


# --- PATCH ---

CHANGES = {
    "title": "Another",
    "description": None,
    "source": "REFERRAL",
    "sourceDetails": "Told by Jo",
    "estimatedValue": 99.5,
    "expectedCloseDate": "2025-01-31",
    "priority": "URGENT",
    "probability": 33,
    "tags": ["new"],
    "serviceType": None,
}


@pytest.mark.parametrize("field", CHANGES)
def test_patch_changes_just_the_field_sent(alice: Member, field: str) -> None:
    before = deal(alice, **FULL)
    answer = alice.patch(f"/opportunities/{before['id']}", {field: CHANGES[field]})
    after = data(answer)
    same = before.keys() - {field, "version", "updatedAt", "baseValue"}
    assert after[field] == CHANGES[field]
    assert {name: after[name] for name in same} == {name: before[name] for name in same}
    assert after["version"] == 2
    assert answer.headers["etag"] == '"2"'
    assert after["baseValue"] == after["estimatedValue"]
    assert seen(alice, before["id"]) == after


def test_patch_is_told_and_kept_in_the_history(server: Served, alice: Member) -> None:
    made = deal(alice, **FULL)
    since = len(told(server, alice))
    changes = {"title": "Another", "estimatedValue": 0.3, "expectedCloseDate": None, "tags": []}
    data(alice.patch(f"/opportunities/{made['id']}", changes))
    [(kind, payload)] = told(server, alice, since)
    assert kind == "opportunity.updated"
    assert payload == {"id": made["id"], "clientId": None, "title": "Another",
                       "changed": ["estimatedValue", "expectedCloseDate", "tags", "title"], "version": 2}  # fmt: skip
    line = history(alice, made["id"])[-1]
    assert (line["activityType"], line["notes"], line["actor"]) == ("UPDATED", None, "user")
    assert line["changes"] == {
        "title": {"from": "Website Redesign Project", "to": "Another"},
        "estimatedValue": {"from": 15000, "to": 0.3},
        "expectedCloseDate": {"from": "2024-03-01", "to": None},
        "tags": {"from": ["web", "design"], "to": []},
    }


@pytest.mark.parametrize(
    "same",
    [{"title": FULL["title"]}, {"currency": "usd"}, {"estimatedValue": 15000.0}, {"tags": ["web", "design"]}, FULL],
)
def test_equal_values_change_nothing(server: Served, alice: Member, same: dict[str, Any]) -> None:
    made = deal(alice, **FULL)
    since = len(told(server, alice))
    sent = {name: value for name, value in same.items() if name != "stage"}
    assert data(alice.patch(f"/opportunities/{made['id']}", sent)) == made
    assert told(server, alice, since) == []
    assert kinds(alice, made["id"]) == ["CREATED"]


def test_new_currency_must_hold_the_value(alice: Member) -> None:
    made = deal(alice, estimatedValue=10.5, currency="USD")
    path = f"/opportunities/{made['id']}"
    assert "JPY amounts have at most 0 decimals" in faults(alice.patch(path, {"currency": "JPY"}))["estimatedValue"]
    after = data(alice.patch(path, {"currency": "JPY", "estimatedValue": 11}))
    assert (after["currency"], after["estimatedValue"], after["baseValue"]) == ("JPY", 11, None)
    assert "0 decimals" in faults(alice.patch(path, {"estimatedValue": 11.5}))["estimatedValue"]


def test_version_moves_only_with_own_fields(server: Served, alice: Member) -> None:
    client = make.client(alice)
    made = deal(alice, clientId=client["id"])
    make.interaction(alice, client["id"], opportunityId=made["id"])
    data(alice.patch(f"/clients/{client['id']}", {"companyName": "Renamed"}))
    assert seen(alice, made["id"]) == {**made, "clientName": "Renamed"}


def test_if_match_decides_every_change(alice: Member) -> None:
    made = deal(alice)
    path = f"/opportunities/{made['id']}"
    data(alice.patch(path, {"title": "B"}))
    stale = {"headers": {"If-Match": '"1"'}}
    tries = [
        alice.patch(path, {"title": "C"}, **stale),
        alice.post(f"{path}/stage", {"stage": "WON"}, **stale),
        alice.post(f"{path}/hold", None, **stale),
        alice.post(f"{path}/resume", None, **stale),
        alice.post(f"{path}/reopen", None, **stale),
        alice.delete(path, **stale),
    ]
    for answer in tries:
        assert refusal(answer, 412, "PRECONDITION_FAILED")["details"] == {"currentVersion": 2}
    assert seen(alice, made["id"])["version"] == 2
    assert data(alice.post(f"{path}/stage", {"stage": "WON"}, headers={"If-Match": '"2"'}))["version"] == 3


def test_same_key_moves_a_deal_once(server: Served, alice: Member) -> None:
    made = deal(alice)
    key = {"headers": {"Idempotency-Key": str(uuid4())}}
    first = alice.post(f"/opportunities/{made['id']}/stage", {"stage": "QUALIFIED"}, **key)
    again = alice.post(f"/opportunities/{made['id']}/stage", {"stage": "QUALIFIED"}, **key)
    assert data(first)["version"] == 2
    assert again.content == first.content
    assert again.headers["idempotency-replayed"] == "true"
    assert kinds(alice, made["id"]) == ["CREATED", "STAGE_CHANGED"]


# --- another client ---


def test_deal_moves_to_another_client_and_its_future_revenue_with_it(alice: Member) -> None:
    old, new = make.client(alice), make.client(alice, companyName="Beta")
    made = deal(alice, clientId=old["id"], estimatedValue=5000)
    after = data(alice.patch(f"/opportunities/{made['id']}", {"clientId": new["id"]}))
    assert (after["clientId"], after["clientName"]) == (new["id"], "Beta")
    assert client_of(alice, old["id"])["opportunities"] == []
    assert [one["id"] for one in client_of(alice, new["id"])["opportunities"]] == [made["id"]]
    assert history(alice, made["id"])[-1]["changes"] == {"clientId": {"from": old["id"], "to": new["id"]}}
    move(alice, made["id"], "WON")
    assert client_of(alice, old["id"])["totalRevenue"] == 0
    assert client_of(alice, new["id"])["totalRevenue"] == 5000


def test_deal_can_leave_its_client_and_find_one(alice: Member) -> None:
    client = make.client(alice)
    made = deal(alice, clientId=client["id"])
    free = data(alice.patch(f"/opportunities/{made['id']}", {"clientId": None}))
    assert (free["clientId"], free["clientName"]) == (None, None)
    found = data(alice.patch(f"/opportunities/{made['id']}", {"clientId": client["id"]}))
    assert found["clientName"] == "Acme Corporation"


def test_deal_can_not_move_to_a_missing_or_archived_client(alice: Member, bob: Member) -> None:
    made, foreign, archived = deal(alice), make.client(bob), make.client(alice)
    data(alice.post(f"/clients/{archived['id']}/archive"))
    for client_id in (foreign["id"], str(uuid4())):
        refusal(alice.patch(f"/opportunities/{made['id']}", {"clientId": client_id}), 404, "CLIENT_NOT_FOUND")
    error = refusal(alice.patch(f"/opportunities/{made['id']}", {"clientId": archived["id"]}), 400, "CLIENT_ARCHIVED")
    assert error["details"] == {"clientId": archived["id"]}
    assert seen(alice, made["id"]) == made


# --- DELETE ---


def test_deleted_deal_is_gone_and_told(server: Served, alice: Member) -> None:
    client = make.client(alice)
    made = deal(alice, clientId=client["id"])
    since = len(told(server, alice))
    assert data(alice.delete(f"/opportunities/{made['id']}")) == {"id": made["id"], "deleted": True}
    for answer in (
        alice.get(f"/opportunities/{made['id']}"),
        alice.get(f"/opportunities/{made['id']}/activities"),
        alice.delete(f"/opportunities/{made['id']}"),
    ):
        refusal(answer, 404, "OPPORTUNITY_NOT_FOUND")
    payload = {"id": made["id"], "clientId": client["id"], "title": made["title"]}
    assert told(server, alice, since) == [("opportunity.deleted", payload)]


def test_delete_leaves_interactions_reminders_and_documents_without_the_deal(server: Served, alice: Member) -> None:
    client = make.client(alice)
    made = deal(alice, clientId=client["id"])
    talk = make.interaction(alice, client["id"], opportunityId=made["id"])
    account, at = alice.account["id"], "now()"
    select(server, f"""insert into reminders (account_id, id, client_id, opportunity_id, title, reminder_type, priority,
        status, due_date, created_at, updated_at)
        values ($1, $2, $3, $4, 'Call', 'CUSTOM', 'LOW', 'PENDING', {at}, {at}, {at})""",
        account, uuid4(), client["id"], made["id"])  # fmt: skip
    select(server, f"""insert into documents (account_id, id, client_id, opportunity_id, document_type, file_name,
        file_url, created_at, updated_at)
        values ($1, $2, $3, $4, 'BRIEF', 'brief.pdf', 'https://files.example.com/brief.pdf', {at}, {at})""",
        account, uuid4(), client["id"], made["id"])  # fmt: skip
    data(alice.delete(f"/opportunities/{made['id']}"))
    after = data(alice.get(f"/interactions/{talk['id']}"))
    assert after == {**talk, "opportunityId": None}
    for table in ("reminders", "documents"):
        [row] = select(server, f"select client_id, opportunity_id from {table} where account_id = $1", account)
        assert (str(row["client_id"]), row["opportunity_id"]) == (client["id"], None)


def test_payment_on_a_deal_counts_as_the_clients_own_once_the_deal_is_deleted(alice: Member) -> None:
    client = make.client(alice)
    made = deal(alice, clientId=client["id"], estimatedValue=900)
    payment(alice, client["id"], 300, opportunityId=made["id"])
    assert client_of(alice, client["id"])["totalRevenue"] == 0
    data(alice.delete(f"/opportunities/{made['id']}"))
    assert client_of(alice, client["id"])["totalRevenue"] == 300


def test_payment_on_a_deal_that_went_to_another_client_comes_back_to_who_paid(alice: Member) -> None:
    payer, other = make.client(alice), make.client(alice, companyName="Beta")
    made = deal(alice, clientId=payer["id"])
    payment(alice, payer["id"], 300, opportunityId=made["id"])
    data(alice.patch(f"/opportunities/{made['id']}", {"clientId": other["id"]}))
    assert client_of(alice, payer["id"])["totalRevenue"] == 0
    data(alice.delete(f"/opportunities/{made['id']}"))
    assert client_of(alice, payer["id"])["totalRevenue"] == 300
    assert client_of(alice, other["id"])["totalRevenue"] == 0
