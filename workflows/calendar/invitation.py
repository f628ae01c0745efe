"""Invitations (RFC 5546): a REQUEST with the mail of a booked session and of each move to another time, which raises
the SEQUENCE, a CANCEL with the mail of its cancellation.

A participant who joins a group later gets theirs with the mail of their seat, and a CANCEL when they leave it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, Uuid, any_, bindparam
from sqlalchemy.dialects.postgresql import ARRAY

from models.sessions import SessionStatus, session_id_of, sessions
from workflows.calendar.icalendar import CalendarEntry, Reader, calendar, person
from workflows.events.delivery import Cancel
from workflows.events.event import Event
from workflows.events.event_types import (
    SeatJoined,
    SeatLeft,
    SessionCancelled,
    SessionCreated,
    SessionReminderSet,
    SessionRescheduled,
    SessionStarted,
)
from workflows.sessions.meeting import MeetingService

_ENTRIES = CalendarEntry.query().where(sessions.c.id == any_(bindparam("ids", type_=ARRAY(Uuid))))


@dataclass(frozen=True, kw_only=True)
class Guest(Reader):
    """The invited user, with name and mail address."""

    name: str
    address: str


@dataclass(frozen=True, kw_only=True)
class Invitation:
    """The calendar object of one mail."""

    method: str  # REQUEST or CANCEL
    entry: CalendarEntry
    guest: Guest
    changed: datetime  # when the session was booked, moved or cancelled; the same on every attempt to send it

    def rendered(self, *, organizer: str, address: str, meetings: MeetingService) -> bytes:
        """The calendar object; the reader is its only attendee, so that it discloses no other address.

        Args:
            organizer: the name of the mail's sender, `address` being their mail address.
        """
        # Both parties have agreed already, and the sender reads no replies.
        attends = ("CUTYPE=INDIVIDUAL", "ROLE=REQ-PARTICIPANT", "PARTSTAT=ACCEPTED", "RSVP=FALSE")
        people = [
            person("ORGANIZER", organizer, address),
            person("ATTENDEE", self.guest.name, self.guest.address, *attends),
        ]
        lines = self.entry.lines(self.guest, changed=self.changed, meetings=meetings, people=people)
        return calendar([f"METHOD:{self.method}"], lines)


def calendar_entries(db: Connection, events: Iterable[Event]) -> dict[UUID, CalendarEntry]:
    """The sessions of those events that have an invitation or tell where to meet, by their ids."""
    ids = {session_id for session_id in map(_session_id, events) if session_id is not None}
    found = map(CalendarEntry.of, db.execute(_ENTRIES, {"ids": list(ids)})) if ids else ()
    return {entry.id: entry for entry in found}


def invitation_for(event: Event, entries: Mapping[UUID, CalendarEntry], guest: Guest) -> Invitation | None:
    """The invitation in the mail of the event.

    None for other events, for a session that is completed or not there yet, and for a seat that is not the guest's.

    Raises:
        Cancel: the session was cancelled before the mail of its booking was sent. The mail about that is enough; an
            invitation that arrived after a cancellation would restore the entry.
    """
    entry = _entry_of(event, entries, guest.user_id)
    if entry is None or isinstance(event, SessionReminderSet | SessionStarted):
        return None
    if isinstance(event, SeatLeft):
        # A later REQUEST has the same SEQUENCE and a later DTSTAMP: who joins again is not removed by this mail.
        return Invitation(method="CANCEL", entry=replace(entry, left=True), guest=guest, changed=event.occurred_at)
    if isinstance(event, SessionCancelled):
        return Invitation(method="CANCEL", entry=entry, guest=guest, changed=event.occurred_at)
    if entry.is_cancelled:
        raise Cancel("The session was cancelled before this mail left.")
    if entry.status is SessionStatus.COMPLETED:
        return None
    return Invitation(method="REQUEST", entry=entry, guest=guest, changed=event.occurred_at)


def entry_to_join(event: Event, entries: Mapping[UUID, CalendarEntry], reader_id: UUID) -> CalendarEntry | None:
    """The session that a mail of the event asks its reader to come to, and has to say where; None for other mails."""
    return None if isinstance(event, SessionCancelled | SeatLeft) else _entry_of(event, entries, reader_id)


def _entry_of(event: Event, entries: Mapping[UUID, CalendarEntry], reader_id: UUID) -> CalendarEntry | None:
    """The event's session; None where it is about the seat of another person."""
    session_id = _session_id(event)
    if session_id is None or (isinstance(event, SeatJoined | SeatLeft) and event.user_id != reader_id):
        return None
    return entries.get(session_id)


def _session_id(event: Event) -> UUID | None:
    match event:
        case SessionCreated() | SessionRescheduled() | SessionCancelled() | SessionReminderSet() | SessionStarted():
            return event.session_id
        case SeatJoined() | SeatLeft():
            return session_id_of(event.booking_id)
        case _:
            return None
