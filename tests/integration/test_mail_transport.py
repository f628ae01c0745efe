"""Tests of mail: over SMTP to a real server, which may also misbehave, and into the development folder."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from cli.embedded import free_port
from tests.integration.receivers import Talk, dripping, hanging_up, silent, talker
from workers.transports.mail import FolderTransport, MailIdentity
from workers.transports.smtp import SmtpLimits, SmtpTransport
from workflows.effects.messages import Mail
from workflows.notifications.texts import Words

IDENTITY = MailIdentity("Tutelage <no-reply@tutelage.example>", "operators@tutelage.example")


class MailServer:
    """Keeps what it is sent, and answers what it is told to."""

    def __init__(self) -> None:
        self.received: list[bytes] = []
        self.recipients: list[str] = []
        self.to_recipient = "250 2.1.5 OK"
        self.to_data = "250 2.0.0 OK"

    async def handle_RCPT(self, _s: SMTP, _session: Session, envelope: Envelope, address: str, _o: Any) -> str:
        """Take a recipient, or not."""
        if self.to_recipient.startswith("250"):
            envelope.rcpt_tos.append(address)
        return self.to_recipient

    async def handle_DATA(self, _s: SMTP, _session: Session, envelope: Envelope) -> str:
        """Take a mail, or not."""
        if self.to_data.startswith("250"):
            self.received.append(bytes(envelope.content or b""))
            self.recipients += envelope.rcpt_tos
        return self.to_data


@pytest.fixture
def server() -> Iterator[MailServer]:
    """A mail server on this machine."""
    handler = MailServer()
    controller = Controller(handler, hostname="127.0.0.1", port=free_port())
    controller.start()
    handler.port = controller.port  # type: ignore[attr-defined]
    yield handler
    controller.stop()


def transport(port: int, limits: SmtpLimits | None = None) -> SmtpTransport:
    """The transport to a server at that port."""
    return SmtpTransport(f"smtp://127.0.0.1:{port}", IDENTITY, limits=limits or SmtpLimits())


def a_mail(**changed: Any) -> Mail:
    """A mail to Ada."""
    mail = Mail(
        delivery_id=uuid4(),
        to_name="Ada Lovelace",
        to_address="ada@example.org",
        words=Words("Your session is booked – really", "You meet Grace."),
        written_at=datetime(2030, 5, 4, 9, tzinfo=UTC),
    )
    return replace(mail, **changed)


def parsed(raw: bytes) -> EmailMessage:
    """The mail as its reader's program sees it."""
    return message_from_bytes(raw, policy=policy.default)  # type: ignore[return-value]


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
    assert mail.get_body(("plain",)).get_content().strip() == "You meet Grace."  # type: ignore[union-attr]


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


@pytest.mark.parametrize(
    ("to_recipient", "to_data", "permanent", "code"),
    [
        # No is no: nobody of that name, or a mail that is not wanted.
        ("550 5.1.1 No such user", "250 OK", True, 550),
        ("250 OK", "554 5.7.1 Not wanted", True, 554),
        # Later is later: full, greylisted, overloaded.
        ("451 4.7.1 Greylisted", "250 OK", False, 451),
        ("452 4.2.2 Mailbox full", "250 OK", False, 452),
        ("250 OK", "421 4.3.2 Shutting down", False, 421),
    ],
)
def test_a_refusal_is_final_or_passes_as_its_number_says(
    server: Any, to_recipient: str, to_data: str, permanent: bool, code: int
) -> None:
    server.to_recipient, server.to_data = to_recipient, to_data
    report = transport(server.port).send(a_mail())
    assert (report.permanent, report.status_code) == (permanent, code)
    assert report.error is not None
    assert report.error.startswith(f"The mail server answered {code}:")
    assert server.received == []


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


def test_nobody_listening_is_told_in_words_and_tried_again() -> None:
    report = transport(free_port()).send(a_mail())
    assert report.error is not None
    assert "refused" in report.error
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
