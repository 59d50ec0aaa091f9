"""Documents in a real S3 store: the same promises, with the store's own addresses."""

import asyncio
from collections.abc import Iterator, Mapping
from datetime import timedelta
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import httpx2
import pytest

from soloist.documents.jobs import drift, sweep
from soloist.infra.db import Database
from soloist.infra.storage import Place, Term
from tests import make
from tests.book import until
from tests.databases import clone
from tests.documents.hostile import HOSTILE, MB
from tests.documents.samples import HONEST, noise, pdf
from tests.documents.sending import download, fetch, folder, record, send, target, upload
from tests.documents.test_uploads import at_once
from tests.people import Member, data, faults, refusal, register
from tests.s3 import Bucket, bucket
from tests.serving import Served, serving, settings_for

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bucket]:
    with bucket(tmp_path_factory.mktemp("weed")) as running:
        yield running


@pytest.fixture(scope="module")
def kept_there(store: Bucket, postgres: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server that keeps documents in the bucket."""
    settings = settings_for(tmp_path_factory.mktemp("data"), max_upload_bytes=2 * MB, **store.settings)
    with serving(settings, clone(postgres)) as served:
        yield served


@pytest.fixture
def ada(kept_there: Served) -> Member:
    return register(kept_there.url, "ada")


@pytest.fixture
def client(ada: Member) -> str:
    return str(make.client(ada)["id"])


def test_file_goes_to_the_store_and_comes_back(kept_there: Served, store: Bucket, ada: Member, client: str) -> None:
    before = store.content()
    place = target(ada, client)
    assert place["method"] == "POST"
    assert place["headers"] == {}
    assert place["fields"]["Content-Type"] == "application/pdf"
    assert place["maxSize"] == 2 * MB
    assert place["uploadUrl"].startswith(store.endpoint)
    assert send(place, pdf()).status_code == 204
    document = data(record(ada, client, place["fileUrl"]), 201)
    assert (document["fileSize"], document["isExternal"]) == (len(pdf()), False)
    assert document["fileUrl"] == place["fileUrl"]
    [key] = store.content() - before
    assert key.startswith(f"crm/{ada.account['id']}/{client}/")
    given = data(ada.get(f"/documents/{document['id']}/download"))
    answer = fetch(given["downloadUrl"])
    assert answer.content == pdf()
    assert answer.headers["content-disposition"].startswith('attachment; filename="contract.pdf"')
    assert answer.headers["content-type"] == "application/pdf"
    assert answer.headers["cache-control"] == "private, no-store"
    assert fetch(given["downloadUrl"], Range="bytes=0-3").content == b"%PDF"
    data(ada.delete(f"/documents/{document['id']}"))
    assert store.content() == before
    assert fetch(given["downloadUrl"]).status_code == 404
    assert not folder(kept_there).exists()


@pytest.mark.parametrize("what", ["pdf", "docx", "doc", "png", "zip", "txt", "ai of 1998", "fig"])
def test_honest_file_is_taken(ada: Member, client: str, what: str) -> None:
    name, kind, content = HONEST[what]
    document = upload(ada, client, content, fileName=name, documentType=kind)
    assert download(ada, document["id"]).content == content


@pytest.mark.parametrize(
    "what", ["program as pdf", "page as png", "macros by part", "a bomb of 1,000 to 1", "pdf with a zip at its end"]
)
def test_hostile_file_is_refused_when_it_is_recorded(store: Bucket, ada: Member, client: str, what: str) -> None:
    name, kind, content, found = HOSTILE[what]
    assert isinstance(content, bytes)
    place = target(ada, client, fileName=name, documentType=kind)
    assert send(place, content).status_code == 204
    kept = {key for key in store.content() if key.startswith("crm/")}
    answer = record(ada, client, place["fileUrl"], fileName=name, documentType=kind)
    assert found in refusal(answer, 400, "INVALID_DOCUMENT_TYPE")["message"]
    assert {key for key in store.content() if key.startswith("crm/")} == kept


def test_store_refuses_what_the_address_is_not_for(store: Bucket, ada: Member, client: str) -> None:
    before = store.content()
    place = target(ada, client)
    fields = place["fields"]

    def status(content: bytes, changed: Mapping[str, str | None]) -> int:
        kept = {name: text for name, text in {**fields, **changed}.items() if text is not None}
        return send({**place, "fields": kept}, content).status_code

    assert status(noise(2 * MB + 1), {}) == 400
    assert status(b"", {}) == 400
    for changed in (
        {"Content-Type": "text/html"},
        {"Content-Type": None},
        {"key": fields["key"].replace("incoming/", "")},
        {"key": fields["key"].replace(".pdf", ".html")},
        {"x-amz-signature": "0" * 64},
        {"x-amz-signature": None},
        {"policy": fields["policy"][:-8] + "AAAAfQ=="},
    ):
        assert status(pdf(), changed) == 403, changed
    assert httpx2.put(place["fileUrl"], content=pdf(), trust_env=False).status_code == 403
    assert httpx2.get(place["fileUrl"], trust_env=False).status_code == 403
    assert store.content() == before
    announced = target(ada, client, fileSize=100)
    assert send(announced, noise(101)).status_code == 400
    assert status(pdf(), {}) == 204


def test_addresses_expire(kept_there: Served, ada: Member, client: str) -> None:
    place = target(ada, client)
    document = upload(ada, client)
    own = kept_there.app.state.files.store
    now = kept_there.clock()
    soon = Term(now, timedelta(seconds=1))
    form = own.upload_form(Place(f"crm/{'0' * 36}/{client}/{'0' * 36}.pdf", "application/pdf", 1000), soon, "")
    given = data(ada.get(f"/documents/{document['id']}/download"))["downloadUrl"]
    short = own.download_url(urlsplit(given).path.removeprefix("/documents/"), "a.pdf", "application/pdf", soon, "")
    assert fetch(short).status_code == 200
    until(lambda: fetch(short).status_code == 403)  # by the store's own clock
    late = {"uploadUrl": form.url, "method": form.method, "fields": form.fields}
    assert send(late, pdf()).status_code == 403
    assert send(place, pdf()).status_code == 204
    assert fetch(given).status_code == 200


def test_altered_download_is_refused_by_the_store(ada: Member, client: str) -> None:
    one, two = upload(ada, client), upload(ada, client)
    given = [urlsplit(data(ada.get(f"/documents/{each['id']}/download"))["downloadUrl"]) for each in (one, two)]
    assert fetch(urlunsplit(given[0]._replace(path=given[1].path))).status_code == 403
    query = {**dict(parse_qsl(given[0].query)), "response-content-disposition": "inline"}
    assert fetch(urlunsplit(given[0]._replace(query=urlencode(query)))).status_code == 403


def test_what_is_sent_after_the_record_changes_nothing(store: Bucket, ada: Member, client: str) -> None:
    place = target(ada, client)
    send(place, pdf(b"first"))
    document = data(record(ada, client, place["fileUrl"]), 201)
    assert send(place, b"MZ a program").status_code == 204  # S3 takes it until the address expires
    assert download(ada, document["id"]).content == pdf(b"first")
    assert "already" in faults(record(ada, client, place["fileUrl"]))["fileUrl"]


def test_of_many_records_of_one_upload_one_succeeds(store: Bucket, ada: Member, client: str) -> None:
    before = store.content()
    place = target(ada, client)
    send(place, pdf())
    answers = at_once(4, lambda _: record(ada, client, place["fileUrl"]))
    assert sorted(answer.status_code for answer in answers) == [201, 400, 400, 400]
    for answer in answers:
        if answer.status_code == 400:
            assert "already" in faults(answer)["fileUrl"]
    assert len(store.content() - before) == 1
    [document] = data(ada.get("/documents"))["documents"]
    assert download(ada, document["id"]).content == pdf()


def test_refused_record_leaves_the_upload_as_it_was(store: Bucket, ada: Member, client: str) -> None:
    place = target(ada, client)
    send(place, pdf())
    before = store.content()
    body = {"opportunityId": "018d0a60-7c1d-7d83-9a4e-2b6f8c0d1e57"}
    refusal(record(ada, client, place["fileUrl"], **body), 404, "OPPORTUNITY_NOT_FOUND")
    assert store.content() == before
    data(record(ada, client, place["fileUrl"]), 201)


def test_nothing_sent_is_nothing_to_record(ada: Member, client: str) -> None:
    place = target(ada, client)
    assert "nothing yet" in faults(record(ada, client, place["fileUrl"]))["fileUrl"]


def test_our_own_file_addresses_take_and_give_nothing(kept_there: Served, ada: Member, client: str) -> None:
    key = urlsplit(target(ada, client)["fileUrl"]).path.removeprefix("/documents/")
    own = f"{kept_there.url}/files/{key}?expires=9999999999&max=1&type=a&signature=x"
    refusal(httpx2.put(own, content=pdf(), trust_env=False), 403, "ACCESS_DENIED")
    refusal(httpx2.get(own, trust_env=False), 404, "NOT_FOUND")


def test_leftovers_are_swept_and_differences_told(kept_there: Served, store: Bucket, ada: Member, client: str) -> None:
    document = upload(ada, client)
    send(target(ada, client), pdf(b"abandoned"))
    store.put("crm/left-by-a-crash.pdf", b"x")
    own = kept_there.app.state.files.store

    async def pass_over() -> tuple[int, int, tuple[int, ...]]:
        db = Database(kept_there.dsn, clock=kept_there.clock)
        await db.open()
        try:
            early = await sweep(own, db)
            kept_there.clock.advance(hours=30)
            told = await drift(own, db)
            return early, await sweep(own, db), (told.missing, told.altered, told.leftover)
        finally:
            kept_there.clock.reset()
            await db.close()

    early, removed, (missing, altered, leftover) = asyncio.run(pass_over())
    assert early == 0
    assert removed == leftover >= 2
    assert (missing, altered) == (0, 0)
    assert not any(key.startswith("incoming/") for key in store.content())
    assert download(ada, document["id"]).content == pdf()


def test_store_that_is_away_is_told_and_harms_nothing(
    kept_there: Served, store: Bucket, ada: Member, client: str
) -> None:
    document = upload(ada, client)
    away = Bucket("http://127.0.0.1:9")
    with serving(settings_for(kept_there.app.state.settings.data_dir, **away.settings), kept_there.dsn) as served:
        there = Member(served.url, ada.token or "", ada.account, ada.refresh_token)
        place = target(ada, client)
        send(place, pdf())
        refusal(record(there, client, place["fileUrl"]), 503, "SERVICE_UNAVAILABLE")
        data(there.delete(f"/documents/{document['id']}"))  # the record is gone; its file is left to the sweep
        assert data(there.get("/documents"))["total"] == 0
    data(record(ada, client, place["fileUrl"]), 201)
