"""Whether a reminder is still of use, at the moment when it would leave."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection

from models.bookings import BookingStatus
from models.sessions import SessionStatus
from workflows.events.catalogue import BookingUndecided, Event, SessionReminderSet
from workflows.events.delivery import Cancel
from workflows.notifications.compose import Words, compose
from workflows.notifications.concerned import NO_PARTY
from workflows.notifications.people import Parties, about, parties_of
from workflows.reminders.words import in_words


def is_of_use(event: SessionReminderSet, parties: Parties, *, now: datetime) -> bool:
    """Whether the session is still to come, and no later reminder of it speaks by now."""
    return now < event.useful_until and parties.session_status is SessionStatus.SCHEDULED


def is_undecided(event: BookingUndecided, parties: Parties, *, now: datetime) -> bool:
    """Whether the request still waits for its mentor, and has not run out."""
    return now < event.expires_at and parties.booking_status is BookingStatus.DRAFT


def words_now(db: Connection, event: Event, reader_id: UUID, written: Words, *, now: datetime) -> Words:
    """What a mail says that leaves now: of a reminder how long it is from now on, of all else what was written.

    Raises:
        Cancel: it is a reminder of what has begun, is off, or has been decided, or of what its reader is no party of.
    """
    if not isinstance(event, BookingUndecided | SessionReminderSet):
        return written
    parties = parties_of(db, event.booking_id)
    if isinstance(event, BookingUndecided):
        if not is_undecided(event, parties, now=now):
            raise Cancel("The request has been decided, or has run out.")
        return written
    if not is_of_use(event, parties, now=now):
        raise Cancel("The session has begun or is off, or a later reminder of it has come.")
    reader = next((person for person in parties.everybody if person.user_id == reader_id), None)
    if reader is None:
        raise Cancel(NO_PARTY)
    starts_in = in_words(event.start_time - now)
    return compose("session_reminder", event=event, **about(parties, reader), starts_in=starts_in)
