"""Count the request whose session was reviewed, at the moment at which it was made."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection

from workflows.analytics.count import count
from workflows.analytics.history import completion_of, history_of
from workflows.analytics.requests import came_to
from workflows.events.catalogue import ReviewSubmitted
from workflows.events.subscriptions import subscribe


@subscribe(ReviewSubmitted, name="analytics.review_submitted", queue="analytics")
def record_analytics(db: Connection, event: ReviewSubmitted, *, now: datetime) -> None:
    """One mentee reviews a session once: never more reviews than sessions. Of a group, nobody asked for the session."""
    session = completion_of(db, event.session_id)
    if session is None:
        return
    history = history_of(db, session.booking_id)
    reviewed = came_to("requests_reviewed", history, individual=session.mentee_user_id is not None)
    count(db, session, *reviewed)
