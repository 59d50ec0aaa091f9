"""Whatever arrives is judged by its bytes, over HTTP: what is honest gets in, all else leaves nothing behind."""

import io
import time
import zipfile

import pytest

from soloist.documents.archives import MAX_UNPACKED
from soloist.documents.contents import examine
from soloist.documents.kinds import ALLOWED, KINDS, DocumentType, ending_of
from tests import make
from tests.documents.hostile import HOSTILE, MB
from tests.documents.samples import HONEST, archive, noise
from tests.documents.sending import download, files, record, send, target, upload
from tests.people import Member, data, refusal
from tests.serving import Served

# The table of the rules, written out.
TABLE = {
    "CONTRACT": "pdf doc docx",
    "AGREEMENT": "pdf doc docx",
    "PROPOSAL": "pdf doc docx ppt pptx",
    "INVOICE": "pdf doc docx xls xlsx",
    "RECEIPT": "pdf png jpg jpeg",
    "BRIEF": "pdf doc docx txt md",
    "DELIVERABLE": "pdf zip png jpg jpeg psd ai fig",
    "FEEDBACK": "pdf doc docx txt md png jpg jpeg",
    "OTHER": "pdf doc docx xls xlsx ppt pptx png jpg jpeg txt md zip psd ai fig",
}


@pytest.mark.parametrize("what", HONEST)
def test_honest_file_is_taken_and_comes_back_as_it_was(alice: Member, what: str) -> None:
    name, kind, content = HONEST[what]
    client = make.client(alice)
    document = upload(alice, client["id"], content, fileName=name, documentType=kind)
    assert document["fileSize"] == len(content)
    assert document["mimeType"] == KINDS[ending_of(name)].media_type
    assert document["isExternal"] is False
    answer = download(alice, document["id"])
    assert answer.content == content
    assert answer.headers["content-type"].partition(";")[0] == document["mimeType"]


@pytest.mark.parametrize("what", HOSTILE)
def test_hostile_file_is_refused_and_leaves_nothing(server: Served, alice: Member, what: str) -> None:
    name, kind, content, found = HOSTILE[what]
    client = make.client(alice)
    before = files(server)
    place = target(alice, client["id"], fileName=name, documentType=kind)
    error = refusal(send(place, content() if callable(content) else content), 400, "INVALID_DOCUMENT_TYPE")
    assert found in error["message"]
    assert name in error["message"]
    assert error["details"]["allowed"] == TABLE[kind].split()
    assert files(server) == before
    again = refusal(
        record(alice, client["id"], place["fileUrl"], fileName=name, documentType=kind), 400, "VALIDATION_ERROR"
    )
    assert "holds nothing yet" in again["message"]


def test_there_are_enough_of_both() -> None:
    assert len(HONEST) >= 20
    assert {ending_of(name) for name, _, _ in HONEST.values()} == set(KINDS)
    assert len(HOSTILE) >= 40


def test_address_takes_the_right_file_after_a_wrong_one(alice: Member) -> None:
    client = make.client(alice)
    place = target(alice, client["id"])
    refusal(send(place, b"no contract"), 400, "INVALID_DOCUMENT_TYPE")
    assert send(place, HONEST["pdf"][2]).status_code == 200


@pytest.mark.parametrize("kind", TABLE)
def test_each_type_takes_just_its_endings(alice: Member, kind: str) -> None:
    client = make.client(alice)
    assert " ".join(ALLOWED[DocumentType(kind)]) == TABLE[kind]
    for ending in KINDS:
        body = {"clientId": client["id"], "fileName": f"file.{ending}", "documentType": kind}
        answer = alice.post("/documents/upload-url", body)
        if ending in TABLE[kind].split():
            assert data(answer)["maxSize"] == 50 * MB
        else:
            error = refusal(answer, 400, "INVALID_DOCUMENT_TYPE")
            assert error["details"] == {"documentType": kind, "allowed": TABLE[kind].split(), "found": ending}


def test_file_is_judged_again_for_the_name_and_type_it_is_recorded_under(alice: Member) -> None:
    client = make.client(alice)
    name, kind, content = HONEST["pdf"]
    place = target(alice, client["id"], fileName=name, documentType=kind)
    send(place, content)
    error = refusal(record(alice, client["id"], place["fileUrl"], fileName="a.docx"), 400, "INVALID_DOCUMENT_TYPE")
    assert "what arrived is a file of type pdf" in error["message"]
    refusal(
        record(alice, client["id"], place["fileUrl"], fileName="a.png", documentType="RECEIPT"),
        400,
        "INVALID_DOCUMENT_TYPE",
    )
    made = data(record(alice, client["id"], place["fileUrl"], fileName="logo.ai", documentType="DELIVERABLE"), 201)
    assert made["mimeType"] == "application/vnd.adobe.illustrator"


def test_size_that_is_claimed_of_an_upload_is_not_believed(alice: Member) -> None:
    client = make.client(alice)
    content = HONEST["pdf"][2]
    assert upload(alice, client["id"], content, fileSize=1, mimeType="application/pdf")["fileSize"] == len(content)


@pytest.mark.slow
def test_judging_the_most_that_may_be_unpacked_takes_seconds() -> None:
    """Three archives inside each other, each unpacking to a third of what is allowed."""
    third = MAX_UNPACKED // 3 - MB
    inner = archive({"a": bytes(third - MB), "n": noise(MB)})
    target_file = io.BytesIO()
    with zipfile.ZipFile(target_file, "w", zipfile.ZIP_STORED) as made:
        made.writestr("a.zip", inner)
        made.writestr("b.zip", inner)
        made.writestr("n", noise(2 * MB))
    started = time.process_time()
    found = examine(target_file)
    assert found.endings == {"zip"}
    assert time.process_time() - started < 5
