"""Create the session of an accepted booking: done by an effect, never by a route, and never twice."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import Connection, text

from models.catalog import listings
from workflows.errors import Conflict
from workflows.sessions.session import Session

_COLUMNS = ", ".join(f"created.{column.name}" for column in Session.columns())
# A booking that is not accepted is refused by the table's own guard.
_CREATE = text(
    f"""
WITH booking AS (
    SELECT b.*, l.reminder_minutes
    FROM bookings b LEFT JOIN listings l ON l.id = b.listing_id
    WHERE b.id = :booking_id
), created AS (
    INSERT INTO sessions (
        id, booking_id, mentor_profile_id, mentee_user_id, course_id, start_time, end_time,
        title, description, metadata, status
    )
    SELECT session_id, id, mentor_profile_id, mentee_user_id, course_id, start_time, end_time,
           title, notes, metadata, 'scheduled'
    FROM booking
    ON CONFLICT DO NOTHING
    RETURNING *
)
SELECT {_COLUMNS}, booking.reminder_minutes FROM created, booking
"""
).columns(*Session.columns(), listings.c.reminder_minutes)


@dataclass(frozen=True, kw_only=True)
class CreatedSession(Session):
    """A session beside the minutes before its start at which its listing reminds; None where it does not say."""

    reminder_minutes: list[int] | None


def create(db: Connection, *, booking_id: UUID) -> CreatedSession:
    """Write the session, with the booking's parties, times and words.

    Raises:
        Conflict: `duplicate_session`, when the booking has its session already.
    """
    row = db.execute(_CREATE, {"booking_id": booking_id}).one_or_none()
    if row is None:
        raise Conflict("This booking has its session already.", code="duplicate_session")
    return CreatedSession.of(row)
