"""What had happened before, to the booking and the session that an event is about: read from the events alone.

Events never change, and each of these happens once: whoever asks, and however late, is told the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, func, select

from models.events import events
from workflows.events.catalogue import BookingAccepted, BookingRequested, SessionCompleted, SessionStarted

_TYPES = (BookingRequested.type, BookingAccepted.type, SessionStarted.type)


@dataclass(frozen=True)
class History:
    """When each step was made, in UTC; None for one that was not."""

    requested_at: datetime | None
    accepted_at: datetime | None
    started_at: datetime | None

    @property
    def asked_at(self) -> datetime | None:
        """When the mentee asked; of an instant listing, which is accepted as it is asked for, that very moment."""
        return self.requested_at or self.accepted_at


def history_of(db: Connection, booking_id: UUID, session_id: UUID | None = None) -> History:
    """The steps so far of a booking, and of its session."""
    subjects = [booking_id] if session_id is None else [booking_id, session_id]
    query = (
        select(events.c.type, func.min(events.c.occurred_at))
        .where(events.c.subject_id.in_(subjects), events.c.type.in_(_TYPES))
        .group_by(events.c.type)
    )
    found: dict[str, datetime] = {type: at for type, at in db.execute(query)}
    return History(*(found.get(type) for type in _TYPES))


def completion_of(db: Connection, session_id: UUID) -> SessionCompleted | None:
    """The event of a session's completion; None while there is none."""
    query = select(events).where(events.c.subject_id == session_id, events.c.type == SessionCompleted.type)
    row = db.execute(query.order_by(events.c.id).limit(1)).one_or_none()
    if row is None:
        return None
    return SessionCompleted.read(
        id=row.id, actor=row.actor, occurred_at=row.occurred_at, sequence=row.sequence, data=row.data
    )
