"""Confirm a seat to whoever took it, and tell the mentor."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection

from workflows.events.catalogue import SeatJoined
from workflows.events.subscriptions import subscribe
from workflows.notifications.seats import notify_of_seat


@subscribe(SeatJoined, name="notifications.seat_joined", queue="notifications")
def notify_both(db: Connection, event: SeatJoined, *, now: datetime) -> None:
    """The others of the group are told nothing: who sits beside them they see in the session."""
    notify_of_seat(db, event, kind="seat_joined")
