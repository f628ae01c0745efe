"""Tell the mentee that the mentor said yes."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection

from workflows.events.catalogue import BookingAccepted
from workflows.events.subscriptions import subscribe
from workflows.notifications.notify import notify
from workflows.notifications.people import parties_of


@subscribe(BookingAccepted, name="notifications.booking_accepted", queue="notifications")
def notify_mentee(db: Connection, event: BookingAccepted, *, now: datetime) -> None:
    """Of an instant listing nobody is told: the mentee has just booked it."""
    parties = parties_of(db, event.booking_id)
    readers = [mentee for mentee in parties.mentees if event.actor not in mentee.acts_as]
    notify(db, event, kind="booking_accepted", parties=parties, readers=readers)
