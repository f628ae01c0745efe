"""Request a booking: a mentee asks for a listing at a time. An instant listing says yes at once."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Connection

from models.bookings import BookingKind, BookingStatus
from models.catalog import BookingMode
from workflows.availability.hours import Hours
from workflows.availability.open_times import is_open
from workflows.availability.words import around
from workflows.bookings.booking import Booking
from workflows.bookings.insert import insert_booking
from workflows.catalog.listing import BOOKABLE, Listing
from workflows.clock import in_utc
from workflows.errors import Conflict, Forbidden, Invalid, NotFound
from workflows.events.catalogue import BookingAccepted, BookingRequested
from workflows.events.record import record
from workflows.identity.actor import Actor

FARTHEST = timedelta(days=5 * 366)


def request(
    db: Connection,
    *,
    actor: Actor,
    listing_id: UUID,
    start_time: datetime,
    now: datetime,
    end_time: datetime | None = None,
    title: str | None = None,
    notes: str | None = None,
    metadata: dict[str, Any] | None = None,
) -> Booking:
    """Write the booking: a draft for the mentor to decide, or accepted at once for an instant listing.

    Args:
        start_time: aware; the end follows from the listing's duration.
        end_time: may be given, and must then be that very end.
        metadata: the client's own, copied to the session.

    Raises:
        Forbidden: an operator books nothing.
        NotFound: no such active listing.
        Invalid: a start in the past or too far ahead, an end that is not the listing's, the mentor's own listing.
        Conflict: `too_soon` before the listing's notice; `outside_hours` where the mentor has said others; for an
            instant listing `slot_taken`.
    """
    if actor.user_id is None:
        raise Forbidden("Only a user books sessions.")
    listing, hours = _bookable(db, listing_id, actor)
    start = in_utc(start_time)
    _in_time(listing, start, now)
    end = _end_of(listing, start, end_time)
    _within(hours, start, end)
    status = BookingStatus.ACCEPTED if listing.booking_mode is BookingMode.INSTANT else BookingStatus.DRAFT
    booking = insert_booking(
        db,
        status=status,
        listing_id=listing.id,
        mentor_profile_id=listing.mentor_profile_id,
        mentee_user_id=actor.user_id,
        course_id=listing.course_id,
        kind=BookingKind.INDIVIDUAL,
        start_time=start,
        end_time=end,
        title=title,
        notes=notes,
        metadata=metadata,
        price_amount=listing.price_amount,
        price_currency=listing.price_currency,
        buffer_minutes=listing.buffer_minutes,
    )
    event = BookingAccepted if status is BookingStatus.ACCEPTED else BookingRequested
    record(db, event.about(booking, actor=actor, now=now))
    return booking


def _bookable(db: Connection, listing_id: UUID, actor: Actor) -> tuple[Listing, Hours]:
    row = db.execute(BOOKABLE, {"listing_id": listing_id}).one_or_none()
    if row is None:
        raise NotFound("There is no such listing.")
    if row.user_id == actor.user_id:
        raise Invalid("Nobody books their own listing.", details={"listingId": ["is your own listing"]})
    return Listing.of(row), Hours.read(row.time_zone, row.spans)


def _end_of(listing: Listing, start: datetime, end_time: datetime | None) -> datetime:
    end = start + timedelta(minutes=listing.duration_minutes)
    if end_time is not None and in_utc(end_time) != end:
        raise Invalid(
            f"This listing lasts {listing.duration_minutes} minutes.",
            details={"endTime": [f"must be {listing.duration_minutes} minutes after startTime"]},
        )
    return end


def _in_time(listing: Listing, start: datetime, now: datetime) -> None:
    if start <= now:
        raise Invalid("A booking must start in the future.", details={"startTime": ["lies in the past"]})
    if start - now > FARTHEST:
        raise Invalid("A booking starts within five years.", details={"startTime": ["lies too far ahead"]})
    if start < now + timedelta(minutes=listing.min_notice_minutes):
        raise Conflict(
            f"This listing wants {listing.min_notice_minutes} minutes of notice; choose a later time.", code="too_soon"
        )


def _within(hours: Hours, start: datetime, end: datetime) -> None:
    if not is_open(hours, start, end):
        raise Conflict(around(hours, start), code="outside_hours")
