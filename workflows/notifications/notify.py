"""Notify people of an event: a row per person and channel, and the deliveries of what leaves the house."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Connection
from sqlalchemy.dialects.postgresql import insert
from uuid_utils.compat import uuid7

from models.notifications import Channel, notifications
from workflows.events.event import Event
from workflows.events.record import follow_up
from workflows.notifications.compose import Words, compose
from workflows.notifications.people import Parties, Person, names_of
from workflows.outside.send_mail import SEND_MAIL
from workflows.outside.send_push import SEND_PUSH


def notify(
    db: Connection, event: Event, *, kind: str, parties: Parties, readers: Sequence[Person], **told: Any
) -> None:
    """Tell each reader once per channel that they want, in their own time zone, however often this runs.

    Args:
        kind: one of `KINDS`, and its template's name.
        told: what that template wants to know besides the event and the parties.
    """
    letters = [(reader, compose(kind, event=event, **_about(parties, reader), **told)) for reader in readers]
    tell(db, event, kind=kind, letters=letters)


def tell(db: Connection, event: Event, *, kind: str, letters: Iterable[tuple[Person, Words]]) -> None:
    """As `notify`, in words that are there already."""
    heard = [(person, words, person.hears(kind)) for person, words in letters]
    rows = [_row(event, kind, person, words, channel) for person, words, channels in heard for channel in channels]
    if rows:
        db.execute(insert(notifications).values(rows).on_conflict_do_nothing())
    pushed = [str(each) for person, _words, channels in heard if Channel.PUSH in channels for each in person.browsers]
    if pushed:
        follow_up(db, event, SEND_PUSH, pushed)
    mailed = [str(person.user_id) for person, _words, channels in heard if Channel.EMAIL in channels]
    if mailed:
        follow_up(db, event, SEND_MAIL, mailed)


def _about(parties: Parties, reader: Person) -> dict[str, Any]:
    mentees = names_of(parties.mentees)
    is_mentor = reader == parties.mentor
    return {
        "reader": reader,
        "reader_is_mentor": is_mentor,
        "mentor": parties.mentor.name,
        "mentees": mentees,
        "others": mentees if is_mentor else parties.mentor.name,
        "title": parties.title,
    }


def _row(event: Event, kind: str, person: Person, words: Words, channel: Channel) -> Mapping[str, Any]:
    # A booking's session may not exist yet; only an event of the session itself points to one.
    session_id: UUID | None = event.subject_id if event.subject == "session" else None
    return {
        "id": uuid7(),
        "event_id": event.id,
        "user_id": person.user_id,
        "channel": channel,
        "kind": kind,
        "title": words.title,
        "body": words.body,
        "booking_id": getattr(event, "booking_id", None),
        "session_id": session_id,
    }
