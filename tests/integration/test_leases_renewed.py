"""Tests of leases that are renewed: by one statement, as long as they are ours, and nobody else's."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy import func

from tests.factories import make_booking
from tests.integration.harness import Harness
from tests.statements import statements_of
from workers.outbound import LEASE
from workflows.events import store
from workflows.events.delivery import Delivery, DeliveryKey

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
        return store.claim_leased(db, "mail.send", keys, SOME)


def left(harness: Harness, key: DeliveryKey) -> timedelta:
    """How long its lease lasts."""
    row = harness.row(key)
    assert row.nudge_at == row.lease_until
    return timedelta() if row.lease_until is None else row.lease_until - row.now


def is_renewed(harness: Harness, delivery: Delivery) -> Callable[[], bool]:
    """Whether it has its full length again."""
    return lambda: left(harness, delivery.key) > LEASE - SOME


def test_all_are_renewed_by_one_statement(harness: Harness, mails: list[Delivery]) -> None:
    with harness.transactions.autocommit() as db, statements_of(harness.engine) as made:
        store.renew(db, mails, LEASE)
    assert len(made.statements) == 1
    assert all(is_renewed(harness, each)() for each in mails)


def test_what_is_no_longer_ours_is_left_as_it_is(harness: Harness, mails: list[Delivery]) -> None:
    taken, over, ours = mails
    harness.change(taken.key, attempts=taken.fence + 1)
    harness.change(over.key, state="cancelled", lease_until=None)
    with harness.transactions.autocommit() as db:
        store.renew(db, mails, LEASE)
    assert left(harness, taken.key) <= SOME
    assert harness.row(over.key).lease_until is None
    assert is_renewed(harness, ours)()


def test_a_delivery_between_attempts_is_not_renewed(harness: Harness, mails: list[Delivery]) -> None:
    failed = mails[0]
    harness.change(failed.key, lease_until=None, due_at=func.now() + SOME, nudge_at=func.now() + SOME)
    before = harness.row(failed.key)
    with harness.transactions.autocommit() as db:
        store.renew(db, [failed], LEASE)
    row = harness.row(failed.key)
    assert (row.state, row.attempts) == ("pending", failed.fence), "only the lease says that nobody has it"
    assert (row.lease_until, row.nudge_at) == (None, before.nudge_at)


def test_a_locked_row_keeps_no_other_from_being_renewed(harness: Harness, mails: list[Delivery]) -> None:
    held, other, _third = mails
    with harness.engine.begin() as onlooker:
        onlooker.exec_driver_sql("SELECT FROM deliveries WHERE event_id = %s FOR UPDATE", (held.key.event_id,))
        with harness.transactions.autocommit() as db:
            store.renew(db, mails, LEASE)
    assert is_renewed(harness, other)()
    assert left(harness, held.key) <= SOME
