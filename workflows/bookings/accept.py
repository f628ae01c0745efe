"""Accept a booking: the mentor says yes, and the time is theirs and the mentee's. The session follows as an effect."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection

from models.bookings import BookingStatus
from workflows.bookings.booking import Booking, mentor_of
from workflows.bookings.decide import DECISIONS, decide_and_take_time
from workflows.errors import InvalidTransition
from workflows.events.catalogue import BookingAccepted
from workflows.events.record import record
from workflows.identity.actor import Actor


def accept(db: Connection, *, actor: Actor, booking: Booking, now: datetime) -> Booking:
    """Decide for the booking, and return it as it stands then, with its session's id.

    Raises:
        Forbidden: the caller is not the booking's mentor.
        InvalidTransition: it has been decided already, or its time has come without a decision.
        Conflict: `slot_taken`, when another booking has the time.
    """
    mentor_of(actor, booking)
    if booking.start_time <= now:
        step = DECISIONS.step(booking, BookingStatus.ACCEPTED)
        raise InvalidTransition("The time of this booking has come; it can no longer be accepted.", step=step)
    accepted = decide_and_take_time(db, booking)
    record(db, BookingAccepted.about(accepted, actor=actor, now=now))
    return accepted
