"""A worker whose database did what it asked for and broke the connection off before it said so."""

import pytest

from tests import make
from tests.cli.programs import serving
from tests.postgres_wire import Towards, wire
from tests.receiver import Receiver
from tests.serving import Served
from tests.webhooks.hooks import LOOPBACK, Book

pytestmark = pytest.mark.slow


def test_a_delivery_claimed_without_the_worker_hearing_of_it_goes_out_within_15_seconds(
    quiet: Served, receiver: Receiver
) -> None:
    book = Book(quiet, receiver)
    hook = book.hook()
    settings = {"SOLOIST_OUTBOUND_ALLOW": LOOPBACK}
    with (
        wire(quiet.dsn) as line,
        serving(quiet.app.state.settings.data_dir, command="worker", DATABASE_URL=line.dsn, **settings),
    ):
        book.happen()
        receiver.wait_for(1, hook.path, 30)
        line.cut(Towards.PROGRAM, b"Unheard Limited")  # only the answer to a claim holds an event's body
        make.client(book.owner, companyName="Unheard Limited")
        assert line.caught(15)
        received = receiver.wait_for(2, hook.path, 15)
    assert received[1].json["data"]["clientName"] == "Unheard Limited"
