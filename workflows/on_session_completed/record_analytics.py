"""Count the session when it was completed, with its minutes; its request; and how long it lasted."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection

from models.analytics import Transition
from workflows.analytics.count import Count, count
from workflows.analytics.history import history_of
from workflows.analytics.requests import came_to
from workflows.analytics.transitions import take_time
from workflows.events.catalogue import SessionCompleted
from workflows.events.subscriptions import subscribe


@subscribe(SessionCompleted, name="analytics.session_completed", queue="analytics")
def record_analytics(db: Connection, event: SessionCompleted, *, now: datetime) -> None:
    """One more for its mentor; the minutes are those that were booked, the length is the one that it had."""
    history = history_of(db, event.booking_id, event.session_id)
    minutes = int((event.end_time - event.start_time).total_seconds() // 60)
    completed = Count(event.occurred_at, {"completed": 1, "minutes": minutes})
    became = came_to("requests_completed", history, individual=event.mentee_user_id is not None)
    count(db, event, completed, *became)
    take_time(db, Transition.LENGTH, event, since=history.started_at)
