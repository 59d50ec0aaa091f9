"""Two at the same moment: the database decides, one wins, the other is told, and nothing is half done."""

import threading
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx2

from soloist.infra.http import BASE
from tests import make
from tests.book import locked
from tests.opportunities.deals import client_of, deal, kinds, move, payment, seen, told
from tests.people import Member, data
from tests.serving import Served

Call = tuple[str, str, Any]  # method, path, body


def at_once(owner: Member, calls: Sequence[Call]) -> list[httpx2.Response]:
    """The answers to calls that all begin, each on an open connection of its own, when the last one is ready."""
    ready = threading.Barrier(len(calls))

    def run(call: Call) -> httpx2.Response:
        method, path, body = call
        headers = {"Authorization": f"Bearer {owner.token}"}
        with httpx2.Client(base_url=owner.url + BASE, headers=headers, trust_env=False, timeout=60) as connection:
            connection.get("/opportunities/stats")
            ready.wait(20)
            return connection.request(method, path, **({"json": body} if body is not None else {}))

    with ThreadPoolExecutor(len(calls)) as threads:
        return list(threads.map(run, calls))


def staged(deal_id: str, stage: str) -> Call:
    return "POST", f"/opportunities/{deal_id}/stage", {"stage": stage}


def outcome(answer: httpx2.Response) -> str:
    return "ok" if answer.status_code == 200 else str(answer.json()["error"]["code"])


def test_of_won_and_lost_at_the_same_moment_one_succeeds(server: Served, alice: Member) -> None:
    client = make.client(alice, status="LEAD")
    made = [deal(alice, clientId=client["id"], estimatedValue=100)["id"] for _ in range(50)]
    since = len(told(server, alice))
    answers: list[httpx2.Response] = []
    for start in range(0, 50, 5):
        pairs = [(one, end) for one in made[start : start + 5] for end in ("WON", "LOST")]
        answers += at_once(alice, [staged(one, end) for one, end in pairs])
    assert Counter(outcome(answer) for answer in answers) == {"ok": 50, "OPPORTUNITY_CLOSED": 50}
    ends: Counter[str] = Counter()
    for one in made:
        created, end = kinds(alice, one)
        assert (created, seen(alice, one)["stage"]) == ("CREATED", end)
        ends[end] += 1
    types = Counter(kind for kind, _ in told(server, alice, since))
    assert types["opportunity.stage_changed"] == 50
    assert types["opportunity.won"] + types["opportunity.lost"] == 50
    assert types["opportunity.won"] == ends["WON"]
    assert client_of(alice, client["id"])["totalRevenue"] == 100 * ends["WON"]


def test_move_waits_for_the_other_one_and_is_told_closed(server: Served, alice: Member) -> None:
    """Held for certain: WON waits on the row while LOST is being written, and sees it."""
    made = deal(alice)
    close = "update opportunities set status = 'LOST', stage = 'LOST', closed_at = now() where id = $1"
    answers: list[httpx2.Response] = []
    thread = threading.Thread(target=lambda: answers.extend(at_once(alice, [staged(made["id"], "WON")])))
    with locked(server, close, made["id"]):
        thread.start()
        thread.join(0.3)
        assert thread.is_alive()
    thread.join(20)
    assert outcome(answers[0]) == "OPPORTUNITY_CLOSED"
    assert kinds(alice, made["id"]) == ["CREATED"]


def test_ten_equal_moves_at_once_are_one_move(server: Served, alice: Member) -> None:
    made = deal(alice)
    answers = at_once(alice, [staged(made["id"], "PROPOSAL")] * 10)
    assert Counter(outcome(answer) for answer in answers) == {"ok": 1, "INVALID_STAGE_TRANSITION": 9}
    assert kinds(alice, made["id"]) == ["CREATED", "STAGE_CHANGED"]
    assert seen(alice, made["id"])["version"] == 2


def test_wins_and_payments_at_once_all_count(server: Served, alice: Member) -> None:
    client = make.client(alice)
    made = [deal(alice, clientId=client["id"], estimatedValue=1000)["id"] for _ in range(8)]
    pay = {"interactionType": "PAYMENT_RECEIVED", "subject": "Paid", "metadata": {"amount": 1, "currency": "USD"}}
    calls = [*(staged(one, "WON") for one in made), *[("POST", f"/clients/{client['id']}/interactions", pay)] * 8]
    assert {answer.status_code for answer in at_once(alice, calls)} == {200, 201}
    assert client_of(alice, client["id"])["totalRevenue"] == 8008


def test_deals_swapping_clients_at_once_leave_revenue_whole(server: Served, alice: Member) -> None:
    """Each change locks both clients; in one order, so that none waits for another one that waits for it."""
    first, second = make.client(alice)["id"], make.client(alice, companyName="Beta")["id"]
    made = [deal(alice, clientId=one, estimatedValue=10)["id"] for one in (first, second) * 4]
    for one in made[:2]:
        payment(alice, first if one == made[0] else second, 5, opportunityId=one)
    calls = [
        ("PATCH", f"/opportunities/{one}", {"clientId": (second, first)[index % 2]}) for index, one in enumerate(made)
    ]
    assert Counter(outcome(answer) for answer in at_once(alice, calls)) == {"ok": 8}
    for one in made:
        move(alice, one, "WON")
    assert [client_of(alice, one)["totalRevenue"] for one in (first, second)] == [40, 40]


def test_delete_and_win_at_once_leave_one_of_both(server: Served, alice: Member) -> None:
    client = make.client(alice)
    for _ in range(5):
        made = deal(alice, clientId=client["id"], estimatedValue=7)
        deleted, won = at_once(alice, [("DELETE", f"/opportunities/{made['id']}", None), staged(made["id"], "WON")])
        assert {outcome(deleted), outcome(won)} in ({"ok", "OPPORTUNITY_CLOSED"}, {"ok", "OPPORTUNITY_NOT_FOUND"})
    wins = data(alice.get("/opportunities?status=WON"))["total"]
    assert client_of(alice, client["id"])["totalRevenue"] == 7 * wins


def test_archiving_and_moving_at_once_never_move_an_archived_clients_deal(server: Served, alice: Member) -> None:
    for stage in ("WON", "QUALIFIED"):
        client = make.client(alice)
        made = deal(alice, clientId=client["id"], estimatedValue=7)
        archive = ("POST", f"/clients/{client['id']}/archive", None)
        archived, moved = at_once(alice, [archive, staged(made["id"], stage)])
        assert archived.status_code == 200
        assert outcome(moved) in ("ok", "CLIENT_ARCHIVED")
        after = client_of(alice, client["id"])
        assert after["status"] == "ARCHIVED"
        assert after["totalRevenue"] == (7 if stage == "WON" and outcome(moved) == "ok" else 0)
