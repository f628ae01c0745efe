"""Tests of mail over TLS: the server's certificate must be valid for its name."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from aiosmtpd.controller import Controller
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from cli.embedded import free_port
from tests.integration.test_mail_transport import IDENTITY, MailServer, a_mail
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


@pytest.mark.usefixtures("_trusted")
def test_a_mail_goes_over_starttls_where_the_server_offers_it(mail_server: tuple[MailServer, int]) -> None:
    handler, port = mail_server
    assert SmtpTransport(f"smtp://127.0.0.1:{port}", IDENTITY).send(a_mail()).error is None
    assert len(handler.received) == 1


def test_an_untrusted_mail_server_gets_nothing(mail_server: tuple[MailServer, int]) -> None:
    handler, port = mail_server
    report = SmtpTransport(f"smtp://127.0.0.1:{port}", IDENTITY).send(a_mail())
    assert report.error is not None
    assert "CERTIFICATE_VERIFY_FAILED" in report.error
    assert not report.permanent
    assert handler.received == []
