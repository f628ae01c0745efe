"""Count the seat when it was given back."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection

from workflows.analytics.count import Count, count
from workflows.events.catalogue import SeatLeft
from workflows.events.subscriptions import subscribe


@subscribe(SeatLeft, name="analytics.seat_left", queue="analytics")
def record_analytics(db: Connection, event: SeatLeft, *, now: datetime) -> None:
    """One more for its mentor."""
    seat = Count(event.occurred_at, {"seats_left": 1})
    count(db, event, seat)
