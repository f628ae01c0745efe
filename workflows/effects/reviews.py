"""The queue `reviews`: the permits that the completion of a session gives."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection

from workflows.events.catalogue import SessionCompleted
from workflows.events.record import defer_write
from workflows.events.subscriptions import subscribe
from workflows.reviews.unlock import Completed, unlock_all


@subscribe(SessionCompleted, name="reviews.unlock", queue="reviews", deferred=True)
def unlock_review(db: Connection, event: SessionCompleted, *, now: datetime) -> None:
    """One permit for each mentee who takes part, and each of them is told of their own."""
    completed = Completed(
        session_id=event.session_id,
        booking_id=event.booking_id,
        mentor_profile_id=event.mentor_profile_id,
        mentee_user_id=event.mentee_user_id,
        completed_at=event.occurred_at,
        now=now,
    )
    defer_write(db, unlock_all, completed)
