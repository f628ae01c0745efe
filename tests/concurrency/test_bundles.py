"""Several at one bundle at once: a credit is spent once and given back once, and one purchase is made."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Engine, func, select

from models.bundles import BundleEntryKind, bundle_entries, bundle_purchases
from models.catalog import ProductKind
from tests import factories
from tests.concurrency.conftest import RACERS
from tests.concurrency.racing import ROUNDS, Race, codes, deadlocks, winners
from workflows.accounts.records import User
from workflows.bundles.ledger import give_back, spend
from workflows.bundles.purchase import purchase
from workflows.bundles.records import Bundle
from workflows.identity.actor import SYSTEM


def _booked(db: Connection, mentee: User, number: int) -> list[UUID]:
    return [factories.make_booking(db, mentee=mentee).id for _ in range(number)]


def _spend(db: Connection, booking_id: UUID, *, bundle: Bundle) -> None:
    spend(
        db,
        bundle_purchase_id=bundle.id,
        mentee_user_id=bundle.mentee_user_id,
        course_id=bundle.course_id,
        duration_minutes=60,
        booking_id=booking_id,
        actor=SYSTEM,
        now=datetime.now(UTC),
    )


def _give_back(db: Connection, booking_id: UUID) -> bool:
    now = datetime.now(UTC)
    return give_back(db, booking_id=booking_id, actor=SYSTEM, by_mentee=False, now=now) is not None


def _entries(engine: Engine, bundle: Bundle) -> list[Any]:
    with engine.connect() as db:
        found = select(bundle_entries).where(bundle_entries.c.bundle_purchase_id == bundle.id)
        return list(db.execute(found.order_by(bundle_entries.c.sequence)))


def _require_balanced(engine: Engine, bundle: Bundle) -> int:
    """What is left, which is the sum of the ledger after each of its entries."""
    balance = 0
    for entry in _entries(engine, bundle):
        balance += entry.credits
        assert entry.balance == balance
    with engine.connect() as db:
        left = select(bundle_purchases.c.remaining_sessions).where(bundle_purchases.c.id == bundle.id)
        assert db.scalar(left) == balance
    return balance


def test_one_credit_is_spent_by_one_of_many(engine: Engine, race: Race) -> None:
    with engine.begin() as db:
        mentee, course = factories.make_user(db), factories.make_course(db)
        bookings = _booked(db, mentee, RACERS)
    before = deadlocks(engine)
    for _round in range(ROUNDS):
        with engine.begin() as db:
            bundle = factories.make_bundle(db, course=course, mentee=mentee, session_count=1)
        outcomes = race.transact([partial(_spend, booking_id=booking, bundle=bundle) for booking in bookings])
        assert codes(outcomes) == ["bundle_unusable"] * (RACERS - 1)
        assert _require_balanced(engine, bundle) == 0
        spent = next(entry.booking_id for entry in _entries(engine, bundle) if entry.kind == BundleEntryKind.SPEND)
        with engine.begin() as db:
            bookings = [*(each for each in bookings if each != spent), *_booked(db, mentee, 1)]
    assert deadlocks(engine) == before


def test_as_many_are_spent_as_there_are(engine: Engine, race: Race) -> None:
    with engine.begin() as db:
        mentee = factories.make_user(db)
        bundle = factories.make_bundle(db, mentee=mentee, session_count=5)
        bookings = _booked(db, mentee, RACERS)
    outcomes = race.transact([partial(_spend, booking_id=booking, bundle=bundle) for booking in bookings])
    assert len(winners(outcomes)) == 5
    assert _require_balanced(engine, bundle) == 0


def test_a_credit_given_back_by_many_comes_back_once(engine: Engine, race: Race) -> None:
    with engine.begin() as db:
        mentee = factories.make_user(db)
        bundle = factories.make_bundle(db, mentee=mentee, session_count=ROUNDS)
        bookings = _booked(db, mentee, ROUNDS)
        for booking in bookings:
            _spend(db, booking, bundle=bundle)
    for number, booking in enumerate(bookings, start=1):
        outcomes = race.transact([partial(_give_back, booking_id=booking)] * RACERS)
        assert sorted(outcomes) == [False] * (RACERS - 1) + [True]
        assert _require_balanced(engine, bundle) == number


def test_spending_beside_giving_back_keeps_the_balance(engine: Engine, race: Race) -> None:
    with engine.begin() as db:
        mentee = factories.make_user(db)
        bundle = factories.make_bundle(db, mentee=mentee, session_count=RACERS // 2)
        spent, wanted = _booked(db, mentee, RACERS // 2), _booked(db, mentee, RACERS // 2)
        for booking in spent:
            _spend(db, booking, bundle=bundle)
    outcomes = race.transact(
        [partial(_give_back, booking_id=booking) for booking in spent]
        + [partial(_spend, booking_id=booking, bundle=bundle) for booking in wanted]
    )
    spends = len(winners(outcomes)) - len(spent)
    assert _require_balanced(engine, bundle) == len(spent) - spends


def test_of_purchases_at_once_one_is_made(engine: Engine, race: Race) -> None:
    with engine.begin() as db:
        course = factories.make_course(db)
        product = factories.make_product(db, course, ProductKind.BUNDLE, session_count=5).id
        mentees = [factories.make_user(db) for _ in range(ROUNDS)]
    for mentee in mentees:
        buy = partial(
            purchase,
            actor=factories.acting_user(mentee),
            course_id=course.id,
            product_id=product,
            mentee_user_id=mentee.id,
            now=datetime.now(UTC),
        )
        outcomes = race.transact([buy] * RACERS)
        assert codes(outcomes) == ["already_purchased"] * (RACERS - 1)
        with engine.connect() as db:
            bought = select(func.count()).where(bundle_purchases.c.mentee_user_id == mentee.id)
            assert db.scalar(bought) == 1
