"""Files in a folder of this machine: they stream in, are on the disk for certain, and appear whole or not at all.

Addresses are signed by the installation's secret (HMAC-SHA256 over everything they say).
"""

import asyncio
import base64
import errno
import hmac
import itertools
import os
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from io import FileIO
from pathlib import Path
from typing import IO, TypeVar
from urllib.parse import urlencode

import orjson

from soloist.infra.errors import ServiceUnavailable
from soloist.infra.ids import new_id
from soloist.infra.storage import Place, Replaced, Stored, Term, UploadForm, is_key

PATH = "/files"  # where the server answers for these files
INCOMING = ".incoming"  # what is still arriving; on the same file system, so that a rename places it
BLOCK = 1024 * 1024
BATCH = 500
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_Result = TypeVar("_Result")


class Unsigned(Exception):
    """The address was not made here, or was changed since."""


class TooLarge(Exception):
    """More has come than there may."""


@dataclass(frozen=True, slots=True)
class SignedUpload:
    """What an upload's address says."""

    place: Place
    until: datetime


@dataclass(frozen=True, slots=True)
class SignedDownload:
    """What a download's address says."""

    key: str
    file_name: str
    media_type: str
    until: datetime


class Draft:
    """A file that is arriving; nothing of it is left unless it is placed."""

    def __init__(self, folder: Path, path: Path, file: FileIO) -> None:
        self._folder = folder
        self._path = path
        self.file: IO[bytes] = file
        self.size = 0

    async def fill(self, chunks: AsyncIterable[bytes], limit: int) -> None:
        """Write what comes, at most `limit` bytes, on to the disk; raises TooLarge before it would hold more."""
        block = bytearray()
        async for chunk in chunks:
            self.size += len(chunk)
            if self.size > limit:
                raise TooLarge
            block += chunk
            if len(block) >= BLOCK:
                await _in_thread(partial(self._write, block))
                block.clear()
        await _in_thread(partial(self._finish, block))

    async def place(self, key: str) -> None:
        """Make it the file with this key, in the place of one that may be there, safe from a power cut."""
        await _in_thread(partial(self._place, self._folder / key))

    def _write(self, data: bytearray) -> None:
        rest = memoryview(data)
        try:
            while rest:
                rest = rest[self.file.write(rest) :]
        finally:
            rest.release()

    def _finish(self, data: bytearray) -> None:
        self._write(data)
        os.fsync(self.file.fileno())
        self.file.seek(0)

    def _place(self, target: Path) -> None:
        _make_folder(target.parent)
        self._path.rename(target)
        _sync(target.parent)


class DiskStore:
    """The store that every installation has."""

    def __init__(self, folder: Path, signing_key: bytes) -> None:
        self._folder = folder
        self._signing_key = signing_key

    def upload_form(self, place: Place, term: Term, base_url: str) -> UploadForm:
        said = {"expires": _seconds(term.until), "max": str(place.max_size), "type": place.media_type}
        url = self._signed("PUT", place.key, said, base_url)
        return UploadForm(url, "PUT", {"Content-Type": place.media_type}, {})

    def download_url(self, key: str, file_name: str, media_type: str, term: Term, base_url: str) -> str:
        said = {"expires": _seconds(term.until), "name": file_name, "type": media_type}
        return self._signed("GET", key, said, base_url)

    def file_url(self, key: str, base_url: str) -> str:
        return f"{base_url}{PATH}/{key}"

    def read_upload(self, key: str, said: Mapping[str, str]) -> SignedUpload:
        """What the address of an upload promises; raises Unsigned. Whether it has expired is for the caller."""
        self._check("PUT", key, said, ("expires", "max", "type"))
        return SignedUpload(Place(key, said["type"], int(said["max"])), _moment(said["expires"]))

    def read_download(self, key: str, said: Mapping[str, str]) -> SignedDownload:
        """What the address of a download promises; raises Unsigned. Whether it has expired is for the caller."""
        self._check("GET", key, said, ("expires", "name", "type"))
        return SignedDownload(key, said["name"], said["type"], _moment(said["expires"]))

    def path(self, key: str) -> Path:
        """Where the file with this key is, if it is there."""
        return self._folder / key

    @asynccontextmanager
    async def receiving(self) -> AsyncIterator[Draft]:
        """Room for a file that arrives while the block runs. Raises ServiceUnavailable where there is no room."""
        path = self._folder / INCOMING / f"{new_id()}.part"
        try:
            file = await asyncio.to_thread(self._begin, path)
            try:
                yield Draft(self._folder, path, file)
            finally:
                file.close()
                path.unlink(missing_ok=True)
        except OSError as fault:
            if fault.errno not in _NO_ROOM:
                raise
            message = "The server has no room for this file: its disk is full. Nothing was kept; try again later."
            raise ServiceUnavailable(message, retry_after=300) from fault

    async def find_upload(self, key: str) -> Stored | None:
        return await asyncio.to_thread(_find, self._folder / key, key)

    @asynccontextmanager
    async def opened(self, stored: Stored) -> AsyncIterator[IO[bytes]]:
        try:
            file = await asyncio.to_thread((self._folder / stored.key).open, "rb")
        except FileNotFoundError:
            raise Replaced from None
        with file:
            yield file

    async def keep(self, upload: Stored, key: str) -> str:
        return upload.key  # an address works once here: nobody reaches what has arrived

    async def delete(self, key: str) -> None:
        await asyncio.to_thread((self._folder / key).unlink, missing_ok=True)

    async def batches(self) -> AsyncIterator[list[Stored]]:
        found = self._walk()
        while batch := await asyncio.to_thread(lambda: list(itertools.islice(found, BATCH))):
            yield batch

    def _walk(self) -> Iterator[Stored]:
        for folder, _, names in os.walk(self._folder):
            for name in names:
                path = Path(folder, name)
                stored = _find(path, path.relative_to(self._folder).as_posix())
                if stored is not None:
                    yield stored

    def _begin(self, path: Path) -> FileIO:
        _make_folder(path.parent)
        return FileIO(path, "x+", opener=lambda name, flags: os.open(name, flags, 0o600))

    def _signed(self, method: str, key: str, said: Mapping[str, str], base_url: str) -> str:
        query = urlencode({**said, "signature": self._signature(method, key, said)})
        return f"{base_url}{PATH}/{key}?{query}"

    def _check(self, method: str, key: str, given: Mapping[str, str], names: tuple[str, ...]) -> None:
        if not is_key(key) or given.keys() != {*names, "signature"}:
            raise Unsigned
        wanted = self._signature(method, key, {name: given[name] for name in names})
        if not hmac.compare_digest(wanted.encode(), given["signature"].encode()):
            raise Unsigned

    def _signature(self, method: str, key: str, said: Mapping[str, str]) -> str:
        assert self._signing_key, "this store was opened without its signing key"
        text = orjson.dumps([method, key, sorted(said.items())])
        return base64.urlsafe_b64encode(hmac.digest(self._signing_key, text, "sha256")).rstrip(b"=").decode()


async def _in_thread(work: Callable[[], _Result]) -> _Result:
    """Do blocking work beside the event loop; if this task is cancelled, only after the work has ended.

    A thread can't be stopped: what it works on must not be closed under it.
    """
    task = asyncio.ensure_future(asyncio.to_thread(work))
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait({task})
        raise


def _find(path: Path, key: str) -> Stored | None:
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    return Stored(key, status.st_size, datetime.fromtimestamp(status.st_mtime, UTC), str(status.st_mtime_ns))


def _make_folder(folder: Path) -> None:
    """Make a folder for the owner alone, and those above it; each is on the disk before it is used."""
    if folder.is_dir():
        return
    _make_folder(folder.parent)
    folder.mkdir(mode=0o700, exist_ok=True)
    _sync(folder.parent)


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _seconds(moment: datetime) -> str:
    return str(int(moment.timestamp()))


def _moment(seconds: str) -> datetime:
    return datetime.fromtimestamp(int(seconds), UTC)
