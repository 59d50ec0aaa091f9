"""`/health`: the process is up. `/ready`: it can serve: database, migrations and a worker are all right."""

import asyncio
from typing import TypedDict

import asyncpg
import orjson
from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import Response

from soloist.infra.db import UNAVAILABLE, Connection, Database
from soloist.infra.errors import ServiceUnavailable
from soloist.infra.http import JSON
from soloist.infra.migrations import MigrationFailed, missing

DEADLINE_SECONDS = 2.0
WORKER_SECONDS = 60
UNREACHABLE: tuple[type[Exception], ...] = (*UNAVAILABLE, asyncpg.PostgresError, OSError)


class Check(TypedDict, total=False):
    """One thing that must be right; `reason` says what is wrong and what to do."""

    ok: bool
    reason: str


def add(app: FastAPI) -> None:
    """Give `app` both addresses, open to anybody and outside the API's envelope."""
    app.add_api_route("/health", health, methods=["GET"], include_in_schema=False)
    app.add_api_route("/ready", ready, methods=["GET"], include_in_schema=False)


async def health() -> Response:
    return _json({"status": "ok"}, 200)


async def ready(request: Request) -> Response:
    found = await checks(request.app.state.db)
    all_right = all(check["ok"] for check in found.values())
    body = {"status": "ready" if all_right else "not ready", "checks": found}
    return _json(body, 200 if all_right else 503)


async def checks(db: Database) -> dict[str, Check]:
    """Each check by name; answers within two seconds, also when the database does not."""
    try:
        async with asyncio.timeout(DEADLINE_SECONDS), db.connection() as conn:
            return {
                "database": {"ok": True},
                "migrations": await _migrations(conn),
                "worker": await _worker(conn),
            }
    except UNREACHABLE as fault:
        reason = f"the database can't be reached ({type(fault).__name__})"
    except ServiceUnavailable as fault:
        reason = fault.message
    unknown: Check = {"ok": False, "reason": "not known without the database"}
    return {"database": {"ok": False, "reason": reason}, "migrations": unknown, "worker": unknown}


async def _migrations(conn: Connection) -> Check:
    try:
        left = await missing(conn)
    except MigrationFailed as fault:
        return {"ok": False, "reason": str(fault)}
    if left:
        return {"ok": False, "reason": f"not applied: {', '.join(left)}; run 'soloist migrate'"}
    return {"ok": True}


async def _worker(conn: Connection) -> Check:
    if not await conn.fetchval("select to_regclass('worker_heartbeats') is not null"):
        return {"ok": False, "reason": "not known before the migrations"}
    age = await conn.fetchval("select extract(epoch from now() - max(seen_at)) from worker_heartbeats")
    if age is None:
        return {
            "ok": False,
            "reason": "no worker runs; start 'soloist worker', or 'soloist serve' without --no-worker",
        }
    if age > WORKER_SECONDS:
        return {
            "ok": False,
            "reason": f"the worker was last seen {age:.0f} s ago; see its log, then start it again",
        }
    return {"ok": True}


def _json(body: object, status: int) -> Response:
    return Response(orjson.dumps(body), status, {"Cache-Control": "no-store"}, JSON)
