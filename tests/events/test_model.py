"""The types of events: all of the list, each documented, with a sample, and without what is nobody's business."""

import re

import pytest
from standardwebhooks import Webhook

from soloist.events import log
from soloist.events.model import TYPES
from soloist.infra.clock import system_clock
from soloist.subscriptions import BY_MAIL

ALL = {
    "client.created", "client.updated", "client.archived", "client.restored",
    "contact.created", "contact.updated", "contact.deleted",
    "interaction.created", "interaction.updated", "interaction.deleted",
    "opportunity.created", "opportunity.updated", "opportunity.stage_changed", "opportunity.won", "opportunity.lost",
    "opportunity.reopened", "opportunity.deleted",
    "reminder.created", "reminder.completed", "reminder.cancelled", "reminder.due", "reminder.overdue",
    "document.created", "document.deleted", "health.dropped", "sync.completed", "sync.failed",
}  # fmt: skip
PRIVATE = ("note", "phone", "address", "email", "description", "website", "metadata", "url", "outcome")
WITHOUT_RECORD = {"health.dropped", "sync.completed", "sync.failed"}  # and what was deleted


def test_there_are_just_the_events_of_the_list() -> None:
    assert TYPES.keys() == ALL


@pytest.mark.parametrize("name", TYPES)
def test_every_event_says_when_it_happens_and_what_each_field_means(name: str) -> None:
    kind = TYPES[name]
    assert re.fullmatch(r"[a-z_]+\.[a-z_]+", name)
    assert kind.__doc__
    assert kind.__doc__.endswith(".")
    for field, info in kind.model_fields.items():
        assert info.description, f"{name}: {field} has no meaning"
        assert info.examples, f"{name}: {field} has no example"
        assert not any(word in field for word in PRIVATE), f"{name} tells {field}"


@pytest.mark.parametrize("name", TYPES)
def test_sample_is_a_body_that_a_webhook_can_send(name: str) -> None:
    kind = TYPES[name]
    sample = kind.sample()
    assert kind.model_validate_json(sample.model_dump_json(by_alias=True)) == sample
    body = log.body(sample, system_clock())
    assert len(body) < 20_000
    assert body.startswith(f'{{"type":"{name}","timestamp":"2')
    signature = Webhook("whsec_" + "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").sign("evt_1", system_clock(), body)
    assert signature.startswith("v1,")


@pytest.mark.parametrize("name", TYPES)
def test_event_of_a_record_tells_its_version(name: str) -> None:
    has_record = name not in WITHOUT_RECORD and not name.endswith(".deleted")
    assert ("version" in TYPES[name].model_fields) is has_record


def test_events_told_by_mail_are_those_with_a_letter() -> None:
    assert {name for name, kind in TYPES.items() if kind.told_by_mail} == BY_MAIL.keys()
