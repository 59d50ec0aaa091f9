"""Bad inputs of webhooks: each is refused with words that say what is wrong and what to do."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from soloist.events.model import TYPES
from soloist.infra.errors import REGISTRY
from soloist.infra.times import wire
from tests.book import select
from tests.people import Member, data, faults
from tests.serving import Served
from tests.wire import refused

PUBLIC = "https://8.8.8.8/hook"  # allowed and never sent to
NOT_ALLOWED = [
    "http://localhost",
    "https://localhost:8443/x",
    "https://10.0.0.1",
    "https://[::1]/",
    "https://0x7f000001",
    "https://2130706433/",
    "https://127.1",
    "https://169.254.169.254/latest/meta-data",
    "https://[::ffff:10.0.0.1]/",
    "https://[fd00::1]/",
    "http://8.8.8.8/",
    "gopher://8.8.8.8/",
    "file:///etc/passwd",
    "javascript:alert(1)",
    "https://user:password@8.8.8.8/",
    "https://8.8.8.8:22/",
    "https://" + "a" * 2048,
    "https://8.8.8.8/with space",
    "//8.8.8.8/",
    "8.8.8.8",
    "",
]


@pytest.mark.parametrize("url", NOT_ALLOWED, ids=[url[:40] for url in NOT_ALLOWED])
def test_99_an_address_that_may_not_be_sent_to(alice: Member, url: str) -> None:
    """One sentence for all of them."""
    answer = alice.post("/webhooks", {"url": url, "events": ["*"]})
    error = refused(answer, 400, "WEBHOOK_URL_NOT_ALLOWED")
    assert error["message"] == REGISTRY["WEBHOOK_URL_NOT_ALLOWED"].text
    assert "details" not in error
    made = data(alice.post("/webhooks", {"url": PUBLIC, "events": ["*"]}), 201)
    refused(alice.patch(f"/webhooks/{made['id']}", {"url": url}), 400, "WEBHOOK_URL_NOT_ALLOWED")
    assert data(alice.get("/webhooks"))["total"] == 1


EVENTS: dict[str, tuple[Any, str]] = {
    "none": ([], "at least one"),
    "unknown": (["client.deleted"], "'client.deleted' is not an event type"),
    "near miss": (["client.create"], "did you mean client.created?"),
    "no list": ("client.created", "must be a list"),
    "a number": ([1], "an event type is a string"),
    "null": (None, "must be a list"),
    "an object": ({"client.created": True}, "must be a list"),
    "in capitals": (["CLIENT.CREATED"], "is not an event type"),
}


@pytest.mark.parametrize(("events", "words"), EVENTS.values(), ids=EVENTS)
def test_100_events_that_there_are_not(alice: Member, events: Any, words: str) -> None:
    told = faults(alice.post("/webhooks", {"url": PUBLIC, "events": events}))
    assert words in told["events"]
    assert all(kind in told["events"] for kind in TYPES)


@pytest.mark.parametrize(
    ("events", "kept"),
    [
        (["*"], ["*"]),
        (["client.created", "client.created"], ["client.created"]),
        (["client.created", "*"], ["*"]),
        (list(TYPES) * 2, list(TYPES)),
    ],
)
def test_100_events_are_folded(alice: Member, events: list[str], kept: list[str]) -> None:
    assert data(alice.post("/webhooks", {"url": PUBLIC, "events": events}), 201)["events"] == kept


@pytest.mark.parametrize("secret", ["12345678", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "not base64!", None, 5])
def test_101_a_secret_of_ones_own(alice: Member, secret: Any) -> None:
    told = faults(alice.post("/webhooks", {"url": PUBLIC, "events": ["*"], "secret": secret}))
    assert "whsec_" in told["secret"]
    assert "24 to 64" in told["secret"]
    assert "leave it out" in told["secret"]
    made = data(alice.post("/webhooks", {"url": PUBLIC, "events": ["*"]}), 201)
    assert "rotate-secret" in faults(alice.patch(f"/webhooks/{made['id']}", {"secret": secret}))["secret"]


def test_102_a_delivery_older_than_the_log(server: Served, alice: Member) -> None:
    made = data(alice.post("/webhooks", {"url": PUBLIC, "events": ["*"]}), 201)
    sent = data(alice.post(f"/webhooks/{made['id']}/test"))
    select(server, "delete from webhook_deliveries where id = $1 returning id", sent["id"])
    error = refused(alice.post(f"/webhooks/deliveries/{sent['id']}/replay"), 404, "DELIVERY_NOT_FOUND")
    assert "30 days" in error["message"]


def test_102_a_replay_reaches_thirty_days_back_and_not_into_the_future(alice: Member) -> None:
    path = f"/webhooks/{data(alice.post('/webhooks', {'url': PUBLIC, 'events': ['*']}), 201)['id']}/replay"
    now = datetime.now(UTC)
    for since in (now - timedelta(days=31), now + timedelta(hours=1)):
        assert "last 30 days" in faults(alice.post(path, {"since": wire(since)}))["since"]
    assert "required" in faults(alice.post(path, {}))["since"]
    assert "offset" in faults(alice.post(path, {"since": "2024-01-01"}))["since"]
    assert "ALL, UNDELIVERED" in faults(alice.post(path, {"since": wire(now), "which": "SOME"}))["which"]
    assert data(alice.post(path, {"since": wire(now - timedelta(days=29))}))["events"] == 0


def test_102_a_thousand_replays_at_once_are_one_job(server: Served, alice: Member) -> None:
    made = data(alice.post("/webhooks", {"url": PUBLIC, "events": ["*"]}), 201)
    for _ in range(3):
        data(alice.post("/clients", {"clientType": "COMPANY", "source": "MANUAL", "companyName": "Acme"}), 201)
    since = wire(datetime.now(UTC) - timedelta(hours=1))
    before = select(server, "select 1 from pgqueuer where entrypoint = 'webhooks.replay'")
    assert data(alice.post(f"/webhooks/{made['id']}/replay", {"since": since}))["events"] == 3
    assert len(select(server, "select 1 from pgqueuer where entrypoint = 'webhooks.replay'")) == len(before) + 1


def test_103_the_21st_endpoint(alice: Member) -> None:
    for _ in range(20):
        data(alice.post("/webhooks", {"url": PUBLIC, "events": ["*"]}), 201)
    assert "at most 20" in faults(alice.post("/webhooks", {"url": PUBLIC, "events": ["*"]}))[""]


OTHER: dict[str, tuple[str, str, Any, str, str]] = {
    "no url": ("POST", "", {"events": ["*"]}, "url", "required"),
    "no events": ("POST", "", {"url": PUBLIC}, "events", "required"),
    "url is no string": ("POST", "", {"url": 5, "events": ["*"]}, "url", "must be a string"),
    "unknown field": ("POST", "", {"url": PUBLIC, "events": ["*"], "event": "x"}, "event", "did you mean events?"),
    "status on create": ("POST", "", {"url": PUBLIC, "events": ["*"], "status": "ENABLED"}, "status", "read-only"),
    "long description": ("POST", "", {"url": PUBLIC, "events": ["*"], "description": "x" * 256}, "description", "255"),
    "nothing to change": ("PATCH", "/{id}", {}, "", "at least one"),
    "unknown status": ("PATCH", "/{id}", {"status": "PAUSED"}, "status", "ENABLED, DISABLED"),
    "null url": ("PATCH", "/{id}", {"url": None}, "url", "must be a string"),
    "read-only": ("PATCH", "/{id}", {"failingSince": None}, "failingSince", "read-only"),
    "unknown type of test": ("POST", "/{id}/test", {"type": "ping"}, "type", "is not an event type"),
    "all types as a test": ("POST", "/{id}/test", {"type": "*"}, "type", "is not an event type"),
    "rotation with a secret": ("POST", "/{id}/rotate-secret", {"secret": "x"}, "secret", "leave it out"),
    "rotation, maybe": ("POST", "/{id}/rotate-secret", {"expireImmediately": "yes"}, "expireImmediately", "true or"),
}


@pytest.mark.parametrize(("method", "path", "body", "field", "words"), OTHER.values(), ids=OTHER)
def test_other_faults(alice: Member, method: str, path: str, body: Any, field: str, words: str) -> None:
    made = data(alice.post("/webhooks", {"url": PUBLIC, "events": ["*"]}), 201)
    told = faults(alice.request(method, f"/webhooks{path.format(**made)}", json=body))
    assert words in told[field]
