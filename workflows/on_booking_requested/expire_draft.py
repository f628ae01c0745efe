"""Cancel a draft that nobody has decided before its start, or within 72 hours."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection

from models.bookings import BookingStatus
from workflows.bookings.booking import Booking, booking_query
from workflows.bookings.cancel import expire
from workflows.bookings.deadline import deadline_of
from workflows.events.catalogue import BookingRequested
from workflows.events.subscriptions import subscribe


@subscribe(BookingRequested, name="bookings.expire", queue="sessions", due=deadline_of)
def expire_draft(db: Connection, event: BookingRequested, *, now: datetime) -> None:
    """Most drafts have been decided by then, and nothing is left to do."""
    booking = Booking.of(db.execute(booking_query(event.booking_id)).one())
    if booking.status is BookingStatus.DRAFT:
        expire(db, booking=booking, now=now)
