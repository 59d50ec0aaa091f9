"""The document's tables "Query Parameters": each parameter changes what is answered, and no other is taken."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any
from uuid import uuid4

import pytest

from soloist.health import jobs
from soloist.infra.http import BASE
from tests import make
from tests.book import work
from tests.contract import tables
from tests.databases import clone
from tests.opportunities.deals import act, deal, lasting, move, payment
from tests.people import Member, Person, data, faults, register
from tests.reminders.tasks import reminder
from tests.routes import api_routes, own_records, parameters_of, path_of, private_routes
from tests.serving import Served, SettableClock, serving, settings_for
from tests.wire import refused

CASES: dict[str, dict[str, dict[str, str]]] = {
    # endpoint → parameter → query: the names that are answered, in order; of the statistics, the total
    "/clients": {
        "query": {"query=bee": "B", "query=ant@example.com": "A", "query=wing": "C", "query=nobody": ""},
        "status": {"": "BDAC", "status=LEAD": "B", "status=LEAD&status=PROSPECT": "BC", "status=ARCHIVED": "FE"},
        "source": {"source=REFERRAL": "B", "source=REFERRAL&source=WEBSITE": "BD"},
        "clientType": {"clientType=INDIVIDUAL": "C", "clientType=COMPANY&clientType=INDIVIDUAL": "BDAC"},
        "tags": {"tags=web": "BA", "tags=web&tags=design": "A"},
        "minTotalRevenue": {"minTotalRevenue=1000": "BA", "minTotalRevenue=1000.01": "A"},
        "minHealthScore": {"minHealthScore=49": "BC", "minHealthScore=49.5": "C", "minHealthScore=100": ""},
        "lastInteractionBefore": {
            "lastInteractionBefore=2024-03-03": "BD",
            "lastInteractionBefore=2024-03-04": "BDC",
            "lastInteractionBefore=2024-03-05T09:00:00Z": "BDAC",
        },
        "sortBy": {
            "sortBy=name": "DCBA",
            "sortBy=createdAt": "BDAC",
            "sortBy=lastInteractionAt": "ACBD",
            "sortBy=totalRevenue": "ABCD",
            "sortBy=healthScore": "CBAD",
        },
        "sortOrder": {"sortBy=name&sortOrder=asc": "ABCD", "sortBy=name&sortOrder=desc": "DCBA"},
        "page": {"sortBy=name&limit=3&page=2": "A", "sortBy=name&limit=3&page=3": ""},
        "limit": {"sortBy=name&limit=1": "D", "sortBy=name&limit=3": "DCB"},
    },
    "/clients/needs-attention": {"limit": {"": "DAB", "limit=1": "D", "limit=2": "DA"}},
    "/opportunities": {
        "clientId": {"clientId={client}": "S", f"clientId={uuid4()}": ""},
        "source": {"source=REFERRAL": "Q", "source=REFERRAL&source=OTHER": "QR"},
        "stage": {"stage=PROPOSAL": "Q", "stage=PROPOSAL&stage=WON": "SQ"},
        "status": {"": "SQTR", "status=ON_HOLD": "R", "status=OPEN&status=LOST": "QT"},
        "priority": {"priority=URGENT": "T", "priority=URGENT&priority=LOW": "TR"},
        "minValue": {"minValue=500": "STR", "minValue=500.01": "ST"},
        "maxValue": {"maxValue=500": "QR", "maxValue=499.99": "Q"},
        "expectedCloseBefore": {"expectedCloseBefore=2024-04-02": "QR", "expectedCloseBefore=2024-04-01": "Q"},
        "expectedCloseAfter": {"expectedCloseAfter=2024-04-02": "SR", "expectedCloseAfter=2024-04-03": "S"},
        "sortBy": {
            "sortBy=title": "TSRQ",
            "sortBy=createdAt": "SQTR",
            "sortBy=estimatedValue": "STRQ",
            "sortBy=probability": "SQRT",
            "sortBy=expectedCloseDate&expectedCloseAfter=2024-01-01": "SRQ",
            "sortBy=updatedAt": "QTSR",
        },
        "sortOrder": {"sortBy=title&sortOrder=asc": "QRST", "sortBy=title&sortOrder=desc": "TSRQ"},
        "page": {"sortBy=title&limit=3&page=2": "Q", "sortBy=title&limit=3&page=3": ""},
        "limit": {"sortBy=title&limit=1": "T", "sortBy=title&limit=3": "TSR"},
    },
    "/opportunities/stats": {
        "startDate": {"": "4", "startDate=2024-03-03": "2", "startDate=2024-03-03T12:00:00.001Z": "1"},
        "endDate": {"endDate=2024-03-03": "3", "endDate=2024-03-03T11:59:59.999Z": "2"},
    },
    "/reminders/upcoming": {"days": {"": "LM", "days=1": "L", "days=30": "LMN"}},
}
NAMES = ("title", "companyName", "firstName")
PAIRS = [(path, parameter) for path, parameters in tables.PARAMETERS.items() for parameter in parameters]


class Book:
    """A book in which every parameter leaves something and leaves something out, on 10 March 2024."""

    def __init__(self, owner: Member, server: Served) -> None:
        self.owner = lasting(owner)
        self.clock = server.clock
        self._add_clients()
        self.client_id = self._add_deals()
        self._at("2024-03-10")
        for name, day in (("L", "2024-03-11"), ("M", "2024-03-15"), ("N", "2024-03-30")):
            reminder(self.owner, f"{day}T10:00:00Z", title=name)
        work(server, jobs.decay)

    def _at(self, day: str) -> SettableClock:
        self.clock.freeze(datetime.fromisoformat(f"{day}T12:00:00Z"))
        return self.clock

    def _client(self, name: str | None, **fields: Any) -> str:
        self.clock.advance(minutes=1)
        return str(make.client(self.owner, companyName=name, **fields)["id"])

    def _add_clients(self) -> None:
        """Ant is unhappy and pays best, Bee is colder, Cat is happy, Dog was never contacted, Eel is archived."""
        cat = self._client(None, clientType="INDIVIDUAL", firstName="Cat", lastName="Wing", status="PROSPECT")
        ant = self._client("Ant", tags=["web", "design"], email="ant@example.com")
        dog = self._client("Dog", source="WEBSITE")
        bee = self._client("Bee", source="REFERRAL", status="LEAD", tags=["web"])
        eel = self._client("Eel")
        self._at("2024-03-10")
        payment(self.owner, ant, 5000, sentiment="NEGATIVE", occurredAt="2024-03-05T09:00:00Z")
        payment(self.owner, bee, 1000, sentiment="NEUTRAL", occurredAt="2024-03-01T09:00:00Z")
        payment(self.owner, cat, 10, sentiment="POSITIVE", occurredAt="2024-03-04T09:00:00Z")
        data(self.owner.patch(f"/clients/{dog}", {"notes": "never called"}))
        data(self.owner.post(f"/clients/{eel}/archive"))

    def _add_deals(self) -> str:
        """R is held, T lost, S won, and Q the last that was changed."""
        made = {}
        client = self._client("Firm")
        for name, day, fields in (
            ("R", "2024-03-01", {"source": "OTHER", "stage": "QUALIFIED", "estimatedValue": 500, "priority": "LOW"}),
            ("T", "2024-03-02", {"source": "COLD_OUTREACH", "estimatedValue": 1000, "priority": "URGENT"}),
            ("Q", "2024-03-03", {"source": "REFERRAL", "stage": "PROPOSAL", "estimatedValue": 100}),
            ("S", "2024-03-04", {"clientId": client, "estimatedValue": 5000, "priority": "HIGH"}),
        ):
            closing = {"R": "2024-04-02", "Q": "2024-04-01", "S": "2024-04-03"}.get(name)
            self._at(day)
            made[name] = deal(self.owner, title=name, expectedCloseDate=closing, **fields)["id"]
        for number, change in enumerate(("R", "S", "T", "Q")):
            self._at(f"2024-03-0{5 + number}")
            match change:
                case "R":
                    act(self.owner, made["R"], "hold")
                case "Q":
                    data(self.owner.patch(f"/opportunities/{made['Q']}", {"description": "Changed"}))
                case end:
                    move(self.owner, made[end], "WON" if end == "S" else "LOST")
        data(self.owner.post(f"/clients/{client}/archive"))
        return client

    def answered(self, path: str, query: str) -> str:
        """What an endpoint answers, by the first letters of the names."""
        shown = data(self.owner.get(f"{path}?{query.format(client=self.client_id)}"))
        if path.endswith("/stats"):
            return str(shown["total"])
        lines = shown if isinstance(shown, list) else shown[path.strip("/")]
        return "".join(next(one[name][0] for name in NAMES if one.get(name)) for one in lines)


@pytest.fixture(scope="module")
def book(postgres: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Book]:
    """On a server of its own, whose clock stands still."""
    with serving(settings_for(tmp_path_factory.mktemp("parameters")), clone(postgres)) as served:
        served.clock.freeze(datetime.fromisoformat("2024-02-01T12:00:00Z"))
        yield Book(register(served.url, "parameters"), served)


@pytest.mark.parametrize(("path", "parameter"), PAIRS)
def test_parameter_has_its_effect(book: Book, path: str, parameter: str) -> None:
    cases = CASES[path][parameter]
    assert {query: book.answered(path, query) for query in cases} == cases
    assert len(set(cases.values())) > 1 or book.answered(path, "") not in cases.values()


@pytest.mark.parametrize(("path", "parameter"), [*PAIRS, ("/documents/recent", "limit")])
def test_misspelt_parameter_is_refused_with_the_right_one(book: Book, path: str, parameter: str) -> None:
    misspelt = parameter[:-1]
    told = faults(book.owner.get(f"{path}?{misspelt}=1"))
    assert told == {misspelt: f"unknown field {misspelt}; did you mean {parameter}?"}


def test_unknown_parameter_is_refused_by_every_get(server: Served, alice: Member) -> None:
    """Walks the route table: a new route is held to it, too."""
    ids = own_records(alice)
    gets = [route for route in private_routes(server.app) if route.methods == {"GET"}]
    assert len(gets) > 20
    for route in gets:
        path = path_of(route, {name: ids[name] for name in parameters_of(route)})
        assert alice.get(path).status_code == 200
        assert alice.get(f"{path}?").status_code == 200
        error = refused(alice.get(f"{path}?nobodyKnowsThis=1"), 400, "VALIDATION_ERROR", "unknown")
        assert [fault["field"] for fault in error["details"]] == ["nobodyKnowsThis"], path
        assert len(faults(alice.get(f"{path}?one=1&another=&one=2"))) == 2


@pytest.mark.parametrize(
    "path",
    [
        "/clients/stats",
        "/clients/{client_id}",
        "/clients/{client_id}/health-score",
        "/clients/{client_id}/health-score/history",
        "/opportunities/pipeline",
        "/opportunities/forecast",
        "/reminders/overdue",
        "/reminders/today",
        "/documents/stats",
    ],
)
def test_address_without_parameters_says_so(alice: Member, stranger: Person, path: str) -> None:
    path = path.format(client_id=make.client(alice)["id"])
    error = refused(alice.get(f"{path}?limit=5"), 400, "VALIDATION_ERROR")
    assert error["message"] == "limit: unknown parameter; this address takes none"
    assert "\\u0000" in refused(alice.get(f"{path}?a%00b=1"), 400, "VALIDATION_ERROR")["details"][0]["field"]
    refused(stranger.get(f"{path}?limit=5"), 401, "UNAUTHORIZED")


def test_description_of_the_api_takes_what_a_cache_adds(server: Served, stranger: Person) -> None:
    assert any(route.path == f"{BASE}/openapi.json" for route in api_routes(server.app))
    assert stranger.get("/openapi.json?v=1").status_code == 200
