"""Tell the others that their session has begun."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection

from workflows.events.catalogue import SessionStarted
from workflows.events.subscriptions import subscribe
from workflows.notifications.notify import notify
from workflows.notifications.people import parties_of


@subscribe(SessionStarted, name="notifications.session_started", queue="notifications")
def notify_participants(db: Connection, event: SessionStarted, *, now: datetime) -> None:
    """Whoever started it knows."""
    parties = parties_of(db, event.booking_id)
    notify(db, event, kind="session_started", parties=parties, readers=parties.others(event.actor))
