"""Files in a bucket of an S3-compatible store. Addresses are botocore's: uploads are bound by size and type.

S3 lets an upload's address be used again until it expires. So files arrive under INCOMING, and what is kept is a
copy of just what was looked at, out of the uploader's reach.
"""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import IO, TYPE_CHECKING, Any, TypeVar

import botocore.session
import structlog
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from soloist.infra.errors import ServiceUnavailable
from soloist.infra.settings import Settings
from soloist.infra.storage import Place, Replaced, Stored, Term, UploadForm, attachment

if TYPE_CHECKING:
    from botocore.client import BaseClient

log = structlog.get_logger("soloist.storage")

INCOMING = "incoming/"
BLOCK = 1024 * 1024
_GONE = ("404", "NoSuchKey", "412", "PreconditionFailed")
_Result = TypeVar("_Result")


def open_bucket(settings: Settings) -> "S3Store":
    """The bucket that the settings name. Without keys there, botocore looks for them where it always does."""
    assert settings.s3_bucket is not None
    secret = settings.s3_secret_key.get_secret_value() if settings.s3_secret_key else None
    client = botocore.session.Session().create_client(
        "s3",
        region_name=settings.s3_region,
        endpoint_url=settings.s3_endpoint,
        aws_access_key_id=settings.s3_access_key,
        aws_secret_access_key=secret,
        config=Config(
            signature_version="s3v4",
            s3={"addressing_style": "path" if settings.s3_endpoint else "auto"},
            connect_timeout=5,
            read_timeout=30,
            retries={"mode": "standard", "max_attempts": 3},
            # Checksums that not every compatible store understands.
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
        ),
    )
    return S3Store(client, settings.s3_bucket)


class S3Store:
    """One bucket."""

    def __init__(self, client: "BaseClient", bucket: str) -> None:
        self._s3: Any = client
        self._bucket = bucket

    def upload_form(self, place: Place, term: Term, base_url: str) -> UploadForm:
        signed = self._s3.generate_presigned_post(
            self._bucket,
            INCOMING + place.key,
            Fields={"Content-Type": place.media_type},
            Conditions=[{"Content-Type": place.media_type}, ["content-length-range", 1, place.max_size]],
            ExpiresIn=int(term.span.total_seconds()),
        )
        return UploadForm(signed["url"], "POST", {}, signed["fields"])

    def download_url(self, key: str, file_name: str, media_type: str, term: Term, base_url: str) -> str:
        answer = {
            "ResponseContentDisposition": attachment(file_name),
            "ResponseContentType": media_type,
            "ResponseCacheControl": "private, no-store",
        }
        url = self._s3.generate_presigned_url(
            "get_object",
            Params={"Bucket": self._bucket, "Key": key, **answer},
            ExpiresIn=int(term.span.total_seconds()),
        )
        return str(url)

    def file_url(self, key: str, base_url: str) -> str:
        return f"{self._s3.meta.endpoint_url}/{self._bucket}/{key}"

    async def find_upload(self, key: str) -> Stored | None:
        key = INCOMING + key
        try:
            head = await _asked(lambda: self._s3.head_object(Bucket=self._bucket, Key=key))
        except Replaced:
            return None
        return Stored(key, head["ContentLength"], head["LastModified"], head["ETag"])

    @asynccontextmanager
    async def opened(self, stored: Stored) -> AsyncIterator[IO[bytes]]:
        with tempfile.TemporaryFile() as copy:
            await _asked(lambda: self._fetch(stored, copy))
            yield copy

    async def keep(self, upload: Stored, key: str) -> str:
        source = {"Bucket": self._bucket, "Key": upload.key}
        await _asked(
            lambda: self._s3.copy_object(Bucket=self._bucket, Key=key, CopySource=source, CopySourceIfMatch=upload.tag)
        )
        return key

    async def delete(self, key: str) -> None:
        await _asked(lambda: self._s3.delete_object(Bucket=self._bucket, Key=key))

    async def batches(self) -> AsyncIterator[list[Stored]]:
        pages = iter(self._s3.get_paginator("list_objects_v2").paginate(Bucket=self._bucket))
        while (page := await _asked(lambda: next(pages, None))) is not None:
            yield [
                Stored(found["Key"], found["Size"], found["LastModified"], found["ETag"])
                for found in page.get("Contents", [])
            ]

    def _fetch(self, stored: Stored, copy: IO[bytes]) -> None:
        found = self._s3.get_object(Bucket=self._bucket, Key=stored.key, IfMatch=stored.tag)
        for block in found["Body"].iter_chunks(BLOCK):
            copy.write(block)
        copy.seek(0)


async def _asked(request: Callable[[], _Result]) -> _Result:
    """Do a request in a thread; raises Replaced for a file that is gone or another, else ServiceUnavailable."""
    with _told():
        return await asyncio.to_thread(request)


@contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except ClientError as fault:
        code = str(fault.response.get("Error", {}).get("Code", ""))
        if code in _GONE:
            raise Replaced from None
        raise _away(code) from fault
    except BotoCoreError as fault:
        raise _away(type(fault).__name__) from fault


def _away(reason: str) -> ServiceUnavailable:
    log.error("the file store does not do as asked", reason=reason)
    return ServiceUnavailable("The file store can't be reached at the moment. Nothing is lost: try again shortly.")
