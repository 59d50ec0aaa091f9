"""What is measured, one function a subject. Ratios are taken within a round: a busy machine touches both sides."""

import asyncio
import os
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import count
from urllib.parse import quote

import httpx2
import orjson

from bench.figures import Figure
from bench.load import NUMBER, Plan, Report, run
from bench.records import BOUNDS as RECORD_BOUNDS
from bench.records import STATISTICS_MS, Records
from bench.server import CONSTANT_PATH
from bench.world import RATES, Owner, Process, World, environment, headers_of, wait_for
from soloist.health.jobs import decay
from soloist.infra.db import Database
from soloist.infra.http import BASE
from tests.bulk import RARE_WORD

CLIENT = {
    "clientType": "COMPANY",
    "source": "MANUAL",
    "companyName": "Acme Corporation",
    "firstName": "John",
    "lastName": "Doe",
    "email": f"contact.{NUMBER}@acme.com",
    "phone": "+1234567890",
    "website": "https://acme.com",
    "industry": "Technology",
    "companySize": "MEDIUM",
    "timezone": "America/New_York",
    "tags": ["enterprise", "tech"],
    "notes": "Met at tech conference 2024",
    "address": {
        "street": "123 Main St",
        "city": "San Francisco",
        "state": "CA",
        "country": "USA",
        "postalCode": "94102",
    },
}
LIST = f"{BASE}/clients?status=ACTIVE&limit=20"
BARE, CONSTANT, ONE, MANY, CREATE = "bare constant route", "constant", "one client", "list", "create"
# Which request may cost how many times which other.
BOUNDS = ((CONSTANT, BARE, 2.0), (ONE, CONSTANT, 2.0), (MANY, CONSTANT, 3.0), (CREATE, CONSTANT, 3.5))
_numbers = count(0, 10_000_000)


def _plans(owner: Owner, product: int, bare: int, seconds: float) -> dict[str, Plan]:
    headers = headers_of(owner)
    return {
        BARE: Plan(bare, [CONSTANT_PATH], seconds, headers=headers),
        CONSTANT: Plan(product, [CONSTANT_PATH], seconds, headers=headers),
        ONE: Plan(product, [f"{BASE}/clients/{client_id}" for client_id in owner.client_ids], seconds, headers=headers),
        MANY: Plan(product, [LIST], seconds, headers=headers),
        CREATE: _creating(owner, product, seconds),
    }


def _creating(owner: Owner, port: int, seconds: float) -> Plan:
    body = orjson.dumps(CLIENT).decode()
    return Plan(
        port,
        [f"{BASE}/clients"],
        seconds,
        method="POST",
        headers=headers_of(owner),
        body=body,
        first_number=next(_numbers),
    )


def costs(owner: Owner, product: Process, bare: Process, rounds: int, seconds: float, records: Records) -> list[Figure]:
    """CPU time of the server process per request of each kind, and the ratios that are bounded."""
    for plan in _plans(owner, product.port, bare.port, 0.5).values():
        run(plan)
    spent: dict[str, list[float]] = {}
    reports: dict[str, list[Report]] = {}
    for number in range(rounds):
        plans = _plans(owner, product.port, bare.port, seconds)
        for name, plan in {**plans, **records.plans(product.port, seconds, number)}.items():
            server = bare if name == BARE else product
            before = server.cpu_seconds()
            report = run(plan)
            spent.setdefault(name, []).append((server.cpu_seconds() - before) / report.requests * 1e6)
            reports.setdefault(name, []).append(report)
    told = [
        Figure(f"CPU: {name}", statistics.median(values), "µs", more=_rates(reports[name]))
        for name, values in spent.items()
    ]
    ratios = []
    for name, floor, bound in (*BOUNDS, *((name, CONSTANT, bound) for name, bound in RECORD_BOUNDS.items())):
        each = [cost / base for cost, base in zip(spent[name], spent[floor], strict=True)]
        more = "rounds: " + ", ".join(f"{ratio:.2f}" for ratio in each)
        ratios.append(Figure(f"{name} ÷ {floor}", statistics.median(each), "×", bound, more))
    return told + ratios


def _rates(reports: Sequence[Report]) -> str:
    middle = [statistics.median(getattr(report, name) for report in reports) for name in ("per_second", "p50", "p99")]
    return "{:.0f}/s, p50 {:.1f} ms, p99 {:.1f} ms".format(*middle)


def growth(small: Owner, large: Owner, product: Process, rounds: int, seconds: float) -> list[Figure]:
    """The list by status alone, in a small book and in a large one."""
    found: dict[str, list[float]] = {"small": [], "large": []}
    for _ in range(rounds + 1):  # the first one warms up
        for name, owner in (("small", small), ("large", large)):
            report = run(Plan(product.port, [LIST], seconds, connections=1, headers=headers_of(owner)))
            found[name].append(report.p95)
    each = [large / small for small, large in zip(found["small"][1:], found["large"][1:], strict=True)]
    more = f"p95 {statistics.median(found['small'][1:]):.2f} ms → {statistics.median(found['large'][1:]):.2f} ms"
    return [Figure("list by status, p95: large book ÷ small", statistics.median(each), "×", 2.0, more)]


def filters(large: Owner, product: Process, rounds: int, seconds: float) -> list[Figure]:
    """The p95 of lists with other filters, exact total included, and of searches for a rare word."""
    quiet_since = (datetime.now(UTC) - timedelta(days=120)).date()
    asked = {
        "list by source": ("source=UPWORK", 30),
        "list by type": ("clientType=COMPANY", 30),
        "list by tag": ("tags=tag-01", 30),
        "list by least health, sorted by name": ("minHealthScore=80&sortBy=name", 30),
        "list by least revenue": ("minTotalRevenue=10000", 30),
        "list by last contact": (f"lastInteractionBefore={quiet_since}", 30),
        "list by status, sorted by revenue": ("status=INACTIVE&sortBy=totalRevenue", 30),
        "search for a rare word": (f"query={RARE_WORD}", 50),
        "search for three letters of it": (f"query={quote(RARE_WORD[1:4])}", 50),
    }
    found: dict[str, list[Report]] = {}
    for _ in range(rounds):
        for name, (query, _) in asked.items():
            plan = Plan(product.port, [f"{BASE}/clients?{query}"], seconds, connections=1, headers=headers_of(large))
            found.setdefault(name, []).append(run(plan))
    return [
        Figure(
            f"{name}, p95",
            statistics.median(report.p95 for report in found[name]),
            "ms",
            bound,
            f"p50 {statistics.median(report.p50 for report in found[name]):.2f} ms",
        )
        for name, (_, bound) in asked.items()
    ]


def statistics_of_deals(records: Records, product: Process, rounds: int, seconds: float) -> list[Figure]:
    """The p95 of the statistics of 20,000 deals."""
    found = [run(records.statistics(product.port, seconds)) for _ in range(rounds)]
    more = f"p50 {statistics.median(report.p50 for report in found):.2f} ms"
    value = statistics.median(report.p95 for report in found)
    return [Figure("statistics of 20,000 deals, p95", value, "ms", STATISTICS_MS, more)]


def refresh(at: World, clients: int) -> list[Figure]:
    """How long the hourly pass takes when every stored score is out of date."""

    async def pass_over() -> tuple[int, float]:
        db = Database(at.dsn, size=2)
        await db.open()
        started = time.perf_counter()
        changed = await decay(db)
        seconds = time.perf_counter() - started
        await db.close()
        return changed, seconds

    changed, seconds = asyncio.run(pass_over())
    more = f"{changed:,} scores changed in {seconds:.1f} s"
    return [Figure("health refresh, per 100,000 clients", seconds * 100_000 / clients, "s", 60, more)]


def starting(at: World, owner: Owner, starts: int, seconds: float) -> list[Figure]:
    """`soloist serve` on the data that is there: from the command to /ready, and its memory after some load."""
    taken = []
    for number in range(starts):
        started = time.perf_counter()
        with subprocess.Popen(
            [sys.executable, "-c", "from soloist.cli import main; main()", "serve", "--port", str(_PORT)],
            env=environment({**RATES, "SOLOIST_DATA_DIR": str(at.folder), "SOLOIST_LOG_FORMAT": "json"}),
            stdout=subprocess.DEVNULL,
        ) as serving:
            try:
                wait_for(_is_ready, 60, "`soloist serve` did not become ready")
                taken.append(time.perf_counter() - started)
                if number == starts - 1:
                    memory = _memory_under_load(serving.pid, owner, seconds)
            finally:
                serving.send_signal(signal.SIGINT)
                serving.wait(60)
    more = ", ".join(f"{each:.2f}" for each in taken)
    return [
        Figure("start to /ready, warm", statistics.median(taken), "s", 3.0, f"starts: {more}"),
        Figure("memory of `soloist serve` after load", memory, "MB", 150, "resident set, worker inside"),
    ]


_PORT = 20_000 + os.getpid() % 10_000


def _is_ready() -> bool:
    try:
        return httpx2.get(f"http://127.0.0.1:{_PORT}/ready", timeout=5, trust_env=False).status_code == 200
    except httpx2.TransportError:
        return False


def _memory_under_load(pid: int, owner: Owner, seconds: float) -> float:
    for name, plan in _plans(owner, _PORT, _PORT, seconds).items():
        if name not in (BARE, CONSTANT):
            run(plan)
    return Process(pid, _PORT).memory_mb()
