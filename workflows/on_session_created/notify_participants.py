"""Tell both sides that their session is booked."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, select

from models.sessions import SessionStatus, sessions
from workflows.events.catalogue import SessionCreated
from workflows.events.subscriptions import subscribe
from workflows.notifications.notify import notify
from workflows.notifications.people import parties_of


@subscribe(SessionCreated, name="notifications.session_created", queue="notifications")
def notify_participants(db: Connection, event: SessionCreated, *, now: datetime) -> None:
    """In the application and by mail; not of a session that has been cancelled meanwhile, which they are told of."""
    status = db.scalar(select(sessions.c.status).where(sessions.c.id == event.session_id))
    if status is SessionStatus.CANCELLED:
        return
    parties = parties_of(db, event.booking_id)
    notify(db, event, kind="session_created", parties=parties, readers=parties.everybody)
