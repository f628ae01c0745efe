"""Tests of what an endpoint's owner hears about it: a mentor in the application and by mail, the operators by mail."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import delete, func, select

from models.notifications import notifications
from models.webhooks import webhook_endpoints
from tests.factories import make_mentor, make_user
from tests.integration.endpoints import GONE, NO, announced, listening, send_one, set_endpoint, use_up
from tests.integration.harness import Harness
from workers.transports.mail import MailIdentity, compose

IDENTITY = MailIdentity("Tutelage <no-reply@tutelage.example>", "Those who operate <operators@example.org>")
MENTORS_ADDRESS = "grace@example.org"
KINDS = ["disabled", "failing", "exhausted"]


def let_it_happen(harness: Harness, endpoint_id: UUID, kind: str) -> None:
    """What the owner is to be told, and the telling; the mail is still to be sent."""
    if kind == "disabled":
        send_one(harness, endpoint_id, GONE)
    elif kind == "exhausted":
        use_up(harness, endpoint_id)
    else:
        set_endpoint(harness, endpoint_id, failures=1, failing_since=func.now() - timedelta(days=3, hours=1))
        send_one(harness, endpoint_id, NO)
    (event,) = announced(harness, f"webhook_endpoint.{kind}")
    harness.deliver(f"notifications.webhook_endpoint_{kind}", event.id)


def of_a_mentor(harness: Harness) -> UUID:
    """A mentor's endpoint."""
    with harness.transactions() as db:
        mentor = make_mentor(db, make_user(db, name="Grace Hopper", email=MENTORS_ADDRESS, time_zone="Europe/Berlin"))
    return listening(harness, mentor_profile_id=mentor.id)


def notified(harness: Harness) -> set[tuple[str, str]]:
    """The channels and kinds of all notifications."""
    with harness.engine.connect() as db:
        rows = db.execute(select(notifications.c.channel, notifications.c.kind)).all()
    assert len(rows) == len(set(rows))
    return {(str(row.channel), row.kind) for row in rows}


@pytest.mark.parametrize("kind", KINDS)
def test_a_mentor_is_told_in_both_channels_and_by_one_mail(harness: Harness, kind: str) -> None:
    let_it_happen(harness, of_a_mentor(harness), kind)
    assert notified(harness) == {(channel, f"webhook_endpoint_{kind}") for channel in ("in_app", "email")}
    harness.deliver("mail.send")
    (mail,) = harness.mail.received
    assert (mail.to_address, mail.to_name) == (MENTORS_ADDRESS, "Grace Hopper")
    assert "https://partner.example/in" in mail.text
    assert compose(mail, IDENTITY)["To"] == f"Grace Hopper <{MENTORS_ADDRESS}>"


@pytest.mark.parametrize("kind", KINDS)
def test_the_operators_are_told_by_one_mail_to_their_address(harness: Harness, kind: str) -> None:
    let_it_happen(harness, listening(harness), kind)
    assert notified(harness) == set()
    harness.deliver("mail.send")
    (mail,) = harness.mail.received
    assert "https://partner.example/in" in mail.text
    assert compose(mail, IDENTITY)["To"].addresses[0].addr_spec == "operators@example.org"


def test_the_mail_says_since_when_on_the_mentors_clock_and_why(harness: Harness) -> None:
    endpoint_id = of_a_mentor(harness)
    let_it_happen(harness, endpoint_id, "failing")
    harness.deliver("mail.send")
    assert "(Europe/Berlin)" in harness.mail.received[0].text
    send_one(harness, endpoint_id, GONE)
    (event,) = announced(harness, "webhook_endpoint.disabled")
    harness.deliver("notifications.webhook_endpoint_disabled", event.id)
    harness.deliver("mail.send", event.id)
    assert "The receiver answered 410 Gone." in harness.mail.received[1].text


def test_telling_again_tells_nobody_twice(harness: Harness) -> None:
    let_it_happen(harness, of_a_mentor(harness), "disabled")
    key = harness.key("notifications.webhook_endpoint_disabled")
    harness.change(key, state="pending", done_at=None)
    harness.deliverer.deliver(key)
    harness.key("mail.send")
    assert len(notified(harness)) == 2


@pytest.mark.parametrize("after", ["the news", "the telling"])
def test_of_an_endpoint_that_is_gone_nobody_is_mailed(harness: Harness, after: str) -> None:
    endpoint_id = listening(harness)
    if after == "the telling":
        let_it_happen(harness, endpoint_id, "disabled")
    else:
        send_one(harness, endpoint_id, GONE)
    with harness.engine.begin() as db:
        db.execute(delete(webhook_endpoints))
    if after == "the telling":
        key = harness.deliver("mail.send")
        assert (harness.row(key).state, harness.row(key).last_error) == (
            "cancelled",
            "The webhook endpoint has been deleted.",
        )
    else:
        key = harness.deliver("notifications.webhook_endpoint_disabled")
        assert harness.row(key).state == "done"
    assert harness.mail.received == []
