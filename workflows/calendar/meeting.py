"""A session as it stands in somebody's calendar."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Select, select

from models.people import mentor_profiles, users
from models.sessions import SessionStatus, sessions
from workflows.calendar.lines import moment, text
from workflows.clock import local_time
from workflows.records import Record
from workflows.text import one_line

MENTOR, MENTEE = users.alias("mentor"), users.alias("mentee")


@dataclass(frozen=True, kw_only=True)
class Reader:
    """Whose calendar it is; times are told in `time_zone`, an IANA name."""

    user_id: UUID
    time_zone: str


@dataclass(frozen=True, kw_only=True)
class Meeting(Record):
    """A session with the names of its parties: a group has no one mentee. Times in UTC."""

    table = sessions

    booking_id: UUID
    status: SessionStatus
    title: str | None
    start_time: datetime
    end_time: datetime
    created_at: datetime
    updated_at: datetime
    calendar_sequence: int
    mentor_user_id: UUID
    mentor_name: str
    mentee_name: str | None

    @classmethod
    def query(cls) -> Select[Any]:
        names = (MENTOR.c.id.label("mentor_user_id"), MENTOR.c.name.label("mentor_name"))
        return with_parties(select(*cls.columns(), *names, MENTEE.c.name.label("mentee_name")))

    @property
    def cancelled(self) -> bool:
        """Whether it has been called off."""
        return self.status is SessionStatus.CANCELLED


def with_parties(query: Select[Any]) -> Select[Any]:
    """A select from sessions, joined to the users who are its `MENTOR` and, where there is one, its `MENTEE`."""
    return (
        query.join_from(sessions, mentor_profiles, mentor_profiles.c.id == sessions.c.mentor_profile_id)
        .join(MENTOR, MENTOR.c.id == mentor_profiles.c.user_id)
        .join(MENTEE, MENTEE.c.id == sessions.c.mentee_user_id, isouter=True)
    )


def entry(meeting: Meeting, reader: Reader, *, changed: datetime, people: Sequence[str] = ()) -> list[str]:
    """The meeting as a VEVENT (RFC 5545, section 3.6.1), in the reader's words and on the reader's clock.

    Args:
        changed: when what stands here was last decided.
        people: the lines of organizer and attendee, where it is an invitation.
    """
    # A calendar knows an entry again by its UID, whichever way it came, and whatever settings were changed meanwhile:
    # the booking's id is one by itself (RFC 7986, section 5.3).
    return [
        "BEGIN:VEVENT",
        f"UID:{meeting.booking_id}",
        f"SEQUENCE:{meeting.calendar_sequence}",
        moment("DTSTAMP", changed),
        moment("CREATED", meeting.created_at),
        moment("LAST-MODIFIED", changed),
        moment("DTSTART", meeting.start_time),
        moment("DTEND", meeting.end_time),
        text("SUMMARY", _summary(meeting, reader)),
        text("DESCRIPTION", _description(meeting, reader)),
        "STATUS:CANCELLED" if meeting.cancelled else "STATUS:CONFIRMED",
        # What is called off keeps nobody busy.
        "TRANSP:TRANSPARENT" if meeting.cancelled else "TRANSP:OPAQUE",
        *people,
        "END:VEVENT",
    ]


def _summary(meeting: Meeting, reader: Reader) -> str:
    title = one_line(meeting.title or "")
    return f"{title}, with {_others(meeting, reader)}" if title else f"Session with {_others(meeting, reader)}"


def _description(meeting: Meeting, reader: Reader) -> str:
    begin = "This session has been cancelled. You were to meet" if meeting.cancelled else "You meet"
    start, end = (local_time(time, reader.time_zone) for time in (meeting.start_time, meeting.end_time))
    return f"{begin} {_others(meeting, reader)}.\nFrom {start}\nto {end}"


def _others(meeting: Meeting, reader: Reader) -> str:
    is_mentor = reader.user_id == meeting.mentor_user_id
    return one_line((meeting.mentee_name or "your group") if is_mentor else meeting.mentor_name)
