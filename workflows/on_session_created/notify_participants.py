"""Tell both sides that their session is booked."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection

from workflows.events.catalogue import SessionCreated
from workflows.events.subscriptions import subscribe
from workflows.notifications.notify import notify
from workflows.notifications.people import parties_of


@subscribe(SessionCreated, name="notifications.session_created", queue="notifications")
def notify_participants(db: Connection, event: SessionCreated, *, now: datetime) -> None:
    """In the application and by mail."""
    parties = parties_of(db, event.booking_id)
    notify(db, event, kind="session_created", parties=parties, readers=parties.everybody)
