"""Certificates are judged by the host's name, whatever address it has."""

import asyncio
import datetime as dt
import ipaddress
import socket
import ssl
from collections.abc import Sequence
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from soloist.infra.outbound import Answer, Outbound, TimedOut, TlsFailed, Unreachable
from tests.infra.outbound_receiver import Receiver, hang

LOOPBACK = (ipaddress.ip_network("127.0.0.0/8"), ipaddress.ip_network("::1/128"))
NOW = dt.datetime.now(dt.UTC)


class Issuer:
    """Makes certificates that whoever trusts it believes."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Invented Authority")])
        self._certificate = (
            self._builder(self._name, self._key.public_key(), 1)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .sign(self._key, hashes.SHA256())
        )
        self.names_asked: list[str | None] = []

    def trust(self) -> ssl.SSLContext:
        """A client's side that believes this issuer, and nobody else."""
        pem = self._certificate.public_bytes(serialization.Encoding.PEM).decode()
        return ssl.create_default_context(cadata=pem)

    def server(self, *hosts: str, days: int = 1, own: bool = False) -> ssl.SSLContext:
        """A server's side for these hosts; `own`: signed by itself."""
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, hosts[0])])
        alternatives = x509.SubjectAlternativeName([_general(host) for host in hosts])
        certificate = (
            self._builder(name, key.public_key(), days, issuer=name if own else self._name)
            .add_extension(alternatives, critical=False)
            .sign(key if own else self._key, hashes.SHA256())
        )
        path = self._folder / f"{certificate.serial_number}.pem"
        path.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
            + certificate.public_bytes(serialization.Encoding.PEM)
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(path)
        context.sni_callback = lambda _socket, asked, _context: self.names_asked.append(asked)
        return context

    def _builder(
        self, name: x509.Name, key: ec.EllipticCurvePublicKey, days: int, issuer: x509.Name | None = None
    ) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(issuer or name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(NOW - dt.timedelta(days=10))
            .not_valid_after(NOW + dt.timedelta(days=days))
        )


def _general(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


@pytest.fixture(scope="module")
def issuer(tmp_path_factory: pytest.TempPathFactory) -> Issuer:
    return Issuer(tmp_path_factory.mktemp("certificates"))


async def loopback(host: str) -> Sequence[str]:
    return ["127.0.0.1"]


async def post(receiver: Receiver, host: str, issuer: Issuer | None, *, connect_seconds: float = 5.0) -> Answer:
    issuer_trust = issuer.trust() if issuer else None
    async with Outbound(LOOPBACK, resolve=loopback, tls=issuer_trust) as outbound:
        return await outbound.post(receiver.url(host), b"{}", {}, connect_seconds=connect_seconds)


@pytest.mark.parametrize(("host", "asked"), [("hook.example", "hook.example"), ("Hook.Example.", "hook.example")])
async def test_certificate_and_server_name_are_the_hosts(issuer: Issuer, host: str, asked: str) -> None:
    with Receiver(tls=issuer.server("hook.example")) as receiver:
        issuer.names_asked.clear()
        assert (await post(receiver, host, issuer)).status == 200
        assert issuer.names_asked == [asked]
        assert f"Host: hook.example:{receiver.port}".encode() in receiver.requests[0]


async def test_address_needs_a_certificate_for_the_address(issuer: Issuer) -> None:
    with Receiver(tls=issuer.server("127.0.0.1")) as receiver:
        assert (await post(receiver, "127.0.0.1", issuer)).status == 200
    with Receiver(host="127.0.0.2", tls=issuer.server("127.0.0.1")) as receiver, pytest.raises(TlsFailed):
        await post(receiver, "127.0.0.2", issuer)
    with Receiver(host="::1", tls=issuer.server("::1")) as receiver:
        assert (await post(receiver, "[::1]", issuer)).status == 200


@pytest.mark.parametrize(
    ("names", "days", "own"),
    [
        (("other.example",), 1, False),
        (("127.0.0.1",), 1, False),  # the address that was connected to is not the name
        (("*.hook.example",), 1, False),
        (("hook.example",), -1, False),
        (("hook.example",), 1, True),
    ],
    ids=["another name", "its address", "wildcard below", "expired", "signed by itself"],
)
async def test_certificate_that_is_not_the_hosts_fails(
    issuer: Issuer, names: tuple[str, ...], days: int, own: bool
) -> None:
    with Receiver(tls=issuer.server(*names, days=days, own=own)) as receiver:
        with pytest.raises(TlsFailed) as failed:
            await post(receiver, "hook.example", issuer)
        assert str(failed.value) == TlsFailed.text
        assert receiver.requests == []


async def test_unknown_issuer_is_not_believed_by_default(issuer: Issuer) -> None:
    with Receiver(tls=issuer.server("hook.example")) as receiver:
        with pytest.raises(TlsFailed):
            await post(receiver, "hook.example", None)
        assert receiver.requests == []


def old_versions(context: ssl.SSLContext) -> ssl.SSLContext:
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    context.maximum_version = ssl.TLSVersion.TLSv1_1
    return context


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
async def test_old_tls_is_refused(issuer: Issuer) -> None:
    with Receiver(tls=old_versions(issuer.server("hook.example"))) as receiver, pytest.raises(TlsFailed):
        await post(receiver, "hook.example", issuer)


async def test_client_certificate_that_we_do_not_have_fails(issuer: Issuer) -> None:
    """The server says why and resets at once: which of the two arrives is chance."""
    context = issuer.server("hook.example")
    context.verify_mode = ssl.CERT_REQUIRED
    with Receiver(tls=context) as receiver, pytest.raises((TlsFailed, Unreachable)):
        await post(receiver, "hook.example", issuer)


async def test_plain_server_behind_https_fails(issuer: Issuer) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(100)
        writer.write(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        url = f"https://hook.example:{server.sockets[0].getsockname()[1]}/"
        async with Outbound(LOOPBACK, resolve=loopback, tls=issuer.trust()) as outbound:
            with pytest.raises(TlsFailed):
                await outbound.post(url, b"{}", {})


async def test_handshake_is_part_of_the_time_to_connect(issuer: Issuer) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        async with Outbound(LOOPBACK, resolve=loopback, tls=issuer.trust()) as outbound:
            url = f"https://hook.example:{silent.getsockname()[1]}/"
            with pytest.raises(TimedOut):
                await outbound.post(url, b"{}", {}, connect_seconds=0.3)
        connection, _ = silent.accept()
        connection.settimeout(5)
        while connection.recv(4096):
            pass  # the greeting, then the end: the connection is not left open
        connection.close()


async def test_secret_connection_is_kept_and_used_again(issuer: Issuer) -> None:
    with Receiver(tls=issuer.server("hook.example")) as receiver:
        async with Outbound(LOOPBACK, resolve=loopback, tls=issuer.trust()) as outbound:
            for _ in range(5):
                assert (await outbound.post(receiver.url("hook.example"), b"{}", {})).status == 200
        assert (receiver.connections, len(receiver.requests)) == (1, 5)


async def test_slow_answer_through_tls_ends_with_its_time(issuer: Issuer) -> None:
    with Receiver(hang, tls=issuer.server("hook.example")) as receiver:
        async with Outbound(LOOPBACK, resolve=loopback, tls=issuer.trust()) as outbound:
            with pytest.raises(TimedOut):
                await outbound.post(receiver.url("hook.example"), b"{}", {}, seconds=0.5)
        assert receiver.hung_up.acquire(timeout=5), "the connection stays open"
