"""The door through which a booking leaves its draft: one compare-and-set statement, whoever decides."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Row, text
from uuid_utils.compat import uuid7

from models.bookings import BOOKING_TRANSITIONS, BookingStatus
from models.sessions import session_id_of
from workflows.availability.busy import LOCK_MENTOR, TAKE_TIME, taking_time
from workflows.bookings.booking import Booking, booking_query
from workflows.errors import InvalidTransition

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
WHERE id = CAST(:booking_id AS uuid) AND status = 'draft' AND version = :version
RETURNING {_COLUMNS}
"""
    ).columns(*Booking.columns())
    for status, reason in ((BookingStatus.DECLINED, "decline_reason"), (BookingStatus.CANCELLED, "cancel_reason"))
}


def decide(db: Connection, booking: Booking, status: BookingStatus, *, reason: str | None) -> Booking:
    """Move a draft to declined or cancelled, and return it as it stands then.

    Args:
        booking: as it was read; if it has changed since, nothing is moved.

    Raises:
        InvalidTransition: the booking has been decided already, now or while this was on its way.
    """
    allow(booking, status)
    values = {"booking_id": booking.id, "version": booking.version, "reason": reason}
    return _moved(db, db.execute(_REFUSE[status], values).one_or_none(), booking, status)


def decide_and_take_time(db: Connection, booking: Booking) -> Booking:
    """Move a draft to accepted and take the mentor's time, in one statement.

    Raises:
        InvalidTransition: the booking has been decided already, now or while this was on its way.
        Conflict: `slot_taken`, when another booking or a hold has the time.
    """
    allow(booking, BookingStatus.ACCEPTED)
    values = {
        "mentor_profile_id": booking.mentor_profile_id,
        "booking_id": booking.id,
        "version": booking.version,
        "session_id": session_id_of(booking.id),
        "busy_id": uuid7(),
    }
    return _moved(db, taking_time(db, _ACCEPT, values), booking, BookingStatus.ACCEPTED)


def allow(booking: Booking, status: BookingStatus) -> None:
    """Refuse a step that the state machine does not have.

    Raises:
        InvalidTransition: there is no such step from the booking's status.
    """
    if status not in BOOKING_TRANSITIONS[booking.status]:
        step = step_of(booking, status)
        raise InvalidTransition(f"A booking that is {booking.status} cannot become {status}.", step=step)


def step_of(booking: Booking, status: BookingStatus) -> tuple[str, str, str]:
    """The step that is refused, for whoever counts refusals."""
    return "booking", booking.status, status


def _moved(db: Connection, row: Row[Any] | None, booking: Booking, status: BookingStatus) -> Booking:
    if row is None:
        # Somebody got there first; what they decided makes the message.
        allow(Booking.of(db.execute(booking_query(booking.id)).one()), status)
        raise InvalidTransition("The booking has just changed; read it again.", step=step_of(booking, status))
    return Booking.of(row)
