"""Count the request at the moment at which it was made."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection

from models.bookings import BookingKind
from workflows.analytics.count import Count, count
from workflows.events.catalogue import BookingRequested
from workflows.events.subscriptions import subscribe


@subscribe(BookingRequested, name="analytics.booking_requested", queue="analytics")
def record_analytics(db: Connection, event: BookingRequested, *, now: datetime) -> None:
    """One more for its mentor."""
    asked = Count(event.occurred_at, {"requests": int(event.kind == BookingKind.INDIVIDUAL)})
    count(db, event, asked)
