"""The document's section "Documents": its JSON blocks sent and matched as they stand there."""

from urllib.parse import urlsplit

from tests import make
from tests.contract import blocks
from tests.contract.matching import create, filled, parsed, resembles, send
from tests.documents.samples import pdf
from tests.documents.sending import download, record
from tests.documents.sending import send as send_file
from tests.opportunities.deals import deal
from tests.people import Member, data


def proposal(owner: Member) -> str:
    """The document's example, of a client and its deal."""
    client_id = make.client(owner)["id"]
    opportunity_id = deal(owner, clientId=client_id)["id"]
    return filled(blocks.CREATE_DOCUMENT, clientId=client_id, opportunityId=opportunity_id)


def test_create_document(alice: Member) -> None:
    made = create(alice, "/documents", proposal(alice))
    assert data(alice.get(f"/documents/{made['id']}")) == made
    assert made["isExternal"] is True
    link = data(alice.get(f"/documents/{made['id']}/download"))
    assert link["downloadUrl"] == parsed(blocks.CREATE_DOCUMENT)["fileUrl"]


def test_get_upload_url(alice: Member) -> None:
    """The addresses are of this server, and good for the way from bytes to document."""
    client_id = make.client(alice)["id"]
    place = send(alice, "POST", "/documents/upload-url", filled(blocks.ASK_UPLOAD_URL, clientId=client_id))
    documented = parsed(blocks.UPLOAD_URL)["data"]
    resembles(place, documented)
    for name, url in documented.items():
        shown, ours = urlsplit(url), urlsplit(place[name])
        assert (shown.hostname is not None, bool(shown.query)) == (ours.hostname is not None, bool(ours.query))
    assert "/crm/" in place["fileUrl"]
    assert send_file(place, pdf()).status_code == 200
    document = data(record(alice, client_id, place["fileUrl"]), 201)
    assert download(alice, document["id"]).content == pdf()


def test_get_recent_documents(alice: Member) -> None:
    made = [create(alice, "/documents", proposal(alice)) for _ in range(11)]
    assert data(alice.get("/documents/recent")) == made[:0:-1]


def test_get_document_statistics(alice: Member) -> None:
    for _ in range(2):
        create(alice, "/documents", proposal(alice))
    size = parsed(blocks.CREATE_DOCUMENT)["fileSize"]
    assert data(alice.get("/documents/stats")) == {
        "total": 2,
        "totalSize": 2 * size,
        "byType": {"PROPOSAL": 2},
        "recentCount": 2,
    }
