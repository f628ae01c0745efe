"""Count the session on the day on which it was completed, with its minutes."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection

from workflows.analytics.count import count
from workflows.events.catalogue import SessionCompleted
from workflows.events.subscriptions import subscribe


@subscribe(SessionCompleted, name="analytics.session_completed", queue="analytics")
def record_analytics(db: Connection, event: SessionCompleted, *, now: datetime) -> None:
    """One more for its mentor; the minutes are those that were booked."""
    minutes = int((event.end_time - event.start_time).total_seconds() // 60)
    count(db, "completed", mentor_profile_id=event.mentor_profile_id, at=event.occurred_at, minutes=minutes)
