"""The web application, put together: routes, layers, and what they share. No rules here."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from soloist import __version__
from soloist.accounts import api as accounts
from soloist.accounts import stopping
from soloist.accounts.actor import Identifier
from soloist.api_words import WORDS
from soloist.clients import api as clients
from soloist.contacts import api as contacts
from soloist.documents import api as documents
from soloist.documents import files
from soloist.documents.arrivals import Files
from soloist.events import api as events
from soloist.health import api as health
from soloist.infra import http, openapi, readiness
from soloist.infra.assets import mount_static
from soloist.infra.clock import Clock, system_clock
from soloist.infra.db import Database
from soloist.infra.errors import Problem
from soloist.infra.gate import Gate
from soloist.infra.limits import DatabaseWindow, Limiter, MemoryWindow
from soloist.infra.outbound import Outbound
from soloist.infra.paging import Cursors
from soloist.infra.sealing import Vault
from soloist.infra.secrets import derived, installation_secret
from soloist.infra.settings import Settings
from soloist.infra.stores import open_store
from soloist.interactions import api as interactions
from soloist.mails.model import Links
from soloist.market import api as market
from soloist.market.connection import doors_of
from soloist.opportunities import api as opportunities
from soloist.reminders import api as reminders
from soloist.webhooks import api as webhooks
from soloist.webhooks.signing import KEPT_SECRETS

EXTRA_CLASSES = {("POST", f"{http.BASE}/clients/sync"): "sync"}


def create_app(settings: Settings, dsn: str, clock: Clock = system_clock, *, alone: bool = False) -> FastAPI:
    """The application on the database at `dsn`.

    `alone` says that no other server process serves this database: rate limits are then counted in memory.
    """
    secret = installation_secret(settings)
    db = Database(dsn, size=settings.pool_size, clock=clock, wait_seconds=settings.pool_wait_seconds)
    identifier = Identifier(db, settings, derived(secret, "tokens"))
    window = MemoryWindow(clock) if alone else DatabaseWindow(db)
    doors = doors_of(settings, secret, clock)

    @asynccontextmanager
    async def life(app: FastAPI) -> AsyncIterator[None]:
        await db.open()
        async with identifier.listening():
            yield
        await doors.close()
        await db.close()

    app = FastAPI(
        title="Soloist",
        version=__version__,
        lifespan=life,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        exception_handlers={
            Problem: http.on_problem,
            http.Replay: http.on_replay,
            RequestValidationError: http.on_validation,
            HTTPException: http.on_http_exception,
        },
    )
    app.state.settings = settings
    app.state.db = db
    app.state.identifier = identifier
    app.state.window = window
    app.state.cursors = Cursors(derived(secret, "cursors"))
    app.state.outbound = Outbound(settings.outbound_allow)
    app.state.doors = doors
    app.state.links = Links(settings.public_url, derived(secret, "mail"))
    app.state.vault = Vault(derived(secret, "webhooks"), KEPT_SECRETS)
    app.state.files = Files(
        open_store(settings, derived(secret, "files")), settings.max_upload_bytes, settings.upload_stall_seconds
    )

    # The Market first: its /clients/market is not the client called "market".
    for api in (
        market, accounts, clients, contacts, interactions, health, opportunities, reminders, documents, events,
        webhooks, files, stopping,
    ):  # fmt: skip
        # Not include_router(): it would keep the routes one level down and match each request twice.
        app.router.routes.extend(api.router.routes)
    openapi.add(app, WORDS)
    readiness.add(app)
    mount_static(app)

    # The last one added is the outermost.
    app.add_middleware(
        Gate,
        identify=identifier.identify,
        limiter=Limiter(window, settings.rates()),
        extra_classes=EXTRA_CLASSES,
        trusted=settings.trusted_proxies,
    )
    app.add_middleware(http.Envelope)
    return app
