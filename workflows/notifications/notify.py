"""Notify people of an event: a row for the application, a row for the mail, and the mail's own delivery."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Connection
from sqlalchemy.dialects.postgresql import insert
from uuid_utils.compat import uuid7

from models.engagement import Channel, notifications
from workflows.events.catalogue import BookingEvent, SessionEvent
from workflows.events.record import follow_up
from workflows.notifications.compose import Words, compose
from workflows.notifications.people import Parties, Person
from workflows.outside.send_mail import SEND_MAIL


def notify(
    db: Connection,
    event: BookingEvent | SessionEvent,
    *,
    kind: str,
    parties: Parties,
    readers: Sequence[Person],
    **told: Any,
) -> None:
    """Tell each reader once per channel, in their own time zone, however often this runs.

    Args:
        kind: the notification's kind, and its template's name.
        told: what that template wants to know besides the event and the parties.
    """
    rows = [
        row
        for reader in readers
        for row in _rows(event, kind, reader, compose(kind, event=event, **_about(parties, reader), **told))
    ]
    db.execute(insert(notifications).values(rows).on_conflict_do_nothing())
    follow_up(db, event, SEND_MAIL, [str(reader.user_id) for reader in readers])


def _about(parties: Parties, reader: Person) -> dict[str, Any]:
    mentees = " and ".join(mentee.name for mentee in parties.mentees) or "your group"
    is_mentor = reader == parties.mentor
    return {
        "reader": reader,
        "reader_is_mentor": is_mentor,
        "mentor": parties.mentor.name,
        "mentees": mentees,
        "others": mentees if is_mentor else parties.mentor.name,
        "title": parties.title,
    }


def _rows(event: BookingEvent | SessionEvent, kind: str, reader: Person, words: Words) -> list[dict[str, Any]]:
    # A booking's session may not exist yet; only an event of the session itself points to one.
    session_id: UUID | None = event.session_id if isinstance(event, SessionEvent) else None
    return [
        {
            "id": uuid7(),
            "event_id": event.id,
            "user_id": reader.user_id,
            "channel": channel,
            "kind": kind,
            "title": words.title,
            "body": words.body,
            "booking_id": event.booking_id,
            "session_id": session_id,
        }
        for channel in Channel
    ]
