"""Count the seat when it was taken."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection

from workflows.analytics.count import Count, count
from workflows.events.catalogue import SeatJoined
from workflows.events.subscriptions import subscribe


@subscribe(SeatJoined, name="analytics.seat_joined", queue="analytics")
def record_analytics(db: Connection, event: SeatJoined, *, now: datetime) -> None:
    """One more for its mentor."""
    seat = Count(event.occurred_at, {"seats_joined": 1})
    count(db, event, seat)
