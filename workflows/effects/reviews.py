"""The queue `reviews`: permits to review a completed session."""

from datetime import datetime

from sqlalchemy import Connection

from workflows.events.event_types import SessionCompleted
from workflows.events.record import defer_write
from workflows.events.subscriptions import subscribe
from workflows.reviews.permits import unlock_all


@subscribe(SessionCompleted, name="reviews.unlock", queue="reviews", deferred=True)
def unlock_review(db: Connection, event: SessionCompleted, *, now: datetime) -> None:
    """A permit and a `review.unlocked` for each mentee who takes part."""
    defer_write(db, unlock_all, (event, now))
