"""Tests of the demo's own ends: a receiver that verifies signatures, and a mailbox."""

from __future__ import annotations

import smtplib
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from email.message import EmailMessage
from urllib.parse import urlsplit

import pytest
import urllib3
from standardwebhooks import Webhook

from cli.demonstration.receivers import Receiver, open_mailbox, open_receiver
from workflows.webhooks.secrets import new_secret

BODY = '{"id": "1", "type": "session.created", "data": {"sessionId": "7"}}'


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with open_receiver(threading.Event()) as receiver:
        yield receiver


def post(receiver: Receiver, secret: str, body: str = BODY, path: str = "") -> int:
    """A message, signed with this secret."""
    now = datetime.now(UTC)
    headers = {
        "webhook-id": "1",
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": Webhook(secret).sign("1", now, BODY),
    }
    url = receiver.url if not path else receiver.url.replace(receiver.path, path)
    return urllib3.request("POST", url, body=body, headers=headers, retries=False, timeout=5).status


def test_a_message_with_the_right_signature_is_kept(receiver: Receiver) -> None:
    secret = new_secret()
    receiver.trust(secret)
    assert post(receiver, secret) == 204
    assert receiver.refused == []
    (message,) = receiver.messages()
    assert message.type == "session.created"
    assert message.is_about("7")


@pytest.mark.parametrize(
    ("secret", "body"),
    [
        pytest.param(None, BODY, id="another secret"),
        pytest.param("own", BODY.replace("7", "8"), id="a changed body"),
    ],
)
def test_a_message_that_cannot_be_verified_is_refused(receiver: Receiver, secret: str | None, body: str) -> None:
    own = new_secret()
    receiver.trust(own)
    assert post(receiver, own if secret else new_secret(), body) == 401
    assert receiver.messages() == []
    assert len(receiver.refused) == 1


def test_another_run_s_message_is_not_kept(receiver: Receiver) -> None:
    secret = new_secret()
    receiver.trust(secret)
    assert post(receiver, secret, path="/hooks/of-yesterday") == 404
    assert receiver.refused == receiver.messages() == []


def test_a_message_waits_for_the_secret(receiver: Receiver) -> None:
    secret = new_secret()
    answers: list[int] = []
    sender = threading.Thread(target=lambda: answers.append(post(receiver, secret)))
    sender.start()
    receiver.trust(secret)
    sender.join()
    assert answers == [204]


def test_the_mailbox_keeps_a_mail_per_recipient_and_rings() -> None:
    bell = threading.Event()
    with open_mailbox(bell) as mailbox:
        address = urlsplit(mailbox.url)
        mail = EmailMessage()
        mail["Subject"] = "Ihre Sitzung – bestätigt"
        mail["From"], mail["To"] = "a@tutelage.example", "b@mentee.example, c@mentor.example"
        mail["Message-ID"] = "<1@tutelage.example>"
        mail.set_content("text")
        mail.add_alternative("<p>text</p>", subtype="html")
        with smtplib.SMTP(address.hostname or "", address.port or 0, local_hostname="localhost", timeout=5) as client:
            client.send_message(mail)
        assert bell.is_set()
        (kept,) = mailbox.mails("b@mentee.example")
        assert (kept.subject, kept.message_id) == ("Ihre Sitzung – bestätigt", "<1@tutelage.example>")
        assert kept.kinds == ("text/plain", "text/html")
        assert len(mailbox.mails("b@mentee.example", "c@mentor.example")) == 2
