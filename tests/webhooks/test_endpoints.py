"""Endpoints in the settings: made, changed, limited; their secrets shown once and never readable at rest."""

import base64
import re
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from soloist.events.model import TYPES
from soloist.infra.http import BASE
from tests.book import select
from tests.people import Member, Person, data, faults, refusal
from tests.serving import Served
from tests.webhooks.hooks import NOWHERE, make_hook

FIELDS = {
    "id", "url", "events", "description", "status", "disabledBecause", "disabledAt", "failingSince",
    "version", "createdAt", "updatedAt",
}  # fmt: skip


def test_a_secret_is_shown_once(alice: Member) -> None:
    answer = alice.post("/webhooks", {"url": NOWHERE, "events": ["opportunity.won", "client.created"]})
    made = data(answer, 201)
    assert made.keys() == FIELDS | {"secret"}
    assert made["events"] == ["client.created", "opportunity.won"]
    assert (made["status"], made["version"], answer.headers["etag"]) == ("ENABLED", 1, '"1"')
    assert re.fullmatch(r"whsec_[A-Za-z0-9+/]{43}=", made["secret"])
    assert len(base64.b64decode(made["secret"].removeprefix("whsec_"))) == 32
    found = alice.get(answer.headers["location"].removeprefix(BASE))
    assert data(found) == {name: value for name, value in made.items() if name != "secret"}
    listed = alice.get("/webhooks")
    assert data(listed) == {"webhooks": [data(found)], "total": 1, "page": 1, "limit": 20, "nextCursor": None}
    assert made["secret"] not in listed.text + found.text


def test_secrets_are_not_in_the_database(server: Served, alice: Member) -> None:
    key = {"Idempotency-Key": "once"}
    body = {"url": NOWHERE, "events": ["*"]}
    first = alice.post("/webhooks", body, headers=key)
    made = data(first, 201)
    rotated = alice.post(f"/webhooks/{made['id']}/rotate-secret", headers={"Idempotency-Key": "twice"})
    secrets = [made["secret"], data(rotated)["secret"]]
    dump = ""
    for table in select(server, "select tablename from pg_tables where schemaname = 'public'"):
        rows = select(server, f"select t::text as line from {table['tablename']} t")
        dump += "".join(row["line"] + "\n" for row in rows)
    stored = select(server, "select body from idempotency_keys where account_id = $1", alice.account["id"])
    dump += "".join(row["body"].decode() for row in stored)
    assert len(stored) == 2
    assert made["id"] in dump
    for secret in secrets:
        raw = base64.b64decode(secret.removeprefix("whsec_"))
        for trace in (secret, secret.removeprefix("whsec_"), raw.hex()):
            assert trace not in dump
    assert "whsec_" not in dump


def test_a_repeated_request_gets_the_same_answer_with_the_same_secret(alice: Member) -> None:
    body = {"url": NOWHERE, "events": ["*"]}
    first, second = (alice.post("/webhooks", body, headers={"Idempotency-Key": "k"}) for _ in range(2))
    assert second.headers["idempotency-replayed"] == "true"
    assert first.content == second.content
    assert data(alice.get("/webhooks"))["total"] == 1
    path = f"/webhooks/{data(first, 201)['id']}/rotate-secret"
    third, fourth = (alice.post(path, headers={"Idempotency-Key": "r"}) for _ in range(2))
    assert fourth.headers["idempotency-replayed"] == "true"
    assert third.content == fourth.content
    assert data(third)["secret"] != data(first, 201)["secret"]


def test_only_what_is_sent_changes(alice: Member) -> None:
    made = make_hook(alice, description="books invoices")
    path = f"/webhooks/{made['id']}"
    changed = data(alice.patch(path, {"events": ["client.created"]}))
    assert (changed["events"], changed["description"], changed["version"]) == (["client.created"], "books invoices", 2)
    assert data(alice.patch(path, {"events": ["client.created"]}))["version"] == 2
    assert data(alice.patch(path, {"description": None, "url": NOWHERE + "/2"}))["description"] is None
    refusal(alice.patch(path, {"url": NOWHERE}, headers={"If-Match": '"1"'}), 412, "PRECONDITION_FAILED")
    data(alice.patch(path, {"url": NOWHERE}, headers={"If-Match": '"3"'}))


def test_rotation_is_a_change_of_the_record(alice: Member) -> None:
    made = make_hook(alice)
    path = f"/webhooks/{made['id']}/rotate-secret"
    refusal(alice.post(path, headers={"If-Match": '"9"'}), 412, "PRECONDITION_FAILED")
    rotated = data(alice.post(path, headers={"If-Match": '"1"'}))
    assert rotated.keys() == FIELDS | {"secret", "oldSecretsSignUntil"}
    assert rotated["version"] == 2


def test_at_most_ten_secrets_sign(server: Served, alice: Member) -> None:
    made = make_hook(alice)
    for _ in range(12):
        data(alice.post(f"/webhooks/{made['id']}/rotate-secret"))
    rows = select(server, "select expires_at from webhook_secrets where webhook_id = $1", made["id"])
    assert len(rows) == 10
    assert sum(row["expires_at"] is None for row in rows) == 1


def test_a_deleted_endpoint_is_gone(alice: Member) -> None:
    path = f"/webhooks/{make_hook(alice)['id']}"
    refusal(alice.delete(path, headers={"If-Match": '"2"'}), 412, "PRECONDITION_FAILED")
    assert data(alice.delete(path))["deleted"] is True
    for answer in (alice.get(path), alice.delete(path), alice.get(f"{path}/deliveries"), alice.post(f"{path}/test")):
        refusal(answer, 404, "WEBHOOK_NOT_FOUND")


def test_twenty_endpoints_and_no_more_however_many_ask_at_once(alice: Member) -> None:
    def add(_: int) -> int:
        return alice.post("/webhooks", {"url": NOWHERE, "events": ["*"]}).status_code

    with ThreadPoolExecutor(8) as pool:
        statuses = list(pool.map(add, range(28)))
    assert sorted(statuses) == [201] * 20 + [400] * 8
    assert data(alice.get("/webhooks"))["total"] == 20
    assert "at most 20" in faults(alice.post("/webhooks", {"url": NOWHERE, "events": ["*"]}))[""]


def test_every_event_type_is_listed_with_a_sample(alice: Member) -> None:
    kinds: list[dict[str, Any]] = data(alice.get("/webhooks/event-types"))
    assert [kind["type"] for kind in kinds] == list(TYPES)
    for kind in kinds:
        assert kind["description"]
        assert kind["sample"].keys() == {"type", "timestamp", "data"}
        assert kind["sample"]["type"] == kind["type"]


def test_a_key_needs_the_write_scope_to_manage_and_never_sees_a_secret_again(server: Served, alice: Member) -> None:
    made = make_hook(alice)
    reader, writer = (
        Person(server.url, data(alice.post("/me/api-keys", {"name": "k", "scopes": [scope]}), 201)["key"])
        for scope in ("read", "write")
    )
    refusal(reader.post("/webhooks", {"url": NOWHERE, "events": ["*"]}), 403, "ACCESS_DENIED")
    assert made["secret"] not in reader.get(f"/webhooks/{made['id']}").text
    data(writer.post("/webhooks", {"url": NOWHERE, "events": ["*"]}), 201)


def test_deliveries_can_be_narrowed_and_paged(server: Served, alice: Member, worker: None) -> None:
    made = make_hook(alice, events=("client.created",))
    path = f"/webhooks/{made['id']}"
    data(alice.patch(path, {"status": "DISABLED"}))
    ids = [data(alice.post(f"{path}/test", {"type": kind}))["id"] for kind in ("client.created", "reminder.due") * 2]
    assert [one["id"] for one in data(alice.get(f"{path}/deliveries"))["deliveries"]] == ids[::-1]
    page = data(alice.get(f"{path}/deliveries?limit=3"))
    assert (page["total"], [one["id"] for one in page["deliveries"]]) == (4, ids[:0:-1])
    rest = data(alice.get(f"{path}/deliveries?limit=3&cursor={page['nextCursor']}"))
    assert [one["id"] for one in rest["deliveries"]] == ids[:1]
    of_type = data(alice.get(f"{path}/deliveries?type=reminder.due"))
    assert [one["id"] for one in of_type["deliveries"]] == [ids[3], ids[1]]
    assert data(alice.get(f"{path}/deliveries?state=DELIVERED"))["total"] == 0
    assert "state" in faults(alice.get(f"{path}/deliveries?state=LOST"))


def test_another_owner_sees_nothing(alice: Member, bob: Member) -> None:
    made = make_hook(alice)
    delivery = data(alice.post(f"/webhooks/{made['id']}/test"))
    for answer in (
        bob.get(f"/webhooks/{made['id']}"),
        bob.get(f"/webhooks/{made['id']}/deliveries"),
        bob.post(f"/webhooks/{made['id']}/rotate-secret"),
    ):
        refusal(answer, 404, "WEBHOOK_NOT_FOUND")
    refusal(bob.get(f"/webhooks/deliveries/{delivery['id']}"), 404, "DELIVERY_NOT_FOUND")
    refusal(bob.post(f"/webhooks/deliveries/{delivery['id']}/replay"), 404, "DELIVERY_NOT_FOUND")


@pytest.mark.parametrize("number", ["00000000-0000-0000-0000-000000000000", "not-a-uuid", "%00"])
def test_ids_that_are_not_there(alice: Member, number: str) -> None:
    refusal(alice.get(f"/webhooks/{number}"), 404, "WEBHOOK_NOT_FOUND")
    refusal(alice.get(f"/webhooks/deliveries/{number}"), 404, "DELIVERY_NOT_FOUND")
