"""Tests of the ways out over TLS: whoever answers must be the one who was called."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from ipaddress import ip_address, ip_network
from pathlib import Path
from threading import Thread

import pytest
from aiosmtpd.controller import Controller
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from cli.embedded import free_port
from tests.integration.test_mail_transport import IDENTITY, MailServer, a_mail
from tests.integration.test_webhook_transport import SEALER, message
from workers.transports.http import WebhookTransport
from workers.transports.smtp import SmtpTransport


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate of 127.0.0.1 with its key, which nobody vouches for but itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "tests")])
    now = datetime.now(UTC)
    built = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(key, SHA256())
    )
    file = tmp_path_factory.mktemp("tls") / "certificate.pem"
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    file.write_bytes(private + built.public_bytes(Encoding.PEM))
    return file


@pytest.fixture
def served_by(certificate: Path) -> ssl.SSLContext:
    """The server's side of TLS."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    return context


@pytest.fixture
def _trusted(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let this process trust that certificate."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))


@pytest.fixture
def mail_server(served_by: ssl.SSLContext) -> Iterator[tuple[MailServer, int]]:
    """A mail server that offers STARTTLS and takes nothing without it."""
    handler = MailServer()
    controller = Controller(
        handler, hostname="127.0.0.1", port=free_port(), tls_context=served_by, require_starttls=True
    )
    controller.start()
    yield handler, controller.port
    controller.stop()


@pytest.fixture
def web_server(served_by: ssl.SSLContext) -> Iterator[tuple[list[str], int]]:
    """A web server that speaks TLS, and the paths that it was asked for."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            """Say yes."""
            asked.append(self.path)
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_args: object) -> None:
            """Say nothing."""

    class Quiet(HTTPServer):
        def handle_error(self, *_args: object) -> None:
            """A client that hangs up during the handshake is what these tests are about."""

    with Quiet(("127.0.0.1", 0), Handler) as server:
        server.socket = served_by.wrap_socket(server.socket, server_side=True)
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield asked, server.server_port
        server.shutdown()
        thread.join()


@pytest.mark.usefixtures("_trusted")
def test_a_mail_goes_over_starttls_where_the_server_offers_it(mail_server: tuple[MailServer, int]) -> None:
    handler, port = mail_server
    assert SmtpTransport(f"smtp://127.0.0.1:{port}", IDENTITY).send(a_mail()).error is None
    assert len(handler.received) == 1


def test_a_mail_server_that_nobody_vouches_for_gets_nothing(mail_server: tuple[MailServer, int]) -> None:
    handler, port = mail_server
    report = SmtpTransport(f"smtp://127.0.0.1:{port}", IDENTITY).send(a_mail())
    assert report.error is not None
    assert "CERTIFICATE_VERIFY_FAILED" in report.error
    assert not report.permanent
    assert handler.received == []


@pytest.mark.usefixtures("_trusted")
def test_a_webhook_goes_over_https(web_server: tuple[list[str], int]) -> None:
    asked, port = web_server
    transport = WebhookTransport(SEALER, [ip_network("127.0.0.0/8")])
    report = transport.send(message(f"https://127.0.0.1:{port}/hook"))
    assert (report.error, report.status_code, asked) == (None, 204, ["/hook"])


@pytest.mark.usefixtures("_trusted")
def test_a_receiver_with_another_name_in_its_certificate_is_told_nothing(web_server: tuple[list[str], int]) -> None:
    asked, port = web_server
    transport = WebhookTransport(SEALER, [ip_network("127.0.0.0/8"), ip_network("::1/128")])
    report = transport.send(message(f"https://127.0.0.2:{port}/hook"))
    assert report.error is not None
    assert asked == []


def test_a_receiver_that_nobody_vouches_for_is_told_nothing(web_server: tuple[list[str], int]) -> None:
    asked, port = web_server
    report = WebhookTransport(SEALER, [ip_network("127.0.0.0/8")]).send(message(f"https://127.0.0.1:{port}/hook"))
    assert report.error == "TLS: the certificate is not signed by an authority that is trusted here."
    assert asked == []
