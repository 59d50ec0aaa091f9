"""The receivers that the guide shows do receive: each is run as it stands there and gets a real delivery."""

import contextlib
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import hatch_build
from tests.blocks import blocks
from tests.people import data
from tests.webhooks.hooks import Book, make_hook, node, until

GUIDE = Path(hatch_build.__file__).parent / "docs/how-to/webhooks.md"


@contextlib.contextmanager
def running(command: list[str], folder: Path, **environ: str) -> Iterator[Path]:
    """The program, and the file its output goes to."""
    told = folder / "told.txt"
    env = {**os.environ, **environ, "PYTHONUNBUFFERED": "1"}
    with told.open("w") as out, subprocess.Popen(command, cwd=folder, env=env, stdout=out, stderr=out) as process:
        try:
            yield told
        finally:
            process.terminate()


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


def receives(book: Book, command: list[str], folder: Path) -> None:
    port = free_port()
    made = make_hook(book.owner, f"http://127.0.0.1:{port}/", ("opportunity.won",))
    with running(command, folder, WEBHOOK_SECRET=made["secret"], PORT=str(port)) as told:
        until(lambda: listens(port), 30)
        sent = data(book.owner.post(f"/webhooks/{made['id']}/test"))
        until(lambda: book.delivery(sent["id"])["state"] != "PENDING")
        until(lambda: "opportunity.won" in told.read_text())
        assert sent["eventId"] in told.read_text()
    assert book.delivery(sent["id"])["attempts"][0]["statusCode"] == 204


def refuses_the_wrong_secret(book: Book, command: list[str], folder: Path) -> None:
    port = free_port()
    made = make_hook(book.owner, f"http://127.0.0.1:{port}/")
    other = make_hook(book.owner)["secret"]
    with running(command, folder, WEBHOOK_SECRET=other, PORT=str(port)):
        until(lambda: listens(port), 30)
        sent = data(book.owner.post(f"/webhooks/{made['id']}/test"))
        until(lambda: book.delivery(sent["id"])["state"] == "FAILED")
    assert book.delivery(sent["id"])["attempts"][0]["statusCode"] == 401


def listens(port: int) -> bool:
    with socket.socket() as sock:
        return sock.connect_ex(("127.0.0.1", port)) == 0


def shown(language: str) -> str:
    [text] = [text for kind, text in blocks(GUIDE) if kind == language]
    return text


def test_the_receiver_in_python(book: Book, tmp_path: Path) -> None:
    (tmp_path / "receiver.py").write_text(shown("python"))
    command = [sys.executable, "receiver.py"]
    receives(book, command, tmp_path)
    refuses_the_wrong_secret(book, command, tmp_path)


def test_the_receiver_in_javascript(book: Book, tmp_path: Path, js_folder: Path) -> None:
    shutil.copytree(js_folder / "node_modules", tmp_path / "node_modules")
    (tmp_path / "receiver.mjs").write_text(shown("javascript"))
    command = [node(), "receiver.mjs"]
    receives(book, command, tmp_path)
    refuses_the_wrong_secret(book, command, tmp_path)
