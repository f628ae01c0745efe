"""Several at one bundle at once: a credit is spent once and given back once, and one purchase is made."""

from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Connection, Engine, func, select

from models.bundles import BundleEntryKind, bundle_entries, bundle_purchases
from models.catalog import ProductKind
from models.events import events
from tests import factories
from tests.concurrency.conftest import RACERS
from tests.concurrency.racing import ROUNDS, Race, codes, meanwhile, winners
from workflows.accounts.records import User
from workflows.availability.dates import CalendarOwner
from workflows.bundles.adjust import adjust
from workflows.bundles.ledger import give_back, spend
from workflows.bundles.purchase import purchase
from workflows.bundles.records import Bundle, locked
from workflows.groups.place import read_group
from workflows.groups.seats import join, leave
from workflows.identity.actor import SYSTEM, Actor
from workflows.kernel.clock import rfc3339
from workflows.kernel.locks import lock_user
from workflows.kernel.operator_policy import DEFAULT_POLICY
from workflows.sessions.actions import create
from workflows.sessions.cancel import cancel
from workflows.sessions.outcomes import cancel_not_held, waive_fee
from workflows.sessions.records import SessionWithTerms, session_with_terms_query
from workflows.sessions.time_off import take_time_off


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
    """The remaining credits, which are the sum of the ledger after each of its entries."""
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
    for _round in range(ROUNDS):
        with engine.begin() as db:
            bundle = factories.make_bundle(db, course=course, mentee=mentee, session_count=1)
        outcomes = race.transact([partial(_spend, booking_id=booking, bundle=bundle) for booking in bookings])
        assert codes(outcomes) == ["bundle_unusable"] * (RACERS - 1)
        assert _require_balanced(engine, bundle) == 0
        spent = next(entry.booking_id for entry in _entries(engine, bundle) if entry.kind == BundleEntryKind.SPEND)
        with engine.begin() as db:
            bookings = [*(each for each in bookings if each != spent), *_booked(db, mentee, 1)]


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


@pytest.mark.parametrize("how", ["cancel", "waive", "leave"])
def test_a_returned_credit_is_valid_until_the_end_that_its_bundle_has_then(engine: Engine, how: str) -> None:
    now = datetime.now(UTC)
    until = now + timedelta(days=60)

    def extend(db: Connection) -> None:
        about: dict[str, Any] = {"reason": "Ill", "changes": {"valid_to": until}, "any_version": True, "now": now}
        adjust(db, actor=factories.OPERATOR, bundle=bundle, **about)

    def present(db: Connection) -> SessionWithTerms:
        return SessionWithTerms.of(db.execute(session_with_terms_query(session_id)).one())

    def give_credit_back(db: Connection) -> None:
        if how == "leave":
            leave(db, reason=None, policy=DEFAULT_POLICY, **seat)
        elif how == "cancel":
            cancel(db, actor=factories.OPERATOR, session=present(db), reason="Ill", now=now)
        else:
            waive_fee(db, actor=factories.OPERATOR, session=present(db), reason="Ill", now=now)

    with engine.begin() as db:
        bundle = factories.make_bundle(db, valid_days=30)
        mentee = Actor.person(bundle.mentee_user_id, None)
        listing = factories.make_listing(db, course_id=bundle.course_id)
        if how == "leave":
            group = read_group(db, factories.make_group(db, [], listing=listing).id)
            seat: dict[str, Any] = {"group": group, "mentee_user_id": bundle.mentee_user_id, "now": now}
            seat["actor"] = mentee
            join(db, bundle_purchase_id=bundle.id, policy=DEFAULT_POLICY, **seat)
        else:
            booking = factories.make_paid_booking(db, bundle, listing=listing)
            session_id = create(db, booking_id=booking.id).id
        if how == "waive":
            cancel(db, actor=mentee, session=present(db), reason="Ill", now=booking.start_time - timedelta(minutes=1))
    # The credit returns while the bundle, which was read before, is being extended.
    meanwhile(engine, extend, give_credit_back)
    with engine.begin() as db:
        types = ("session.cancelled", "session.fee_waived", "seat.left")
        latest = select(events.c.data).where(events.c.type.in_(types)).order_by(events.c.sequence.desc()).limit(1)
        assert datetime.fromisoformat((db.scalar(latest) or {})["credit_valid_to"]) == until
        if how != "leave":
            assert (present(db).cancellation or {})["creditValidTo"] == rfc3339(until)


@pytest.mark.parametrize("days", [1, -3])
def test_credits_of_several_sessions_go_back_in_the_order_of_their_bundles(engine: Engine, days: int) -> None:
    with engine.begin() as db:
        course = factories.make_course(db)
        listing = factories.make_listing(db, course_id=course.id)
        lower, higher = sorted((factories.make_bundle(db, course=course) for _ in range(2)), key=lambda each: each.id)
        begins = factories.this_hour() + timedelta(days=days)
        for start, bundle in ((begins, higher), (begins + timedelta(hours=2), lower)):
            create(db, booking_id=factories.make_paid_booking(db, bundle, listing=listing, start_time=start).id)

    def cancels(db: Connection) -> None:
        now = datetime.now(UTC)
        if days < 0:
            cancel_not_held(db, now=now)
            return
        about: dict[str, Any] = {"start_time": begins, "end_time": begins + timedelta(days=1), "cancel_sessions": True}
        owner = CalendarOwner(mentor_profile_id=listing.mentor_profile_id, time_zone="UTC", version=1)
        take_time_off(db, actor=factories.mentor_of(listing), mentor=owner, reason=None, now=now, **about)

    meanwhile(engine, lambda db: locked(db, lower.id), cancels, then=lambda db: locked(db, higher.id))
    assert (_require_balanced(engine, lower), _require_balanced(engine, higher)) == (5, 5)


def test_a_purchase_locks_its_mentee_before_the_bundle_that_has_expired(engine: Engine) -> None:
    with engine.begin() as db:
        expired = factories.make_bundle(db, at=datetime.now(UTC) - timedelta(days=2), valid_days=1)
    owner = expired.mentee_user_id
    ids: dict[str, Any] = {"course_id": expired.course_id, "product_id": expired.product_id, "mentee_user_id": owner}
    bought = meanwhile(
        engine,
        lambda db: lock_user(db, owner),
        lambda db: purchase(db, actor=Actor.person(owner, None), now=datetime.now(UTC), **ids),
        then=lambda db: locked(db, expired.id),
    )
    assert bought.remaining_sessions == 5
