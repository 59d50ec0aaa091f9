"""A Market for tests: the simulator over real HTTP in a thread of its own, and its admin side."""

import asyncio
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx2
import simplejson
import uvicorn

from soloist.infra.clock import Clock, system_clock
from soloist.market.simulator import create_simulator

TOKEN = "market-token-of-a-freelancer"


@dataclass(frozen=True, slots=True)
class Fair:
    """A running Market: where it is, and what can be done to it."""

    url: str
    http: httpx2.Client
    token: str = TOKEN

    def faults(self, **faults: Any) -> None:
        """Misbehave so from now on, by the names of `simulator_faults.Faults` on the wire; nothing: well."""
        self._ask("PUT", "/admin/faults", faults)

    @property
    def asked(self) -> dict[str, Any]:
        """What is wrong, and how many requests were and could be concerned."""
        return dict(self._ask("GET", "/admin/faults").json())

    def put(self, name: str, item_id: str, **fields: Any) -> dict[str, Any]:
        """Change an item of a list, or add one; the item as it is now."""
        return dict(self._ask("PUT", f"/admin/{name}/{item_id}", fields).json())

    def drop(self, name: str, item_id: str) -> None:
        """Forget an item."""
        self._ask("DELETE", f"/admin/{name}/{item_id}")

    def get(self, path: str, token: str | None = None, **query: str | int) -> httpx2.Response:
        """What the Market answers, whatever it is."""
        headers = {"Authorization": f"Bearer {token or self.token}"}
        return self.http.get(path, params=query, headers=headers)

    def all(self, name: str, limit: int = 200) -> list[dict[str, Any]]:
        """Every item of a list, page by page; numbers with a fraction are exact."""
        items, page = [], "1"
        while page:
            answer = simplejson.loads(self.get(f"/v1/{name}", limit=limit, page=page).text, use_decimal=True)
            items += answer["items"]
            page = answer["nextPage"]
        return items

    def _ask(self, method: str, path: str, body: object = None) -> httpx2.Response:
        headers = {"Authorization": f"Bearer {self.token}"}
        answer = self.http.request(method, path, json=body, headers=headers)
        answer.raise_for_status()
        return answer


@contextmanager
def fair(
    clients: int = 40, *, seed: int = 1, tokens: tuple[str, ...] = (TOKEN,), clock: Clock = system_clock
) -> Iterator[Fair]:
    """A Market on a free port until the block ends."""
    app = create_simulator(tokens, clients=clients, seed=seed, clock=clock)
    server = uvicorn.Server(
        uvicorn.Config(
            app, port=0, log_config=None, log_level="critical", access_log=False, timeout_graceful_shutdown=1
        )
    )
    thread = threading.Thread(target=lambda: asyncio.run(server.serve()), daemon=True)
    thread.start()
    pause = threading.Event()
    while not server.started:
        if not thread.is_alive():
            raise RuntimeError("the Market did not start")
        pause.wait(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        url = f"http://127.0.0.1:{port}"
        with httpx2.Client(base_url=url, timeout=30, verify=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)) as http:
            yield Fair(url, http, tokens[0])
    finally:
        server.should_exit = True
        thread.join(10)
