"""A real S3 server for the tests: SeaweedFS, which checks signatures, expiry and what an upload may be."""

import json
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import botocore.session
import pytest
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

ACCESS_KEY, SECRET_KEY = "AKIATESTS", "a secret of the tests"
BUCKET = "documents"


@dataclass(frozen=True, slots=True)
class Bucket:
    """An empty bucket on a running server."""

    endpoint: str

    @property
    def settings(self) -> dict[str, str]:
        """The settings that make a server use it."""
        return {
            "s3_endpoint": self.endpoint,
            "s3_bucket": BUCKET,
            "s3_access_key": ACCESS_KEY,
            "s3_secret_key": SECRET_KEY,
        }

    def content(self) -> set[str]:
        """The keys of everything that lies in it."""
        listed = _client(self.endpoint).list_objects_v2(Bucket=BUCKET)
        return {found["Key"] for found in listed.get("Contents", [])}

    def put(self, key: str, content: bytes) -> None:
        """Put something there past everybody."""
        _client(self.endpoint).put_object(Bucket=BUCKET, Key=key, Body=content)


@contextmanager
def bucket(folder: Path) -> Iterator[Bucket]:
    """A server with one bucket, on free ports, until the block ends."""
    weed = shutil.which("weed", path=str(Path(sys.executable).parent))
    if weed is None:
        pytest.skip("SeaweedFS has no build for this machine")
    keys = [{"accessKey": ACCESS_KEY, "secretKey": SECRET_KEY}]
    users = [{"name": "tests", "credentials": keys, "actions": ["Admin"]}]
    config = folder / "s3.json"
    config.write_text(json.dumps({"identities": users}))
    ports = _free_ports(8)
    names = [f"{part}.port{kind}" for kind in ("", ".grpc") for part in ("s3", "master", "volume", "filer")]
    command = [weed, "server", "-s3", f"-s3.config={config}", f"-dir={folder}", "-ip=127.0.0.1", "-volume.max=5"]
    command += ["-s3.port.iceberg=0", "-s3.port.lance=0", "-master.telemetry=false"]
    command += [f"-{name}={port}" for name, port in zip(names, ports, strict=True)]
    with (folder / "weed.log").open("wb") as said:
        server = subprocess.Popen(command, stdout=said, stderr=said, cwd=folder)
    try:
        made = Bucket(f"http://127.0.0.1:{ports[0]}")
        _wait_for(made, server, folder / "weed.log")
        yield made
    finally:
        server.kill()  # asked politely it takes half a minute
        server.wait()


def _client(endpoint: str) -> Any:
    return botocore.session.Session().create_client(
        "s3",
        region_name="us-east-1",
        endpoint_url=endpoint,
        aws_access_key_id=ACCESS_KEY,
        aws_secret_access_key=SECRET_KEY,
        config=Config(s3={"addressing_style": "path"}, connect_timeout=2, read_timeout=10, retries={"max_attempts": 0}),
    )


def _wait_for(made: Bucket, server: "subprocess.Popen[bytes]", log: Path) -> None:
    client, pause, end = _client(made.endpoint), threading.Event(), time.monotonic() + 90
    while True:
        try:
            _make_bucket(client)
            client.put_object(Bucket=BUCKET, Key="first", Body=b"x")  # storage is given out a moment later
            client.delete_object(Bucket=BUCKET, Key="first")
            return
        except (BotoCoreError, ClientError) as fault:
            if server.poll() is not None or time.monotonic() > end:
                raise AssertionError(log.read_text(errors="replace")[-2000:]) from fault
        pause.wait(0.1)


def _make_bucket(client: Any) -> None:
    try:
        client.create_bucket(Bucket=BUCKET)
    except ClientError as fault:
        if fault.response["Error"]["Code"] not in ("BucketAlreadyExists", "BucketAlreadyOwnedByYou"):
            raise


def _free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    try:
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()
