"""Decline a booking: the mentor says no, with a reason if they like."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection

from models.bookings import BookingStatus
from workflows.bookings.booking import Booking, mentor_of
from workflows.bookings.decide import DECISIONS
from workflows.events.catalogue import BookingDeclined
from workflows.events.record import record
from workflows.identity.actor import Actor


def decline(db: Connection, *, actor: Actor, booking: Booking, reason: str | None, now: datetime) -> Booking:
    """Decide against the booking, and return it as it stands then.

    Raises:
        Forbidden: the caller is not the booking's mentor.
        InvalidTransition: it has been decided already.
    """
    mentor_of(actor, booking)
    declined = DECISIONS.move(db, booking, BookingStatus.DECLINED, reason=reason)
    record(db, BookingDeclined.about(declined, actor=actor, now=now))
    return declined
