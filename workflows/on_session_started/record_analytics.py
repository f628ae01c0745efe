"""Count the session on the day on which it was started."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection

from workflows.analytics.count import count
from workflows.events.catalogue import SessionStarted
from workflows.events.subscriptions import subscribe


@subscribe(SessionStarted, name="analytics.session_started", queue="analytics")
def record_analytics(db: Connection, event: SessionStarted, *, now: datetime) -> None:
    """One more for its mentor."""
    count(db, "started", mentor_profile_id=event.mentor_profile_id, at=event.occurred_at)
