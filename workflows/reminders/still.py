"""Whether a reminder is still of use, at the moment when it would leave."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, select

from models.bookings import BookingStatus, bookings
from models.sessions import SessionStatus, sessions
from workflows.events.catalogue import BookingUndecided, SessionReminderSet
from workflows.events.event import Event
from workflows.events.outcomes import Cancel
from workflows.notifications.compose import Words
from workflows.notifications.concerned import NO_PARTY
from workflows.notifications.people import parties_of
from workflows.reminders.words import session_reminder


def is_of_use(db: Connection, event: SessionReminderSet, *, now: datetime) -> bool:
    """Whether the session is still to come, and no later reminder of it speaks by now."""
    if now >= event.useful_until:
        return False
    status = db.scalar(select(sessions.c.status).where(sessions.c.id == event.session_id))
    return status is SessionStatus.SCHEDULED


def is_undecided(db: Connection, event: BookingUndecided, *, now: datetime) -> bool:
    """Whether the request still waits for its mentor, and has not run out."""
    status = db.scalar(select(bookings.c.status).where(bookings.c.id == event.booking_id))
    return status is BookingStatus.DRAFT and now < event.expires_at


def words_now(db: Connection, event: Event, reader_id: UUID, written: Words, *, now: datetime) -> Words:
    """What a mail says that leaves now: of a reminder how long it is from now on, of all else what was written.

    Raises:
        Cancel: it is a reminder of what has begun, is off, or has been decided, or of what its reader is no party of.
    """
    if isinstance(event, BookingUndecided) and not is_undecided(db, event, now=now):
        raise Cancel("The request has been decided, or has run out.")
    if not isinstance(event, SessionReminderSet):
        return written
    if not is_of_use(db, event, now=now):
        raise Cancel("The session has begun or is off, or a later reminder of it has come.")
    parties = parties_of(db, event.booking_id)
    reader = next((person for person in parties.everybody if person.user_id == reader_id), None)
    if reader is None:
        raise Cancel(NO_PARTY)
    return session_reminder(event, parties, reader, now=now)
