"""A client's interactions in a list: which ones a question shows, by type, by time and by local day."""

import pytest

from tests import make
from tests.people import Member, data, register
from tests.serving import Served


@pytest.fixture(scope="module")
def talked(server: Served) -> tuple[Member, str]:
    owner = register(server.url, "talked", timeZone="America/New_York")
    client = make.client(owner)
    for kind, moment in (
        ("EMAIL", "2024-03-01T04:59:59.999Z"),  # the last moment of 29 February in New York
        ("CALL", "2024-03-01T05:00:00Z"),
        ("EMAIL", "2024-03-02T04:59:59.999Z"),
        ("MEETING", "2024-03-02T05:00:00Z"),
    ):
        make.interaction(owner, client["id"], interactionType=kind, subject=moment, occurredAt=moment)
    return owner, client["id"]


LISTED: dict[str, tuple[str, str]] = {
    "all, newest first": ("", "3 2 1 0"),
    "one type": ("type=EMAIL", "2 0"),
    "types with a comma": ("type=CALL,MEETING", "3 1"),
    "types repeated": ("type=CALL&type[]=MEETING", "3 1"),
    "from a local day": ("from=2024-03-01", "3 2 1"),
    "through a local day": ("to=2024-03-01", "2 1 0"),
    "one local day": ("from=2024-03-01&to=2024-03-01", "2 1"),
    "from a moment, which counts in": ("from=2024-03-01T05:00:00Z", "3 2 1"),
    "from just after": ("from=2024-03-01T05:00:00.001Z", "3 2"),
    "to a moment, which counts in": ("to=2024-03-01T05:00:00Z", "1 0"),
    "with an offset": ("from=2024-03-02T00:00:00-05:00", "3"),
    "type and time": ("type=EMAIL&from=2024-03-01", "2"),
    "nothing": ("type=OTHER", ""),
}


@pytest.mark.parametrize(("query", "shown"), LISTED.values(), ids=LISTED)
def test_filter_narrows_the_list_and_the_total(talked: tuple[Member, str], query: str, shown: str) -> None:
    owner, client_id = talked
    page = data(owner.get(f"/clients/{client_id}/interactions?{query}"))
    moments = [row["subject"] for row in data(owner.get(f"/clients/{client_id}/interactions"))["interactions"]][::-1]
    assert [moments.index(one["subject"]) for one in page["interactions"]] == [int(number) for number in shown.split()]
    assert page["total"] == len(page["interactions"])


def test_moment_that_was_answered_finds_its_interaction(alice: Member) -> None:
    client_id = make.client(alice)["id"]
    made = make.interaction(alice, client_id)
    moment = made["occurredAt"]
    page = data(alice.get(f"/clients/{client_id}/interactions?from={moment}&to={moment}"))
    assert [one["id"] for one in page["interactions"]] == [made["id"]]
