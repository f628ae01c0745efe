"""Count the session on the day on which it was created."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection

from workflows.analytics.count import count
from workflows.events.catalogue import SessionCreated
from workflows.events.subscriptions import subscribe


@subscribe(SessionCreated, name="analytics.session_created", queue="analytics")
def record_analytics(db: Connection, event: SessionCreated, *, now: datetime) -> None:
    """One more for its mentor."""
    count(db, "created", mentor_profile_id=event.mentor_profile_id, at=event.occurred_at)
