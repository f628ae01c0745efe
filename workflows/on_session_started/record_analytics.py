"""Count the session when it was started, and how much later that was than agreed on."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection

from models.analytics import Transition
from workflows.analytics.count import Count, count
from workflows.analytics.transitions import take_time
from workflows.events.catalogue import SessionStarted
from workflows.events.subscriptions import subscribe


@subscribe(SessionStarted, name="analytics.session_started", queue="analytics")
def record_analytics(db: Connection, event: SessionStarted, *, now: datetime) -> None:
    """One more for its mentor."""
    started = Count(event.occurred_at, {"started": 1})
    count(db, event, started)
    take_time(db, Transition.START_DELAY, event, since=event.start_time)
