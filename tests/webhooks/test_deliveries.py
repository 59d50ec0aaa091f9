"""What happens goes out: signed, byte for byte as stored, again after a failure, and never for what did not happen."""

from datetime import timedelta

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from soloist import __version__
from tests import make
from tests.book import select
from tests.people import data, refusal
from tests.receiver import HANG, OK, RESET, Receiver, Reply, sent_at
from tests.webhooks.hooks import Book, until


def test_a_change_is_delivered_signed_and_byte_for_byte(book: Book, receiver: Receiver) -> None:
    hook = book.hook("client.created")
    client = make.client(book.owner, companyName="Zoë & Söhne")
    (request,) = receiver.wait_for(1, hook.path)
    stored = select(book.server, "select id, body from events where account_id = $1", book.owner.account["id"])
    assert request.body == stored[0]["body"].encode()
    assert request.method == "POST"
    assert request.headers["webhook-id"] == f"evt_{stored[0]['id']}"
    assert "." not in request.headers["webhook-id"]
    assert request.headers["content-type"] == "application/json"
    assert request.headers["user-agent"] == f"Soloist/{__version__}"
    assert request.json.keys() == {"type", "timestamp", "data"}
    assert request.json["type"] == "client.created"
    assert request.json["data"]["id"] == client["id"]
    assert Webhook(hook.secret).verify(request.body, dict(request.headers)) == request.json
    assert abs(sent_at(request) - book.server.clock()) < timedelta(seconds=30)


@pytest.mark.parametrize("spoilt", ["body", "webhook-id", "webhook-timestamp"])
def test_an_altered_delivery_does_not_verify(book: Book, receiver: Receiver, spoilt: str) -> None:
    hook = book.hook()
    book.happen()
    (request,) = receiver.wait_for(1, hook.path)
    headers, body = dict(request.headers), request.body
    if spoilt == "body":
        body = body.replace(b"client.created", b"client.deleted")
    elif spoilt == "webhook-id":
        headers["webhook-id"] = headers["webhook-id"][:-1] + "x"
    else:
        headers["webhook-timestamp"] = str(int(headers["webhook-timestamp"]) + 1)
    with pytest.raises(WebhookVerificationError):
        Webhook(hook.secret).verify(body, headers)


def test_the_log_tells_how_it_went(book: Book, receiver: Receiver) -> None:
    hook = book.hook()
    receiver.plan(hook.path, Reply(202, body=b"noted"))
    book.happen()
    (line,) = hook.wait_ended()
    assert line["state"] == "DELIVERED"
    assert (line["attemptCount"], line["nextAttemptAt"], line["isTest"]) == (1, None, False)
    assert line["eventId"] == receiver.at(hook.path)[0].id
    attempt = line["lastAttempt"]
    assert (attempt["number"], attempt["statusCode"], attempt["error"], attempt["response"]) == (1, 202, None, "noted")
    found = book.delivery(line["id"])
    assert found["attempts"] == [attempt]
    assert found["payload"] == receiver.at(hook.path)[0].json
    assert hook.now["failingSince"] is None


def test_only_wanted_types_are_delivered(book: Book, receiver: Receiver) -> None:
    of_clients, of_contacts = book.hook("client.created", "client.archived"), book.hook("contact.created")
    (client_id,) = book.happen()
    make.contact(book.owner, client_id)
    data(book.owner.post(f"/clients/{client_id}/archive"))
    receiver.wait_for(2, of_clients.path)
    receiver.wait_for(1, of_contacts.path)
    assert [one.json["type"] for one in receiver.at(of_clients.path)] == ["client.created", "client.archived"]
    assert [one.json["type"] for one in receiver.at(of_contacts.path)] == ["contact.created"]


def test_every_endpoint_gets_the_event_under_the_same_id(book: Book, receiver: Receiver) -> None:
    hooks = [book.hook() for _ in range(3)]
    book.happen()
    ids = {receiver.wait_for(1, hook.path)[0].id for hook in hooks}
    assert len(ids) == 1


def test_nothing_is_delivered_of_a_change_that_did_not_happen(book: Book, receiver: Receiver) -> None:
    hook = book.hook()
    (client_id,) = book.happen()
    late = {"If-Match": '"7"'}
    refusal(book.owner.patch(f"/clients/{client_id}", {"notes": "x"}, headers=late), 412, "PRECONDITION_FAILED")
    refusal(book.owner.post("/clients", {"clientType": "COMPANY"}), 400, "VALIDATION_ERROR")
    data(book.owner.post(f"/clients/{client_id}/archive"))
    receiver.wait_for(2, hook.path)
    assert [one.json["type"] for one in receiver.at(hook.path)] == ["client.created", "client.archived"]


def test_a_failure_is_tried_again_after_five_seconds_with_the_same_id_and_body(book: Book, receiver: Receiver) -> None:
    hook = book.hook()
    receiver.plan(hook.path, Reply(500, body=b"no\x00t now"), OK)
    book.happen()
    first, second = receiver.wait_for(2, hook.path)
    assert (first.id, first.body) == (second.id, second.body)
    assert 3.9 <= second.at - first.at <= 6.6
    assert sent_at(second) > sent_at(first)
    assert first.headers["webhook-signature"] != second.headers["webhook-signature"]
    (line,) = hook.wait_ended()
    assert (line["state"], line["attemptCount"]) == ("DELIVERED", 2)
    failed, delivered = book.delivery(line["id"])["attempts"]
    assert (failed["statusCode"], failed["error"], failed["response"]) == (500, "STATUS", "no\ufffdt now")
    assert (delivered["statusCode"], delivered["error"]) == (200, None)


@pytest.mark.parametrize(
    ("reply", "status", "error"),
    [
        (Reply(302, {"Location": "/elsewhere"}), 302, "STATUS"),
        (Reply(404), 404, "STATUS"),
        (RESET, None, "UNREACHABLE"),
        (Reply(200, {"Content-Type": "text/plain"}, megabytes=100), 200, None),
    ],
    ids=["redirect", "not found", "reset", "endless"],
)
def test_only_2xx_is_success_and_nothing_is_followed(
    book: Book, receiver: Receiver, reply: Reply, status: int | None, error: str | None
) -> None:
    hook = book.hook()
    receiver.plan(hook.path, reply)
    found = hook.post("test")
    (line,) = hook.wait_ended()
    assert line["id"] == found["id"]
    assert (line["lastAttempt"]["statusCode"], line["lastAttempt"]["error"]) == (status, error)
    assert len(line["lastAttempt"]["response"] or "") <= 2048
    assert line["state"] == ("FAILED" if error else "DELIVERED")
    assert receiver.at("/elsewhere") == []


@pytest.mark.slow
def test_a_receiver_that_hangs_is_given_fifteen_seconds(book: Book, receiver: Receiver) -> None:
    hook = book.hook()
    receiver.plan(hook.path, HANG)
    hook.post("test")
    until(lambda: hook.deliveries()[0]["state"] == "FAILED", 20)
    attempt = hook.deliveries()[0]["lastAttempt"]
    assert (attempt["statusCode"], attempt["error"], attempt["response"]) == (None, "TIMED_OUT", None)
    assert 14_500 <= attempt["durationMs"] <= 17_000


def test_410_disables_at_once_and_cancels_the_rest(book: Book, receiver: Receiver) -> None:
    hook = book.hook()
    receiver.plan(hook.path, Reply(500), Reply(500), Reply(410))
    book.happen(2)
    receiver.wait_for(2, hook.path)
    book.happen()
    until(lambda: hook.now["status"] == "DISABLED")
    assert hook.now["disabledBecause"] == "GONE"
    assert hook.now["disabledAt"] is not None
    assert hook.now["version"] == 2
    until(lambda: all(one["state"] != "PENDING" for one in hook.deliveries()))
    assert sorted(one["state"] for one in hook.deliveries()) == ["CANCELLED", "CANCELLED", "FAILED"]
    book.happen()
    assert len(hook.deliveries()) == 3


def test_a_disabled_endpoint_gets_nothing_until_it_is_enabled_and_replayed(book: Book, receiver: Receiver) -> None:
    hook, other = book.hook(), book.hook()
    assert hook.patch(status="DISABLED")["disabledBecause"] == "REQUESTED"
    book.happen(2)
    receiver.wait_for(2, other.path)
    refusal(book.owner.post(f"/webhooks/{hook.id}/replay", {"since": "2024-01-01T00:00:00Z"}), 400, "VALIDATION_ERROR")
    enabled = hook.patch(status="ENABLED")
    assert (enabled["disabledBecause"], enabled["disabledAt"], enabled["failingSince"]) == (None, None, None)
    assert receiver.at(hook.path) == []
    assert hook.replay_all(which="UNDELIVERED") == 2
    assert {one.id for one in receiver.wait_for(2, hook.path)} == {one.id for one in receiver.at(other.path)}


def test_a_deleted_endpoint_gets_nothing_more(book: Book, receiver: Receiver) -> None:
    hook, other = book.hook(), book.hook()
    receiver.plan(hook.path, Reply(500))
    book.happen()
    receiver.wait_for(1, hook.path)
    data(book.owner.delete(f"/webhooks/{hook.id}"))
    rows = select(book.server, "select 1 from webhook_deliveries where webhook_id = $1", hook.id)
    assert rows == []
    book.happen()
    receiver.wait_for(2, other.path)
    assert len(receiver.at(hook.path)) == 1


def test_a_test_event_is_signed_tried_once_and_reaches_a_disabled_endpoint(book: Book, receiver: Receiver) -> None:
    hook = book.hook("contact.created", "reminder.due")
    hook.patch(status="DISABLED")
    receiver.plan(hook.path, OK, Reply(503))
    sent = hook.post("test", {"type": "opportunity.won"})
    assert (sent["isTest"], sent["eventType"], sent["state"]) == (True, "opportunity.won", "PENDING")
    (request,) = receiver.wait_for(1, hook.path)
    assert Webhook(hook.secret).verify(request.body, dict(request.headers))["type"] == "opportunity.won"
    assert request.json == sent["payload"]
    assert hook.post("test")["eventType"] == "contact.created"
    failed, delivered = hook.wait_ended(2)
    assert (delivered["state"], failed["state"], failed["attemptCount"]) == ("DELIVERED", "FAILED", 1)


def test_a_replay_keeps_the_id_and_the_body(book: Book, receiver: Receiver) -> None:
    hook = book.hook()
    book.happen()
    (line,) = hook.wait_ended()
    again = data(book.owner.post(f"/webhooks/deliveries/{line['id']}/replay"))
    assert (again["state"], again["attemptCount"]) == ("PENDING", 1)
    assert again["replayedAt"] is not None
    first, second = receiver.wait_for(2, hook.path)
    assert (first.id, first.body) == (second.id, second.body)
    until(lambda: hook.deliveries()[0]["state"] == "DELIVERED")
    assert [one["number"] for one in book.delivery(line["id"])["attempts"]] == [1, 2]


def test_all_events_since_a_time_are_replayed_each_once(book: Book, receiver: Receiver) -> None:
    book.happen(2)  # before there was anybody to tell
    hook = book.hook("client.created")
    ids = book.happen()
    make.contact(book.owner, ids[0])  # not asked for
    hook.wait_ended()
    assert hook.replay_all() == 3
    receiver.wait_for(4, hook.path)
    until(lambda: [one["state"] for one in hook.deliveries()] == ["DELIVERED"] * 3)
    assert len(receiver.at(hook.path)) == 4
    assert len({one.id for one in receiver.at(hook.path)}) == 3


def test_a_replay_of_what_is_missing_leaves_out_what_was_delivered(book: Book, receiver: Receiver) -> None:
    book.happen(2)
    hook = book.hook()
    book.happen()
    hook.wait_ended()
    assert hook.replay_all(which="UNDELIVERED") == 2
    receiver.wait_for(3, hook.path)
    assert len({one.id for one in receiver.at(hook.path)}) == 3


def test_rotation_signs_with_both_secrets_for_a_day(book: Book, receiver: Receiver) -> None:
    hook = book.hook()
    rotated = hook.post("rotate-secret")
    new = rotated["secret"]
    assert new != hook.secret
    assert rotated["oldSecretsSignUntil"] is not None
    book.happen()
    (request,) = receiver.wait_for(1, hook.path)
    for secret in (new, hook.secret):
        Webhook(secret).verify(request.body, dict(request.headers))
    first, _ = request.headers["webhook-signature"].split(" ")
    assert Webhook(new).sign(request.id, sent_at(request), request.body.decode()) == first
    last = hook.post("rotate-secret", {"expireImmediately": True})
    assert last["oldSecretsSignUntil"] is None
    book.happen()
    request = receiver.wait_for(2, hook.path)[1]
    Webhook(last["secret"]).verify(request.body, dict(request.headers))
    for secret in (new, hook.secret):
        with pytest.raises(WebhookVerificationError):
            Webhook(secret).verify(request.body, dict(request.headers))
