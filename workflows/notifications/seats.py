"""Notify the two whom a seat of a group concerns: whoever took it or gave it back, and the mentor."""

from __future__ import annotations

from sqlalchemy import Connection

from workflows.events.catalogue import SeatEvent
from workflows.notifications.notify import notify
from workflows.notifications.people import parties_of, person_of


def notify_of_seat(db: Connection, event: SeatEvent, *, kind: str) -> None:
    """Tell both; by now the seat may have changed hands again, so that its person is read by themselves."""
    parties, person = parties_of(db, event.booking_id), person_of(db, event.user_id)
    notify(db, event, kind=kind, parties=parties, readers=[parties.mentor, person], who=person.name)
