"""Tell the mentor that somebody asks for their time."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection

from workflows.events.catalogue import BookingRequested
from workflows.events.subscriptions import subscribe
from workflows.notifications.notify import notify
from workflows.notifications.people import parties_of


@subscribe(BookingRequested, name="notifications.booking_requested", queue="notifications")
def notify_mentor(db: Connection, event: BookingRequested, *, now: datetime) -> None:
    """In the application and by mail."""
    parties = parties_of(db, event.booking_id)
    notify(db, event, kind="booking_requested", parties=parties, readers=[parties.mentor])
