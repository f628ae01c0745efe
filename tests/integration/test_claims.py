"""Tests of the life of a delivery: one worker at a time, none lost with any, and no late word from the dead."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import func, select

from models.events import deliveries, delivery_attempts
from tests.factories import accept_booking, make_booking
from tests.integration.harness import Harness, without_guards
from workflows.events import store
from workflows.events.delivery import Attempt, Delivery, DeliveryKey

MINUTE = timedelta(minutes=1)
SECOND = timedelta(seconds=1)


@pytest.fixture
def key(harness: Harness) -> DeliveryKey:
    """The delivery that is to create a session."""
    with harness.transactions() as db:
        accept_booking(db, make_booking(db))
    return harness.key("sessions.create")


def claimed(harness: Harness, key: DeliveryKey) -> Delivery | None:
    """Claim it in a transaction of its own that ends at once."""
    with harness.transactions() as db:
        return next(iter(store.claim(db, [key])), None)


def leased(harness: Harness, key: DeliveryKey, duration: timedelta = MINUTE) -> Delivery:
    """Claim and lease it, as a worker does that then dies or goes outside."""
    with harness.transactions() as db:
        (delivery,) = store.lease(db, store.claim(db, [key]), duration)
        return delivery


def test_a_claim_reads_the_delivery_with_its_event(harness: Harness, key: DeliveryKey) -> None:
    delivery = claimed(harness, key)
    assert delivery is not None
    assert (delivery.key, delivery.attempt, delivery.fence, delivery.nudges) == (key, 1, 0, 0)
    assert delivery.event.type == "booking.accepted"
    assert delivery.event.sequence is not None
    assert delivery.id == harness.row(key).id


def test_a_second_claimer_gets_nothing_and_does_not_wait(harness: Harness, key: DeliveryKey) -> None:
    with harness.transactions() as one, harness.transactions() as two:
        # Waiting for the lock at all would end in an error.
        two.exec_driver_sql("SET LOCAL lock_timeout = '1ms'")
        assert store.claim(one, [key])
        assert not store.claim(two, [key])
    assert claimed(harness, key) is not None, "free again"


@pytest.mark.parametrize(
    ("seconds", "due"),
    [
        # By the database's clock, to the second.
        (-1, True),
        (0, True),
        (60, False),
    ],
)
def test_what_is_not_due_is_not_claimed(harness: Harness, key: DeliveryKey, seconds: int, due: bool) -> None:
    harness.change(key, due_at=func.now() + timedelta(seconds=seconds))
    assert (claimed(harness, key) is not None) is due


@pytest.mark.parametrize("state", ["done", "dead", "cancelled"])
def test_what_has_ended_is_not_claimed(harness: Harness, key: DeliveryKey, state: str) -> None:
    harness.change(key, state=state, done_at=func.now() if state == "done" else None)
    assert claimed(harness, key) is None


def test_a_lease_keeps_others_away_until_it_is_over(harness: Harness, key: DeliveryKey) -> None:
    leased(harness, key)
    row = harness.row(key)
    assert (row.attempts, row.nudge_at) == (1, row.lease_until)
    assert timedelta(seconds=50) < row.lease_until - row.now <= MINUTE
    assert claimed(harness, key) is None
    harness.change(key, lease_until=func.now() - timedelta(seconds=1))
    again = claimed(harness, key)
    assert again is not None
    assert (again.attempt, again.fence) == (2, 1)


def test_who_leased_it_holds_it_until_somebody_else_did(harness: Harness, key: DeliveryKey) -> None:
    first = leased(harness, key, timedelta(seconds=-1))
    with harness.transactions() as db:
        assert store.hold(db, [first]), "late, but nobody took over"
    second = leased(harness, key)
    with harness.transactions() as db:
        assert not store.hold(db, [first])
        assert store.hold(db, [second])


def test_a_late_settler_changes_nothing_whatever_it_has_to_say(harness: Harness, key: DeliveryKey) -> None:
    late = leased(harness, key, timedelta(seconds=-1))
    leased(harness, key)
    before = harness.row(key)[:-1]
    with harness.transactions() as db:
        assert not store.mark_done(db, [late])
        assert not store.settle(db, late, Attempt(outcome="done", took=SECOND))
        assert not store.settle(db, late, Attempt(outcome="retry", took=SECOND, error="late"), after=MINUTE)
        assert not store.settle(db, late, Attempt(outcome="dead", took=SECOND, error="late"))
        assert not store.postpone(db, late, late.now + MINUTE)
        assert db.execute(select(delivery_attempts)).all() == []
    assert harness.row(key)[:-1] == before


def test_nobody_settles_what_has_ended(harness: Harness, key: DeliveryKey) -> None:
    late = leased(harness, key)
    harness.change(key, state="cancelled")
    with harness.transactions() as db:
        assert not store.hold(db, [late])
        assert not store.mark_done(db, [late])
    assert harness.row(key).state == "cancelled"


def test_another_try_is_due_after_its_pause_and_not_before(harness: Harness, key: DeliveryKey) -> None:
    delivery = leased(harness, key)
    with harness.transactions() as db:
        assert store.settle(db, delivery, Attempt(outcome="retry", took=SECOND, error="x" * 5000), after=MINUTE)
    row = harness.row(key)
    assert (row.state, row.lease_until, row.due_at) == ("pending", None, row.nudge_at)
    assert timedelta(seconds=50) < row.due_at - row.now <= MINUTE
    assert len(row.last_error) == 2000
    assert claimed(harness, key) is None


@pytest.mark.parametrize("end", ["dead", "cancelled"])
def test_an_end_releases_the_lease_and_keeps_the_reason(harness: Harness, key: DeliveryKey, end: str) -> None:
    delivery = leased(harness, key)
    with harness.transactions() as db:
        assert store.settle(db, delivery, Attempt(outcome=end, took=SECOND, error="It cannot be."))
    row = harness.row(key)
    assert (row.state, row.lease_until, row.last_error, row.done_at) == (end, None, "It cannot be.", None)


def test_an_attempt_is_kept_with_what_the_receiver_said(harness: Harness, key: DeliveryKey) -> None:
    delivery = leased(harness, key)
    took = timedelta(seconds=1.5)
    with harness.transactions() as db:
        store.settle(
            db,
            delivery,
            Attempt(outcome="retry", took=took, error="no", status_code=503, response="r" * 9000),
            after=MINUTE,
        )
        row = db.execute(select(delivery_attempts)).one()
    assert (row.attempt, row.outcome, row.error, row.status_code, row.duration_ms) == (1, "retry", "no", 503, 1500)
    assert len(row.response) == 4096


def test_a_success_outside_is_kept_as_an_attempt_and_one_inside_is_not(harness: Harness, key: DeliveryKey) -> None:
    delivery = leased(harness, key)
    with harness.transactions() as db:
        assert store.settle(db, delivery, Attempt(outcome="done", took=SECOND, status_code=204, response="thanks"))
        row = db.execute(select(delivery_attempts)).one()
    assert (row.attempt, row.outcome, row.status_code, row.response) == (1, "done", 204, "thanks")


def test_what_is_put_off_counts_no_attempt(harness: Harness, key: DeliveryKey) -> None:
    delivery = leased(harness, key)
    with harness.transactions() as db:
        assert store.postpone(db, delivery, delivery.now + MINUTE)
        assert db.execute(select(delivery_attempts)).all() == []
    row = harness.row(key)
    assert (row.state, row.attempts, row.lease_until) == ("pending", 0, None)
    assert row.due_at == row.nudge_at == delivery.now + MINUTE
    assert row.last_error is None


def test_why_something_is_put_off_is_kept_where_somebody_is_away(harness: Harness, key: DeliveryKey) -> None:
    delivery = leased(harness, key)
    with harness.transactions() as db:
        assert store.postpone(db, delivery, delivery.now + MINUTE, unavailable="The mail server is away: refused")
    row = harness.row(key)
    assert (row.state, row.attempts, row.last_error) == ("pending", 0, "The mail server is away: refused")


def test_attempts_before_a_reset_do_not_count(harness: Harness, key: DeliveryKey) -> None:
    harness.change(key, attempts=5, forgiven=4)
    delivery = claimed(harness, key)
    assert delivery is not None
    assert (delivery.attempt, delivery.counted_attempt) == (6, 2)


def test_what_leaves_the_house_is_claimed_and_leased_at_once(harness: Harness, key: DeliveryKey) -> None:
    with harness.transactions() as db:
        (delivery,) = store.claim_leased(db, key.effect, [key], MINUTE)
        assert (delivery.attempt, delivery.fence) == (1, 1)
    assert (harness.row(key).attempts, harness.row(key).nudge_at) == (1, harness.row(key).lease_until)
    with harness.transactions() as db:
        assert store.claim_leased(db, key.effect, [key], MINUTE) == []
        assert store.mark_done(db, [delivery])


def test_an_event_of_a_type_that_is_not_known_yet_is_left_pending(harness: Harness, key: DeliveryKey) -> None:
    with harness.engine.begin() as db, without_guards(db):
        db.exec_driver_sql("UPDATE events SET type = 'booking.celebrated'")
    harness.deliverer.deliver(key)
    row = harness.row(key)
    assert (row.state, row.attempts, row.last_error) == ("pending", 0, None)


def test_the_table_of_deliveries_holds_no_payload() -> None:
    assert not {"data", "payload", "body"} & set(deliveries.c.keys())
