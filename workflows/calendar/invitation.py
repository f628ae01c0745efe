"""Invitations (RFC 5546): a REQUEST when a session is booked, a CANCEL when it is called off, each to one person."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from models.sessions import SessionStatus, sessions
from workflows.calendar.lines import calendar, person
from workflows.calendar.meeting import Meeting, Reader, entry
from workflows.events.catalogue import SessionCancelled, SessionCreated
from workflows.events.event import Event
from workflows.events.outcomes import Cancel

REQUEST, CANCEL = "REQUEST", "CANCEL"


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


def invitation_for(db: Connection, event: Event, guest: Guest) -> Invitation | None:
    """What goes along with the mail of that event; None where it is about no date, or about one that is over.

    Raises:
        Cancel: the session was called off before the mail of its booking left; the mail about that says enough, and an
            invitation that came after it would bring the meeting back.
    """
    if not isinstance(event, SessionCreated | SessionCancelled):
        return None
    meeting = Meeting.of(db.execute(Meeting.query().where(sessions.c.id == event.session_id)).one())
    if isinstance(event, SessionCancelled):
        return Invitation(method=CANCEL, meeting=meeting, guest=guest, changed=event.occurred_at)
    if meeting.cancelled:
        raise Cancel("The session was cancelled before this mail left.")
    if meeting.status is SessionStatus.COMPLETED:
        return None
    return Invitation(method=REQUEST, meeting=meeting, guest=guest, changed=event.occurred_at)
