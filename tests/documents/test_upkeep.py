"""Files and documents stay together: what nobody wants is swept, and what does not fit is told."""

import asyncio
import json
import resource
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asyncpg
import httpx2
import pytest

from soloist.documents.jobs import sweep
from soloist.infra.backup import back_up, restore
from soloist.infra.db import Database
from soloist.infra.migrations import migrate
from soloist.infra.postgres import find_binaries
from soloist.worker import create_worker
from tests import make
from tests.book import run, select, until
from tests.cli import programs
from tests.documents.hostile import MB
from tests.documents.samples import archive, noise, pdf
from tests.documents.sending import download, files, folder, record, send, target, upload
from tests.people import Member, data, faults, refusal, register
from tests.serving import Served, serving, settings_for


@pytest.fixture
def own(db_url: str, tmp_path: Path) -> Iterator[Served]:
    """A server of this test's own."""
    with serving(settings_for(tmp_path), db_url) as served:
        yield served


def swept(served: Served) -> int:
    """Run the sweep at the server's time; answers how many files it removed."""

    async def once() -> int:
        db = Database(served.dsn, clock=served.clock)
        await db.open()
        try:
            return await sweep(served.app.state.files.store, db)
        finally:
            await db.close()

    return asyncio.run(once())


def lasting(person: Member) -> Member:
    """The person with a key, which does not end as a session does."""
    person.token = data(person.post("/me/api-keys", {"name": "k", "scopes": ["write"]}), 201)["key"]
    return person


def test_what_nobody_recorded_is_swept_after_a_day(own: Served) -> None:
    alice = lasting(register(own.url))
    client = make.client(alice)["id"]
    document = upload(alice, client)
    kept = files(own)
    abandoned, expected = target(alice, client), target(alice, client)
    send(abandoned, pdf(b"abandoned"))
    (folder(own) / ".incoming" / "left-by-a-crash.part").write_bytes(b"half a file")
    (folder(own) / "crm" / "left-by-a-crash.pdf").write_bytes(pdf())
    assert swept(own) == 0
    own.clock.advance(hours=24, minutes=30)
    assert swept(own) == 0
    own.clock.advance(minutes=31)
    assert swept(own) == 3
    assert files(own) == kept
    assert swept(own) == 0
    assert download(alice, document["id"]).content == pdf()
    assert "no upload of yours" in faults(record(alice, client, abandoned["fileUrl"]))["fileUrl"]
    refusal(send(expected, pdf()), 403, "ACCESS_DENIED")
    assert select(own, "select 1 from uploads") == []


def test_crash_between_delete_and_removal_is_swept(own: Served) -> None:
    alice = register(own.url)
    upload(alice, make.client(alice)["id"])
    run(own, "delete from documents")  # as if the server had died before the file was removed
    assert len(files(own)) == 1
    own.clock.advance(hours=26)
    assert swept(own) == 1
    assert files(own) == set()


def test_file_that_came_and_was_not_noted_can_be_recorded_but_not_replaced(own: Served) -> None:
    alice = register(own.url)
    client = make.client(alice)["id"]
    place = target(alice, client)
    send(place, pdf(b"first"))
    run(own, "update uploads set arrived_at = null")  # as if the server had died between the two
    refusal(send(place, pdf(b"second")), 403, "ACCESS_DENIED")
    document = data(record(alice, client, place["fileUrl"]), 201)
    assert download(alice, document["id"]).content == pdf(b"first")


def test_worker_sweeps(own: Served) -> None:
    alice = register(own.url)
    client = make.client(alice)["id"]
    send(target(alice, client), pdf())
    own.clock.advance(hours=26)
    worker = create_worker(own.app.state.settings, own.dsn, own.clock)
    # The hour is full as soon as the worker knows of its work.
    due = """
        update pgqueuer_schedules set next_run = now()
        where entrypoint = 'remove files that belong to no document' returning 1
    """

    async def work() -> None:
        working = asyncio.create_task(worker.run())
        try:
            await asyncio.to_thread(until, lambda: select(own, due), 20)
            await asyncio.to_thread(until, lambda: files(own) == set(), 30)
        finally:
            worker.stop()
            await working

    asyncio.run(work())


def found_by_doctor(served: Served) -> dict[str, Any]:
    settings = served.app.state.settings
    done = programs.soloist("doctor", "--json", SOLOIST_DATA_DIR=str(settings.data_dir), DATABASE_URL=served.dsn)
    assert done.stdout, done.stderr
    [finding] = [check for check in json.loads(done.stdout)["checks"] if check["check"] == "documents"]
    return dict(finding)


@pytest.mark.slow
def test_doctor_tells_of_files_without_documents_and_the_other_way_round(own: Served) -> None:
    alice = register(own.url)
    client = make.client(alice)["id"]
    [one, two] = [upload(alice, client), upload(alice, client)]
    send(target(alice, client), pdf())  # on its way to be recorded: nothing is wrong with that
    right = found_by_doctor(own)
    assert right["ok"] is True
    assert right["found"] == "3 files, each with its document"
    keys = {str(row["id"]): row["storage_key"] for row in select(own, "select id, storage_key from documents")}
    (folder(own) / keys[one["id"]]).unlink()
    (folder(own) / keys[two["id"]]).write_bytes(b"altered")
    wrong = found_by_doctor(own)
    assert wrong["ok"] is False
    assert wrong["found"] == "1 documents without their file, 1 whose file has another size"
    assert "backup" in wrong["advice"]


@pytest.mark.slow
def test_backup_takes_documents_along(own: Served, postgres: str, tmp_path: Path) -> None:
    alice = register(own.url)
    client = make.client(alice)["id"]
    document = upload(alice, client)
    (folder(own) / ".incoming" / "arriving.part").write_bytes(b"half a file")
    settings = own.app.state.settings
    made = back_up(own.dsn, find_binaries(None), settings.data_dir, tmp_path / "book.zip", replace=False)
    assert made.documents == 1

    async def fresh() -> str:
        conn = await asyncpg.connect(postgres.format("soloist"))
        await conn.execute("create database restored_documents")
        await conn.close()
        return postgres.format("restored_documents")

    dsn = asyncio.run(fresh())
    restore(dsn, find_binaries(None), tmp_path / "new", tmp_path / "book.zip")
    migrate(dsn)
    with serving(settings_for(tmp_path / "new"), dsn) as restored:
        again = Member(restored.url, alice.token or "", alice.account, alice.refresh_token)
        assert download(again, document["id"]).content == pdf()


def memory(pid: int, line: str) -> int:
    """A figure of a process's memory in bytes (Linux)."""
    for row in Path(f"/proc/{pid}/status").read_text().splitlines():
        if row.startswith(f"{line}:"):
            return int(row.split()[1]) * 1024
    raise AssertionError(line)


@pytest.mark.slow
def test_50_mb_add_less_than_30_mb_to_the_server(db_url: str, tmp_path: Path) -> None:
    with programs.serving(tmp_path, DATABASE_URL=db_url, SOLOIST_LOG_FORMAT="json") as server:
        until(server.is_ready, 60)
        alice = register(server.url)
        client = make.client(alice)["id"]
        upload(alice, client)  # what is loaded once is loaded now
        pid = server.process.pid
        content = pdf(noise(50 * MB - 700))
        content += b" " * (50 * MB - len(content))
        zipped = archive({"a.bin": noise(25 * MB), "b.zip": archive({"c": noise(20 * MB)})})
        for body, fields in ((content, {}), (zipped, {"fileName": "a.zip", "documentType": "DELIVERABLE"})):
            Path(f"/proc/{pid}/clear_refs").write_text("5")  # forget the peak
            before = memory(pid, "VmRSS")
            document = upload(alice, client, body, **fields)
            assert download(alice, document["id"]).content == body
            added = memory(pid, "VmHWM") - before
            assert added < 30 * MB, f"{added / MB:.1f} MB"
        error = refusal(send(target(alice, client), content + b" "), 400, "FILE_TOO_LARGE")
        assert error["details"] == {"maxSize": 50 * MB, "fileSize": 50 * MB + 1}


@pytest.mark.slow
def test_full_disk_is_told_and_keeps_nothing(db_url: str, tmp_path: Path) -> None:
    with programs.serving(tmp_path, "--no-worker", DATABASE_URL=db_url, SOLOIST_LOG_FORMAT="json") as server:
        assert server.url
        alice = register(server.url)
        client = make.client(alice)["id"]
        place = target(alice, client)
        # The system refuses this process any larger file, as a full disk would.
        resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (2 * MB, resource.RLIM_INFINITY))
        error = refusal(send(place, pdf(noise(4 * MB))), 503, "SERVICE_UNAVAILABLE")
        assert "disk is full" in error["message"]
        assert [path for path in (tmp_path / "documents").rglob("*") if path.is_file()] == []
        resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        assert send(place, pdf(noise(4 * MB))).status_code == 200


@pytest.mark.slow
def test_server_that_is_killed_leaves_no_half_file(db_url: str, tmp_path: Path) -> None:
    content = pdf(noise(3 * MB))

    def kept() -> list[Path]:
        return [path for path in (tmp_path / "documents" / "crm").rglob("*") if path.is_file()]

    with programs.serving(tmp_path, "--no-worker", DATABASE_URL=db_url, SOLOIST_LOG_FORMAT="json") as server:
        alice = register(server.url)
        client = make.client(alice)["id"]
        place = target(alice, client)

        def pieces() -> Iterator[bytes]:
            yield content[: 2 * MB]
            until(lambda: any((tmp_path / "documents").rglob("*.part")))
            server.process.kill()
            server.process.wait()
            yield content[2 * MB :]

        with pytest.raises(httpx2.TransportError):
            send(place, pieces())
    assert kept() == []
    with programs.serving(tmp_path, "--no-worker", DATABASE_URL=db_url, SOLOIST_LOG_FORMAT="json") as server:
        place = {**place, "uploadUrl": place["uploadUrl"].replace(alice.url, server.url)}
        assert send(place, content).status_code == 200
    assert [path.read_bytes() for path in kept()] == [content]
