"""Tests of what leaves the harness: leased while it runs, under one name on every attempt, settled by one alone."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, select, text, update

from models.events import delivery_attempts
from models.notifications import notifications
from models.webhooks import EndpointState, webhook_endpoints
from tests.factories import OPERATOR, accept_booking, make_booking
from tests.integration.harness import Harness, routes
from tests.queries import execute, scalar
from workers.outbound import LEASE
from workers.runner import DeliveryRunner
from workflows.events.delivery import DEFAULT_RETRY_POLICY, Delivery, DeliveryKey, Retry, SendResult
from workflows.events.subscriptions import Subscriptions, load
from workflows.notifications.mails import SEND_MAIL
from workflows.webhooks.actions import create_endpoint, ping_endpoint
from workflows.webhooks.records import Endpoint

IN_TRANSACTION = text(
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
    " AND state LIKE 'idle in transaction%' AND pid <> pg_backend_pid()"
)


@pytest.fixture
def mail(harness: Harness) -> DeliveryKey:
    with harness.transactions() as db:
        make_booking(db)
    harness.deliver("notifications.booking_requested")
    return harness.key("mail.send")


def attempts(harness: Harness, key: DeliveryKey) -> list[Any]:
    query = select(delivery_attempts).where(delivery_attempts.c.effect == key.effect)
    return list(execute(harness.engine, query.order_by(delivery_attempts.c.attempt)))


def answer(harness: Harness, sent: SendResult) -> None:
    harness.mail.answers = harness.http.answers = lambda _message: sent


def test_what_is_taken_is_done_and_kept_with_its_answer(harness: Harness, mail: DeliveryKey) -> None:
    answer(harness, SendResult(status_code=250, response="2.0.0 OK"))
    row = harness.delivered(mail)
    assert (row.state, row.attempts, row.lease_until, row.last_error) == ("done", 1, None, None)
    assert (row.status_code, row.response, row.duration_ms >= 0) == (250, "2.0.0 OK", True)
    assert attempts(harness, mail) == [], "the attempt is in the delivery's own row"
    assert [message.delivery_id for message in harness.mail.received] == [row.id]


def test_no_transaction_is_open_during_a_send(harness: Harness, mail: DeliveryKey) -> None:
    seen: list[Any] = []

    def look(_message: object) -> SendResult:
        open_now = scalar(harness.engine, IN_TRANSACTION)
        seen.append((harness.row(mail), open_now))
        harness.deliverer.deliver(mail)
        return SendResult()

    harness.mail.answers = look
    harness.deliverer.deliver(mail)
    row, open_now = seen[0]
    assert (row.state, row.attempts, row.nudge_at) == ("pending", 1, row.lease_until)
    assert timedelta(seconds=40) < row.lease_until - row.now <= LEASE
    assert open_now == 0
    assert len(harness.mail.received) == 1, "a second message finds it leased"


def test_a_passing_trouble_is_tried_again_by_the_policy(harness: Harness, mail: DeliveryKey) -> None:
    answer(harness, SendResult(error="The mail server answered 451: later", status_code=451))
    row = harness.delivered(mail)
    assert (row.state, row.attempts, row.lease_until) == ("pending", 1, None)
    assert row.last_error == "The mail server answered 451: later"
    assert timedelta(seconds=1) < row.due_at - row.now <= timedelta(seconds=DEFAULT_RETRY_POLICY.pauses[0] * 1.2)
    assert [kept.outcome for kept in attempts(harness, mail)] == ["retry"]


def test_a_receiver_gets_the_same_id_on_every_attempt(harness: Harness, mail: DeliveryKey) -> None:
    answer(harness, SendResult(error="no"))
    for _ in range(3):
        harness.delivered_again(mail)
    assert len({message.delivery_id for message in harness.mail.received}) == 1
    assert len(harness.mail.received) == 3


def test_a_final_refusal_is_dead_at_once(harness: Harness, mail: DeliveryKey) -> None:
    answer(harness, SendResult(error="The mail server answered 550: no such user", permanent=True, status_code=550))
    row = harness.delivered(mail)
    assert (row.state, row.attempts, row.last_error) == ("dead", 1, "The mail server answered 550: no such user")
    assert [(kept.outcome, kept.status_code) for kept in attempts(harness, mail)] == [("dead", 550)]


def test_a_refusal_may_hold_what_the_database_cannot(harness: Harness, mail: DeliveryKey) -> None:
    answer(harness, SendResult(error="550 no\x00 such user", permanent=True, status_code=550))
    row = harness.delivered(mail)
    assert (row.state, row.attempts, row.last_error) == ("dead", 1, "550 no such user")


def test_the_attempts_of_the_policy_end_in_dead(harness: Harness, mail: DeliveryKey) -> None:
    answer(harness, SendResult(error="no"))
    for _ in range(DEFAULT_RETRY_POLICY.attempts):
        harness.delivered_again(mail)
    assert (harness.row(mail).state, harness.row(mail).attempts) == ("dead", DEFAULT_RETRY_POLICY.attempts)
    assert [kept.outcome for kept in attempts(harness, mail)] == ["retry"] * 7 + ["dead"]


@pytest.mark.parametrize(
    ("retry_after", "at_least", "at_most"),
    [
        # A longer time is kept.
        (timedelta(hours=1), timedelta(minutes=59), timedelta(hours=1)),
        # One shorter than the policy's pause is not.
        (timedelta(), timedelta(seconds=1), timedelta(seconds=3)),
        (None, timedelta(seconds=1), timedelta(seconds=3)),
    ],
)
def test_retry_after_only_ever_delays(
    harness: Harness, mail: DeliveryKey, retry_after: timedelta | None, at_least: timedelta, at_most: timedelta
) -> None:
    answer(harness, SendResult(error="busy", status_code=429, retry_after=retry_after))
    row = harness.delivered(mail)
    assert at_least < row.due_at - row.now <= at_most


def test_a_late_sender_changes_nothing(harness: Harness, mail: DeliveryKey) -> None:
    def overtaken(_message: object) -> SendResult:
        # The lease ran out, and another worker took the delivery over.
        harness.change(mail, attempts=2)
        return SendResult(status_code=250)

    harness.mail.answers = overtaken
    row = harness.delivered(mail)
    assert (row.state, row.attempts) == ("pending", 2)
    assert attempts(harness, mail) == []


def test_an_expired_lease_is_taken_over(harness: Harness, mail: DeliveryKey) -> None:
    class Killed(BaseException):
        pass

    def die(_message: object) -> SendResult:
        raise Killed

    harness.mail.answers = die
    with pytest.raises(Killed):
        harness.deliverer.deliver(mail)
    assert harness.row(mail).attempts == 1
    answer(harness, SendResult())
    assert harness.delivered(mail).state == "pending", "still leased"
    harness.change(mail, lease_until=func.now())
    harness.deliverer.deliver(mail)
    assert (harness.row(mail).state, harness.row(mail).attempts) == ("done", 2)


def test_a_mail_whose_notification_is_gone_is_cancelled_unsent(harness: Harness, mail: DeliveryKey) -> None:
    execute(harness.engine, notifications.delete())
    row = harness.delivered(mail)
    assert (row.state, row.last_error) == ("cancelled", "There is no notification to be mailed.")
    assert harness.mail.received == []
    assert [kept.outcome for kept in attempts(harness, mail)] == ["cancelled"]


def with_send_mail(harness: Harness, **changed: Callable[..., Any]) -> Harness:
    """A harness whose way to send mail is changed, and always has something to settle."""
    known = Subscriptions()
    for effect in load().all():
        changes = {"settles": lambda *_args: True} | changed
        known.add(replace(SEND_MAIL, **changes) if effect is SEND_MAIL else effect)
    return Harness(harness.engine, known)


def boom(*_args: object) -> Any:
    raise KeyError("a defect")


@pytest.mark.parametrize("part", ["prepare", "send", "settle"])
def test_an_internal_error_at_any_step_backs_off(harness: Harness, mail: DeliveryKey, part: str) -> None:
    broken = with_send_mail(harness, **({} if part == "send" else {part: boom}))
    if part == "send":
        broken.mail.answers = boom
    broken.deliverer.deliver(mail)
    row = harness.row(mail)
    assert (row.state, row.attempts, row.lease_until) == ("pending", 1, None)
    assert row.last_error == "KeyError: 'a defect'"
    assert row.due_at > row.now
    assert [kept.outcome for kept in attempts(harness, mail)] == ["retry"]


def test_repeated_internal_errors_end_as_dead_letter(harness: Harness, mail: DeliveryKey) -> None:
    broken = with_send_mail(harness, prepare=boom)
    for nudges in range(DEFAULT_RETRY_POLICY.attempts):
        harness.make_due(mail)
        harness.change(mail, nudges=nudges)
        broken.deliverer.deliver(mail)
    row = harness.row(mail)
    assert (row.state, row.attempts, row.last_error) == ("dead", DEFAULT_RETRY_POLICY.attempts, "KeyError: 'a defect'")


def test_a_preparation_may_ask_for_a_later_time(harness: Harness, mail: DeliveryKey) -> None:
    def not_yet(_db: object, _delivery: Delivery) -> Any:
        raise Retry(timedelta(hours=2), "quiet hours")

    with_send_mail(harness, prepare=not_yet).deliverer.deliver(mail)
    row = harness.row(mail)
    assert (row.state, row.last_error) == ("pending", "quiet hours")
    assert row.due_at - row.now > timedelta(hours=1)


def an_endpoint(
    harness: Harness, url: str = "https://partner.example/hook", types: tuple[str, ...] = ("*",)
) -> Endpoint:
    with harness.transactions() as db:
        return create_endpoint(
            db, actor=OPERATOR, url=url, event_types=types, seal=lambda s: f"sealed:{s}", now=db_now(db)
        )


def db_now(db: Any) -> Any:
    return db.scalar(select(func.now()))


def endpoint_state(harness: Harness, endpoint: Endpoint) -> EndpointState:
    return Endpoint.of(execute(harness.engine, Endpoint.by_id(endpoint.id)).one()).state


def test_the_first_2xx_to_a_ping_activates_an_endpoint(harness: Harness) -> None:
    endpoint = an_endpoint(harness)
    answer(harness, SendResult(error="The receiver answered 500.", status_code=500))
    harness.run_all()
    assert endpoint_state(harness, endpoint) == "pending"
    (key,) = [harness.key("webhooks.send")]
    answer(harness, SendResult(status_code=204))
    harness.delivered_again(key)
    assert endpoint_state(harness, endpoint) == "active"
    assert [message.webhook_id for message in harness.http.received] == [key.event_id] * 2
    assert harness.http.received[0].sealed_secrets[0].startswith("sealed:whsec_")


def test_a_paused_endpoint_gets_nothing_but_a_ping(harness: Harness) -> None:
    endpoint = an_endpoint(harness)
    harness.run_all()
    with harness.transactions() as db:
        accept_booking(db, make_booking(db))
    execute(harness.engine, update(webhook_endpoints).values(state=EndpointState.PAUSED))
    harness.http.received.clear()
    key = harness.key("webhooks.send", harness.key("sessions.create").event_id)
    harness.deliverer.deliver(key)
    assert (harness.row(key).state, harness.row(key).last_error) == ("cancelled", "The webhook endpoint is paused.")
    with harness.transactions() as db:
        ping = ping_endpoint(db, actor=OPERATOR, endpoint=endpoint, now=db_now(db))
    harness.deliver("webhooks.send", ping.id)
    assert [message.webhook_id for message in harness.http.received] == [ping.id]
    assert endpoint_state(harness, endpoint) == "paused", "a pause by hand outlives a ping"


def test_an_effect_that_cannot_be_sent_keeps_no_other_back(harness: Harness) -> None:
    an_endpoint(harness)
    harness.run_all()
    with harness.transactions() as db:
        make_booking(db)
    harness.deliver("notifications.booking_requested")
    without_mail = DeliveryRunner(harness.transactions, harness.effects, routes(http=harness.http))
    mail = harness.key("mail.send")
    webhook = harness.key("webhooks.send", mail.event_id)
    with pytest.raises(KeyError, match="mail"):
        without_mail.deliver(mail, webhook)
    assert harness.row(webhook).state == "done"
