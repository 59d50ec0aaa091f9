"""A client's health over HTTP: the document's shape, the stored score, its history, its alarms, and its decay."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any
from uuid import uuid4

import pytest

from soloist.health.jobs import decay
from tests import make
from tests.book import events, select, work
from tests.opportunities.deals import deal, lasting, move, payment
from tests.people import Member, Person, data, refusal, register
from tests.serving import Served, SettableClock

START = datetime(2024, 3, 4, 9, tzinfo=UTC)


@pytest.fixture
def owner(server: Served, clock: SettableClock) -> Member:
    """Somebody whose key outlives the jumps of a clock that stands still."""
    clock.freeze(START)
    return lasting(register(server.url, "owner"))


def health(person: Person, client_id: str) -> dict[str, Any]:
    found: dict[str, Any] = data(person.get(f"/clients/{client_id}/health-score"))
    return found


def history(person: Person, client_id: str) -> list[tuple[str, int]]:
    days = data(person.get(f"/clients/{client_id}/health-score/history"))
    return [(day["date"], day["score"]) for day in days]


def stored(server: Served, client_id: str) -> int:
    [row] = select(server, "select health_score from clients where id = $1::text::uuid", client_id)
    score: int = row["health_score"]
    return score


def at(moment: datetime) -> str:
    return moment.isoformat()


def talk(person: Person, client_id: str, when: datetime, **fields: Any) -> dict[str, Any]:
    """An interaction without a mood, unless one is given."""
    return make.interaction(person, client_id, subject="Qwrt", occurredAt=at(when), **fields)


def well_kept(person: Person) -> str:
    """A client that paid 50,000 and was talked to eighteen times, as of now, and happily: 93 points."""
    client_id: str = make.client(person)["id"]
    now = person_now(person, client_id)
    payment(person, client_id, 50_000, subject="Qwrt", occurredAt=at(now), isOutbound=False, sentiment="POSITIVE")
    for _ in range(17):
        talk(person, client_id, now, interactionType="MEETING", sentiment="POSITIVE")
    return client_id


def person_now(person: Person, client_id: str) -> datetime:
    return datetime.fromisoformat(health(person, client_id)["lastCalculated"])


def dropped(server: Served, owner: Member) -> list[tuple[int, int]]:
    """(previous, new score) of each alarm so far."""
    return [(one["data"]["previousScore"], one["data"]["score"]) for one in events(server, owner, "health.dropped")]


def test_the_score_has_the_documents_fields_and_what_explains_it(owner: Member) -> None:
    client_id = well_kept(owner)
    assert health(owner, client_id) == {
        "overallScore": 93,
        "components": {"recency": 100, "frequency": 100, "monetary": 100, "satisfaction": 100, "responsiveness": 50},
        "recommendations": ["The client is happy: a good moment to ask for a referral or a testimonial."],
        "lastCalculated": "2024-03-04T09:00:00.000Z",
        "inputs": {
            "daysSinceLastInteraction": 0,
            "interactionsPerMonth": 6,
            "interactionsLast90Days": 18,
            "totalRevenue": 50_000,
            "currency": "USD",
            "satisfactionAverage": 100,
            "ratedInteractions": 18,
            "marketRatings": 0,
            "medianResponseHours": None,
            "responsesCounted": 0,
        },
        "explanation": {
            "recency": "Last contact was today: 100 of 100, a quarter of the score.",
            "frequency": "18 interactions in the last 90 days: 100 of 100.",
            "monetary": "Total revenue is 50000.00 USD: 100 of 100.",
            "satisfaction": "The mood of 18 interactions, newer ones weighing more: 100 of 100.",
            "responsiveness": "No question was asked in the last 180 days: 50 of 100 as the middle.",
        },
    }


def test_the_guides_worked_example_comes_out(owner: Member, clock: SettableClock) -> None:
    client_id = make.client(owner)["id"]
    now = clock.advance(days=365)
    payment(owner, client_id, 12_000, occurredAt=at(now - timedelta(days=200)), sentiment="NEUTRAL")
    talk(owner, client_id, now - timedelta(days=60), sentiment="POSITIVE")
    talk(owner, client_id, now - timedelta(days=60) + timedelta(hours=10), isOutbound=False, sentiment="POSITIVE")
    talk(owner, client_id, now - timedelta(days=41), isOutbound=False, sentiment="POSITIVE")
    found = health(owner, client_id)
    assert found["components"] == {
        "recency": 66, "frequency": 40, "monetary": 77, "satisfaction": 100, "responsiveness": 89,
    }  # fmt: skip
    assert found["overallScore"] == 73
    assert found["recommendations"][0] == "Last contact was 41 days ago: schedule a follow-up."
    assert found["inputs"]["medianResponseHours"] == 10


def test_every_change_of_an_input_leaves_the_stored_score_true(
    server: Served, owner: Member, clock: SettableClock
) -> None:
    client_id = make.client(owner)["id"]
    scores = [stored(server, client_id)]

    def true() -> None:
        scores.append(stored(server, client_id))
        assert scores[-1] == health(owner, client_id)["overallScore"]
        assert data(owner.get(f"/clients/{client_id}"))["healthScore"] == scores[-1]

    true()
    call = talk(owner, client_id, clock() - timedelta(days=45))
    true()
    data(owner.patch(f"/interactions/{call['id']}", {"sentiment": "NEGATIVE"}))
    true()
    data(owner.patch(f"/interactions/{call['id']}", {"occurredAt": at(clock() - timedelta(days=5))}))
    true()
    paid = payment(owner, client_id, 30_000, occurredAt=at(clock()))
    true()
    data(owner.delete(f"/interactions/{paid['id']}"))
    true()
    won = deal(owner, clientId=client_id, estimatedValue=40_000)["id"]
    move(owner, won, "WON")
    true()
    data(owner.post(f"/opportunities/{won}/reopen"))
    true()
    clock.advance(days=40)
    data(owner.post(f"/clients/{client_id}/archive"))
    data(owner.post(f"/clients/{client_id}/restore"))
    true()
    assert scores[0] == scores[1]
    assert all(before != after for before, after in pairwise(scores[1:])), scores


def test_the_score_is_computed_at_the_moment_it_is_asked_for(
    server: Served, owner: Member, clock: SettableClock
) -> None:
    client_id = well_kept(owner)
    clock.advance(days=60)
    found = health(owner, client_id)
    assert (found["components"]["recency"], found["lastCalculated"]) == (50, "2024-05-03T09:00:00.000Z")
    assert (found["overallScore"], stored(server, client_id)) == (80, 93)


def test_history_has_one_entry_for_each_day_the_score_changed(owner: Member, clock: SettableClock) -> None:
    client_id = make.client(owner)["id"]
    assert history(owner, client_id) == [("2024-03-04", 30)]
    talk(owner, client_id, clock())
    talk(owner, client_id, clock(), sentiment="POSITIVE")
    first = health(owner, client_id)["overallScore"]
    assert history(owner, client_id) == [("2024-03-04", first)]
    clock.advance(days=1)
    owner.patch(f"/clients/{client_id}", {"notes": "nothing that health reads"})
    assert history(owner, client_id) == [("2024-03-04", first)]
    clock.advance(days=2)
    talk(owner, client_id, clock(), sentiment="POSITIVE")
    assert history(owner, client_id) == [
        ("2024-03-04", first),
        ("2024-03-07", health(owner, client_id)["overallScore"]),
    ]


def test_the_days_of_history_are_the_accounts_own(server: Served, clock: SettableClock) -> None:
    clock.freeze(datetime(2024, 3, 4, 20, tzinfo=UTC))
    owner = lasting(register(server.url, "far", timeZone="Pacific/Auckland"))
    assert history(owner, make.client(owner)["id"]) == [("2024-03-05", 30)]


def test_scores_decay_with_time(server: Served, owner: Member, clock: SettableClock) -> None:
    client_id, other = well_kept(owner), make.client(owner)["id"]
    for days, score in ((7, 93), (23, 86), (30, 80), (60, 52)):
        clock.advance(days=days)
        work(server, decay)
        assert stored(server, client_id) == health(owner, client_id)["overallScore"] == score
    assert stored(server, other) == health(owner, other)["overallScore"] == 18
    assert [score for _, score in history(owner, client_id)] == [93, 86, 80, 52]
    assert history(owner, other) == [("2024-03-04", 30), ("2024-04-03", 18)]
    work(server, decay)
    assert [score for _, score in history(owner, client_id)] == [93, 86, 80, 52]


def test_archived_clients_do_not_decay_until_restored(server: Served, owner: Member, clock: SettableClock) -> None:
    client_id = well_kept(owner)
    data(owner.post(f"/clients/{client_id}/archive"))
    clock.advance(days=200)
    work(server, decay)
    assert stored(server, client_id) == 93
    assert history(owner, client_id) == [("2024-03-04", 93)]
    assert dropped(server, owner) == []
    data(owner.post(f"/clients/{client_id}/restore"))
    assert stored(server, client_id) == health(owner, client_id)["overallScore"] == 38


def test_a_fall_of_ten_points_is_told(server: Served, owner: Member, clock: SettableClock) -> None:
    client_id = well_kept(owner)
    clock.advance(hours=1)
    for _ in range(2):
        talk(owner, client_id, clock(), interactionType="MEETING", sentiment="NEGATIVE")
    assert dropped(server, owner) == []
    for _ in range(16):
        talk(owner, client_id, clock(), interactionType="MEETING", sentiment="NEGATIVE")
    assert stored(server, client_id) == 83
    [told] = events(server, owner, "health.dropped")
    assert told["data"]["clientId"] == client_id
    assert told["data"]["clientName"] == "Acme Corporation"
    assert told["data"]["score"] == 83
    assert told["data"]["previousScore"] > 83


def test_a_slow_fall_is_told_when_it_makes_ten_points_within_seven_days(
    server: Served, owner: Member, clock: SettableClock
) -> None:
    """Also when the highest score was reached long before: what counts is where it stood seven days ago."""
    client_id = well_kept(owner)
    clock.advance(days=7)
    for days in range(1, 6):  # recency alone: 93 to 92 and 91
        clock.advance(days=1)
        work(server, decay)
        assert dropped(server, owner) == [], f"day {days}"
    before = stored(server, client_id)
    for _ in range(25):
        talk(owner, client_id, clock() - timedelta(days=12), interactionType="MEETING", sentiment="NEGATIVE")
        if stored(server, client_id) <= 83:
            break
        assert dropped(server, owner) == []
    assert before - stored(server, client_id) < 10
    assert stored(server, client_id) == 83
    assert len(dropped(server, owner)) == 1


def test_a_fall_that_takes_more_than_a_week_is_not_told(server: Served, owner: Member, clock: SettableClock) -> None:
    client_id = well_kept(owner)
    for _ in range(20):
        clock.advance(days=3)
        work(server, decay)
    assert stored(server, client_id) == 80
    assert dropped(server, owner) == []


def test_a_fall_below_50_is_told_once_and_again_only_after_a_recovery(
    server: Served, owner: Member, clock: SettableClock
) -> None:
    client_id = make.client(owner)["id"]
    calls = [talk(owner, client_id, clock(), sentiment="NEUTRAL")["id"]]
    while stored(server, client_id) < 50:
        calls.append(talk(owner, client_id, clock(), sentiment="NEUTRAL")["id"])
    assert dropped(server, owner) == []
    data(owner.delete(f"/interactions/{calls.pop()}"))
    [alarm] = dropped(server, owner)
    assert alarm[1] < 50 <= alarm[0]
    talk(owner, client_id, clock(), sentiment="NEUTRAL")
    assert stored(server, client_id) >= 50
    data(owner.delete(f"/interactions/{calls.pop()}"))
    assert len(dropped(server, owner)) == 1, "at most once a day"
    clock.advance(days=1)
    calls.append(talk(owner, client_id, clock(), sentiment="NEUTRAL")["id"])
    assert stored(server, client_id) >= 50
    data(owner.delete(f"/interactions/{calls.pop()}"))
    assert len(dropped(server, owner)) == 2
    assert all(low < 50 <= high for high, low in dropped(server, owner))


def test_a_rise_is_not_told(server: Served, owner: Member) -> None:
    well_kept(owner)
    assert dropped(server, owner) == []


@pytest.mark.parametrize("path", ["health-score", "health-score/history"])
def test_there_is_no_health_of_what_is_not_ones_own(owner: Member, bob: Member, path: str) -> None:
    client_id = make.client(owner)["id"]
    refusal(owner.get(f"/clients/{uuid4()}/{path}"), 404, "CLIENT_NOT_FOUND")
    refusal(lasting(bob).get(f"/clients/{client_id}/{path}"), 404, "CLIENT_NOT_FOUND")
    data(owner.get(f"/clients/{client_id}/{path}"))
