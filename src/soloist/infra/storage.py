"""What a place for files can do; the disk (storage_disk.py) and S3-compatible stores (storage_s3.py) both do it.

A file comes in by an address that is signed for one place, size and type, is looked at, and is then kept. It goes
out by an address that is signed for a few minutes. Which files matter, only the database knows.
"""

import re
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import IO, Protocol
from urllib.parse import quote


@dataclass(frozen=True, slots=True)
class Term:
    """How long an address works: until then, which is so long from now."""

    until: datetime
    span: timedelta


@dataclass(frozen=True, slots=True)
class Place:
    """What an upload is bound to: where it goes, of which type, and how large at most."""

    key: str
    media_type: str
    max_size: int


@dataclass(frozen=True, slots=True)
class UploadForm:
    """How to send a file: PUT its bytes with `headers`, or POST a form of `fields` and then the file."""

    url: str
    method: str
    headers: Mapping[str, str]
    fields: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Stored:
    """A file in a store. `tag` is another one when its content is."""

    key: str
    size: int
    modified_at: datetime
    tag: str


class Replaced(Exception):
    """The file is gone or another one since it was found."""


class Store(Protocol):
    """A place for files. Every coroutine may raise ServiceUnavailable; none knows whose files they are."""

    def upload_form(self, place: Place, term: Term, base_url: str) -> UploadForm:
        """How a file is sent to `place`: whoever has this can send that file and do nothing else."""

    def file_url(self, key: str, base_url: str) -> str:
        """The address a file is known by; it shows the file to nobody."""

    async def find_upload(self, key: str) -> Stored | None:
        """What has arrived, whole, for the place with this key."""

    def opened(self, stored: Stored) -> AbstractAsyncContextManager[IO[bytes]]:
        """The file to read and seek in while the block runs; raises Replaced."""

    async def keep(self, upload: Stored, key: str) -> str:
        """Put what has arrived where no uploader reaches it; answers its key from now on: `key`, or the old one.

        Raises Replaced.
        """

    def download_url(self, key: str, file_name: str, media_type: str, term: Term, base_url: str) -> str:
        """An address that hands the file out under a name, to be saved and not shown."""

    async def delete(self, key: str) -> None:
        """Remove a file; one that is gone already is as good as removed."""

    def batches(self) -> AsyncIterator[list[Stored]]:
        """Everything that is there, uploads included, some hundred at a time."""


def attachment(file_name: str) -> str:
    """The Content-Disposition that saves a file under its name (RFC 6266), with an ASCII name for old programs."""
    plain = "".join(char if 32 <= ord(char) < 127 and char not in '"\\%' else "_" for char in file_name)
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(file_name, safe='')}"


def is_key(text: str) -> bool:
    """Whether `text` is a key as we make them: words of lower-case letters, digits and dashes, then an ending."""
    return bool(_KEY.fullmatch(text))


_KEY = re.compile(r"[0-9a-z-]{1,40}(/[0-9a-z-]{1,80}){1,5}\.[0-9a-z]{1,8}")
