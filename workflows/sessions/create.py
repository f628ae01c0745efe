"""Create the session of an accepted booking: done by an effect, never by a route, and never twice."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Select, literal, select
from sqlalchemy.dialects.postgresql import insert

from models.bookings import bookings
from models.sessions import SessionStatus, sessions
from workflows.errors import Conflict
from workflows.sessions.session import Session

_COPIED = {
    "id": bookings.c.session_id,
    "booking_id": bookings.c.id,
    "mentor_profile_id": bookings.c.mentor_profile_id,
    "mentee_user_id": bookings.c.mentee_user_id,
    "course_id": bookings.c.course_id,
    "start_time": bookings.c.start_time,
    "end_time": bookings.c.end_time,
    "title": bookings.c.title,
    "description": bookings.c.notes,
    "metadata": bookings.c.metadata,
}


def create(db: Connection, *, booking_id: UUID) -> Session:
    """Write the session, with the booking's parties, times and words.

    Raises:
        Conflict: `duplicate_session`, when the booking has its session already.
    """
    row = db.execute(
        insert(sessions)
        .from_select([*_COPIED, "status"], _booking(booking_id))
        .on_conflict_do_nothing()
        .returning(*Session.columns())
    ).one_or_none()
    if row is None:
        raise Conflict("This booking has its session already.", code="duplicate_session")
    return Session.of(row)


def _booking(booking_id: UUID) -> Select[Any]:
    # A booking that is not accepted is refused by the table's own guard.
    scheduled = literal(SessionStatus.SCHEDULED, sessions.c.status.type)
    return select(*_COPIED.values(), scheduled).where(bookings.c.id == booking_id)
