"""Changes of a price and of cancellation terms, raced by those who book what they were shown."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import Connection, Engine, select

from models.bookings import bookings
from models.bundles import bundle_purchases
from models.catalog import BookingMode, ProductKind
from tests import factories
from tests.concurrency.racing import ROUNDS, Race, codes, meanwhile, winners
from tests.factories import OPERATOR
from tests.queries import execute, scalars
from workflows.accounts.records import User
from workflows.bookings.direct import WantedListing, book_directly
from workflows.bookings.individual import IndividualRequest, book_individual
from workflows.bookings.records import Booking
from workflows.bookings.series import OnConflict, Recurrence
from workflows.bundles.purchase import purchase
from workflows.bundles.records import Bundle
from workflows.catalog.listings import Listing, change_listing
from workflows.catalog.products import Product, change_product, product_query
from workflows.identity.actor import Actor
from workflows.kernel.constraints import constraint_errors
from workflows.kernel.errors import Conflict, TermsChanged
from workflows.terms.expected_terms import ExpectedTerms

Call = Callable[[Connection], Any]
SHOWN = ExpectedTerms(price_amount=4000, price_currency="USD", window_hours=24, late_fee_percent=50)
DEARER: dict[str, Any] = {"price_amount": 18_500}
WORSE: dict[str, Any] = {"cancellation_window_hours": None}
WEEK = timedelta(weeks=1)


def _now() -> datetime:
    return datetime.now(UTC)


def change(listing: Listing, changes: dict[str, Any]) -> Call:
    def changing(db: Connection) -> Any:
        present = Listing.of(db.execute(Listing.by_id(listing.id)).one())
        actor = Actor.person(uuid4(), listing.mentor_profile_id)
        with constraint_errors():
            return change_listing(db, actor=actor, listing=present, changes=changes, any_version=True)

    return changing


def book(listing: Listing, mentee: User, start: datetime, **words: Any) -> Call:
    return partial(
        book_directly,
        actor=factories.acting_user(mentee),
        wanted=WantedListing(mentor_profile_id=listing.mentor_profile_id, listing_id=listing.id),
        scheduled_at=start,
        now=_now(),
        expected=SHOWN,
        **words,
    )


def test_nobody_books_other_terms_than_they_were_shown(engine: Engine, race: Race) -> None:
    for number in range(ROUNDS):
        with engine.begin() as db:
            mode = (BookingMode.INSTANT, BookingMode.REQUEST)[number % 2]
            listing = factories.make_listing(db, booking_mode=mode)
            mentees = [factories.make_user(db) for _ in range(8)]
        starts = [factories.next_slot() + number * timedelta(hours=2) for number in range(8)]
        calls = [book(listing, mentee, start) for mentee, start in zip(mentees, starts, strict=True)]
        calls.insert(2, change(listing, DEARER if number % 4 < 2 else WORSE))
        outcomes = race.transact(calls)
        assert set(codes(outcomes)) <= {"price_changed", "terms_changed"}
        made = execute(engine, select(bookings).where(bookings.c.listing_id == listing.id)).all()
        assert len(made) == len(winners(outcomes)) - 1
        assert {(each.price_amount, each.cancellation_window_hours) for each in made} <= {(4000, 24)}
        again = race.transact([book(listing, mentees[0], starts[-1] + WEEK)])
        assert codes(again) == ["price_changed" if number % 4 < 2 else "terms_changed"], "the change is seen by then"


def test_a_series_has_one_price_or_is_not_made(engine: Engine, race: Race) -> None:
    for _round in range(ROUNDS):
        with engine.begin() as db:
            listing, mentee = factories.make_listing(db), factories.make_user(db)
        recurrence = Recurrence(count=10, on_conflict=OnConflict.SKIP)
        series = book(listing, mentee, factories.next_slot(), recurrence=recurrence)
        outcome, _changed = race.transact([series, change(listing, DEARER)])
        made = scalars(engine, select(bookings.c.price_amount).where(bookings.c.listing_id == listing.id)).all()
        assert made == ([] if isinstance(outcome, TermsChanged) else [4000] * 10)


def test_what_is_being_changed_is_not_sold_for_its_old_price_afterwards(engine: Engine, race: Race) -> None:
    with engine.begin() as db:
        course = factories.make_course(db)
        listing = factories.make_listing(db, course_id=course.id)
        single = factories.make_product(db, course)
        five = factories.make_product(db, course, ProductKind.BUNDLE, session_count=5)
    for product, buy in ((five, partial(_buy, five)), (single, partial(_book_individually, listing))):
        sold = meanwhile(engine, partial(_raise_price, product), buy)
        assert sold.price_amount == 4000, "the change was not committed yet"
        assert codes(race.transact([buy])) == ["price_changed"]
    with engine.connect() as db:
        assert db.scalars(select(bundle_purchases.c.price_amount)).all() == [4000]
        assert db.scalars(select(bookings.c.price_amount)).all() == [4000]


def _raise_price(product: Product, db: Connection) -> None:
    present = Product.of(db.execute(product_query(product.course_id, product.id)).one())
    change_product(db, actor=OPERATOR, product=present, changes=DEARER)


def _buy(product: Product, db: Connection) -> Bundle:
    mentee = factories.make_user(db)
    ids: dict[str, Any] = {"course_id": product.course_id, "product_id": product.id, "mentee_user_id": mentee.id}
    return purchase(db, actor=factories.acting_user(mentee), now=_now(), expected=SHOWN, **ids)


def _book_individually(listing: Listing, db: Connection) -> Booking:
    assert listing.course_id is not None
    wanted = IndividualRequest(
        course_id=listing.course_id,
        duration_minutes=listing.duration_minutes,
        start_time=factories.next_slot(),
        expected=SHOWN,
    )
    booking, _series = book_individual(
        db, actor=factories.acting_user(factories.make_user(db)), wanted=wanted, now=_now()
    )
    return booking


def test_a_change_of_a_listing_waits_for_the_others_of_its_mentor(engine: Engine) -> None:
    with engine.begin() as db:
        mentor = factories.make_mentor(db)
        offers = [{"price_currency": currency, "active": False} for currency in ("USD", "EUR", "USD")]
        first, other, last = (change(factories.make_listing(db, mentor, **offer), {"active": True}) for offer in offers)
    # Without the mentor's lock, the last change would meet the other one, which waits for the first.
    with pytest.raises(Conflict) as refusal:
        meanwhile(engine, first, other, then=last)
    assert refusal.value.code == "currency_differs"
