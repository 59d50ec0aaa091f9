"""Sending a letter: what goes over the wire, how it is kept secret, and what each answer of the mail server means."""

import ssl
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path

import pytest

from soloist.infra.ids import new_id
from soloist.infra.mail import Envelope, Mailer, MailServer, Postponed, Refused, Unreachable, Written, message
from tests.mail.post import PASSWORD, SENDER, USER, MailHost, certificate, mail_host

NOW = datetime(2026, 6, 10, 12, 0, tzinfo=UTC)
WRITTEN = Written("Plain words\n", "<p>Rich words</p>\n")


def server_of(at: MailHost, **given: object) -> MailServer:
    values: dict[str, object] = {
        "host": "127.0.0.1",
        "security": "none",
        "user": None,
        "password": None,
        "sender": SENDER,
        **given,
    }
    return MailServer(port=at.port, **values)  # type: ignore[arg-type]


async def send(at: MailHost, to: str = "ada@example.com", subject: str = "Hello", **given: object) -> None:
    async with Mailer(server_of(at, **given)) as mailer:
        await mailer.send(message(Envelope(SENDER, to, new_id(), NOW), subject, WRITTEN))


@pytest.fixture
def context(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ssl.SSLContext:
    """The mail server's side of TLS, with a certificate that this test trusts."""
    file = certificate(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.load_cert_chain(file)
    return made


async def test_letter_arrives_in_both_forms_with_its_headers(host: MailHost) -> None:
    letter_id = new_id()
    async with Mailer(server_of(host)) as mailer:
        await mailer.send(message(Envelope(SENDER, "ada@example.com", letter_id, NOW), "Hello", WRITTEN))
    [got] = host.received
    assert (got.sender, got.recipients) == ("crm@soloist.example", ["ada@example.com"])
    letter = got.letter
    assert letter.get_content_type() == "multipart/alternative"
    assert (letter["From"], letter["To"], letter["Subject"]) == (SENDER, "ada@example.com", "Hello")
    assert letter["Message-ID"] == f"<{letter_id}@soloist.example>"
    assert letter["Auto-Submitted"] == "auto-generated"
    assert parsedate_to_datetime(letter["Date"]) == NOW
    assert (got.text, got.html) == (WRITTEN.text, WRITTEN.html)


async def test_letters_of_a_round_share_a_connection(host: MailHost) -> None:
    async with Mailer(server_of(host)) as mailer:
        for number in range(3):
            await mailer.send(message(Envelope(SENDER, "ada@example.com", new_id(), NOW), str(number), WRITTEN))
    assert host.subjects() == ["0", "1", "2"]


@pytest.mark.parametrize(
    "subject",
    [
        "Call\r\nBcc: everybody@example.com",
        "Call\nBcc: everybody@example.com",
        "Call\rBcc: everybody@example.com",
        "Call\r\n\r\nA body of my own",
        "Call\u2028Bcc: everybody@example.com",
        "Call\u0085Bcc: everybody@example.com",
        "Call\x00\x0b\x0cBcc: everybody@example.com",
        "=?utf-8?q?Call=0D=0ABcc:_everybody@example.com?=",
        "=?utf-8?b?Q2FsbA0KQmNjOiBldmVyeWJvZHlAZXhhbXBsZS5jb20=?=",
        "==?utf-8?q?Call=0D=0ABcc:_everybody@example.com?==",
    ],
)
async def test_subject_stays_in_its_header(host: MailHost, subject: str) -> None:
    await send(host, subject=subject)
    [got] = host.received
    assert got.recipients == ["ada@example.com"]
    assert got.letter["Bcc"] is None
    assert got.text == WRITTEN.text
    assert b"\nBcc" not in got.raw
    assert b"A body of my own" not in got.raw.partition(b"\r\n\r\n")[2]


async def test_subject_of_any_script_and_length_arrives(host: MailHost) -> None:
    await send(host, subject="Grüße, 你好 \U0001f9d1\u200d\U0001f4bb")
    await send(host, subject="ö" * 500)
    first, second = host.received
    assert first.subject.startswith("Grüße, 你好 \U0001f9d1")
    assert second.subject == "ö" * 199 + "…"
    assert all(len(line) < 999 for got in host.received for line in got.raw.splitlines())


@pytest.mark.parametrize(("scheme", "one_click"), [("https", True), ("http", False)])
async def test_address_that_stops_letters_is_written_out(host: MailHost, scheme: str, one_click: bool) -> None:
    url = f"{scheme}://crm.example/mail/stop/digest/{new_id()}/{'0123456789abcdef' * 10}"
    async with Mailer(server_of(host)) as mailer:
        await mailer.send(message(Envelope(SENDER, "ada@example.com", new_id(), NOW, url), "Hello", WRITTEN))
    lines = host.received[0].raw.decode().split("\r\n")
    assert f"List-Unsubscribe: <{url}>" in lines
    assert ("List-Unsubscribe-Post: List-Unsubscribe=One-Click" in lines) is one_click


async def test_long_address_arrives(host: MailHost) -> None:
    to = f"{'a' * 60}@{'b' * 60}.{'c' * 60}.example"
    await send(host, to)
    assert host.received[0].recipients == [to]
    assert host.received[0].letter["To"].addresses[0].addr_spec == to


@pytest.mark.parametrize("to", ["ada@example.com\r\nRCPT TO:<eve@example.com>", "ada@example.com, eve@example.com", ""])
async def test_address_that_is_none_is_refused_before_anything_is_sent(host: MailHost, to: str) -> None:
    with pytest.raises(Refused):
        await send(host, to)
    assert host.attempts == 0


async def test_domain_beyond_ascii_needs_nothing_of_the_server(host: MailHost) -> None:
    await send(host, "ada@bücher.example")
    assert host.received[0].recipients == ["ada@xn--bcher-kva.example"]


async def test_address_beyond_ascii_goes_to_a_server_that_takes_it() -> None:
    with mail_host(enable_SMTPUTF8=True) as able:
        await send(able, "ädä@example.com")
        assert able.received[0].recipients == ["ädä@example.com"]
        assert able.received[0].letter["To"] == "ädä@example.com"


async def test_address_beyond_ascii_is_refused_for_good_by_one_that_does_not(host: MailHost) -> None:
    with pytest.raises(Refused, match="ASCII"):
        await send(host, "ädä@example.com")


@pytest.mark.parametrize("security", ["starttls", "tls"])
async def test_letter_and_password_travel_encrypted(security: str, context: ssl.SSLContext) -> None:
    with mail_host(security=security, context=context, auth_required=True, auth_require_tls=False) as secure:
        await send(secure, host="localhost", security=security, user=USER, password=PASSWORD)
        assert [one.signed_in for one in secure.received] == [True]


async def test_plain_sign_in_is_possible_on_loopback() -> None:
    with mail_host(auth_required=True, auth_require_tls=False) as relay:
        await send(relay, user=USER, password=PASSWORD)
        assert [one.signed_in for one in relay.received] == [True]


async def test_starttls_is_not_done_without(host: MailHost) -> None:
    with pytest.raises(Unreachable, match="STARTTLS"):
        await send(host, security="starttls")
    assert host.attempts == 0


@pytest.mark.parametrize("security", ["starttls", "tls"])
async def test_certificate_of_another_name_is_not_trusted(security: str, context: ssl.SSLContext) -> None:
    with mail_host(security=security, context=context) as secure:
        with pytest.raises(Unreachable):
            await send(secure, host="127.0.0.1", security=security)
        assert secure.attempts == 0


@pytest.mark.parametrize("security", ["starttls", "tls"])
async def test_certificate_that_nobody_vouches_for_is_not_trusted(
    security: str, context: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    with mail_host(security=security, context=context) as secure:
        with pytest.raises(Unreachable):
            await send(secure, host="localhost", security=security)
        assert secure.attempts == 0


@pytest.mark.parametrize(
    ("answer", "meaning"),
    [
        ("550 No such user", Refused),
        ("552 Too much mail", Refused),
        ("554 Spam", Refused),
        ("450 Come back later", Postponed),
        ("451 Greylisted", Postponed),
        ("421 Closing", Unreachable),
        ("530 Sign in first", Unreachable),
        (MailHost.DROP, Unreachable),
    ],
)
@pytest.mark.parametrize("at", ["to_recipients", "to_letters"])
async def test_what_an_answer_means(host: MailHost, answer: str, meaning: type[Exception], at: str) -> None:
    getattr(host, at).append(answer)
    async with Mailer(server_of(host)) as mailer:
        with pytest.raises(meaning) as caught:
            await mailer.send(message(Envelope(SENDER, "ada@example.com", new_id(), NOW), "Hello", WRITTEN))
        assert "example.com" not in str(caught.value)
        await mailer.send(message(Envelope(SENDER, "ada@example.com", new_id(), NOW), "Again", WRITTEN))
    assert host.subjects() == ["Again"]


async def test_wrong_password_is_the_servers_word_about_us_not_about_the_letter() -> None:
    with mail_host(auth_required=True, auth_require_tls=False) as relay, pytest.raises(Unreachable, match="535"):
        await send(relay, user=USER, password="wrong")


@pytest.mark.parametrize("at", ["to_recipients", "to_letters"])
async def test_hanging_server_is_given_up(host: MailHost, at: str) -> None:
    getattr(host, at).append(MailHost.HANG)
    async with Mailer(server_of(host, answer_seconds=0.2)) as mailer:
        with pytest.raises(Unreachable, match="Timeout"):
            await mailer.send(message(Envelope(SENDER, "ada@example.com", new_id(), NOW), "Hello", WRITTEN))
        await mailer.send(message(Envelope(SENDER, "ada@example.com", new_id(), NOW), "Again", WRITTEN))
    assert host.subjects() == ["Again"]


async def test_server_that_is_not_there() -> None:
    with mail_host() as gone:
        pass
    with pytest.raises(Unreachable):
        await send(gone)


async def test_check_signs_in_and_sends_nothing() -> None:
    with mail_host(auth_required=True, auth_require_tls=False) as relay:
        async with Mailer(server_of(relay, user=USER, password=PASSWORD)) as mailer:
            await mailer.check()
        async with Mailer(server_of(relay, user=USER, password="wrong")) as mailer:
            with pytest.raises(Unreachable):
                await mailer.check()
        assert relay.attempts == 0
