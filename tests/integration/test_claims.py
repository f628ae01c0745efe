"""Tests of the life of a delivery: one worker at a time, none lost with any, and no late word from the dead."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from sqlalchemy import func, select

from models.events import delivery_attempts
from tests.factories import accept_booking, make_booking
from tests.integration.harness import Harness, without_guards
from tests.statements import statements_of
from tests.unit.test_circuit_breaker import DOWN, News, StubTransport, protected
from workers.outbound import LEASE
from workers.outcomes import settle_error
from workflows.events import claim, settle
from workflows.events.delivery import Attempt, Delivery, DeliveryKey, Postpone
from workflows.events.subscriptions import load

MINUTE = timedelta(minutes=1)
SECOND = timedelta(seconds=1)


@pytest.fixture
def key(harness: Harness) -> DeliveryKey:
    with harness.transactions() as db:
        accept_booking(db, make_booking(db))
    return harness.key("sessions.create")


def claimed(harness: Harness, key: DeliveryKey) -> Delivery | None:
    """Claim it in a transaction of its own that ends at once."""
    with harness.transactions() as db:
        return next(iter(claim.claim(db, [key])), None)


def leased(harness: Harness, key: DeliveryKey, duration: timedelta = MINUTE) -> Delivery:
    """Claim and lease it, as a worker does that then dies or goes outside."""
    with harness.transactions() as db:
        (delivery,) = claim.lease(db, claim.claim(db, [key]), duration)
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
        assert claim.claim(one, [key])
        assert not claim.claim(two, [key])
    assert claimed(harness, key) is not None, "free again"


@pytest.mark.parametrize(
    ("values", "claimable"),
    [
        # By the database's clock, to the second.
        ({"due_at": func.now() - SECOND}, True),
        ({"due_at": func.now()}, True),
        ({"due_at": func.now() + MINUTE}, False),
        ({"state": "done", "done_at": func.now()}, False),
        ({"state": "dead"}, False),
        ({"state": "cancelled"}, False),
    ],
)
def test_only_pending_and_due_deliveries_are_claimed(
    harness: Harness, key: DeliveryKey, values: dict[str, Any], claimable: bool
) -> None:
    harness.change(key, **values)
    assert (claimed(harness, key) is not None) is claimable


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


def test_a_lease_is_held_until_another_worker_takes_it(harness: Harness, key: DeliveryKey) -> None:
    first = leased(harness, key, timedelta(seconds=-1))
    with harness.transactions() as db:
        assert claim.hold(db, [first]), "late, but not taken over"
    second = leased(harness, key)
    with harness.transactions() as db:
        assert not claim.hold(db, [first])
        assert claim.hold(db, [second])


def test_a_late_settler_changes_nothing_whatever_it_has_to_say(harness: Harness, key: DeliveryKey) -> None:
    late = leased(harness, key, timedelta(seconds=-1))
    leased(harness, key)
    before = harness.row(key)[:-1]
    with harness.transactions() as db:
        assert not settle.mark_done(db, [late])
        assert not settle.settle(db, late, Attempt(outcome="done", took=SECOND))
        assert not settle.settle(db, late, Attempt(outcome="retry", took=SECOND, error="late"), after=MINUTE)
        assert not settle.settle(db, late, Attempt(outcome="dead", took=SECOND, error="late"))
        assert not settle.postpone(db, late, late.now + MINUTE)
        assert db.execute(select(delivery_attempts)).all() == []
    assert harness.row(key)[:-1] == before


def test_a_retry_is_due_after_its_pause_and_keeps_its_attempt(harness: Harness, key: DeliveryKey) -> None:
    delivery = leased(harness, key)
    failed = Attempt(outcome="retry", took=1.5 * SECOND, error="x" * 5000, status_code=503, response="r" * 9000)
    with harness.transactions() as db:
        assert settle.settle(db, delivery, failed, after=MINUTE)
        kept = db.execute(select(delivery_attempts)).one()
    row = harness.row(key)
    assert (row.state, row.lease_until, row.due_at) == ("pending", None, row.nudge_at)
    assert timedelta(seconds=50) < row.due_at - row.now <= MINUTE
    assert claimed(harness, key) is None
    assert (kept.attempt, kept.outcome, kept.status_code, kept.duration_ms) == (1, "retry", 503, 1500)
    assert (len(row.last_error), len(kept.response)) == (2000, 4096)


@pytest.mark.parametrize("error", [None, "The mail server is unavailable: refused"])
def test_a_postponement_counts_no_attempt(harness: Harness, key: DeliveryKey, error: str | None) -> None:
    delivery = leased(harness, key)
    with harness.transactions() as db:
        assert settle.postpone(db, delivery, delivery.now + MINUTE, reason=error)
        assert db.execute(select(delivery_attempts)).all() == []
    row = harness.row(key)
    assert (row.state, row.attempts, row.lease_until, row.last_error) == ("pending", 0, None, error)
    assert row.due_at == row.nudge_at == delivery.now + MINUTE


def test_an_outbound_delivery_is_claimed_and_leased_at_once(harness: Harness, key: DeliveryKey) -> None:
    with harness.transactions() as db:
        (delivery,) = claim.claim_leased(db, key.effect, [key], MINUTE)
        assert (delivery.attempt, delivery.fence) == (1, 1)
    assert (harness.row(key).attempts, harness.row(key).nudge_at) == (1, harness.row(key).lease_until)
    with harness.transactions() as db:
        assert claim.claim_leased(db, key.effect, [key], MINUTE) == []
        assert settle.mark_done(db, [delivery])


def test_an_event_of_an_unknown_type_is_left_pending(harness: Harness, key: DeliveryKey) -> None:
    with harness.engine.begin() as db, without_guards(db):
        db.exec_driver_sql("UPDATE events SET type = 'booking.celebrated'")
    row = harness.delivered(key)
    assert (row.state, row.attempts, row.last_error) == ("pending", 0, None)


SOME = timedelta(seconds=5)


@pytest.fixture
def mails(harness: Harness) -> list[Delivery]:
    """Three mails in a sender's hands, whose leases are nearly over."""
    with harness.transactions() as db:
        for _ in range(3):
            make_booking(db)
    due = harness._due()
    for key in due:
        harness.deliverer.deliver(key)
    keys = [key for key in harness._due() if key.effect == "mail.send"]
    with harness.engine.begin() as db:
        return claim.claim_leased(db, "mail.send", keys, SOME)


def left(harness: Harness, key: DeliveryKey) -> timedelta:
    row = harness.row(key)
    assert row.nudge_at == row.lease_until
    return timedelta() if row.lease_until is None else row.lease_until - row.now


def is_renewed(harness: Harness, delivery: Delivery) -> Callable[[], bool]:
    return lambda: left(harness, delivery.key) > LEASE - SOME


def test_all_are_renewed_by_one_statement(harness: Harness, mails: list[Delivery]) -> None:
    with harness.transactions.autocommit() as db, statements_of(harness.engine) as made:
        claim.renew(db, mails, LEASE)
    assert len(made.statements) == 1
    assert all(is_renewed(harness, each)() for each in mails)


def test_what_is_no_longer_ours_is_left_as_it_is(harness: Harness, mails: list[Delivery]) -> None:
    taken, over, ours = mails
    harness.change(taken.key, attempts=taken.fence + 1)
    harness.change(over.key, state="cancelled", lease_until=None)
    with harness.transactions.autocommit() as db:
        claim.renew(db, mails, LEASE)
    assert left(harness, taken.key) <= SOME
    assert harness.row(over.key).lease_until is None
    assert is_renewed(harness, ours)()


def test_a_delivery_between_attempts_is_not_renewed(harness: Harness, mails: list[Delivery]) -> None:
    failed = mails[0]
    harness.change(failed.key, lease_until=None, due_at=func.now() + SOME, nudge_at=func.now() + SOME)
    before = harness.row(failed.key)
    with harness.transactions.autocommit() as db:
        claim.renew(db, [failed], LEASE)
    row = harness.row(failed.key)
    assert (row.state, row.attempts) == ("pending", failed.fence), "only the lease shows that it is free"
    assert (row.lease_until, row.nudge_at) == (None, before.nudge_at)


def test_a_locked_row_keeps_no_other_from_being_renewed(harness: Harness, mails: list[Delivery]) -> None:
    held, other, _third = mails
    with harness.engine.begin() as onlooker:
        onlooker.exec_driver_sql("SELECT FROM deliveries WHERE event_id = %s FOR UPDATE", (held.key.event_id,))
        with harness.transactions.autocommit() as db:
            claim.renew(db, mails, LEASE)
    assert is_renewed(harness, other)()
    assert left(harness, held.key) <= SOME


@pytest.mark.parametrize("ahead", [-10, 10], ids="{} minutes ahead".format)
def test_a_pause_is_one_by_the_databases_clock(harness: Harness, key: DeliveryKey, ahead: int) -> None:
    delivery = leased(harness, key)
    with time_machine.travel(datetime.now(UTC) + ahead * MINUTE):
        with pytest.raises(Postpone) as postponed:
            protected(StubTransport([DOWN])).send(News())
        effect = load().named(key.effect)
        assert effect is not None
        with harness.transactions() as db:
            settle_error(db, effect, delivery, postponed.value, SECOND).log()
    row = harness.row(key)
    assert timedelta() < row.due_at - row.now < 5 * SECOND
    assert row.due_at == row.nudge_at
