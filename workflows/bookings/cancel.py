"""Cancel a draft: the mentee takes it back, or the system does when nobody decided in time."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection

from models.bookings import BookingStatus
from workflows.bookings.booking import Booking, mentee_of
from workflows.bookings.decide import DECISIONS
from workflows.events.catalogue import BookingCancelled
from workflows.events.record import record
from workflows.identity.actor import SYSTEM, Actor

EXPIRED = "expired"


def cancel(db: Connection, *, actor: Actor, booking: Booking, reason: str | None, now: datetime) -> Booking:
    """Take the draft back, and return it as it stands then.

    Raises:
        Forbidden: the caller is not the booking's mentee.
        InvalidTransition: it has been decided already; an accepted booking is cancelled as its session.
    """
    mentee_of(actor, booking)
    return _cancel(db, actor, booking, reason, now)


def expire(db: Connection, *, booking: Booking, now: datetime) -> Booking:
    """Cancel a draft that nobody decided in time.

    Raises:
        InvalidTransition: it has been decided after all.
    """
    return _cancel(db, SYSTEM, booking, EXPIRED, now)


def _cancel(db: Connection, actor: Actor, booking: Booking, reason: str | None, now: datetime) -> Booking:
    cancelled = DECISIONS.move(db, booking, BookingStatus.CANCELLED, reason=reason)
    record(db, BookingCancelled.about(cancelled, actor=actor, now=now))
    return cancelled
