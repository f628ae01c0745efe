"""A listing that changes while it is held and booked: the booking has the terms of its hold in any order."""

from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from sqlalchemy import Connection, Engine

from models.catalog import BookingMode
from tests import factories
from tests.concurrency.racing import ROUNDS, Race, codes
from workflows.bookings.direct import WantedListing
from workflows.bookings.holds import Hold, hold
from workflows.bookings.records import Booking
from workflows.bookings.request import request
from workflows.catalog.listings import Listing, change_listing
from workflows.identity.actor import Actor


def _changes(db: Connection, listing: Listing, price: int) -> Listing:
    mentor = Actor.person(listing_owner(db, listing), listing.mentor_profile_id)
    changes: dict[str, Any] = {"price_amount": price, "min_notice_minutes": 40_000}
    return change_listing(db, actor=mentor, listing=present(db, listing), changes=changes, any_version=True)


def listing_owner(db: Connection, listing: Listing) -> Any:
    return db.exec_driver_sql(
        "SELECT user_id FROM mentor_profiles WHERE id = %(id)s", {"id": listing.mentor_profile_id}
    ).scalar_one()


def present(db: Connection, listing: Listing) -> Listing:
    return Listing.of(db.execute(Listing.by_id(listing.id)).one())


def _holds(db: Connection, listing: Listing, actor: Actor, start: datetime) -> Hold:
    wanted = WantedListing(mentor_profile_id=listing.mentor_profile_id, listing_id=listing.id)
    about: dict[str, Any] = {"start_time": start, "now": datetime.now(UTC), "minutes": 5, "max_holds": 0}
    return hold(db, actor=actor, wanted=wanted, **about)


def _books(db: Connection, listing: Listing, actor: Actor, start: datetime) -> Booking:
    return request(db, start, actor=actor, listing_id=listing.id, now=datetime.now(UTC))


def test_a_booking_has_the_terms_of_its_hold(engine: Engine, race: Race) -> None:
    with engine.begin() as db:
        mentee = factories.acting_user(factories.make_user(db))
    for number in range(ROUNDS):
        start = factories.this_hour() + timedelta(days=3, hours=2 * number)
        with engine.begin() as db:
            listing = factories.make_listing(db, booking_mode=BookingMode.INSTANT)
        taking: list[Any] = race.transact(
            [
                partial(_changes, listing=listing, price=9000),
                partial(_holds, listing=listing, actor=mentee, start=start),
            ]
        )
        # The hold was refused by the new notice, or is of the price before.
        assert set(codes(taking)) <= {"too_soon"}
        was_held = isinstance(taking[1], Hold)
        booking: list[Any] = race.transact(
            [
                partial(_changes, listing=listing, price=8000),
                partial(_books, listing=listing, actor=mentee, start=start),
            ]
        )
        if was_held:
            assert (booking[1].status, booking[1].price_amount) == ("accepted", listing.price_amount)
        else:
            assert codes(booking) == ["too_soon"]
