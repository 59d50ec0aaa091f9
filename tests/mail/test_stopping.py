"""Mail that is no longer wanted is stopped from the letter itself, by its owner and nobody else."""

import re

import httpx2
import pytest

from tests.mail.mornings import look
from tests.mail.post import MailHost, Received, send_due, tell
from tests.people import Member, data, refusal
from tests.reminders.tasks import NOW, announce, reminder, timeless
from tests.serving import Served, SettableClock


@pytest.fixture
def owner(server: Served, clock: SettableClock) -> Member:
    """The owner of a new book with a reminder that is due."""
    clock.freeze(NOW)
    member = timeless(server)
    reminder(member, NOW)
    return member


def notice(server: Served, owner: Member, host: MailHost) -> Received:
    announce(server)
    tell(server, owner)
    send_due(server)
    return host.to(owner.email)[-1]


def digest(server: Served, clock: SettableClock, owner: Member, host: MailHost) -> Received:
    clock.advance(days=1)
    look(server)
    return host.to(owner.email)[-1]


def address(server: Served, got: Received) -> str:
    """Where the letter's reader is led to, on the server of this test."""
    url = str(got.letter["List-Unsubscribe"]).strip("<>")
    assert url in got.text
    assert url.startswith("https://crm.example/mail/stop/")
    return url.replace("https://crm.example", server.url)


ONE_CLICK = {"List-Unsubscribe": "One-Click"}


def test_mail_program_stops_notices_at_one_click(owner: Member, server: Served, host: MailHost) -> None:
    got = notice(server, owner, host)
    assert got.letter["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    for _ in range(2):
        assert httpx2.post(address(server, got), data=ONE_CLICK).status_code == 200
    me = data(owner.get("/me"))
    assert (me["emailNotices"], me["digestHour"]) == (False, 7)


def test_mail_program_stops_digests_at_one_click(
    owner: Member, server: Served, clock: SettableClock, host: MailHost
) -> None:
    got = digest(server, clock, owner, host)
    assert httpx2.post(address(server, got), data=ONE_CLICK).status_code == 200
    me = data(owner.get("/me"))
    assert (me["emailNotices"], me["digestHour"]) == (True, None)
    clock.advance(days=1)
    look(server)
    assert len(host.to(owner.email)) == 1


def test_opening_the_address_only_asks(owner: Member, server: Served, host: MailHost) -> None:
    answer = httpx2.get(address(server, notice(server, owner, host)))
    assert answer.status_code == 200
    assert '<form method="post">' in answer.text
    assert "form-action 'self'" in answer.headers["content-security-policy"]
    assert data(owner.get("/me"))["emailNotices"] is True


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_address_is_good_for_one_account_and_one_kind_of_mail(
    owner: Member, bob: Member, server: Served, host: MailHost, method: str
) -> None:
    right = address(server, notice(server, owner, host))
    other_account = re.sub(r"[0-9a-f-]{36}", bob.account["id"], right)
    for wrong in (
        other_account, right.replace("notices", "digest"), right.replace("notices", "everything"), right[:-1],
        right[:-64] + "0" * 64, right[:-1] + "é", right.replace(owner.account["id"], "nobody"),
    ):  # fmt: skip
        refusal(httpx2.request(method, wrong), 404, "NOT_FOUND")
    for one in (owner, bob):
        me = data(one.get("/me"))
        assert (me["emailNotices"], me["digestHour"]) == (True, 7)
