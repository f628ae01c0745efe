"""Tests of mail: over SMTP to a real server, which may also misbehave, and into the development folder."""

import os
import ssl
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from cli.embedded import free_port
from tests.receivers import Talk, dripping, hanging_up, silent, talker
from workers.transports.mail import FolderTransport, MailIdentity
from workers.transports.smtp import SmtpLimits, SmtpTransport
from workflows.notifications.mails import Mail
from workflows.notifications.texts import Words

IDENTITY = MailIdentity("Tutelage <no-reply@tutelage.example>", "operators@tutelage.example")


class MailServer:
    """Keeps what it is sent and gives a configured answer."""

    port: int

    def __init__(self) -> None:
        self.received: list[bytes] = []
        self.recipients: list[str] = []
        self.to_recipient = "250 2.1.5 OK"
        self.to_data = "250 2.0.0 OK"

    async def handle_RCPT(self, _s: SMTP, _session: Session, envelope: Envelope, address: str, _o: Any) -> str:
        if self.to_recipient.startswith("250"):
            envelope.rcpt_tos.append(address)
        return self.to_recipient

    async def handle_DATA(self, _s: SMTP, _session: Session, envelope: Envelope) -> str:
        if self.to_data.startswith("250"):
            assert isinstance(envelope.content, bytes)
            self.received.append(envelope.content)
            self.recipients += envelope.rcpt_tos
        return self.to_data


@pytest.fixture
def server() -> Iterator[MailServer]:
    handler = MailServer()
    controller = Controller(handler, hostname="127.0.0.1", port=free_port())
    controller.start()
    handler.port = controller.port
    yield handler
    controller.stop()


def transport(port: int, limits: SmtpLimits | None = None) -> SmtpTransport:
    return SmtpTransport(f"smtp://127.0.0.1:{port}", IDENTITY, limits=limits or SmtpLimits())


def a_mail(**changed: Any) -> Mail:
    mail = Mail(
        delivery_id=uuid4(),
        to_name="Ada Lovelace",
        to_address="ada@example.org",
        words=Words("Your session is booked – really", "You meet Grace."),
        written_at=datetime(2030, 5, 4, 9, tzinfo=UTC),
        prepared_at=datetime(2030, 5, 4, 9, tzinfo=UTC),
    )
    return replace(mail, **changed)


def parsed(raw: bytes) -> EmailMessage:
    return message_from_bytes(raw, policy=policy.default)


def test_a_mail_arrives_in_both_forms_under_its_own_id(server: Any) -> None:
    sent = a_mail()
    report = transport(server.port).send(sent)
    assert (report.error, report.status_code) == (None, 250)
    (raw,) = server.received
    mail = parsed(raw)
    assert server.recipients == ["ada@example.org"]
    assert mail["Subject"] == "Your session is booked – really"
    assert mail["Message-ID"] == f"<{sent.delivery_id}@tutelage.example>"
    assert [part.get_content_type() for part in mail.iter_parts()] == ["text/plain", "text/html"]
    plain = mail.get_body(("plain",))
    assert plain is not None
    assert plain.get_content().strip() == "You meet Grace."


def test_a_mail_without_an_address_reaches_the_operators(server: Any) -> None:
    assert transport(server.port).send(a_mail(to_name="Operators", to_address=None)).error is None
    assert server.recipients == ["operators@tutelage.example"]


def test_a_mail_that_is_sent_twice_is_the_same_mail(server: Any) -> None:
    sent = a_mail()
    for _ in range(2):
        transport(server.port).send(sent)
    one, two = (parsed(raw) for raw in server.received)
    assert one["Message-ID"] == two["Message-ID"]
    assert one["Date"] == two["Date"]


GREETING = b"220 mail.example ESMTP\r\n"


@pytest.mark.parametrize(
    "talk",
    [
        pytest.param(silent, id="silence"),
        pytest.param(dripping(b"", b"2"), id="a dripping greeting"),
        pytest.param(dripping(b"", b"220-not yet\r\n"), id="a greeting without end"),
        pytest.param(dripping(GREETING, b"250-MORE\r\n"), id="abilities without end"),
        pytest.param(dripping(GREETING, b""), id="silence after the greeting"),
    ],
)
def test_a_slow_mail_server_is_cut_off_at_the_deadline(talk: Talk) -> None:
    with talker(talk) as port:
        report = transport(port, SmtpLimits(handover=0.5)).send(a_mail())
    # Without a deadline this would never end.
    assert report.error == "DeadlineExceeded: No complete answer within 0.5 s."
    assert not report.permanent


@pytest.mark.parametrize("talk", [hanging_up, dripping(b"nonsense\r\n", b"")])
def test_a_malformed_answer_is_described_and_tried_again(talk: Talk) -> None:
    with talker(talk) as port:
        report = transport(port, SmtpLimits(handover=0.5)).send(a_mail())
    assert report.error
    assert not report.permanent


def test_a_login_that_is_not_offered_is_described(server: Any) -> None:
    report = SmtpTransport(f"smtp://user:pass%40word@127.0.0.1:{server.port}", IDENTITY).send(a_mail())
    assert report.error
    assert "word" not in report.error
    assert server.received == []


def test_the_folder_keeps_each_mail_once_and_whole(tmp_path: Path) -> None:
    folder = FolderTransport(str(tmp_path / "mail"), IDENTITY)
    sent = a_mail()
    for _ in range(2):
        assert folder.send(sent).error is None
    folder.send(a_mail())
    files = sorted((tmp_path / "mail").iterdir())
    assert len(files) == 2, "and no drafts"
    kept = tmp_path / "mail" / f"{sent.delivery_id}.eml"
    assert parsed(kept.read_bytes())["Message-ID"] == f"<{sent.delivery_id}@tutelage.example>"


def test_the_folder_shows_no_half_written_mail(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, sent = FolderTransport(str(tmp_path), IDENTITY), a_mail()
    seen: list[list[str]] = []
    replace_file = Path.replace

    def look(self: Path, target: Path) -> Path:
        seen.append([file.suffix for file in tmp_path.iterdir()])
        return replace_file(self, target)

    monkeypatch.setattr(Path, "replace", look)
    folder.send(sent)
    assert seen == [[".draft"]]
    assert [file.name for file in tmp_path.iterdir()] == [f"{sent.delivery_id}.eml"]


def test_a_folder_that_cannot_be_written_is_unavailable(tmp_path: Path) -> None:
    (tmp_path / "mail").write_text("a file, not a folder")
    report = FolderTransport(str(tmp_path / "mail"), IDENTITY).send(a_mail())
    assert report.unavailable
    assert report.error == "The folder of mails cannot be written: File exists."


def test_a_mail_without_room_leaves_no_draft(tmp_path: Path) -> None:
    folder, mail = FolderTransport(str(tmp_path), IDENTITY), a_mail()
    (tmp_path / f"{mail.delivery_id}.{os.getpid()}.draft").symlink_to("/dev/full")
    assert folder.send(mail).unavailable
    assert list(tmp_path.iterdir()) == []
    assert folder.send(mail).error is None


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate of 127.0.0.1 with its key, self-signed."""
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
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    return context


@pytest.fixture
def _trusted(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
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
