"""Tests of leases that are renewed: by one statement, as long as they are ours, and nobody else's."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy import func

from tests.factories import make_booking
from tests.integration.house import House
from tests.statements import statements_of
from workers.outbound import LEASE
from workflows.events import store
from workflows.events.delivery import Delivery, DeliveryKey

SOME = timedelta(seconds=5)


@pytest.fixture
def mails(house: House) -> list[Delivery]:
    """Three mails in a sender's hands, whose leases are nearly over."""
    with house.transactions() as db:
        for _ in range(3):
            make_booking(db)
    due = house._due()
    for key in due:
        house.deliverer.deliver(key)
    keys = [key for key in house._due() if key.effect == "mail.send"]
    with house.engine.begin() as db:
        return store.claim_leased(db, "mail.send", keys, SOME)


def left(house: House, key: DeliveryKey) -> timedelta:
    """How long its lease lasts."""
    row = house.row(key)
    assert row.nudge_at == row.lease_until
    return timedelta() if row.lease_until is None else row.lease_until - row.now


def is_renewed(house: House, delivery: Delivery) -> Callable[[], bool]:
    """Whether it has its full length again."""
    return lambda: left(house, delivery.key) > LEASE - SOME


def test_all_are_renewed_by_one_statement(house: House, mails: list[Delivery]) -> None:
    with house.transactions.autocommit() as db, statements_of(house.engine) as made:
        store.renew(db, mails, LEASE)
    assert len(made.statements) == 1
    assert all(is_renewed(house, each)() for each in mails)


def test_what_is_no_longer_ours_is_left_as_it_is(house: House, mails: list[Delivery]) -> None:
    taken, over, ours = mails
    house.change(taken.key, attempts=taken.fence + 1)
    house.change(over.key, state="cancelled", lease_until=None)
    with house.transactions.autocommit() as db:
        store.renew(db, mails, LEASE)
    assert left(house, taken.key) <= SOME
    assert house.row(over.key).lease_until is None
    assert is_renewed(house, ours)()


def test_a_delivery_between_attempts_is_not_renewed(house: House, mails: list[Delivery]) -> None:
    failed = mails[0]
    house.change(failed.key, lease_until=None, due_at=func.now() + SOME, nudge_at=func.now() + SOME)
    before = house.row(failed.key)
    with house.transactions.autocommit() as db:
        store.renew(db, [failed], LEASE)
    row = house.row(failed.key)
    assert (row.state, row.attempts) == ("pending", failed.fence), "only the lease says that nobody has it"
    assert (row.lease_until, row.nudge_at) == (None, before.nudge_at)


def test_a_locked_row_keeps_no_other_from_being_renewed(house: House, mails: list[Delivery]) -> None:
    held, other, _third = mails
    with house.engine.begin() as onlooker:
        onlooker.exec_driver_sql("SELECT FROM deliveries WHERE event_id = %s FOR UPDATE", (held.key.event_id,))
        with house.transactions.autocommit() as db:
            store.renew(db, mails, LEASE)
    assert is_renewed(house, other)()
    assert left(house, held.key) <= SOME
