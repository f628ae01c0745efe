"""Invitations (RFC 5546): a REQUEST when a session is booked, a CANCEL when it is called off, each to one person."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, Uuid, any_, bindparam
from sqlalchemy.dialects.postgresql import ARRAY

from models.sessions import SessionStatus, sessions
from workflows.calendar.lines import calendar, person
from workflows.calendar.meeting import Meeting, Reader, entry
from workflows.events.catalogue import Event, SessionCancelled, SessionCreated
from workflows.events.delivery import Cancel

REQUEST, CANCEL = "REQUEST", "CANCEL"
_MEETINGS = (
    Meeting.query()
    .add_columns(sessions.c.id.label("session_id"))
    .where(sessions.c.id == any_(bindparam("ids", type_=ARRAY(Uuid))))
)


@dataclass(frozen=True, kw_only=True)
class Guest(Reader):
    """Who is invited, and where the invitation goes."""

    name: str
    address: str


@dataclass(frozen=True, kw_only=True)
class Invitation:
    """What goes along with one mail; whoever sends it is the organizer.

    Args:
        method: REQUEST or CANCEL.
        changed: when that was decided, the same on every attempt to send it.
    """

    method: str
    meeting: Meeting
    guest: Guest
    changed: datetime

    def written(self, *, organizer: str, address: str) -> bytes:
        """The calendar object, with the reader as its one attendee: nobody learns another's address.

        Args:
            organizer: the sender's name, and beside it their mail address.
        """
        # Both sides have said yes already, and the sender reads no answers.
        attends = ("CUTYPE=INDIVIDUAL", "ROLE=REQ-PARTICIPANT", "PARTSTAT=ACCEPTED", "RSVP=FALSE")
        people = [
            person("ORGANIZER", organizer, address),
            person("ATTENDEE", self.guest.name, self.guest.address, *attends),
        ]
        event = entry(self.meeting, self.guest, changed=self.changed, people=people)
        return calendar([f"METHOD:{self.method}"], event)


def meetings_of(db: Connection, events: Iterable[Event]) -> dict[UUID, Meeting]:
    """The sessions that those of the events are about which a mail brings an invitation to, by their ids."""
    ids = {event.session_id for event in events if isinstance(event, SessionCreated | SessionCancelled)}
    if not ids:
        return {}
    rows = db.execute(_MEETINGS, {"ids": list(ids)})
    return {row.session_id: Meeting.of(row) for row in rows}


def invitation_for(event: Event, meetings: Mapping[UUID, Meeting], guest: Guest) -> Invitation | None:
    """What goes along with the mail of that event; None where it is about no date, or about one that is over.

    Args:
        meetings: as they were read for the event.

    Raises:
        Cancel: the session was called off before the mail of its booking left; the mail about that says enough, and an
            invitation that came after it would bring the meeting back.
    """
    if not isinstance(event, SessionCreated | SessionCancelled):
        return None
    meeting = meetings[event.session_id]
    if isinstance(event, SessionCancelled):
        return Invitation(method=CANCEL, meeting=meeting, guest=guest, changed=event.occurred_at)
    if meeting.cancelled:
        raise Cancel("The session was cancelled before this mail left.")
    if meeting.status is SessionStatus.COMPLETED:
        return None
    return Invitation(method=REQUEST, meeting=meeting, guest=guest, changed=event.occurred_at)
