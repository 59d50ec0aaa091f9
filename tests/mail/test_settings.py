"""The mail server's settings: whole or not at all, and looked at by `soloist doctor`."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from soloist.infra.mail import MailServer, mail_server
from soloist.infra.settings import SettingsInvalid, load
from tests.cli.programs import soloist
from tests.mail.post import PASSWORD, USER, MailHost, mail_host

HOST = {"SOLOIST_SMTP_HOST": "mail.example"}
WHOLE = {**HOST, "SOLOIST_SMTP_FROM": "crm@example.com"}
SIGNED_IN = {**WHOLE, "SOLOIST_SMTP_USER": "crm", "SOLOIST_SMTP_PASSWORD": "secret"}
BAD: dict[str, tuple[Mapping[str, str], list[str]]] = {
    "no sender": (HOST, ["SOLOIST_SMTP_FROM", "SOLOIST_SMTP_HOST"]),
    "sender alone": ({"SOLOIST_SMTP_FROM": "crm@example.com"}, ["SOLOIST_SMTP_HOST is needed"]),
    "port alone": ({"SOLOIST_SMTP_PORT": "25"}, ["SOLOIST_SMTP_HOST is needed"]),
    "security alone": ({"SOLOIST_SMTP_SECURITY": "tls"}, ["SOLOIST_SMTP_HOST is needed"]),
    "user without a password": ({**WHOLE, "SOLOIST_SMTP_USER": "crm"}, ["SOLOIST_SMTP_PASSWORD", "or neither"]),
    "password without a user": ({**WHOLE, "SOLOIST_SMTP_PASSWORD": "x"}, ["SOLOIST_SMTP_USER", "or neither"]),
    "password in the clear": ({**SIGNED_IN, "SOLOIST_SMTP_SECURITY": "none"}, ["starttls or tls", "SMTP_USER"]),
    "unknown security": ({**WHOLE, "SOLOIST_SMTP_SECURITY": "ssl"}, ["SOLOIST_SMTP_SECURITY", "starttls", "tls"]),
    "port 0": ({**WHOLE, "SOLOIST_SMTP_PORT": "0"}, ["SOLOIST_SMTP_PORT", "1"]),
    "no address": ({**HOST, "SOLOIST_SMTP_FROM": "crm"}, ["SOLOIST_SMTP_FROM", "crm@example.com"]),
    "two addresses": ({**HOST, "SOLOIST_SMTP_FROM": "a@b.de, c@d.de"}, ["SOLOIST_SMTP_FROM"]),
    "sender of two lines": ({**HOST, "SOLOIST_SMTP_FROM": "a@b.de\nBcc: c@d.de"}, ["SOLOIST_SMTP_FROM"]),
}


@pytest.mark.parametrize(("environ", "says"), BAD.values(), ids=BAD)
def test_half_a_mail_server_stops_the_start(environ: Mapping[str, str], says: list[str]) -> None:
    with pytest.raises(SettingsInvalid) as caught:
        load(environ)
    for words in says:
        assert words in str(caught.value)


def test_without_a_host_there_is_no_mail_server() -> None:
    assert mail_server(load({})) is None


@pytest.mark.parametrize(("security", "port"), [("starttls", 587), ("tls", 465), ("none", 25)])
def test_port_follows_from_the_security(security: str, port: int) -> None:
    settings = load({**WHOLE, "SOLOIST_SMTP_SECURITY": security})
    assert mail_server(settings) == MailServer("mail.example", port, security, None, None, "crm@example.com")
    chosen = mail_server(load({**WHOLE, "SOLOIST_SMTP_PORT": "2525"}))
    assert chosen is not None
    assert chosen.port == 2525


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "::1"])
def test_password_may_stay_on_the_machine_in_the_clear(host: str) -> None:
    settings = load({**SIGNED_IN, "SOLOIST_SMTP_SECURITY": "none", "SOLOIST_SMTP_HOST": host})
    assert mail_server(settings) is not None


def test_password_is_not_shown() -> None:
    settings = load({**SIGNED_IN, "SOLOIST_SMTP_PASSWORD": "hunter2hunter2"})
    assert "hunter2hunter2" not in repr(settings) + settings.model_dump_json()


def doctor(db_url: str, folder: Path, host: MailHost, **given: str) -> dict[str, Any]:
    """What the doctor says of the mail server."""
    done = soloist(
        "doctor",
        "--json",
        DATABASE_URL=db_url,
        SOLOIST_DATA_DIR=str(folder),
        SOLOIST_SMTP_HOST="127.0.0.1",
        SOLOIST_SMTP_PORT=str(host.port),
        SOLOIST_SMTP_FROM="crm@example.com",
        **given,
    )
    [found] = [finding for finding in json.loads(done.stdout)["checks"] if finding["check"] == "mail"]
    return dict(found)


def test_doctor_signs_in_at_the_mail_server(db_url: str, tmp_path: Path) -> None:
    with mail_host(auth_required=True, auth_require_tls=False) as relay:
        usual = {"SOLOIST_SMTP_SECURITY": "none", "SOLOIST_SMTP_USER": USER}
        well = doctor(db_url, tmp_path, relay, **usual, SOLOIST_SMTP_PASSWORD=PASSWORD)
        assert well["ok"]
        assert "127.0.0.1" in well["found"]
        wrong = doctor(db_url, tmp_path, relay, **usual, SOLOIST_SMTP_PASSWORD="something else")
        assert not wrong["ok"]
        assert "535" in wrong["found"]
        bare = doctor(db_url, tmp_path, relay)
        assert not bare["ok"]
        assert "STARTTLS" in bare["found"]
        assert relay.attempts == 0
