"""Timers of the queue `sessions`: what becomes of a request that nobody decides."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import Connection, exists, select

from models.bookings import BookingStatus
from models.events import events
from workflows.bookings.booking import Booking, booking_query
from workflows.bookings.cancel import expire
from workflows.bookings.deadline import deadline_of
from workflows.events.catalogue import BookingRequested, BookingUndecided
from workflows.events.record import record
from workflows.events.subscriptions import subscribe
from workflows.identity.actor import SYSTEM

REMIND_AFTER = timedelta(hours=24)
# With less time than that, the reminder would be followed by the notice that it is over.
WORTH_A_REMINDER = timedelta(hours=1)


@subscribe(BookingRequested, name="bookings.expire", queue="sessions", due=deadline_of)
def expire_draft(db: Connection, event: BookingRequested, *, now: datetime) -> None:
    """Cancel a draft before its start, or after 72 hours. Most have been decided by then, and nothing is left to do."""
    booking = Booking.of(db.execute(booking_query(event.booking_id)).one())
    if booking.status is BookingStatus.DRAFT:
        expire(db, booking=booking, now=now)


def _after_a_day(event: BookingRequested) -> datetime:
    return event.occurred_at + REMIND_AFTER


@subscribe(BookingRequested, name="bookings.remind", queue="sessions", due=_after_a_day)
def note_undecided(db: Connection, event: BookingRequested, *, now: datetime) -> None:
    """Note after a day that nobody has decided, once, and only while there is time left to decide in."""
    expires_at = deadline_of(event)
    if expires_at - now < WORTH_A_REMINDER:
        return
    booking = Booking.of(db.execute(booking_query(event.booking_id)).one())
    noted = exists().where(events.c.subject_id == booking.id, events.c.type == BookingUndecided.type)
    if booking.status is BookingStatus.DRAFT and not db.scalar(select(noted)):
        record(db, BookingUndecided.about(booking, actor=SYSTEM, now=now, expires_at=expires_at))
