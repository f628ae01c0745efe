"""Confirm to whoever gave a seat back that it is free, and tell the mentor."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection

from workflows.events.catalogue import SeatLeft
from workflows.events.subscriptions import subscribe
from workflows.notifications.seats import notify_of_seat


@subscribe(SeatLeft, name="notifications.seat_left", queue="notifications")
def notify_both(db: Connection, event: SeatLeft, *, now: datetime) -> None:
    """Whoever has left is told no more of the group than they knew."""
    notify_of_seat(db, event, kind="seat_left")
