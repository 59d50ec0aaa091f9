"""Files on the disk: whole or not at all, for the owner alone, under addresses that can't be bent."""

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import pytest

from soloist.infra.settings import Settings, SettingsInvalid, load
from soloist.infra.storage import Place, Replaced, Term, attachment, is_key
from soloist.infra.storage_disk import BLOCK, DiskStore, TooLarge, Unsigned
from soloist.infra.stores import open_store

KEY = "crm/0190b5a4-7c1e-7b3a-9d55-2f6c1f0a8e21/a.pdf"
PLACE = Place(KEY, "application/pdf", 1000)
TERM = Term(datetime(2024, 1, 15, 10, 30, tzinfo=UTC), timedelta(minutes=15))


@pytest.fixture
def store(tmp_path: Path) -> DiskStore:
    return DiskStore(tmp_path / "documents", b"k" * 32)


def names(store: DiskStore) -> list[str]:
    folder = store.path("")
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def said(url: str) -> dict[str, str]:
    return dict(parse_qsl(urlsplit(url).query))


async def pieces(*content: bytes) -> AsyncIterator[bytes]:
    for piece in content:
        yield piece


async def put(store: DiskStore, key: str, *content: bytes) -> None:
    async with store.receiving() as draft:
        await draft.fill(pieces(*content), 10 * BLOCK)
        await draft.place(key)


async def test_file_that_is_placed_is_there_whole_and_for_the_owner_alone(store: DiskStore) -> None:
    content = os.urandom(2 * BLOCK + 17)
    async with store.receiving() as draft:
        await draft.fill(pieces(content[:5], content[5:BLOCK], b"", content[BLOCK:]), len(content))
        assert draft.size == len(content)
        assert draft.file.read() == content
        assert await store.find_upload(KEY) is None
        await draft.place(KEY)
    assert names(store) == [KEY]
    assert store.path(KEY).read_bytes() == content
    assert store.path(KEY).stat().st_mode & 0o777 == 0o600
    for folder in (store.path(""), *store.path(KEY).parents[:2], store.path(".incoming")):
        assert folder.stat().st_mode & 0o777 == 0o700
    found = await store.find_upload(KEY)
    assert found is not None
    assert (found.key, found.size) == (KEY, len(content))
    assert await store.keep(found, "elsewhere.pdf") == KEY


async def test_draft_that_is_not_placed_leaves_nothing(store: DiskStore) -> None:
    with pytest.raises(RuntimeError):
        await _begin_and_fail(store)
    assert names(store) == []
    async with store.receiving() as draft:
        await draft.fill(pieces(b"judged and refused"), 100)
    assert names(store) == []


async def _begin_and_fail(store: DiskStore) -> None:
    async with store.receiving() as draft:
        await draft.fill(pieces(b"half"), 100)
        assert len(names(store)) == 1
        raise RuntimeError("cut off")


async def test_more_than_the_limit_is_never_written(store: DiskStore) -> None:
    async with store.receiving() as draft:
        with pytest.raises(TooLarge):
            await draft.fill(pieces(*[b"x" * 1000] * 5000), 3 * BLOCK)
        assert os.fstat(draft.file.fileno()).st_size <= 3 * BLOCK
    assert names(store) == []


async def test_upload_that_is_cancelled_leaves_nothing(store: DiskStore) -> None:
    begun = asyncio.Event()

    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield b"x" * BLOCK
            begun.set()
            await asyncio.sleep(0)

    async def receive() -> None:
        async with store.receiving() as draft:
            await draft.fill(endless(), 10**12)

    task = asyncio.create_task(receive())
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert names(store) == []


async def test_file_can_be_removed_twice_and_is_then_gone(store: DiskStore) -> None:
    await put(store, KEY, b"content")
    found = await store.find_upload(KEY)
    assert found is not None
    async with store.opened(found) as file:
        assert file.read() == b"content"
    await store.delete(KEY)
    await store.delete(KEY)
    assert await store.find_upload(KEY) is None
    with pytest.raises(Replaced):
        async with store.opened(found):
            pass


async def test_everything_is_listed_drafts_included(store: DiskStore) -> None:
    assert [batch async for batch in store.batches()] == []
    keys = {f"crm/{n % 3}/{n}.pdf" for n in range(600)}
    for key in keys:
        store.path(key).parent.mkdir(parents=True, exist_ok=True)
        store.path(key).write_bytes(b"x" * 3)
    async with store.receiving():
        found = [stored async for batch in store.batches() for stored in batch]
    assert len(found) == 601
    [draft] = {stored.key for stored in found} - keys
    assert draft.startswith(".incoming/")
    assert {stored.size for stored in found if stored.key in keys} == {3}


def test_address_says_all_that_was_signed(store: DiskStore) -> None:
    form = store.upload_form(PLACE, TERM, "https://crm.example.com")
    assert form.url.startswith(f"https://crm.example.com/files/{KEY}?")
    assert (form.method, form.headers, form.fields) == ("PUT", {"Content-Type": "application/pdf"}, {})
    upload = store.read_upload(KEY, said(form.url))
    assert (upload.place, upload.until) == (PLACE, TERM.until)
    url = store.download_url(KEY, "Größe & 1=1?.pdf", "application/pdf", TERM, "")
    download = store.read_download(KEY, said(url))
    assert (download.file_name, download.media_type, download.until) == (
        "Größe & 1=1?.pdf",
        "application/pdf",
        TERM.until,
    )


@pytest.mark.parametrize("name", ["expires", "max", "type", "signature"])
def test_no_part_of_an_address_can_be_changed_left_out_or_added(store: DiskStore, name: str) -> None:
    given = said(store.upload_form(PLACE, TERM, "").url)
    bent: list[Mapping[str, str]] = [
        {**given, name: given[name] + "0"},
        {**given, name: ""},
        {key: text for key, text in given.items() if key != name},
        {**given, f"{name}2": given[name]},
    ]
    for query in bent:
        with pytest.raises(Unsigned):
            store.read_upload(KEY, query)
    with pytest.raises(Unsigned):
        store.read_download(KEY, given)
    with pytest.raises(Unsigned):
        store.read_upload(KEY.replace("a.pdf", "b.pdf"), given)
    with pytest.raises(Unsigned):
        DiskStore(store.path(""), b"another key").read_upload(KEY, given)


@pytest.mark.parametrize(
    ("key", "good"),
    [
        (KEY, True),
        ("crm/a/b/c.docx", True),
        ("a.pdf", False),
        ("crm/../a.pdf", False),
        ("../crm/a.pdf", False),
        ("/crm/a.pdf", False),
        ("crm//a.pdf", False),
        ("crm/a.pdf/", False),
        ("crm/A.pdf", False),
        ("crm/a", False),
        ("crm/a.pdf\n", False),
        ("crm/a\x00.pdf", False),
        (".incoming/a.part", False),
        ("crm/" + "a" * 100 + ".pdf", False),
    ],
)
def test_keys_are_plain_paths(key: str, good: bool) -> None:
    assert is_key(key) is good


def test_name_of_a_download_can_not_add_a_header_or_a_parameter() -> None:
    for name in ('a"; filename="b.exe', "a\\", "a%22.pdf", "a\r\nSet-Cookie: x=1", "\u202eb.pdf", "a;b.pdf"):
        header = attachment(name)
        assert header.isascii()
        assert header.isprintable()
        assert header.count('"') == 2
        assert "%22" not in header.partition(";")[2].partition("filename*=")[0]


@pytest.mark.parametrize(
    ("given", "wrong"),
    [
        ({"SOLOIST_S3_ENDPOINT": "https://s3.example.com"}, "SOLOIST_S3_BUCKET"),
        ({"SOLOIST_S3_BUCKET": "books", "SOLOIST_S3_ACCESS_KEY": "a"}, "SOLOIST_S3_SECRET_KEY"),
        ({"SOLOIST_S3_BUCKET": "books", "SOLOIST_S3_SECRET_KEY": "a"}, "SOLOIST_S3_ACCESS_KEY"),
        ({"SOLOIST_S3_BUCKET": "b"}, "SOLOIST_S3_BUCKET"),
        ({"SOLOIST_S3_BUCKET": "books", "SOLOIST_S3_ENDPOINT": "s3.example.com"}, "SOLOIST_S3_ENDPOINT"),
        ({"SOLOIST_PUBLIC_URL": "crm.example.com"}, "https://crm.example.com"),
        ({"SOLOIST_PUBLIC_URL": "https://me@crm.example.com"}, "SOLOIST_PUBLIC_URL"),
        ({"SOLOIST_PUBLIC_URL": "https://crm.example.com/?a"}, "SOLOIST_PUBLIC_URL"),
        ({"SOLOIST_MAX_UPLOAD_BYTES": "50MB"}, "SOLOIST_MAX_UPLOAD_BYTES"),
    ],
)
def test_half_a_setting_stops_the_start(given: dict[str, str], wrong: str) -> None:
    with pytest.raises(SettingsInvalid, match=wrong):
        load(given)


def test_secret_key_of_the_store_is_not_shown() -> None:
    settings = Settings(s3_bucket="books", s3_access_key="a", s3_secret_key="hush")  # type: ignore[arg-type]
    assert "hush" not in repr(settings)


def test_disk_is_the_store_unless_a_bucket_is_named(tmp_path: Path) -> None:
    assert isinstance(open_store(Settings(data_dir=tmp_path)), DiskStore)


def test_bucket_without_its_library_says_what_to_install() -> None:
    program = """
import sys
sys.modules["botocore"] = None
from soloist.infra.settings import Settings, SettingsInvalid
from soloist.infra.stores import open_store
try:
    open_store(Settings(s3_bucket="books"))
except SettingsInvalid as fault:
    print(fault)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert "pip install 'soloist[s3]'" in done.stdout
