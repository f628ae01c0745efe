"""Count the session when it was cancelled, and whether that was late."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection

from workflows.analytics.count import Count, count
from workflows.events.catalogue import SessionCancelled
from workflows.events.subscriptions import subscribe


@subscribe(SessionCancelled, name="analytics.session_cancelled", queue="analytics")
def record_analytics(db: Connection, event: SessionCancelled, *, now: datetime) -> None:
    """One more for its mentor; late is what its listing's policy called so at that moment."""
    cancelled = Count(event.occurred_at, {"cancelled": 1, "late_cancellations": int(event.late)})
    count(db, event, cancelled)
