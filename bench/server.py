"""The measured process: the product with one constant route more, or a bare FastAPI application with only that.

As a program: `python -m bench.server product|bare LISTENER`. It ends when its standard input does.
"""

import socket
import sys

import orjson
from fastapi import FastAPI, Request, Response

from soloist.accounts.actor import Reader
from soloist.app import create_app
from soloist.commands.process import run_app
from soloist.infra import logs, routing
from soloist.infra.http import BASE, enveloped
from soloist.infra.settings import Settings, load

CONSTANT_PATH = f"{BASE}/constant"
CONSTANT = {
    "id": "0190b5a4-7c1e-7b3a-9d55-2f6c1f0a8e21",
    "clientType": "COMPANY",
    "displayName": "Acme Corporation",
    "status": "ACTIVE",
    "tags": ["enterprise", "tech"],
    "totalRevenue": 15000,
    "healthScore": 85,
    "version": 1,
}
_CONSTANT = orjson.dumps(CONSTANT)


async def constant(request: Request, actor: Reader) -> Response:
    """What everything our routes share costs: the same authentication, limiter, headers and log line."""
    return enveloped(_CONSTANT)


async def bare_constant():  # type: ignore[no-untyped-def]  # a return type would have FastAPI check the answer by it
    """The same JSON from a FastAPI route with nothing around it."""
    return {"success": True, "data": CONSTANT}


def product(settings: Settings) -> FastAPI:
    """The product, with the constant route."""
    assert settings.database_url is not None
    app = create_app(settings, settings.database_url.get_secret_value(), alone=True)
    router = routing.router("Bench")
    router.add_api_route("/constant", constant, methods=["GET"])
    app.router.routes.extend(router.routes)
    return app


def bare(_: Settings) -> FastAPI:
    """FastAPI without anything of ours."""
    app = FastAPI(openapi_url=None)
    app.add_api_route(CONSTANT_PATH, bare_constant, methods=["GET"])
    return app


def main() -> None:
    kind, listener = sys.argv[1:]
    settings = load()
    logs.configure("json", "info", sys.stdout)
    app = {"product": product, "bare": bare}[kind](settings)
    run_app(app, socket.socket(fileno=int(listener)), lambda: None, parent=sys.stdin.fileno())


if __name__ == "__main__":
    main()
