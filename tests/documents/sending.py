"""Sends files the way a client of the API does, and looks at what is then in the store's folder."""

from functools import lru_cache
from pathlib import Path
from typing import Any

import httpx2

from tests.documents.samples import pdf
from tests.people import Person, data
from tests.serving import Served


def target(person: Person, client_id: str, **fields: Any) -> dict[str, Any]:
    """Where to send a file to: a contract.pdf unless told otherwise."""
    body = {"clientId": client_id, "fileName": "contract.pdf", "documentType": "CONTRACT", **fields}
    made: dict[str, Any] = data(person.post("/documents/upload-url", body))
    return made


def send(place: dict[str, Any], content: Any, **headers: str) -> httpx2.Response:
    """Send the bytes as the answer of upload-url says."""
    if place["method"] == "POST":
        return _http().post(place["uploadUrl"], data=place["fields"], files={"file": ("file", content)})
    return _http().put(place["uploadUrl"], content=content, headers={**place["headers"], **headers})


def fetch(url: str, **headers: str) -> httpx2.Response:
    """Get an address without any token."""
    return _http().get(url, headers=headers)


@lru_cache
def _http() -> httpx2.Client:
    """Without a token: the addresses say it all."""
    return httpx2.Client(trust_env=False, timeout=60)


def record(person: Person, client_id: str, file_url: str, **fields: Any) -> httpx2.Response:
    """Record what was sent."""
    body = {"clientId": client_id, "fileName": "contract.pdf", "documentType": "CONTRACT", "fileUrl": file_url}
    return person.post("/documents", {**body, **fields})


def upload(person: Person, client_id: str, content: bytes | None = None, **fields: Any) -> dict[str, Any]:
    """A document with a file that was really sent."""
    named = {name: fields[name] for name in ("fileName", "documentType") if name in fields}
    place = target(person, client_id, **named)
    assert send(place, pdf() if content is None else content).status_code in (200, 204)
    made: dict[str, Any] = data(record(person, client_id, place["fileUrl"], **fields), 201)
    return made


def link(person: Person, client_id: str, **fields: Any) -> dict[str, Any]:
    """A document whose file is somewhere else."""
    made: dict[str, Any] = data(record(person, client_id, "https://storage.example.com/contract.pdf", **fields), 201)
    return made


def deal(person: Person, client_id: str) -> dict[str, Any]:
    """An opportunity of the client, for documents to belong to."""
    body = {"clientId": client_id, "title": "Site", "source": "REFERRAL"}
    made: dict[str, Any] = data(person.post("/opportunities", body), 201)
    return made


def download(person: Person, document_id: str) -> httpx2.Response:
    """The file of a document, by the address that the API gives for it."""
    return fetch(data(person.get(f"/documents/{document_id}/download"))["downloadUrl"])


def folder(server: Served) -> Path:
    """Where the server keeps files."""
    found: Path = server.app.state.settings.data_dir / "documents"
    return found


def files(server: Served) -> set[str]:
    """Every file that is kept or on its way, of all accounts."""
    return {path.relative_to(folder(server)).as_posix() for path in folder(server).rglob("*") if path.is_file()}
