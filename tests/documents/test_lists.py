"""Documents in lists and numbers: every filter, the newest ones, the statistics, and a client's own view."""

from uuid import uuid4

from tests import make
from tests.documents.samples import pdf
from tests.documents.sending import deal, link, upload
from tests.people import Member, data, faults, refusal
from tests.serving import SettableClock


def test_every_filter_narrows_the_list(alice: Member) -> None:
    one, two = make.client(alice), make.client(alice, companyName="Other")
    opportunity = deal(alice, one["id"])
    a = link(alice, one["id"], fileName="Über uns_v2.pdf", tags=["a", "b"], opportunityId=opportunity["id"])
    b = link(alice, one["id"], fileName="invoice.xlsx", documentType="INVOICE", tags=["a"], description="100% of May")
    c = link(alice, two["id"], fileName="pic.png", documentType="RECEIPT")

    def found(query: str) -> list[str]:
        page = data(alice.get(f"/documents?{query}"))
        assert page["total"] == len(page["documents"])
        return [document["id"] for document in page["documents"]]

    assert found("") == [c["id"], b["id"], a["id"]]
    assert found(f"clientId={one['id']}") == [b["id"], a["id"]]
    assert found(f"opportunityId={opportunity['id']}") == [a["id"]]
    assert found("documentType=CONTRACT,INVOICE") == [b["id"], a["id"]]
    assert found("documentType=CONTRACT&documentType=RECEIPT") == [c["id"], a["id"]]
    assert found("documentType[]=RECEIPT") == [c["id"]]
    assert found("tags=a") == [b["id"], a["id"]]
    assert found("tags=a,b") == [a["id"]]
    assert found("query=uber") == [a["id"]]
    assert found("query=v2 ber") == [a["id"]]
    assert found("query=100%25") == [b["id"]]
    assert found("query=pic may") == []
    assert found(f"clientId={uuid4()}") == []
    first = data(alice.get("/documents?limit=2"))
    assert first["total"] == 3
    rest = data(alice.get(f"/documents?limit=2&cursor={first['nextCursor']}"))
    assert [document["id"] for document in rest["documents"]] == [a["id"]]
    assert rest["nextCursor"] is None
    for query in ("documentType=SELFIE", "clientId=x", "sortBy=name", "limit=0"):
        refusal(alice.get(f"/documents?{query}"), 400, "VALIDATION_ERROR")


def test_recent_are_the_newest(alice: Member) -> None:
    client = make.client(alice)
    made = [link(alice, client["id"], fileName=f"{n}.pdf")["id"] for n in range(12)]
    assert [document["id"] for document in data(alice.get("/documents/recent"))] == made[:1:-1]
    assert [document["id"] for document in data(alice.get("/documents/recent?limit=2"))] == made[:9:-1]
    assert "1 to 100" in faults(alice.get("/documents/recent?limit=0"))["limit"]


def test_statistics_count_everything_and_the_last_30_days(alice: Member, clock: SettableClock) -> None:
    client = make.client(alice)
    clock.advance(days=-31)
    alice.token = data(alice.post("/me/api-keys", {"name": "k", "scopes": ["write"]}), 201)["key"]
    link(alice, client["id"], fileSize=100)
    clock.advance(days=2)
    link(alice, client["id"], fileSize=20)
    clock.reset()
    upload(alice, client["id"])
    link(alice, client["id"], fileName="r.png", documentType="RECEIPT")
    assert data(alice.get("/documents/stats")) == {
        "total": 4,
        "totalSize": 120 + len(pdf()),
        "byType": {"CONTRACT": 3, "RECEIPT": 1},
        "recentCount": 3,
    }


def test_client_shows_its_newest_documents_and_when_they_came(alice: Member) -> None:
    client = make.client(alice)
    made = [link(alice, client["id"], fileName=f"{n}.pdf") for n in range(6)]
    shown = data(alice.get(f"/clients/{client['id']}"))["recentDocuments"]
    assert [line["id"] for line in shown] == [document["id"] for document in made[:0:-1]]
    [entry] = data(alice.get(f"/clients/{client['id']}/timeline?limit=1"))["entries"]
    assert (entry["type"], entry["title"], entry["kind"]) == ("DOCUMENT_ADDED", "5.pdf", "CONTRACT")
