"""Unlock a review: each mentee of a completed session may write one, for thirty days."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import Connection, select
from sqlalchemy.dialects.postgresql import insert
from uuid_utils.compat import uuid7

from models.bookings import booking_participants
from models.reviews import review_permits
from workflows.events.catalogue import ReviewUnlocked
from workflows.events.record import record
from workflows.identity.actor import SYSTEM
from workflows.reviews.permit import Permit

OPEN = timedelta(days=30)


def unlock(
    db: Connection,
    *,
    session_id: UUID,
    booking_id: UUID,
    mentor_profile_id: UUID,
    completed_at: datetime,
    now: datetime,
) -> None:
    """Write a permit per mentee, once each, and record `review.unlocked` of each that was written (domain rule 8).

    Args:
        completed_at: when the session was completed: the thirty days begin then, however late this runs.
    """
    # In one order, so that two who write the same permits at once wait for one another, and never in a circle.
    mentees = db.scalars(
        select(booking_participants.c.user_id)
        .where(booking_participants.c.booking_id == booking_id)
        .order_by(booking_participants.c.user_id)
    )
    permits = [
        {
            "id": uuid7(),
            "session_id": session_id,
            "mentee_user_id": mentee,
            "mentor_profile_id": mentor_profile_id,
            "unlocked_at": completed_at,
            "expires_at": completed_at + OPEN,
        }
        for mentee in mentees
    ]
    if not permits:
        return
    written = db.execute(
        insert(review_permits).values(permits).on_conflict_do_nothing().returning(*Permit.columns())
    ).all()
    for permit in map(Permit.of, written):
        told = {"session_id": permit.session_id, "booking_id": booking_id}
        record(db, ReviewUnlocked.about(permit, actor=SYSTEM, now=now, **told))
