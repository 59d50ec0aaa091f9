"""The cast: alice owns the book, bob owns another one, a stranger has no token. They speak HTTP."""

from collections.abc import Mapping
from functools import lru_cache
from itertools import count
from typing import Any

import httpx2

from soloist.infra.http import BASE

PASSWORD = "correct horse battery staple"
_numbers = count(1)


@lru_cache
def _connections(url: str) -> httpx2.Client:
    """Everybody shares a server's connections: who asks is in the token alone."""
    return httpx2.Client(base_url=url + BASE, trust_env=False, timeout=30)


class Person:
    """Somebody at a keyboard: sends requests and reads answers."""

    def __init__(self, url: str, token: str | None = None) -> None:
        self.url = url
        self.token = token
        self.http = _connections(url)

    def request(self, method: str, path: str, **given: Any) -> httpx2.Response:
        headers: dict[str, str] = {}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        headers.update(given.pop("headers", None) or {})
        return self.http.request(method, path, headers=headers, **given)

    def get(self, path: str, **given: Any) -> httpx2.Response:
        return self.request("GET", path, **given)

    def post(self, path: str, body: Any = None, **given: Any) -> httpx2.Response:
        return self.request("POST", path, **_body(body), **given)

    def patch(self, path: str, body: Any, **given: Any) -> httpx2.Response:
        return self.request("PATCH", path, **_body(body), **given)

    def put(self, path: str, body: Any, **given: Any) -> httpx2.Response:
        return self.request("PUT", path, **_body(body), **given)

    def delete(self, path: str, **given: Any) -> httpx2.Response:
        return self.request("DELETE", path, **given)


class Member(Person):
    """Somebody with an account."""

    def __init__(self, url: str, token: str, account: Mapping[str, Any], refresh_token: str) -> None:
        super().__init__(url, token)
        self.account = account
        self.refresh_token = refresh_token
        self.email: str = account["email"]


def register(url: str, name: str = "person", **fields: Any) -> Member:
    """A new account with an address of its own."""
    email = fields.pop("email", f"{name}.{next(_numbers)}@example.com")
    answer = Person(url).post("/auth/register", {"email": email, "password": PASSWORD, **fields})
    assert answer.status_code == 201, answer.text
    data = answer.json()["data"]
    return Member(url, data["accessToken"], data["account"], data["refreshToken"])


def _body(body: Any) -> dict[str, Any]:
    return {} if body is None else {"json": body}


def data(answer: httpx2.Response, status: int = 200) -> Any:
    """The `data` of a successful answer."""
    assert answer.status_code == status, answer.text
    envelope = answer.json()
    assert envelope["success"] is True
    return envelope["data"]


def refusal(answer: httpx2.Response, status: int, code: str) -> dict[str, Any]:
    """The `error` of a refusal with just this status and code."""
    assert answer.status_code == status, answer.text
    envelope = answer.json()
    assert envelope["success"] is False
    error: dict[str, Any] = envelope["error"]
    assert error["code"] == code, error
    assert error["requestId"] == answer.headers["x-request-id"]
    return error


def faults(answer: httpx2.Response) -> dict[str, str]:
    """Field → message of a VALIDATION_ERROR."""
    return {fault["field"]: fault["message"] for fault in refusal(answer, 400, "VALIDATION_ERROR")["details"]}
