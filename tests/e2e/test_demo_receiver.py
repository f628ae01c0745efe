"""Tests of the demo's own ends: a receiver that verifies signatures, and a mailbox."""

import threading
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
import urllib3
from standardwebhooks import Webhook

from cli.demonstration.receivers import Receiver, open_receiver
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
    assert receiver.messages == []
    assert len(receiver.refused) == 1


def test_another_run_s_message_is_not_kept(receiver: Receiver) -> None:
    secret = new_secret()
    receiver.trust(secret)
    assert post(receiver, secret, path="/hooks/of-yesterday") == 404
    assert (receiver.refused, receiver.messages) == ([], [])


def test_a_message_waits_for_the_secret(receiver: Receiver) -> None:
    secret = new_secret()
    answers: list[int] = []
    sender = threading.Thread(target=lambda: answers.append(post(receiver, secret)))
    sender.start()
    receiver.trust(secret)
    sender.join()
    assert answers == [204]
