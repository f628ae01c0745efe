"""Count the session when it was created, its request when that was made, and the time since the acceptance."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection

from models.analytics import Transition
from workflows.analytics.count import Count, count
from workflows.analytics.history import history_of
from workflows.analytics.requests import came_to
from workflows.analytics.transitions import take_time
from workflows.events.catalogue import SessionCreated
from workflows.events.subscriptions import subscribe


@subscribe(SessionCreated, name="analytics.session_created", queue="analytics")
def record_analytics(db: Connection, event: SessionCreated, *, now: datetime) -> None:
    """One more for its mentor."""
    history = history_of(db, event.booking_id)
    created = Count(event.occurred_at, {"created": 1})
    became = came_to("requests_with_session", history, individual=event.mentee_user_id is not None)
    count(db, event, created, *became)
    take_time(db, Transition.ACCEPTANCE_TO_SESSION, event, since=history.accepted_at)
