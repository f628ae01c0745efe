"""Count the request that was accepted, and how long its mentor took to decide."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection

from models.analytics import Transition
from models.bookings import BookingKind
from workflows.analytics.count import Count, count
from workflows.analytics.history import history_of
from workflows.analytics.requests import came_to
from workflows.analytics.transitions import take_time
from workflows.events.catalogue import BookingAccepted
from workflows.events.subscriptions import subscribe


@subscribe(BookingAccepted, name="analytics.booking_accepted", queue="analytics")
def record_analytics(db: Connection, event: BookingAccepted, *, now: datetime) -> None:
    """Of an instant listing, the acceptance is the request too, and no time passes between them."""
    history = history_of(db, event.booking_id)
    individual = event.kind == BookingKind.INDIVIDUAL
    counts = came_to("requests_accepted", history, individual=individual)
    if history.requested_at is None and individual:
        counts.append(Count(event.occurred_at, {"requests": 1}))
    count(db, event, *counts)
    take_time(db, Transition.REQUEST_TO_DECISION, event, since=history.requested_at)
