"""The decisions about a booking: how it leaves its draft."""

from __future__ import annotations

from sqlalchemy import Connection, text
from uuid_utils.compat import uuid7

from models.bookings import BOOKING_TRANSITIONS, BookingStatus
from models.sessions import session_id_of
from workflows.availability.busy import LOCK_MENTOR, TAKE_TIME, taking_time
from workflows.bookings.booking import Booking, booking_query
from workflows.transitions import StateMachine

_COLUMNS = ", ".join(f"bookings.{column.name}" for column in Booking.columns())

ACCEPT = f"""
WITH {LOCK_MENTOR},
booking AS (
    UPDATE bookings SET status = 'accepted', session_id = CAST(:session_id AS uuid)
    FROM mentor
    WHERE bookings.mentor_profile_id = mentor.id AND bookings.id = CAST(:booking_id AS uuid)
      AND bookings.status = 'draft' AND bookings.version = :version
    RETURNING {_COLUMNS}
),
{TAKE_TIME}
SELECT * FROM booking
"""
_ACCEPT = text(ACCEPT).columns(*Booking.columns())
_REFUSE = {
    status: text(
        f"""
UPDATE bookings SET status = '{status}', {reason} = :reason
WHERE id = CAST(:id AS uuid) AND status = 'draft' AND version = :version
RETURNING {_COLUMNS}
"""
    ).columns(*Booking.columns())
    for status, reason in ((BookingStatus.DECLINED, "decline_reason"), (BookingStatus.CANCELLED, "cancel_reason"))
}
DECISIONS = StateMachine("booking", BOOKING_TRANSITIONS, Booking, booking_query, _REFUSE)


def decide_and_take_time(db: Connection, booking: Booking) -> Booking:
    """Move a draft to accepted and take the mentor's time, in one statement.

    Raises:
        InvalidTransition: the booking has been decided already, now or while this was on its way.
        Conflict: `slot_taken`, when another booking or a hold has the time.
    """
    DECISIONS.require_transition(booking, BookingStatus.ACCEPTED)
    values = {
        "mentor_profile_id": booking.mentor_profile_id,
        "booking_id": booking.id,
        "version": booking.version,
        "session_id": session_id_of(booking.id),
        "busy_id": uuid7(),
    }
    return DECISIONS.moved(db, taking_time(db, _ACCEPT, values), booking, BookingStatus.ACCEPTED)
