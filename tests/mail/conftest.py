"""A server of ours that has a mail server, and that mail server."""

from collections.abc import Iterator

import pytest

from tests.databases import clone
from tests.mail.post import SENDER, MailHost, mail_host
from tests.serving import Served, serving, settings_for


@pytest.fixture(scope="session")
def _host() -> Iterator[MailHost]:
    with mail_host() as host:
        yield host


@pytest.fixture(scope="session")
def _mailing(postgres: str, tmp_path_factory: pytest.TempPathFactory, _host: MailHost) -> Iterator[Served]:
    settings = settings_for(
        tmp_path_factory.mktemp("data"),
        smtp_host="127.0.0.1",
        smtp_port=_host.port,
        smtp_security="none",
        smtp_from=SENDER,
        public_url="https://crm.example",
    )
    with serving(settings, clone(postgres)) as served:
        yield served


@pytest.fixture
def host(_host: MailHost) -> Iterator[MailHost]:
    """The mail server, empty."""
    yield _host
    _host.received.clear()
    _host.to_recipients.clear()
    _host.to_letters.clear()
    _host.attempts = 0
    _host.while_asked = lambda: None


@pytest.fixture
def server(_mailing: Served) -> Served:
    """Our server, which sends its mail there."""
    return _mailing
