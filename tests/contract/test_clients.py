"""The document's section "Clients": its JSON blocks sent and matched as they stand there."""

from datetime import datetime

from soloist.health import jobs
from soloist.health.model import WEIGHTS, overall_score
from soloist.infra.http import BASE
from tests import make
from tests.book import work
from tests.contract import blocks, tables
from tests.contract.matching import create, holds, parsed, resembles, send
from tests.opportunities.deals import deal, lasting, move, payment
from tests.people import Member, data, register
from tests.serving import Served, SettableClock


def test_base_url_is_the_documents() -> None:
    assert BASE == "/api/cockpit"


def test_create_client(alice: Member) -> None:
    headers = {"Content-Type": "application/json"}
    answer = alice.request("POST", "/clients", content=blocks.CREATE_CLIENT.encode(), headers=headers)
    assert answer.status_code == 201
    holds(answer.json(), parsed(blocks.CREATED_CLIENT))
    holds(answer.json()["data"], parsed(blocks.CREATE_CLIENT))


def test_search_clients(alice: Member) -> None:
    for _ in range(100):
        make.client(alice)
    answer = alice.get("/clients")
    holds(answer.json(), parsed(blocks.FOUND_CLIENTS))
    assert len(data(answer)["clients"]) == 20


def scoring_85(owner: Member) -> str:
    """The document's client, a well-kept one.

    Recency 100, frequency 85 (four a month), monetary 78 (13,000), satisfaction 100, responsiveness 50.
    """
    made = create(owner, "/clients", blocks.CREATE_CLIENT)
    of_client = f"/clients/{made['id']}"
    for _ in range(12):
        create(owner, f"{of_client}/interactions", blocks.ADD_INTERACTION)
    create(owner, f"{of_client}/contacts", blocks.ADD_CONTACT)
    move(owner, deal(owner, clientId=made["id"], estimatedValue=13_000)["id"], "WON")
    deal(owner, clientId=made["id"])
    return str(made["id"])


def test_get_client(alice: Member) -> None:
    holds(alice.get(f"/clients/{scoring_85(alice)}").json(), parsed(blocks.CLIENT))


def test_get_client_health_score(server: Served, clock: SettableClock) -> None:
    clock.freeze(datetime.fromisoformat("2024-01-15T10:30:00Z"))
    owner = register(server.url, "health")
    answer = owner.get(f"/clients/{scoring_85(owner)}/health-score")
    documented = parsed(blocks.HEALTH_SCORE)
    resembles(answer.json(), documented)
    report = data(answer)
    assert report["components"].keys() == documented["data"]["components"].keys()
    for name in ("overallScore", "lastCalculated"):
        holds(report[name], documented["data"][name])


def test_health_example_adds_up_by_the_weights() -> None:
    """90, 80, 85, 90 and 75 make 84.75, which is 85."""
    shown = parsed(blocks.HEALTH_SCORE)["data"]
    assert WEIGHTS == tables.WEIGHTS
    assert sum(shown["components"][name] * weight for name, weight in WEIGHTS.items()) == 8475
    assert overall_score(**shown["components"]) == shown["overallScore"] == 85


def test_update_client(alice: Member) -> None:
    made = create(alice, "/clients", blocks.CREATE_CLIENT)
    shown = send(alice, "PATCH", f"/clients/{made['id']}", blocks.UPDATE_CLIENT)
    holds(shown, {**parsed(blocks.CREATE_CLIENT), **parsed(blocks.UPDATE_CLIENT)})


def test_archive_and_restore_client(alice: Member) -> None:
    made = create(alice, "/clients", blocks.CREATE_CLIENT)
    assert data(alice.post(f"/clients/{made['id']}/archive"))["status"] == "ARCHIVED"
    assert data(alice.post(f"/clients/{made['id']}/restore"))["status"] == "ACTIVE"


def test_add_interaction_and_contact(alice: Member) -> None:
    made = create(alice, "/clients", blocks.CREATE_CLIENT)
    interaction = create(alice, f"/clients/{made['id']}/interactions", blocks.ADD_INTERACTION)
    contact = create(alice, f"/clients/{made['id']}/contacts", blocks.ADD_CONTACT)
    shown = data(alice.get(f"/clients/{made['id']}"))
    assert (shown["contacts"], shown["recentInteractions"]) == ([contact], [interaction])


def test_get_client_statistics(server: Served, clock: SettableClock, alice: Member) -> None:
    """Of 50 clients, 45 score 77 or 82 and were met today; five were never met, score 18 and need attention."""
    owner = lasting(alice)
    clock.freeze()
    statuses = ["PROSPECT"] * 5 + ["LEAD"] * 10 + ["ACTIVE"] * 35
    sources = ["REFERRAL"] * 5 + ["MANUAL"] * 20 + ["MARKET_IMPORT"] * 25
    made = [
        make.client(owner, status=status, source=source)["id"] for status, source in zip(statuses, sources, strict=True)
    ]
    clock.advance(days=20)
    met = made[5:]
    for client_id in met:
        for _ in range(8):
            send(owner, "POST", f"/clients/{client_id}/interactions", blocks.ADD_INTERACTION, 201)
        payment(owner, client_id, 10_000 if client_id in met[:5] else 5_000, sentiment="POSITIVE")
    work(server, jobs.decay)
    answer = owner.get("/clients/stats")
    holds(answer.json(), parsed(blocks.CLIENT_STATS))
    assert data(answer)["bySource"] == parsed(blocks.CLIENT_STATS)["data"]["bySource"]


def test_get_clients_needing_attention(clock: SettableClock, alice: Member) -> None:
    """By default ten of them; those with a low score or no recent interaction."""
    owner = lasting(alice)
    for _ in range(11):
        make.client(owner)
    kept = make.client(owner)
    assert data(owner.get("/clients/needs-attention")) == []
    clock.advance(days=20)
    make.interaction(owner, kept["id"], sentiment="POSITIVE", interactionType="MEETING")
    payment(owner, kept["id"], 50_000)
    shown = data(owner.get("/clients/needs-attention"))
    assert len(shown) == 10
    assert len(data(owner.get("/clients/needs-attention?limit=100"))) == 11
    assert kept["id"] not in {one["id"] for one in shown}
    clock.advance(days=31)
    assert kept["id"] in {one["id"] for one in data(owner.get("/clients/needs-attention?limit=100"))}
