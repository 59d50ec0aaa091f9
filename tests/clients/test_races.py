"""Two at the same moment: one e-mail address, one version, one counter; the database decides."""

import random
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import httpx2
import pytest

from tests import make
from tests.book import events, select
from tests.people import Member, Person, data
from tests.serving import Served
from tests.wire import refused, sound

NEW = {"clientType": "COMPANY", "source": "MANUAL", "companyName": "Acme"}
COUNTED = ("lead", "prospect", "active", "inactive", "archived")


@contextmanager
def crowd(server: Served, owner: Member, size: int) -> Iterator[Callable[..., list[httpx2.Response]]]:
    """Sends requests from `size` connections at once: crowd(call, arguments) → answers."""
    people = [Person(server.url, owner.token) for _ in range(size)]
    with ThreadPoolExecutor(size) as pool:

        def send(call: Callable[[Person, int], httpx2.Response], times: int) -> list[httpx2.Response]:
            return list(pool.map(lambda number: call(people[number % size], number), range(times)))

        yield send


def counters(server: Served, owner: Member) -> tuple[dict[str, int], dict[str, int]]:
    """What the counters say, and what counting says."""
    account = owner.account["id"]
    [kept] = select(server, "select * from account_counters where account_id = $1", account)
    rows = select(
        server, "select lower(status) as s, count(*) as n from clients where account_id = $1 group by 1", account
    )
    counted = {**dict.fromkeys(COUNTED, 0), **{row["s"]: row["n"] for row in rows}}
    return {name: kept[name] for name in COUNTED}, counted


def test_of_a_hundred_clients_with_one_address_one_is_made(server: Served, alice: Member) -> None:
    def create(person: Person, number: int) -> httpx2.Response:
        email = "".join(chance.choice((letter.upper(), letter)) for letter in "same@example.com")
        return person.post("/clients", {**NEW, "email": email, "notes": str(number)})

    chance = random.Random(5)
    with crowd(server, alice, 20) as send:
        answers = send(create, 100)
    assert Counter(answer.status_code for answer in answers) == {201: 1, 409: 99}
    [made] = [data(answer, 201)["id"] for answer in answers if answer.status_code == 201]
    for answer in answers:
        if answer.status_code == 409:
            assert refused(answer, 409, "CLIENT_ALREADY_EXISTS")["details"]["clientId"] == made
    assert data(alice.get("/clients"))["total"] == 1
    assert len(events(server, alice)) == 1
    kept, counted = counters(server, alice)
    assert kept == counted


def test_of_ten_clients_changed_to_one_address_one_gets_it(server: Served, alice: Member) -> None:
    ids = [make.client(alice, email=f"{number}@example.com")["id"] for number in range(10)]
    with crowd(server, alice, 10) as send:
        answers = send(lambda person, n: person.patch(f"/clients/{ids[n]}", {"email": "Same@example.com"}), 10)
    assert Counter(answer.status_code for answer in answers) == {200: 1, 409: 9}
    found = data(alice.get("/clients?query=same@example.com"))
    assert found["total"] == 1


def test_with_if_match_every_accepted_change_is_one_version(server: Served, alice: Member) -> None:
    """20 writers change 5 times each what they have read: nobody overwrites what he has not seen."""
    client = make.client(alice)
    path = f"/clients/{client['id']}"

    def change(person: Person, number: int) -> httpx2.Response:
        seen = person.get(path)
        return person.patch(path, {"notes": f"change {number}"}, headers={"If-Match": seen.headers["etag"]})

    with crowd(server, alice, 20) as send:
        answers = send(change, 100)
    statuses = Counter(answer.status_code for answer in answers)
    assert statuses.keys() <= {200, 412}
    assert statuses[200] >= 1
    assert statuses[412] >= 1
    after = data(alice.get(path))
    assert after["version"] == 1 + statuses[200]
    versions = sorted(data(answer)["version"] for answer in answers if answer.status_code == 200)
    assert versions == list(range(2, 2 + statuses[200]))
    assert len(events(server, alice, "client.updated")) == statuses[200]


def test_changes_of_different_fields_do_not_overwrite_each_other(server: Served, alice: Member) -> None:
    client = make.client(alice)
    path = f"/clients/{client['id']}"
    fields = ("notes", "industry", "phone", "companyName", "firstName", "lastName")
    with crowd(server, alice, 6) as send:
        answers = send(lambda person, n: person.patch(path, {fields[n % 6]: f"value {n}"}), 30)
    assert {answer.status_code for answer in answers} == {200}
    after = data(alice.get(path))
    assert after["version"] == 31
    written = {field: {f"value {n}" for n in range(30) if fields[n % 6] == field} for field in fields}
    assert all(after[field] in written[field] for field in fields)


@pytest.mark.parametrize("seed", [1, 2])
def test_counters_equal_counting_after_anything(server: Served, alice: Member, seed: int) -> None:
    chance = random.Random(seed)
    ids: list[str] = []
    statuses = ("LEAD", "PROSPECT", "ACTIVE", "INACTIVE", "ARCHIVED")

    def act(person: Person, number: int) -> httpx2.Response:
        status = chance.choice(statuses)
        client_id = chance.choice(ids)
        match chance.randrange(6):
            case 0:
                return person.post("/clients", {**NEW, "status": status})
            case 1:
                return person.post("/clients", {**NEW, "email": f"{number % 3}@example.com"})
            case 2 | 3:
                return person.patch(f"/clients/{client_id}", {"status": status})
            case 4:
                return person.post(f"/clients/{client_id}/archive")
        return person.post(f"/clients/{client_id}/restore")

    for status in statuses[:4]:
        ids.append(make.client(alice, status=status)["id"])
    with crowd(server, alice, 8) as send:
        for answer in send(act, 80):
            sound(answer)
    kept, counted = counters(server, alice)
    assert kept == counted
    for status in statuses:
        assert data(alice.get(f"/clients?status={status}"))["total"] == counted[status.lower()]
    assert data(alice.get("/clients"))["total"] == sum(counted.values()) - counted["archived"]
    stats = data(alice.get("/clients/stats"))
    assert stats["totalClients"] == sum(counted.values()) - counted["archived"]


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        ("status=LEAD", 1),
        ("status=LEAD,LEAD", 1),
        ("status=LEAD,ARCHIVED", 2),
        ("", 3),
        ("status=ACTIVE,LEAD,PROSPECT", 3),
    ],
)
def test_total_of_a_status_is_exact(alice: Member, query: str, shown: int) -> None:
    for status in ("LEAD", "PROSPECT", "ACTIVE"):
        make.client(alice, status=status)
    data(alice.post(f"/clients/{make.client(alice)['id']}/archive"))
    page = data(alice.get(f"/clients?{query}&limit=1"))
    assert (page["total"], len(page["clients"])) == (shown, 1)
