"""Tell both sides that their session is completed."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection

from workflows.events.catalogue import SessionCompleted
from workflows.events.subscriptions import subscribe
from workflows.notifications.notify import notify
from workflows.notifications.people import parties_of


@subscribe(SessionCompleted, name="notifications.session_completed", queue="notifications")
def notify_participants(db: Connection, event: SessionCompleted, *, now: datetime) -> None:
    """In the application and by mail."""
    parties = parties_of(db, event.booking_id)
    notify(db, event, kind="session_completed", parties=parties, readers=parties.everybody)
