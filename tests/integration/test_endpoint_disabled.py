"""Tests of what ends in disabling an endpoint, of the warnings before and of notices to its owner."""

from datetime import timedelta
from functools import partial
from threading import Barrier, Event
from typing import Any
from uuid import UUID

import pytest
import structlog
from sqlalchemy import delete, func, select

from config.sealing import Sealer
from models.events import delivery_attempts
from models.notifications import notifications
from models.webhooks import webhook_endpoints
from tests.factories import make_mentor, make_user
from tests.integration.endpoints import (
    GONE,
    NO,
    YES,
    all_at_once,
    announced,
    endpoint,
    listening,
    messages,
    send_one,
    set_endpoint,
    use_up,
)
from tests.integration.harness import Harness, routes
from tests.mails import as_read
from tests.queries import execute, scalars
from workers.runner import DeliveryRunner
from workers.transports.mail import MailIdentity
from workers.transports.webhooks import WebhookTransport
from workflows.effects import webhooks
from workflows.events.delivery import WEBHOOK_RETRY_POLICY, SendResult
from workflows.events.subscriptions import load
from workflows.webhooks.headers import sealed_headers

DAY = timedelta(days=1)


@pytest.fixture
def partner(harness: Harness) -> UUID:
    return listening(harness)


def test_410_disables_at_once_and_cancels_what_is_left(harness: Harness, partner: UUID) -> None:
    wanted = listening(harness, "https://watcher.example", event_types=["webhook_endpoint.*"])
    listening(harness, "https://else.example", event_types=["booking.*"])
    listening(harness, "https://mentor.example", event_types=["session.created"])
    (left,) = messages(harness, partner)
    first = send_one(harness, partner, GONE)
    row = endpoint(harness, partner)
    assert (row.state, row.disabled_reason) == ("disabled", "The receiver answered 410 Gone.")
    (event,) = announced(harness, "webhook_endpoint.disabled")
    assert event.data["webhook_endpoint_id"] == str(partner)
    assert harness.row(harness.key("webhooks.send", event.id, str(wanted))).state == "pending"
    assert harness.row(harness.key("webhooks.send", event.id, str(partner))).state == "cancelled", (
        "kept for its recovery"
    )
    assert (harness.row(first).state, harness.row(first).last_error) == ("dead", "The receiver answered 410.")
    assert announced(harness, "webhook_endpoint.exhausted") == [], "the endpoint was disabled"
    harness.delivered_again(left)
    assert (harness.row(left).state, harness.row(left).last_error) == ("cancelled", "The webhook endpoint is disabled.")
    assert len(harness.http.received) == 1


@pytest.mark.parametrize("answer", [YES, NO, GONE])
def test_an_answer_of_a_former_address_changes_nothing(harness: Harness, partner: UUID, answer: SendResult) -> None:
    set_endpoint(harness, partner, failures=3, failing_since=func.now())
    (key,) = messages(harness, partner)

    def move(_message: object) -> SendResult:
        set_endpoint(harness, partner, url="https://elsewhere.example", state="pending", failures=1)
        return answer

    harness.http.answers = move
    harness.deliverer.deliver(key)
    row = endpoint(harness, partner)
    assert (row.state, row.disabled_reason, row.failures) == ("pending", None, 1)


@pytest.mark.parametrize(("answer", "announcement"), [(GONE, "disabled"), (NO, "exhausted")])
def test_a_finding_of_several_workers_is_announced_once(
    harness: Harness, partner: UUID, answer: SendResult, announcement: str
) -> None:
    # The breaker has been opened by another meanwhile: what is found late is announced once as well.
    for open_until in (None, func.now() + timedelta(minutes=1)):
        in_trouble = {"failures": 9, "failing_since": func.now(), "open_until": None, "exhausted_at": None}
        set_endpoint(harness, partner, state="active", disabled_reason=None, **in_trouble)
        keys = messages(harness, partner, 8)
        for key in keys:
            harness.change(key, attempts=WEBHOOK_RETRY_POLICY.attempts - 1)
        all_there = Barrier(len(keys), partial(set_endpoint, harness, partner, open_until=open_until))

        def wait_for_all(_message: object, all_there: Barrier = all_there) -> SendResult:
            all_there.wait(20)
            return answer

        before = len(announced(harness, f"webhook_endpoint.{announcement}"))
        harness.http.answers = wait_for_all
        all_at_once(harness.deliverer, keys, threads=len(keys))
        assert {harness.row(key).state for key in keys} == {"dead"}
        assert len(announced(harness, f"webhook_endpoint.{announcement}")) == before + 1


@pytest.mark.parametrize(
    ("failing_for", "state"),
    [(timedelta(days=5, seconds=-60), "active"), (timedelta(days=5), "disabled")],
)
def test_five_days_without_one_success_disable(
    harness: Harness, partner: UUID, failing_for: timedelta, state: str
) -> None:
    set_endpoint(harness, partner, failures=1, failing_since=func.now() - failing_for, warned_at=func.now() - 2 * DAY)
    send_one(harness, partner, NO)
    row = endpoint(harness, partner)
    assert row.state == state
    assert row.disabled_reason == ("No message was accepted for five days." if state == "disabled" else None)
    assert len(announced(harness, "webhook_endpoint.disabled")) == (state == "disabled")


# Its last attempts may all have been made before the third day was over, and then for days there was none.
@pytest.mark.parametrize("failing_for", [timedelta(days=5), timedelta(days=6), timedelta(days=60)])
def test_no_endpoint_is_disabled_within_two_days_of_a_warning(
    harness: Harness, partner: UUID, failing_for: timedelta
) -> None:
    set_endpoint(harness, partner, failures=1, failing_since=func.now() - failing_for)
    send_one(harness, partner, NO)
    assert (endpoint(harness, partner).state, len(announced(harness, "webhook_endpoint.failing"))) == ("active", 1)
    set_endpoint(harness, partner, warned_at=func.now() - 2 * DAY + timedelta(minutes=1))
    send_one(harness, partner, NO)
    assert (endpoint(harness, partner).state, announced(harness, "webhook_endpoint.disabled")) == ("active", [])
    set_endpoint(harness, partner, warned_at=func.now() - 2 * DAY)
    send_one(harness, partner, NO)
    assert (endpoint(harness, partner).state, len(announced(harness, "webhook_endpoint.disabled"))) == ("disabled", 1)
    assert len(announced(harness, "webhook_endpoint.failing")) == 1


def test_of_many_failures_after_five_days_one_disables(harness: Harness, partner: UUID) -> None:
    since = {"failing_since": func.now() - 6 * DAY, "warned_at": func.now() - 2 * DAY}
    set_endpoint(harness, partner, failures=1, **since)
    keys = messages(harness, partner, 5)
    all_sending = Event()

    def answer(_message: object) -> SendResult:
        if len(harness.http.received) == len(keys):
            all_sending.set()
        assert all_sending.wait(20)
        return NO

    harness.http.answers = answer
    all_at_once(harness.deliverer, keys)
    assert len(announced(harness, "webhook_endpoint.disabled")) == 1


def test_three_days_without_success_warn_once(harness: Harness, partner: UUID) -> None:
    set_endpoint(harness, partner, failures=1, failing_since=func.now() - timedelta(days=3) + timedelta(minutes=1))
    send_one(harness, partner, NO)
    assert announced(harness, "webhook_endpoint.failing") == []
    set_endpoint(harness, partner, failing_since=func.now() - timedelta(days=3))
    for _ in range(3):
        send_one(harness, partner, NO)
    assert len(announced(harness, "webhook_endpoint.failing")) == 1
    assert endpoint(harness, partner).state == "active"
    send_one(harness, partner, YES)
    set_endpoint(harness, partner, failures=1, failing_since=func.now() - timedelta(days=4))
    send_one(harness, partner, NO)
    assert len(announced(harness, "webhook_endpoint.failing")) == 2, "a new row of failures is announced again"


# The policy's ten attempts take about three days: warning and last attempt may come together.
@pytest.mark.parametrize("failing_for", [timedelta(hours=1), timedelta(hours=75)])
def test_the_first_exhausted_message_is_announced_once(harness: Harness, partner: UUID, failing_for: timedelta) -> None:
    set_endpoint(harness, partner, failures=1, failing_since=func.now() - failing_for)
    use_up(harness, partner)
    assert len(announced(harness, "webhook_endpoint.exhausted")) == 1
    use_up(harness, partner)
    assert len(announced(harness, "webhook_endpoint.exhausted")) == 1


def test_an_endpoint_deleted_meanwhile_is_cancelled_quietly(
    harness: Harness, partner: UUID, caplog: pytest.LogCaptureFixture
) -> None:
    (waiting, sending) = messages(harness, partner, 2)

    def delete_it(_message: object) -> SendResult:
        execute(harness.engine, delete(webhook_endpoints))
        return NO

    harness.http.answers = delete_it
    harness.deliverer.deliver(sending)
    assert (harness.row(sending).state, harness.row(sending).last_error) == ("pending", NO.error)
    for key in (waiting, sending):
        harness.delivered_again(key)
        assert (harness.row(key).state, harness.row(key).last_error) == (
            "cancelled",
            "The webhook endpoint has been deleted.",
        )
    assert announced(harness, "webhook_endpoint.disabled") == []
    assert [line for line in caplog.records if line.levelname == "ERROR"] == []


IDENTITY = MailIdentity("Tutelage <no-reply@tutelage.example>", "Those who operate <operators@example.org>")
MENTORS_ADDRESS = "grace@example.org"
KINDS = ["disabled", "failing", "exhausted"]


def let_it_happen(harness: Harness, endpoint_id: UUID, kind: str) -> None:
    """The event and its notification; the mail is still to be sent."""
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
    with harness.transactions() as db:
        mentor = make_mentor(db, make_user(db, name="Grace Hopper", email=MENTORS_ADDRESS, time_zone="Europe/Berlin"))
    return listening(harness, mentor_profile_id=mentor.id)


def notified(harness: Harness) -> set[tuple[str, str]]:
    rows = execute(harness.engine, select(notifications.c.channel, notifications.c.kind)).all()
    assert len(rows) == len(set(rows))
    return {(str(row.channel), row.kind) for row in rows}


@pytest.mark.parametrize("kind", KINDS)
def test_a_mentor_is_notified_in_both_channels(harness: Harness, kind: str) -> None:
    let_it_happen(harness, of_a_mentor(harness), kind)
    assert notified(harness) == {(channel, f"webhook_endpoint_{kind}") for channel in ("in_app", "email")}
    harness.deliver("mail.send")
    (mail,) = harness.mail.received
    assert (mail.to_address, mail.to_name) == (MENTORS_ADDRESS, "Grace Hopper")
    assert "https://partner.example/in" in mail.text
    assert as_read(mail, IDENTITY)["To"] == f"Grace Hopper <{MENTORS_ADDRESS}>"


@pytest.mark.parametrize("kind", KINDS)
def test_operators_are_notified_by_one_mail(harness: Harness, kind: str) -> None:
    let_it_happen(harness, listening(harness), kind)
    assert notified(harness) == set()
    harness.deliver("mail.send")
    (mail,) = harness.mail.received
    assert "https://partner.example/in" in mail.text
    assert as_read(mail, IDENTITY)["To"].addresses[0].addr_spec == "operators@example.org"


def test_a_repeated_notification_effect_writes_nothing_twice(harness: Harness) -> None:
    let_it_happen(harness, of_a_mentor(harness), "disabled")
    key = harness.key("notifications.webhook_endpoint_disabled")
    harness.change(key, state="pending", done_at=None)
    harness.deliverer.deliver(key)
    harness.key("mail.send")
    assert len(notified(harness)) == 2


@pytest.mark.parametrize("after", ["the news", "the telling"])
def test_no_mail_is_sent_about_a_deleted_endpoint(harness: Harness, after: str) -> None:
    endpoint_id = listening(harness)
    if after == "the telling":
        let_it_happen(harness, endpoint_id, "disabled")
    else:
        send_one(harness, endpoint_id, GONE)
    execute(harness.engine, delete(webhook_endpoints))
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


GONE_KEY = Sealer(["a key that ENCRYPTION_KEYS no longer holds"])


@pytest.fixture
def sealed_partner(harness: Harness) -> UUID:
    """An active endpoint whose secret can no longer be unsealed."""
    return listening(harness, seal=GONE_KEY.seal)


@pytest.fixture
def deliverer(harness: Harness) -> DeliveryRunner:
    transport = WebhookTransport(Sealer(["the key of today, and long enough"]), ())
    return DeliveryRunner(harness.transactions, load(), routes(http=transport, mail=harness.mail))


def health(harness: Harness, endpoint_id: UUID) -> tuple[Any, ...]:
    row = endpoint(harness, endpoint_id)
    return row.state, row.failures, row.failing_since, row.open_until, row.warned_at, row.exhausted_at


def classes(harness: Harness) -> list[str | None]:
    return list(scalars(harness.engine, select(delivery_attempts.c.error_class)))


def test_an_unreadable_secret_counts_no_failure_of_the_endpoint(
    harness: Harness, sealed_partner: UUID, deliverer: DeliveryRunner
) -> None:
    before = health(harness, sealed_partner)
    keys = messages(harness, sealed_partner, 12)
    with structlog.testing.capture_logs() as lines:
        for key in keys:
            deliverer.deliver(key)
    assert health(harness, sealed_partner) == before
    assert {(row.state, row.attempts) for row in map(harness.row, keys)} == {("pending", 1)}
    assert all(timedelta() < row.due_at - row.now < timedelta(seconds=7) for row in map(harness.row, keys))
    assert classes(harness) == ["internal"] * len(keys)
    logged = [line for line in lines if line["event"] == "delivery.transport_failed"]
    assert [line["log_level"] for line in logged] == ["error"] * len(keys)
    assert {type(line["exc_info"]).__name__ for line in logged} == {"UnsealError"}


def test_an_unreadable_header_counts_no_failure_of_the_endpoint(harness: Harness, deliverer: DeliveryRunner) -> None:
    today = Sealer(["the key of today, and long enough"])
    sealed_partner = listening(
        harness, seal=today.seal, headers=sealed_headers({"authorization": "Bearer hush"}, GONE_KEY.seal)
    )
    (key,) = messages(harness, sealed_partner)
    deliverer.deliver(key)
    assert (harness.row(key).state, endpoint(harness, sealed_partner).failures, classes(harness)) == (
        "pending",
        0,
        ["internal"],
    )


def test_internal_errors_neither_warn_the_owner_nor_disable(
    harness: Harness, sealed_partner: UUID, deliverer: DeliveryRunner
) -> None:
    set_endpoint(harness, sealed_partner, failures=9, failing_since=func.now() - 6 * DAY)
    before = health(harness, sealed_partner)
    (key,) = messages(harness, sealed_partner)
    harness.change(key, attempts=WEBHOOK_RETRY_POLICY.attempts - 1)
    deliverer.deliver(key)
    assert harness.row(key).state == "dead"
    assert health(harness, sealed_partner) == before
    for name in ("exhausted", "failing", "disabled"):
        assert announced(harness, f"webhook_endpoint.{name}") == []


@pytest.mark.parametrize("broken", ["body_of", "admit"])
def test_a_bug_while_preparing_is_no_failure_of_the_endpoint(
    harness: Harness, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    def bug(*_args: object, **_kw: object) -> None:
        raise KeyError("a bug")

    partner = listening(harness)
    before = health(harness, partner)
    with monkeypatch.context() as patched:
        patched.setattr(webhooks, broken, bug)
        key = send_one(harness, partner, YES)
    row = harness.row(key)
    assert (row.state, row.attempts, row.last_error) == ("pending", 1, "KeyError: 'a bug'")
    assert (health(harness, partner), classes(harness)) == (before, ["internal"])
    assert harness.delivered_again(key).state == "done"
