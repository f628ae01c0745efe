"""People, offers, bookings and sessions for tests, made through the workflows as the API makes them."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from sqlalchemy import Connection, select

from models.bookings import bookings
from models.catalog import listings
from workflows.bookings.accept import accept
from workflows.bookings.booking import Booking
from workflows.bookings.request import request
from workflows.catalog.listing import Listing
from workflows.catalog.publish_listing import publish_listing
from workflows.identity.actor import Actor
from workflows.identity.people import Mentor, User
from workflows.identity.publish_mentor_profile import publish_mentor_profile
from workflows.identity.register_user import register_user
from workflows.sessions.create import create
from workflows.sessions.session import Session
from workflows.sessions.start import start

OPERATOR = Actor(operator=True, name="operator:tests")
# Bookings that say no time of their own never overlap.
_SLOTS = itertools.count(1)


def this_hour() -> datetime:
    """The beginning of the present hour in UTC."""
    return datetime.now(UTC).replace(minute=0, second=0, microsecond=0)


def next_slot() -> datetime:
    """A start time from two days ahead on that no other call gets; slots are three hours apart."""
    return this_hour() + timedelta(days=2, hours=3 * next(_SLOTS))


def make_user(db: Connection, *, name: str = "Ada Lovelace", email: str | None = None, time_zone: str = "UTC") -> User:
    """A registered user."""
    return register_user(
        db, actor=OPERATOR, email=email or f"{uuid4().hex}@example.org", name=name, time_zone=time_zone
    )


def make_mentor(db: Connection, user: User | None = None, *, skills: list[str] | None = None) -> Mentor:
    """A published mentor profile, of a new user unless one is given."""
    owner = user or make_user(db, name="Grace Hopper")
    return publish_mentor_profile(
        db, actor=OPERATOR, user_id=owner.id, headline="Mentor", bio=None, time_zone=None, skills=skills or []
    )


def make_listing(db: Connection, mentor: Mentor | None = None, **offer: Any) -> Listing:
    """A listing of an hour for 40 dollars, of a new mentor unless one is given."""
    owner = mentor or make_mentor(db)
    columns = {"title": "An hour", "duration_minutes": 60, "price_amount": 4000, "price_currency": "USD", **offer}
    return publish_listing(db, actor=acting_mentor(owner), offer=columns)


def make_booking(
    db: Connection,
    *,
    listing: Listing | None = None,
    mentee: User | None = None,
    start_time: datetime | None = None,
    **words: Any,
) -> Booking:
    """A booking: a draft, or accepted at once for an instant listing."""
    return request(
        db,
        actor=acting_user(mentee or make_user(db)),
        listing_id=(listing or make_listing(db)).id,
        start_time=start_time or next_slot(),
        now=datetime.now(UTC),
        **words,
    )


def accept_booking(db: Connection, booking: Booking) -> Booking:
    """The booking, accepted by its mentor; its session is left to the effect."""
    return accept(db, actor=mentor_of(booking), booking=booking, now=datetime.now(UTC))


def make_session(db: Connection, *, listing: Listing | None = None, mentee: User | None = None) -> Session:
    """The scheduled session of an accepted booking that starts within the next hours."""
    booking = accept_booking(db, make_booking(db, listing=listing, mentee=mentee))
    return create(db, booking_id=booking.id)


def start_session(db: Connection, session: Session) -> Session:
    """The session in progress, started by its mentor before its time."""
    return start(db, actor=mentor_of(session), session=session, early_start_minutes=None, now=datetime.now(UTC))


def listing_of(db: Connection, session: Session) -> Listing:
    """The listing that a session was booked on."""
    booked = select(bookings.c.listing_id).where(bookings.c.id == session.booking_id).scalar_subquery()
    return Listing.of(db.execute(Listing.query().where(listings.c.id == booked)).one())


def acting_user(user: User) -> Actor:
    """The user, acting for themselves."""
    return Actor.person(user.id, None)


def acting_mentor(mentor: Mentor) -> Actor:
    """The mentor, acting as such."""
    return Actor.person(mentor.user_id, mentor.id)


def mentor_of(booking: Booking | Session) -> Actor:
    """The mentor of a booking or session, acting as such."""
    return Actor.person(uuid4(), booking.mentor_profile_id)
