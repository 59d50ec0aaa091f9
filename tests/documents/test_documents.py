"""Documents over HTTP: recorded, listed, changed, removed; what they leave in the history."""

from typing import Any
from uuid import uuid4

import pytest

from tests import make
from tests.book import select
from tests.documents.samples import HONEST, pdf
from tests.documents.sending import deal, download, fetch, files, link, record, send, target, upload
from tests.people import Member, data, faults, refusal
from tests.serving import Served, SettableClock

# The API document's own example; its ids are filled in.
EXAMPLE = {
    "documentType": "PROPOSAL",
    "fileName": "proposal_v2.pdf",
    "fileUrl": "https://storage.example.com/proposal_v2.pdf",
    "fileSize": 1048576,
    "mimeType": "application/pdf",
    "description": "Updated proposal with revised pricing",
    "tags": ["proposal", "v2"],
}


def events(server: Served, person: Member, kind: str) -> list[str]:
    sql = "select body from events where account_id = $1::text::uuid and type = $2 order by id"
    return [row["body"] for row in select(server, sql, person.account["id"], kind)]


def test_example_of_the_document_is_recorded_as_it_stands(alice: Member) -> None:
    client = make.client(alice)
    opportunity = deal(alice, client["id"])
    sent = {"clientId": client["id"], "opportunityId": opportunity["id"], **EXAMPLE}
    answer = alice.post("/documents", sent)
    made = data(answer, 201)
    assert {name: made[name] for name in sent} == sent
    assert made["isExternal"] is True
    assert made["version"] == 1
    assert answer.headers["location"] == f"/api/cockpit/documents/{made['id']}"
    assert answer.headers["etag"] == '"1"'
    assert data(alice.get(f"/documents/{made['id']}")) == made


def test_link_is_never_fetched_and_downloads_as_itself(alice: Member) -> None:
    client = make.client(alice)
    url = "http://127.0.0.1:9/nobody/listens.pdf?X-Amz-Signature=a%2Fb"
    document = link(alice, client["id"], fileUrl=url)
    assert document["fileSize"] is None
    assert document["mimeType"] == "application/pdf"
    assert data(alice.get(f"/documents/{document['id']}/download")) == {"downloadUrl": url, "expiresAt": None}


@pytest.mark.parametrize(
    ("fields", "found"),
    [
        ({"fileName": "proposal.exe"}, "exe"),
        ({"fileName": "proposal.pdf.exe"}, "exe"),
        ({"fileName": "proposal.exe.pdf"}, "exe"),
        ({"fileName": "proposal"}, None),
        ({"fileName": "proposal.pdf."}, None),
        ({"mimeType": "text/html"}, "text/html"),
        ({"mimeType": "image/png"}, "image/png"),
        ({"mimeType": "application/octet-stream"}, "application/octet-stream"),
    ],
)
def test_what_a_link_claims_is_judged(alice: Member, fields: dict[str, Any], found: str | None) -> None:
    client = make.client(alice)
    error = refusal(
        alice.post("/documents", {"clientId": client["id"], **EXAMPLE, **fields}), 400, "INVALID_DOCUMENT_TYPE"
    )
    assert error["details"]["allowed"] == ["pdf", "doc", "docx", "ppt", "pptx"]
    assert error["details"]["found"] == found


def test_media_type_may_have_another_name_case_or_parameters(alice: Member) -> None:
    client = make.client(alice)
    for claimed in ("Application/PDF", "application/x-pdf", "application/pdf; version=1.7"):
        assert link(alice, client["id"], mimeType=claimed)["mimeType"] == "application/pdf"


def test_upload_is_recorded_once(alice: Member) -> None:
    client = make.client(alice)
    place = target(alice, client["id"])
    assert send(place, pdf()).status_code == 200
    document = data(record(alice, client["id"], place["fileUrl"], tags=["signed", "signed", "2024"]), 201)
    assert document["fileUrl"] == place["fileUrl"]
    assert document["tags"] == ["signed", "2024"]
    assert "already" in faults(record(alice, client["id"], place["fileUrl"]))["fileUrl"]
    data(alice.delete(f"/documents/{document['id']}"))
    assert "already" in faults(record(alice, client["id"], place["fileUrl"]))["fileUrl"]


def test_repeated_record_with_a_key_is_answered_again(alice: Member) -> None:
    client = make.client(alice)
    place = target(alice, client["id"])
    send(place, pdf())
    body = {"clientId": client["id"], "fileName": "a.pdf", "documentType": "CONTRACT", "fileUrl": place["fileUrl"]}
    first = alice.post("/documents", body, headers={"Idempotency-Key": "k1"})
    again = alice.post("/documents", body, headers={"Idempotency-Key": "k1"})
    assert data(again, 201) == data(first, 201)
    assert again.headers["idempotency-replayed"] == "true"
    assert data(alice.get("/documents"))["total"] == 1
    asked = {"clientId": client["id"], "fileName": "a.pdf", "documentType": "BRIEF"}
    answers = [alice.post("/documents/upload-url", asked, headers={"Idempotency-Key": "k2"}) for _ in range(2)]
    assert answers[0].content == answers[1].content


def test_address_of_an_upload_is_known_under_any_host(alice: Member) -> None:
    client = make.client(alice)
    place = target(alice, client["id"])
    send(place, pdf())
    elsewhere = place["fileUrl"].replace("127.0.0.1", "localhost")
    document = data(record(alice, client["id"], elsewhere), 201)
    assert document["isExternal"] is False
    assert document["fileUrl"] == place["fileUrl"]


def test_upload_of_another_account_or_client_can_not_be_recorded(alice: Member, bob: Member) -> None:
    hers, other, his = make.client(alice), make.client(alice, companyName="Other"), make.client(bob)
    place = target(alice, hers["id"])
    send(place, pdf())
    foreign = refusal(record(bob, his["id"], place["fileUrl"]), 400, "VALIDATION_ERROR")
    unknown = place["fileUrl"].replace(place["fileUrl"][-16:-4], "0" * 12)
    missing = refusal(record(bob, his["id"], unknown), 400, "VALIDATION_ERROR")
    assert foreign["details"] == missing["details"]
    assert "no upload of yours" in foreign["message"]
    assert "another client" in faults(record(alice, other["id"], place["fileUrl"]))["fileUrl"]
    assert data(record(alice, hers["id"], place["fileUrl"]), 201)["isExternal"] is False


def test_upload_is_given_up_after_a_day(alice: Member, clock: SettableClock) -> None:
    client = make.client(alice)
    place = target(alice, client["id"])
    send(place, pdf())
    token = data(alice.post("/me/api-keys", {"name": "k", "scopes": ["write"]}), 201)["key"]
    alice.token = token
    clock.advance(hours=24, seconds=1)
    assert "given up" in faults(record(alice, client["id"], place["fileUrl"]))["fileUrl"]


def test_opportunity_is_of_the_same_client(alice: Member, bob: Member) -> None:
    client, other, his = make.client(alice), make.client(alice, companyName="Other"), make.client(bob)
    own, foreign, unlike = deal(alice, client["id"]), deal(bob, his["id"]), deal(alice, other["id"])
    document = link(alice, client["id"], opportunityId=own["id"])
    for method, path, body in (
        ("POST", "/documents", {"clientId": client["id"], **EXAMPLE}),
        ("POST", "/documents/upload-url", {"clientId": client["id"], "fileName": "a.pdf", "documentType": "BRIEF"}),
        ("PATCH", f"/documents/{document['id']}", {}),
    ):
        answer = alice.request(method, path, json={**body, "opportunityId": unlike["id"]})
        assert "another client" in faults(answer)["opportunityId"]
        for unknown in (foreign["id"], str(uuid4())):
            answer = alice.request(method, path, json={**body, "opportunityId": unknown})
            refusal(answer, 404, "OPPORTUNITY_NOT_FOUND")


def test_client_of_another_account_is_missing(alice: Member, bob: Member) -> None:
    hers = make.client(alice)
    refusal(bob.post("/documents", {"clientId": hers["id"], **EXAMPLE}), 404, "CLIENT_NOT_FOUND")
    body = {"clientId": hers["id"], "fileName": "a.pdf", "documentType": "CONTRACT"}
    refusal(bob.post("/documents/upload-url", body), 404, "CLIENT_NOT_FOUND")


def test_archived_client_takes_and_loses_no_document(alice: Member) -> None:
    client = make.client(alice)
    document = upload(alice, client["id"])
    place = target(alice, client["id"])
    send(place, pdf())
    data(alice.post(f"/clients/{client['id']}/archive"))
    for answer in (
        alice.post("/documents", {"clientId": client["id"], **EXAMPLE}),
        record(alice, client["id"], place["fileUrl"]),
        alice.post("/documents/upload-url", {"clientId": client["id"], "fileName": "a.pdf", "documentType": "BRIEF"}),
        alice.patch(f"/documents/{document['id']}", {"tags": ["x"]}),
        alice.delete(f"/documents/{document['id']}"),
    ):
        refusal(answer, 400, "CLIENT_ARCHIVED")
    assert download(alice, document["id"]).status_code == 200
    data(alice.post(f"/clients/{client['id']}/restore"))
    data(record(alice, client["id"], place["fileUrl"]), 201)


def test_patch_changes_what_is_sent_and_keeps_the_file(alice: Member) -> None:
    client = make.client(alice)
    opportunity = deal(alice, client["id"])
    document = upload(alice, client["id"])
    path = f"/documents/{document['id']}"
    changed = data(alice.patch(path, {"fileName": "signed.pdf", "documentType": "AGREEMENT", "description": "Signed",
                                      "tags": ["a"], "opportunityId": opportunity["id"]}))  # fmt: skip
    assert changed == {**document, "fileName": "signed.pdf", "documentType": "AGREEMENT", "description": "Signed",
                       "tags": ["a"], "opportunityId": opportunity["id"], "version": 2,
                       "updatedAt": changed["updatedAt"]}  # fmt: skip
    same = alice.patch(path, {"fileName": "signed.pdf"})
    assert data(same)["version"] == 2
    cleared = data(alice.patch(path, {"description": None, "opportunityId": None}))
    assert (cleared["description"], cleared["opportunityId"], cleared["version"]) == (None, None, 3)
    answer = download(alice, document["id"])
    assert answer.content == pdf()
    assert 'filename="signed.pdf"' in answer.headers["content-disposition"]


def test_patch_can_not_make_the_file_another_kind(alice: Member) -> None:
    client = make.client(alice)
    name, kind, content = HONEST["zip"]
    document = upload(alice, client["id"], content, fileName=name, documentType=kind)
    path = f"/documents/{document['id']}"
    for body in ({"documentType": "CONTRACT"}, {"fileName": "site.pdf"}, {"fileName": "site"}):
        refusal(alice.patch(path, body), 400, "INVALID_DOCUMENT_TYPE")
    assert "read-only" in faults(alice.patch(path, {"fileSize": 1}))["fileSize"]
    assert "read-only" in faults(alice.patch(path, {"clientId": client["id"]}))["clientId"]
    assert "read-only" in faults(alice.patch(path, {"fileUrl": "https://x.com/a.zip"}))["fileUrl"]
    assert "at least one field" in faults(alice.patch(path, {}))[""]
    assert data(alice.patch(path, {"documentType": "OTHER", "fileName": "b.ZIP"}))["version"] == 2


def test_delete_removes_the_file_with_the_record(server: Served, alice: Member) -> None:
    client = make.client(alice)
    before = files(server)
    document = upload(alice, client["id"])
    url = data(alice.get(f"/documents/{document['id']}/download"))["downloadUrl"]
    assert len(files(server) - before) == 1
    assert data(alice.delete(f"/documents/{document['id']}")) == {"id": document["id"], "deleted": True}
    assert files(server) == before
    refusal(fetch(url), 404, "NOT_FOUND")
    refusal(alice.get(f"/documents/{document['id']}"), 404, "DOCUMENT_NOT_FOUND")
    refusal(alice.get(f"/documents/{document['id']}/download"), 404, "DOCUMENT_NOT_FOUND")
    refusal(alice.delete(f"/documents/{document['id']}"), 404, "DOCUMENT_NOT_FOUND")


def test_version_is_held_against_if_match(alice: Member) -> None:
    document = link(alice, make.client(alice)["id"])
    path = f"/documents/{document['id']}"
    assert data(alice.patch(path, {"tags": ["x"]}, headers={"If-Match": '"1"'}))["version"] == 2
    error = refusal(alice.patch(path, {"tags": ["y"]}, headers={"If-Match": '"1"'}), 412, "PRECONDITION_FAILED")
    assert error["details"]["currentVersion"] == 2
    refusal(alice.delete(path, headers={"If-Match": '"1"'}), 412, "PRECONDITION_FAILED")
    data(alice.delete(path, headers={"If-Match": '"2"'}))


def test_bob_sees_nothing_of_alices(alice: Member, bob: Member) -> None:
    document = upload(alice, make.client(alice)["id"])
    path = f"/documents/{document['id']}"
    for answer in (
        bob.get(path),
        bob.get(f"{path}/download"),
        bob.patch(path, {"tags": ["x"]}),
        bob.delete(path),
    ):
        refusal(answer, 404, "DOCUMENT_NOT_FOUND")
    assert data(bob.get("/documents"))["total"] == 0
    assert data(bob.get(f"/documents?clientId={document['clientId']}"))["documents"] == []
    assert data(bob.get("/documents/recent")) == []
    assert data(bob.get("/documents/stats")) == {"total": 0, "totalSize": 0, "byType": {}, "recentCount": 0}


def test_documents_and_deals_tell_what_happened(server: Served, alice: Member) -> None:
    client = make.client(alice)
    opportunity = deal(alice, client["id"])
    place = target(alice, client["id"], opportunityId=opportunity["id"])
    send(place, pdf())
    document = data(record(alice, client["id"], place["fileUrl"]), 201)
    assert document["opportunityId"] == opportunity["id"]  # as it was said for the upload
    newest, *_ = data(alice.get(f"/opportunities/{opportunity['id']}/activities"))["activities"]
    assert (newest["activityType"], newest["notes"]) == ("DOCUMENT_ADDED", "contract.pdf")
    [created] = events(server, alice, "document.created")
    assert f'"id":"{document["id"]}"' in created
    assert f'"fileSize":{len(pdf())}' in created
    data(alice.delete(f"/documents/{document['id']}"))
    [gone] = events(server, alice, "document.deleted")
    assert '"fileName":"contract.pdf"' in gone


def test_deleted_deal_leaves_its_documents(alice: Member) -> None:
    client = make.client(alice)
    opportunity = deal(alice, client["id"])
    document = link(alice, client["id"], opportunityId=opportunity["id"])
    place = target(alice, client["id"], opportunityId=opportunity["id"])
    send(place, pdf())
    data(alice.delete(f"/opportunities/{opportunity['id']}"))
    assert data(alice.get(f"/documents/{document['id']}"))["opportunityId"] is None
    assert data(record(alice, client["id"], place["fileUrl"]), 201)["opportunityId"] is None
