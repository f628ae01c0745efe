"""Remind the mentor that somebody waits for their answer."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection

from workflows.events.catalogue import BookingUndecided
from workflows.events.subscriptions import subscribe
from workflows.notifications.notify import notify
from workflows.notifications.people import parties_of
from workflows.reminders.still import is_undecided


@subscribe(BookingUndecided, name="notifications.booking_reminder", queue="notifications")
def remind_mentor(db: Connection, event: BookingUndecided, *, now: datetime) -> None:
    """In the application and by mail, unless they have decided in the meantime."""
    if is_undecided(db, event, now=now):
        parties = parties_of(db, event.booking_id)
        notify(db, event, kind="booking_reminder", parties=parties, readers=[parties.mentor])
