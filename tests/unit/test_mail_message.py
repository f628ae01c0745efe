"""Tests of a mail as it goes out: two bodies, one Message-ID per delivery, and no header injection."""

from datetime import UTC, datetime
from email.message import EmailMessage
from typing import Any
from uuid import UUID, uuid4

import pytest

from tests.mails import as_read
from workers.transports.mail import LONGEST_LINE, MailIdentity, compose
from workflows.notifications.mails import Mail
from workflows.notifications.texts import Words

DELIVERY = UUID("0b9f4a7d-52c1-5d38-8e16-c3a2d4f7e815")
IDENTITY = MailIdentity("Tutelage <no-reply@tutelage.example>", "Operators <operators@tutelage.example>")


def a_mail(
    *,
    delivery_id: UUID = DELIVERY,
    name: str = "Ada",
    address: str | None = "ada@example.org",
    subject: str = "Booked",
    text: str = "Hi",
) -> Mail:
    return Mail(
        delivery_id=delivery_id,
        to_name=name,
        to_address=address,
        words=Words(subject, text),
        written_at=datetime(2030, 5, 4, 9, tzinfo=UTC),
        prepared_at=datetime(2030, 5, 4, 9, tzinfo=UTC),
    )


def sent(**given: Any) -> EmailMessage:
    """The mail as a mail server would read it off the wire."""
    return as_read(a_mail(**given), IDENTITY)


def test_a_mail_is_plain_text_and_html() -> None:
    mail = sent(text="Grüße, 你好")
    assert mail.get_content_type() == "multipart/alternative"
    plain, html = mail.get_body(("plain",)), mail.get_body(("html",))
    assert plain is not None
    assert html is not None
    assert plain.get_content().strip() == "Grüße, 你好"
    assert "<p>Grüße, 你好</p>" in html.get_content()


def test_the_message_id_is_the_same_on_every_attempt() -> None:
    assert sent()["Message-ID"] == sent()["Message-ID"] == f"<{DELIVERY}@tutelage.example>"
    assert sent(delivery_id=uuid4())["Message-ID"] != sent()["Message-ID"]


def test_the_headers_name_sender_date_and_automatic_submission() -> None:
    mail = sent()
    assert mail["From"] == "Tutelage <no-reply@tutelage.example>"
    assert mail["To"] == "Ada <ada@example.org>"
    assert mail["Date"].datetime == datetime(2030, 5, 4, 9, tzinfo=UTC)
    assert mail["Auto-Submitted"] == "auto-generated"


def test_a_mail_without_an_address_goes_to_the_operators() -> None:
    assert sent(name="Operators", address=None)["To"] == "Operators <operators@tutelage.example>"


@pytest.mark.parametrize(
    "hostile",
    [
        # Line ends of every kind, which would begin a header or the body.
        "Eve\r\nBcc: everybody@example.org",
        "Eve\nBcc: everybody@example.org",
        "Eve\rBcc: everybody@example.org",
        "Eve\r\n\r\nA body of my own",
        "Eve\x0b\x0c\x1c\x85\u2028\u2029Bcc: everybody@example.org",
        # Addresses within a name.
        'Eve" <everybody@example.org>, "',
        "everybody@example.org, Eve",
        # Encoded words that claim to be something else.
        "=?utf-8?q?Eve=0D=0ABcc:_everybody@example.org?=",
        "Ünï" * 200,
    ],
)
def test_a_hostile_name_or_subject_adds_no_header(hostile: str) -> None:
    mail = sent(name=hostile, subject=hostile)
    assert mail["Bcc"] is None
    assert [address.addr_spec for address in mail["To"].addresses] == ["ada@example.org"]
    assert mail.get_content_type() == "multipart/alternative"
    assert len(mail.get_all("Subject", [])) == 1
    assert "\n" not in mail["Subject"]


@pytest.mark.parametrize("long", ["Ünï" * 200, "word " * 300, "x" * 3000], ids=["beyond-ascii", "words", "one-word"])
def test_no_line_is_longer_than_servers_take(long: str) -> None:
    mail = a_mail(subject=long[:500], text=long)
    raw = bytes(compose(mail, IDENTITY))
    assert raw.isascii()
    assert max(map(len, raw.splitlines())) <= LONGEST_LINE
    plain = as_read(mail, IDENTITY).get_body(("plain",))
    assert plain is not None
    assert plain.get_content().split() == long.split()
