"""Timers of the queue `sessions`: an undecided request is reminded of, and expires."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import Connection, exists, select

from models.bookings import BookingStatus
from models.events import events
from workflows.bookings.booking import BOOKING, Booking
from workflows.bookings.decisions import expire, expiry_of
from workflows.events.catalogue import BookingRequested, BookingUndecided
from workflows.events.record import record
from workflows.events.subscriptions import subscribe
from workflows.identity.actor import SYSTEM

REMIND_AFTER = timedelta(hours=24)
# With less time left, the notice of the expiry would follow at once.
MIN_TIME_LEFT = timedelta(hours=1)


@subscribe(BookingRequested, name="bookings.expire", queue="sessions", due=expiry_of)
def expire_draft(db: Connection, event: BookingRequested, *, now: datetime) -> None:
    """Cancel a draft at its start, and after 72 hours at the latest. Most have been decided by then."""
    booking = Booking.of(db.execute(BOOKING, {"id": event.booking_id}).one())
    if booking.status is BookingStatus.DRAFT:
        expire(db, booking=booking, now=now)


def _after_a_day(event: BookingRequested) -> datetime:
    return event.occurred_at + REMIND_AFTER


@subscribe(BookingRequested, name="bookings.remind", queue="sessions", due=_after_a_day)
def note_undecided(db: Connection, event: BookingRequested, *, now: datetime) -> None:
    """Record `booking.undecided` once, while there is time left to decide.

    An event of its own, since a person has one notification per event and channel, and has that of the request already.
    """
    expires_at = expiry_of(event)
    if expires_at - now < MIN_TIME_LEFT:
        return
    booking = Booking.of(db.execute(BOOKING, {"id": event.booking_id}).one())
    recorded = exists().where(events.c.subject_id == booking.id, events.c.type == BookingUndecided.type)
    if booking.status is BookingStatus.DRAFT and not db.scalar(select(recorded)):
        record(db, BookingUndecided.about(booking, actor=SYSTEM, now=now, expires_at=expires_at))
