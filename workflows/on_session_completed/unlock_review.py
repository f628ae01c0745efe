"""Unlock the mentee's review once their session is completed."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection

from workflows.events.catalogue import SessionCompleted
from workflows.events.subscriptions import subscribe
from workflows.reviews.unlock import unlock


@subscribe(SessionCompleted, name="reviews.unlock", queue="reviews")
def unlock_review(db: Connection, event: SessionCompleted, *, now: datetime) -> None:
    """One permit for each mentee who takes part, and each of them is told of their own."""
    unlock(
        db,
        session_id=event.session_id,
        booking_id=event.booking_id,
        mentor_profile_id=event.mentor_profile_id,
        completed_at=event.occurred_at,
        now=now,
    )
