"""Create the sessions of accepted bookings: done by an effect, never by a route, and never twice."""

from __future__ import annotations

from collections.abc import Sequence
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
    WHERE b.id = ANY(CAST(:booking_ids AS uuid[]))
), created AS (
    INSERT INTO sessions (
        id, booking_id, mentor_profile_id, mentee_user_id, course_id, start_time, end_time,
        title, description, metadata, status
    )
    SELECT session_id, id, mentor_profile_id, mentee_user_id, course_id, start_time, end_time,
           title, notes, metadata, 'scheduled'
    FROM booking ORDER BY id
    ON CONFLICT DO NOTHING
    RETURNING *
)
SELECT {_COLUMNS}, booking.reminder_minutes FROM created JOIN booking ON booking.id = created.booking_id
"""
).columns(*Session.columns(), listings.c.reminder_minutes)


@dataclass(frozen=True, kw_only=True)
class CreatedSession(Session):
    """A session beside the minutes before its start at which its listing reminds; None where it does not say."""

    reminder_minutes: list[int] | None


def create_all(db: Connection, booking_ids: Sequence[UUID]) -> dict[UUID, CreatedSession]:
    """Write the sessions of these bookings, with their parties, times and words, in one statement.

    Returns:
        By booking; those are left out that have their session already.
    """
    rows = db.execute(_CREATE, {"booking_ids": list(booking_ids)})
    return {row.booking_id: CreatedSession.of(row) for row in rows}


def create(db: Connection, *, booking_id: UUID) -> CreatedSession:
    """Write the session of one booking.

    Raises:
        Conflict: `duplicate_session`, when the booking has its session already.
    """
    created = create_all(db, [booking_id])
    if not created:
        raise Conflict("This booking has its session already.", code="duplicate_session")
    return created[booking_id]
