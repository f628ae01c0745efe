"""Request a booking: a draft for the mentor to decide or, on an instant listing, accepted at once."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Connection

from models.catalog import BookingMode
from workflows.availability.hours import Hours, describe_weekday
from workflows.availability.open_times import is_open
from workflows.bookings.booking import Booking
from workflows.bookings.insert import insert_booking
from workflows.catalog.listings import BOOKABLE, Listing
from workflows.clock import in_utc
from workflows.errors import Conflict, Forbidden, Invalid, NotFound
from workflows.events.event_types import BookingAccepted, BookingRequested
from workflows.events.record import record
from workflows.identity.actor import Actor

MAX_LEAD_TIME = timedelta(days=5 * 366)


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
    mentee_overlap: bool = False,
) -> Booking:
    """Book a listing at a time as a mentee.

    Args:
        start_time: aware; the end follows from the listing's duration.
        end_time: may be given, and must then be that very end.
        metadata: the client's own, copied to the session.
        mentee_overlap: whether the mentee may have another session at that time.

    Raises:
        Forbidden: the caller is an operator, without a user of their own.
        NotFound: no such active listing.
        Invalid: a start in the past or too far ahead, an end that is not the listing's, the mentor's own listing.
        Conflict: `too_soon` within the listing's notice; `outside_hours` of the mentor; for an instant listing
            `slot_taken`.
    """
    if actor.user_id is None:
        raise Forbidden("Only a user can book a session.")
    listing, hours = _bookable(db, listing_id, actor)
    start = in_utc(start_time)
    require_near_future(start, now)
    end = _end_of(listing, start, end_time)
    require_offered(listing, hours, start, now)
    instant = listing.booking_mode is BookingMode.INSTANT
    booking = insert_booking(
        db,
        {
            "listing_id": listing.id,
            "mentee_user_id": actor.user_id,
            "course_id": listing.course_id,
            "title": title,
            "notes": notes,
            "metadata": metadata,
            "price_amount": listing.price_amount,
            "price_currency": listing.price_currency,
        },
        listing,
        mentor_profile_id=listing.mentor_profile_id,
        start_time=start,
        end_time=end,
        accepted=instant,
        mentee_overlap=mentee_overlap,
    )
    event = BookingAccepted if instant else BookingRequested
    record(db, event.about(booking, actor=actor, now=now))
    return booking


def require_near_future(start: datetime, now: datetime) -> None:
    """Refuse a start that no listing can be booked for.

    Raises:
        Invalid: it lies in the past, or more than five years ahead.
    """
    if start <= now:
        raise Invalid("A booking must start in the future.", details={"startTime": ["lies in the past"]})
    if start - now > MAX_LEAD_TIME:
        raise Invalid("A booking must start within the next five years.", details={"startTime": ["lies too far ahead"]})


def require_offered(listing: Listing, hours: Hours, start: datetime, now: datetime) -> None:
    """Refuse a start at which the mentor does not offer the listing.

    Raises:
        Conflict: `too_soon` within the listing's notice; `outside_hours` of the mentor, in part or as a whole.
    """
    if start < now + timedelta(minutes=listing.min_notice_minutes):
        raise Conflict(
            f"Book this listing at least {listing.min_notice_minutes} minutes in advance; choose a later time.",
            code="too_soon",
        )
    if not is_open(hours, start, start + timedelta(minutes=listing.duration_minutes)):
        raise Conflict(describe_weekday(hours, start), code="outside_hours")


def _bookable(db: Connection, listing_id: UUID, actor: Actor) -> tuple[Listing, Hours]:
    row = db.execute(BOOKABLE, {"listing_id": listing_id}).one_or_none()
    if row is None:
        raise NotFound("There is no such listing.")
    if row.user_id == actor.user_id:
        raise Invalid("You cannot book your own listing.", details={"listingId": ["is your own listing"]})
    return Listing.of(row), Hours.read(row.time_zone, row.spans)


def _end_of(listing: Listing, start: datetime, end_time: datetime | None) -> datetime:
    end = start + timedelta(minutes=listing.duration_minutes)
    if end_time is not None and in_utc(end_time) != end:
        raise Invalid(
            f"A session of this listing lasts {listing.duration_minutes} minutes.",
            details={"endTime": [f"must be {listing.duration_minutes} minutes after startTime"]},
        )
    return end
