"""Tell the mentor that a request is off: taken back, or expired; of an expiry the mentee hears too."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection

from workflows.events.catalogue import BookingCancelled
from workflows.events.subscriptions import subscribe
from workflows.identity.actor import SYSTEM
from workflows.notifications.notify import notify
from workflows.notifications.people import parties_of


@subscribe(BookingCancelled, name="notifications.booking_cancelled", queue="notifications")
def notify_parties(db: Connection, event: BookingCancelled, *, now: datetime) -> None:
    """Only the system expires, and whoever takes a request back knows of it already."""
    expired = event.actor == SYSTEM.name
    parties = parties_of(db, event.booking_id)
    readers = parties.everybody if expired else [parties.mentor]
    notify(db, event, kind="booking_cancelled", parties=parties, readers=readers, expired=expired)
