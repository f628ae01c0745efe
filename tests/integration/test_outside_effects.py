"""Tests of what leaves the house: leased while it is away, under one name on every attempt, settled by one alone."""

from __future__ import annotations

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
from tests.integration.house import House
from workers.outbound import LEASE
from workflows.effects.messages import SEND_MAIL
from workflows.events.delivery import (
    DEFAULT_RETRY_POLICY,
    WEBHOOK_RETRY_POLICY,
    Delivery,
    DeliveryKey,
    Retry,
    SendResult,
)
from workflows.events.subscriptions import Subscriptions, load
from workflows.webhooks.endpoints import Endpoint, create_endpoint, endpoint_query, ping_endpoint

IN_TRANSACTION = text(
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
    " AND state LIKE 'idle in transaction%' AND pid <> pg_backend_pid()"
)


@pytest.fixture
def mail(house: House) -> DeliveryKey:
    """A mail that waits to be sent."""
    with house.transactions() as db:
        make_booking(db)
    house.deliver("notifications.booking_requested")
    return house.key("mail.send")


def attempts(house: House, key: DeliveryKey) -> list[Any]:
    """What was kept of the attempts, in their order."""
    query = select(delivery_attempts).where(delivery_attempts.c.effect == key.effect)
    with house.engine.connect() as db:
        return list(db.execute(query.order_by(delivery_attempts.c.attempt)))


def answer(house: House, sent: SendResult) -> None:
    """Whatever is sent from now on is answered by that."""
    house.mail.answers = house.http.answers = lambda _message: sent


def test_what_is_taken_is_done_and_kept_with_its_answer(house: House, mail: DeliveryKey) -> None:
    answer(house, SendResult(status_code=250, response="2.0.0 OK"))
    house.deliverer.deliver(mail)
    row = house.row(mail)
    assert (row.state, row.attempts, row.lease_until, row.last_error) == ("done", 1, None, None)
    (kept,) = attempts(house, mail)
    assert (kept.outcome, kept.status_code, kept.response, kept.error) == ("done", 250, "2.0.0 OK", None)
    assert [message.delivery_id for message in house.mail.received] == [row.id]


def test_no_transaction_is_open_during_a_send(house: House, mail: DeliveryKey) -> None:
    seen: list[Any] = []

    def look(_message: object) -> SendResult:
        with house.engine.connect() as db:
            open_now = db.scalar(IN_TRANSACTION)
        seen.append((house.row(mail), open_now))
        house.deliverer.deliver(mail)
        return SendResult()

    house.mail.answers = look
    house.deliverer.deliver(mail)
    row, open_now = seen[0]
    assert (row.state, row.attempts, row.nudge_at) == ("pending", 1, row.lease_until)
    assert timedelta(seconds=40) < row.lease_until - row.now <= LEASE
    assert open_now == 0
    assert len(house.mail.received) == 1, "a second message finds it leased"


def test_a_passing_trouble_is_tried_again_by_the_policy(house: House, mail: DeliveryKey) -> None:
    answer(house, SendResult(error="The mail server answered 451: later", status_code=451))
    house.deliverer.deliver(mail)
    row = house.row(mail)
    assert (row.state, row.attempts, row.lease_until) == ("pending", 1, None)
    assert row.last_error == "The mail server answered 451: later"
    assert timedelta(seconds=1) < row.due_at - row.now <= timedelta(seconds=DEFAULT_RETRY_POLICY.pauses[0] * 1.2)
    assert [kept.outcome for kept in attempts(house, mail)] == ["retry"]


def test_a_receiver_gets_the_same_id_on_every_attempt(house: House, mail: DeliveryKey) -> None:
    answer(house, SendResult(error="no"))
    for _ in range(3):
        house.make_due(mail)
        house.deliverer.deliver(mail)
    assert len({message.delivery_id for message in house.mail.received}) == 1
    assert len(house.mail.received) == 3


def test_a_final_refusal_is_dead_at_once(house: House, mail: DeliveryKey) -> None:
    answer(house, SendResult(error="The mail server answered 550: nobody", permanent=True, status_code=550))
    house.deliverer.deliver(mail)
    row = house.row(mail)
    assert (row.state, row.attempts, row.last_error) == ("dead", 1, "The mail server answered 550: nobody")
    assert [(kept.outcome, kept.status_code) for kept in attempts(house, mail)] == [("dead", 550)]


def test_the_attempts_of_the_policy_end_in_dead(house: House, mail: DeliveryKey) -> None:
    answer(house, SendResult(error="no"))
    for _ in range(DEFAULT_RETRY_POLICY.attempts):
        house.make_due(mail)
        house.deliverer.deliver(mail)
    assert (house.row(mail).state, house.row(mail).attempts) == ("dead", DEFAULT_RETRY_POLICY.attempts)
    assert [kept.outcome for kept in attempts(house, mail)] == ["retry"] * 7 + ["dead"]


@pytest.mark.parametrize(
    ("wish", "at_least", "at_most"),
    [
        # A wish for longer is granted.
        (timedelta(hours=1), timedelta(minutes=59), timedelta(hours=1)),
        # A wish for less than the policy's pause is not.
        (timedelta(), timedelta(seconds=1), timedelta(seconds=3)),
        (None, timedelta(seconds=1), timedelta(seconds=3)),
    ],
)
def test_the_receivers_wish_only_ever_delays(
    house: House, mail: DeliveryKey, wish: timedelta | None, at_least: timedelta, at_most: timedelta
) -> None:
    answer(house, SendResult(error="busy", status_code=429, retry_after=wish))
    house.deliverer.deliver(mail)
    row = house.row(mail)
    assert at_least < row.due_at - row.now <= at_most


def test_a_late_sender_changes_nothing(house: House, mail: DeliveryKey) -> None:
    def overtaken(_message: object) -> SendResult:
        # The lease ran out, and somebody else took the delivery over and is sending it.
        house.change(mail, attempts=2)
        return SendResult(status_code=250)

    house.mail.answers = overtaken
    house.deliverer.deliver(mail)
    row = house.row(mail)
    assert (row.state, row.attempts) == ("pending", 2)
    assert attempts(house, mail) == []


def test_an_expired_lease_is_taken_over(house: House, mail: DeliveryKey) -> None:
    class Killed(BaseException):
        pass

    def die(_message: object) -> SendResult:
        raise Killed

    house.mail.answers = die
    with pytest.raises(Killed):
        house.deliverer.deliver(mail)
    assert house.row(mail).attempts == 1
    answer(house, SendResult())
    house.deliverer.deliver(mail)
    assert house.row(mail).state == "pending", "still leased"
    house.change(mail, lease_until=func.now())
    house.deliverer.deliver(mail)
    assert (house.row(mail).state, house.row(mail).attempts) == ("done", 2)


def test_a_mail_whose_notification_is_gone_is_cancelled_unsent(house: House, mail: DeliveryKey) -> None:
    with house.engine.begin() as db:
        db.execute(notifications.delete())
    house.deliverer.deliver(mail)
    row = house.row(mail)
    assert (row.state, row.last_error) == ("cancelled", "There is no notification to be mailed.")
    assert house.mail.received == []
    assert [kept.outcome for kept in attempts(house, mail)] == ["cancelled"]


def with_send_mail(house: House, **changed: Callable[..., Any]) -> House:
    """A house whose way to send mail is changed, and always has something to settle."""
    known = Subscriptions()
    for effect in load().all():
        changes = {"settles": lambda *_args: True} | changed
        known.add(replace(SEND_MAIL, **changes) if effect is SEND_MAIL else effect)  # type: ignore[arg-type]
    return House(house.engine, known)


def boom(*_args: object) -> Any:
    """A defect."""
    raise KeyError("a defect")


@pytest.mark.parametrize("part", ["prepare", "settle"])
def test_a_defect_before_or_after_a_send_backs_off(house: House, mail: DeliveryKey, part: str) -> None:
    with_send_mail(house, **{part: boom}).deliverer.deliver(mail)
    row = house.row(mail)
    assert (row.state, row.attempts, row.lease_until) == ("pending", 1, None)
    assert row.last_error == "KeyError: 'a defect'"
    assert row.due_at > row.now
    assert [kept.outcome for kept in attempts(house, mail)] == ["retry"]


def test_a_defect_before_a_send_ends_as_dead_letter(house: House, mail: DeliveryKey) -> None:
    broken = with_send_mail(house, prepare=boom)
    for nudges in range(DEFAULT_RETRY_POLICY.attempts):
        house.make_due(mail)
        house.change(mail, nudges=nudges)
        broken.deliverer.deliver(mail)
    row = house.row(mail)
    assert (row.state, row.attempts, row.last_error) == ("dead", DEFAULT_RETRY_POLICY.attempts, "KeyError: 'a defect'")


def test_a_transport_that_raises_counts_like_a_refusal(house: House, mail: DeliveryKey) -> None:
    house.mail.answers = boom
    house.deliverer.deliver(mail)
    row = house.row(mail)
    assert (row.state, row.attempts, row.lease_until) == ("pending", 1, None)
    assert row.last_error == "KeyError: 'a defect'"


def test_a_preparation_may_ask_for_a_later_time(house: House, mail: DeliveryKey) -> None:
    def not_yet(_db: object, _delivery: Delivery) -> Any:
        raise Retry(timedelta(hours=2), "quiet hours")

    with_send_mail(house, prepare=not_yet).deliverer.deliver(mail)
    row = house.row(mail)
    assert (row.state, row.last_error) == ("pending", "quiet hours")
    assert row.due_at - row.now > timedelta(hours=1)


def an_endpoint(house: House, url: str = "https://partner.example/hook", types: tuple[str, ...] = ("*",)) -> Endpoint:
    """An operator's endpoint, pinged."""
    with house.transactions() as db:
        return create_endpoint(
            db, actor=OPERATOR, url=url, event_types=types, seal=lambda s: f"sealed:{s}", now=db_now(db)
        )


def db_now(db: Any) -> Any:
    """The database's clock."""
    return db.scalar(select(func.now()))


def endpoint_state(house: House, endpoint: Endpoint) -> EndpointState:
    """The endpoint's state as it is now."""
    with house.engine.connect() as db:
        return Endpoint.of(db.execute(endpoint_query(endpoint.id)).one()).state


def failures(house: House, endpoint: Endpoint) -> int:
    """How many messages in a row the endpoint has not taken."""
    with house.engine.connect() as db:
        query = select(webhook_endpoints.c.failures).where(webhook_endpoints.c.id == endpoint.id)
        return int(db.scalar(query) or 0)


def test_the_first_2xx_to_a_ping_activates_an_endpoint(house: House) -> None:
    endpoint = an_endpoint(house)
    answer(house, SendResult(error="The receiver answered 500.", status_code=500))
    house.run_all()
    assert endpoint_state(house, endpoint) == "pending"
    (key,) = [house.key("webhooks.send")]
    answer(house, SendResult(status_code=204))
    house.make_due(key)
    house.deliverer.deliver(key)
    assert endpoint_state(house, endpoint) == "active"
    assert [message.webhook_id for message in house.http.received] == [key.event_id] * 2
    assert house.http.received[0].sealed_secrets[0].startswith("sealed:whsec_")


def test_only_active_endpoints_that_want_the_type_are_told(house: House) -> None:
    told = an_endpoint(house, "https://a.example", ("booking.requested",))
    family = an_endpoint(house, "https://b.example", ("booking.*",))
    other = an_endpoint(house, "https://c.example", ("session.completed",))
    house.run_all()
    pending = an_endpoint(house, "https://d.example")
    house.http.received.clear()
    with house.transactions() as db:
        make_booking(db)
    targets = {nudge.target for nudge in house.wakeups.nudges if nudge.effect == "webhooks.send"}
    with house.engine.connect() as db:
        event_id = house.key("bookings.expire").event_id
        rows = db.exec_driver_sql(
            "SELECT target FROM deliveries WHERE effect = 'webhooks.send' AND state = 'pending' AND event_id = %s",
            (event_id,),
        )
        assert set(rows.scalars()) == {str(told.id), str(family.id)}
    assert str(other.id) in targets, "its ping"
    assert endpoint_state(house, pending) == "pending"


def test_a_paused_endpoint_hears_nothing_but_a_ping(house: House) -> None:
    endpoint = an_endpoint(house)
    house.run_all()
    with house.transactions() as db:
        accept_booking(db, make_booking(db))
    with house.engine.begin() as db:
        db.execute(update(webhook_endpoints).values(state=EndpointState.PAUSED))
    house.http.received.clear()
    key = house.key("webhooks.send", house.key("sessions.create").event_id)
    house.deliverer.deliver(key)
    assert (house.row(key).state, house.row(key).last_error) == ("cancelled", "The webhook endpoint is paused.")
    with house.transactions() as db:
        ping = ping_endpoint(db, actor=OPERATOR, endpoint=endpoint, now=db_now(db))
    house.deliver("webhooks.send", ping.id)
    assert [message.webhook_id for message in house.http.received] == [ping.id]
    assert endpoint_state(house, endpoint) == "paused", "a pause by hand outlives a ping"


def test_a_deleted_endpoint_is_told_nothing_more(house: House) -> None:
    an_endpoint(house)
    with house.engine.begin() as db:
        db.execute(webhook_endpoints.delete())
    key = house.deliver("webhooks.send")
    assert (house.row(key).state, house.row(key).last_error) == ("cancelled", "The webhook endpoint has been deleted.")


def test_webhooks_are_tried_by_their_own_policy(house: House) -> None:
    an_endpoint(house)
    answer(house, SendResult(error="no"))
    key = house.key("webhooks.send")
    for _ in range(WEBHOOK_RETRY_POLICY.attempts):
        assert house.row(key).state == "pending"
        house.make_due(key)
        house.deliverer.deliver(key)
    assert house.row(key).state == "dead"


@pytest.mark.parametrize("permanent", [False, True])
def test_failures_count_against_an_endpoint_until_a_success(house: House, permanent: bool) -> None:
    endpoint = an_endpoint(house)
    answer(house, SendResult(error="no", permanent=permanent))
    key = house.deliver("webhooks.send")
    assert failures(house, endpoint) == 1
    answer(house, SendResult(status_code=204))
    house.change(key, state="pending")
    house.make_due(key)
    house.deliverer.deliver(key)
    assert failures(house, endpoint) == 0


def test_operators_are_mailed_once_about_a_dead_webhook(house: House) -> None:
    an_endpoint(house)
    answer(house, SendResult(error="no", permanent=True))
    house.deliver("webhooks.send")
    answer(house, SendResult())
    house.run_all()
    (mail,) = house.mail.received
    assert (mail.to_name, mail.to_address) == ("Operators", None)
    assert mail.subject == "A webhook message could not be delivered"
    assert "https://partner.example/hook" in mail.text


def test_every_way_out_names_a_transport_that_workers_have() -> None:
    assert {effect.transport for effect in load().outbound_effects()} == {"mail", "http", "push", "channels"}
