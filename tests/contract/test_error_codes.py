"""The document's table "Error Codes": each is produced over HTTP, with its status."""

from collections.abc import Callable, Iterator
from uuid import uuid4

import httpx2
import pytest

from soloist.examples.market import MARKET_ID
from tests import make
from tests.contract import tables
from tests.documents.samples import pdf
from tests.documents.sending import record, send, target
from tests.opportunities.deals import deal, move
from tests.people import Member, Person, data
from tests.reminders.tasks import LATER, act, reminder
from tests.wire import refused

Case = Callable[[Member], Iterator[httpx2.Response]]


def client_not_found(owner: Member) -> Iterator[httpx2.Response]:
    yield owner.get(f"/clients/{uuid4()}")
    yield owner.get(f"/clients/{uuid4()}/health-score")
    yield owner.patch(f"/clients/{uuid4()}", {"notes": "x"})
    for action in ("archive", "restore"):
        yield owner.post(f"/clients/{uuid4()}/{action}")
    yield owner.post(f"/clients/{uuid4()}/interactions", {"interactionType": "CALL", "subject": "x"})
    yield owner.post(f"/clients/{uuid4()}/contacts", {"firstName": "x"})
    stray = {"clientId": str(uuid4())}
    yield owner.post("/opportunities", {**stray, "title": "x", "source": "OTHER"})
    yield owner.post("/reminders", {**stray, "title": "x", "reminderType": "CUSTOM", "dueDate": LATER})
    yield record(owner, str(uuid4()), "https://storage.example.com/contract.pdf")
    yield owner.post("/documents/upload-url", {**stray, "fileName": "contract.pdf", "documentType": "CONTRACT"})


def client_already_exists(owner: Member) -> Iterator[httpx2.Response]:
    first = make.client(owner, email="contact@acme.com")
    second = make.client(owner)
    same = {"clientType": "COMPANY", "source": "MANUAL", "companyName": "Other", "email": "contact@acme.com"}
    yield owner.post("/clients", same)
    yield owner.patch(f"/clients/{second['id']}", {"email": "Contact@Acme.com"})
    data(owner.post(f"/clients/{first['id']}/archive"))
    yield owner.post("/clients", same)


def contact_not_found(owner: Member) -> Iterator[httpx2.Response]:
    path = f"/clients/{make.client(owner)['id']}/contacts/{uuid4()}"
    yield owner.get(path)
    yield owner.patch(path, {"firstName": "x"})
    yield owner.delete(path)


def opportunity_not_found(owner: Member) -> Iterator[httpx2.Response]:
    path = f"/opportunities/{uuid4()}"
    yield owner.get(path)
    yield owner.get(f"{path}/activities")
    yield owner.post(f"{path}/stage", {"stage": "WON"})


def opportunity_closed(owner: Member) -> Iterator[httpx2.Response]:
    for end in ("WON", "LOST"):
        path = f"/opportunities/{move(owner, deal(owner)['id'], end)['id']}"
        yield owner.post(f"{path}/stage", {"stage": "LEAD"})
        yield owner.patch(path, {"title": "x"})
        yield owner.delete(path)


def invalid_stage_transition(owner: Member) -> Iterator[httpx2.Response]:
    for stage in ("LEAD", "QUALIFIED", "PROPOSAL", "NEGOTIATION"):
        yield owner.post(f"/opportunities/{deal(owner, stage=stage)['id']}/stage", {"stage": stage})


def reminder_not_found(owner: Member) -> Iterator[httpx2.Response]:
    for action, body in (("complete", None), ("snooze", {"snoozeUntil": LATER}), ("cancel", None)):
        yield owner.post(f"/reminders/{uuid4()}/{action}", body)


def reminder_already_completed(owner: Member) -> Iterator[httpx2.Response]:
    path = f"/reminders/{act(owner, reminder(owner, LATER)['id'], 'complete')['id']}"
    for action, body in (("complete", None), ("snooze", {"snoozeUntil": LATER}), ("cancel", None)):
        yield owner.post(f"{path}/{action}", body)


def document_not_found(owner: Member) -> Iterator[httpx2.Response]:
    yield owner.get(f"/documents/{uuid4()}")
    yield owner.get(f"/documents/{uuid4()}/download")
    yield owner.delete(f"/documents/{uuid4()}")


def invalid_document_type(owner: Member) -> Iterator[httpx2.Response]:
    client_id = make.client(owner)["id"]
    yield record(owner, client_id, "https://storage.example.com/a.exe", fileName="contract.exe")
    yield owner.post(
        "/documents/upload-url", {"clientId": client_id, "fileName": "contract.png", "documentType": "CONTRACT"}
    )
    yield send(target(owner, client_id), b"<html>not a contract</html>")


def file_too_large(owner: Member) -> Iterator[httpx2.Response]:
    client_id = make.client(owner)["id"]
    yield record(owner, client_id, "https://storage.example.com/a.pdf", fileSize=50 * 1024 * 1024 + 1)
    yield send(target(owner, client_id, fileSize=100), pdf(bytes(1000)))


def access_denied(owner: Member) -> Iterator[httpx2.Response]:
    key = data(owner.post("/me/api-keys", {"name": "reader", "scopes": ["read"]}), 201)["key"]
    reader = Person(owner.url, key)
    data(reader.get("/clients"))
    yield reader.post("/clients", {"clientType": "COMPANY", "source": "MANUAL", "companyName": "Acme"})
    place = target(owner, make.client(owner)["id"])
    assert send(place, pdf()).status_code == 200
    yield send(place, pdf())


def sync_failed(owner: Member) -> Iterator[httpx2.Response]:
    data(owner.put("/me/market", {"token": "of-nobody"}))
    yield owner.post("/clients/sync")
    yield owner.post("/clients/import", {"platformClientId": MARKET_ID})
    yield owner.get("/clients/market")


def invalid_recurring_pattern(owner: Member) -> Iterator[httpx2.Response]:
    for pattern in (None, {}, {"frequency": "hourly"}, {"frequency": "monthly", "interval": 0}):
        body = {"title": "x", "reminderType": "CUSTOM", "dueDate": LATER, "isRecurring": True}
        yield owner.post("/reminders", {**body, "recurringPattern": pattern})


CASES: dict[str, Case] = {
    case.__name__.upper(): case
    for case in (
        client_not_found,
        client_already_exists,
        contact_not_found,
        opportunity_not_found,
        opportunity_closed,
        invalid_stage_transition,
        reminder_not_found,
        reminder_already_completed,
        document_not_found,
        invalid_document_type,
        file_too_large,
        access_denied,
        sync_failed,
        invalid_recurring_pattern,
    )
}


@pytest.mark.parametrize("code", tables.ERROR_CODES)
def test_code_is_answered_with_its_status(alice: Member, code: str) -> None:
    answers = list(CASES[code](alice))
    assert answers
    for answer in answers:
        if "/files/" in str(answer.url):  # outside the base, where the headers are others
            assert (answer.status_code, answer.json()["error"]["code"]) == (tables.ERROR_CODES[code], code)
        else:
            refused(answer, tables.ERROR_CODES[code], code)


@pytest.mark.parametrize("code", [code for code in tables.ERROR_CODES if code.endswith("_NOT_FOUND")])
def test_record_of_somebody_else_does_not_exist(alice: Member, bob: Member, code: str) -> None:
    client_id = make.client(bob)["id"]
    theirs = {
        "CLIENT_NOT_FOUND": f"/clients/{client_id}",
        "CONTACT_NOT_FOUND": f"/clients/{make.client(alice)['id']}/contacts/{make.contact(bob, client_id)['id']}",
        "OPPORTUNITY_NOT_FOUND": f"/opportunities/{deal(bob)['id']}",
        "REMINDER_NOT_FOUND": f"/reminders/{reminder(bob, LATER)['id']}",
        "DOCUMENT_NOT_FOUND": f"/documents/{data(record(bob, client_id, 'https://x.com/a.pdf'), 201)['id']}",
    }
    refused(alice.get(theirs[code]), 404, code)
