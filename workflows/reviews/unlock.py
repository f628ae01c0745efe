"""Unlock a review: each mentee of a completed session may write one, for thirty days."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import Connection, select
from sqlalchemy.dialects.postgresql import insert
from uuid_utils.compat import uuid7

from models.bookings import booking_participants
from models.engagement import review_permits

OPEN = timedelta(days=30)


def unlock(db: Connection, *, session_id: UUID, booking_id: UUID, mentor_profile_id: UUID, now: datetime) -> None:
    """Write a permit per mentee, once each (domain rule 8)."""
    mentees = db.scalars(select(booking_participants.c.user_id).where(booking_participants.c.booking_id == booking_id))
    permits = [
        {
            "id": uuid7(),
            "session_id": session_id,
            "mentee_user_id": mentee,
            "mentor_profile_id": mentor_profile_id,
            "unlocked_at": now,
            "expires_at": now + OPEN,
        }
        for mentee in mentees
    ]
    if permits:
        db.execute(insert(review_permits).values(permits).on_conflict_do_nothing())
