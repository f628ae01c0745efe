"""Notify people of events: a row per person and channel, and the deliveries of the mails and pushes.

What the effects of a transaction have to tell is deferred to its end: the people of all of it are read by one
statement, and all of it is written by two.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.sql.expression import bindparam
from uuid_utils.compat import uuid7

from models.notifications import Channel
from workflows.events.catalogue import Event
from workflows.events.record import defer_write, follow_up_all
from workflows.notifications.compose import Words, compose
from workflows.notifications.people import Parties, Person, about, parties_by_booking
from workflows.outside.send_mail import SEND_MAIL
from workflows.outside.send_push import SEND_PUSH

# A reader and the words for them.
Letter = tuple[Person, Words]


@dataclass(frozen=True, kw_only=True)
class Notice:
    """What of a kind of event is told to whom.

    Args:
        kind: one of `KINDS`, and its template's name.
        readers: of the booking's people, those who are told; nobody where it has lost its point.
        told: what the template wants to know besides the event and the parties.
    """

    kind: str
    readers: Callable[[Any, Parties, datetime], Sequence[Person]]
    told: Callable[[Any, Parties, datetime], Mapping[str, Any]] = lambda _event, _parties, _now: {}

    def letters(self, event: Event, parties: Parties, now: datetime) -> list[Letter]:
        """The words for each reader, in their own time zone."""
        told = self.told(event, parties, now)
        return [
            (reader, compose(self.kind, event=event, **about(parties, reader), **told))
            for reader in self.readers(event, parties, now)
        ]


@dataclass(frozen=True)
class Announcement:
    """One event of a booking, of which its people are to be told."""

    event: Any
    notice: Notice
    now: datetime


@dataclass(frozen=True)
class Told:
    """What is told of one event."""

    event: Event
    kind: str
    letters: Sequence[Letter]


_WRITE = text(
    """
INSERT INTO notifications (id, event_id, user_id, channel, kind, title, body, booking_id, session_id)
SELECT told.*
FROM jsonb_to_recordset(:rows) AS told(
    id uuid, event_id uuid, user_id uuid, channel notification_channel, kind text, title text, body text,
    booking_id uuid, session_id uuid
)
ORDER BY told.event_id, told.user_id, told.channel
ON CONFLICT DO NOTHING
"""
).bindparams(bindparam("rows", type_=JSONB))


def notify(db: Connection, event: Event, notice: Notice, *, now: datetime) -> None:
    """Tell the readers of an event of a booking at the end of the transaction, however often this runs."""
    defer_write(db, announce_all, Announcement(event, notice, now))


def announce_all(db: Connection, announcements: list[Announcement]) -> None:
    """Put each into words for its readers as they are now, and write all of it."""
    parties = parties_by_booking(db, [each.event.booking_id for each in announcements])
    told = []
    for each in announcements:
        # A booking that is nowhere has nobody to be told.
        if (of_booking := parties.get(each.event.booking_id)) is not None:
            letters = each.notice.letters(each.event, of_booking, each.now)
            told.append(Told(each.event, each.notice.kind, letters))
    write(db, told)


def tell(db: Connection, event: Event, *, kind: str, letters: Iterable[Letter]) -> None:
    """Tell each reader once per channel that they want, however often this runs, in words that are there already."""
    write(db, [Told(event, kind, list(letters))])


def write(db: Connection, told: Sequence[Told]) -> None:
    """Write the notifications, and the deliveries of those that leave by mail or push."""
    rows: list[dict[str, str | None]] = []
    mailed: list[tuple[Event, str]] = []
    pushed: list[tuple[Event, str]] = []
    for each in told:
        for person, words in each.letters:
            channels = person.hears(each.kind)
            rows += [_row(each.event, each.kind, person, words, channel) for channel in channels]
            if Channel.EMAIL in channels:
                mailed.append((each.event, str(person.user_id)))
            if Channel.PUSH in channels:
                pushed += [(each.event, str(browser)) for browser in person.browsers]
    if rows:
        db.execute(_WRITE, {"rows": rows})
    follow_up_all(db, [(SEND_MAIL, *each) for each in mailed] + [(SEND_PUSH, *each) for each in pushed])


def _row(event: Event, kind: str, person: Person, words: Words, channel: Channel) -> dict[str, str | None]:
    booking_id = getattr(event, "booking_id", None)
    return {
        "id": str(uuid7()),
        "event_id": str(event.id),
        "user_id": str(person.user_id),
        "channel": channel.value,
        "kind": kind,
        "title": words.title,
        "body": words.body,
        "booking_id": str(booking_id) if booking_id else None,
        # A booking's session may not exist yet; only an event of the session itself points to one.
        "session_id": str(event.subject_id) if event.subject == "session" else None,
    }
