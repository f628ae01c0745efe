"""Note how long a mentor took to decline a request."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection

from models.analytics import Transition
from workflows.analytics.history import history_of
from workflows.analytics.transitions import take_time
from workflows.events.catalogue import BookingDeclined
from workflows.events.subscriptions import subscribe


@subscribe(BookingDeclined, name="analytics.booking_declined", queue="analytics")
def record_analytics(db: Connection, event: BookingDeclined, *, now: datetime) -> None:
    """A no is a decision, too."""
    take_time(db, Transition.REQUEST_TO_DECISION, event, since=history_of(db, event.booking_id).requested_at)
