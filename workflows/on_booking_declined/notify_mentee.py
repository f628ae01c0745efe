"""Tell the mentee that the mentor said no, and why if the mentor said so (M2)."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, select

from models.bookings import bookings
from workflows.events.catalogue import BookingDeclined
from workflows.events.subscriptions import subscribe
from workflows.notifications.compose import Quotation
from workflows.notifications.notify import notify
from workflows.notifications.people import parties_of


@subscribe(BookingDeclined, name="notifications.booking_declined", queue="notifications")
def notify_mentee(db: Connection, event: BookingDeclined, *, now: datetime) -> None:
    """The reason is the mentor's private word to the mentee, so that it is read here and is not part of the event."""
    reason = db.scalar(select(bookings.c.decline_reason).where(bookings.c.id == event.booking_id))
    said = Quotation(reason) if reason and reason.strip() else None
    parties = parties_of(db, event.booking_id)
    notify(db, event, kind="booking_declined", parties=parties, readers=parties.mentees, reason=said)
