"""Write notifications: a row per person and channel, and the deliveries of the mails and pushes.

The notifications of all events of a transaction are written at its end: their recipients are read by one statement,
and everything is written by two.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.sql.expression import bindparam
from uuid_utils.compat import uuid7

from models.base import sql
from models.notifications import Channel
from workflows.events.event import Event
from workflows.events.record import defer_write, follow_up_all
from workflows.notifications.deliveries import share_effect
from workflows.notifications.mails import SEND_MAIL
from workflows.notifications.pushes import SEND_PUSH
from workflows.notifications.recipients import Parties, Person, parties_by_booking, variables_about
from workflows.notifications.texts import Words, compose


@dataclass(frozen=True, kw_only=True)
class BookingNotification:
    """A kind of notification that follows from an event of a booking."""

    kind: str  # one of `KINDS`, and its template's name
    # The booking's people who get it; none where it is no longer of use.
    recipients: Callable[[Any, Parties, datetime], Sequence[Person]]
    # Of the template, besides the event and the parties.
    variables: Callable[[Any, Parties, datetime], Mapping[str, Any]] = lambda _event, _parties, _now: {}
    # The type of an earlier event of the booking and the effect that notifies of it, where the earlier recipients
    # decide who is notified now.
    follows: tuple[type[Event], str] | None = None


@dataclass(frozen=True)
class ComposedNotification:
    """The notifications of one kind for one event, in words for each recipient."""

    event: Event
    kind: str
    words: Sequence[tuple[Person, Words]]


@dataclass(frozen=True)
class _Deferred:
    event: Any
    notification: BookingNotification
    now: datetime


_WRITE = sql("""
INSERT INTO notifications (id, event_id, user_id, channel, kind, title, body, booking_id, session_id)
SELECT row.*
FROM jsonb_to_recordset(:rows) AS row(
    id uuid, event_id uuid, user_id uuid, channel notification_channel, kind text, title text, body text,
    booking_id uuid, session_id uuid
)
ORDER BY row.event_id, row.user_id, row.channel
ON CONFLICT DO NOTHING
""").bindparams(bindparam("rows", type_=JSONB))


def notify(db: Connection, event: Event, notification: BookingNotification, *, now: datetime) -> None:
    """Write the notifications of an event of a booking at the end of the transaction; idempotent."""
    defer_write(db, _write_deferred, _Deferred(event, notification, now))


def notify_people(db: Connection, event: Event, *, kind: str, words: Iterable[tuple[Person, Words]]) -> None:
    """Write the notifications of an event whose recipients and words are known; idempotent."""
    _write(db, [ComposedNotification(event, kind, list(words))])


def _write_deferred(db: Connection, deferred: list[_Deferred]) -> None:
    for follows in {each.notification.follows for each in deferred if each.notification.follows is not None}:
        event_type, effect = follows
        of_these = {each.event.booking_id for each in deferred if each.notification.follows == follows}
        # Before the notifications are read: one that is being written at this moment is to be seen.
        share_effect(db, effect, event_type.type, of_these)
    parties = parties_by_booking(db, [each.event.booking_id for each in deferred])
    _write(
        db,
        [
            ComposedNotification(each.event, each.notification.kind, _compose_all(each, parties[each.event.booking_id]))
            for each in deferred
            # The booking of an old event may have been deleted.
            if each.event.booking_id in parties
        ],
    )


def _compose_all(deferred: _Deferred, parties: Parties) -> list[tuple[Person, Words]]:
    event, notification, now = deferred.event, deferred.notification, deferred.now
    variables = notification.variables(event, parties, now)
    return [
        (person, compose(notification.kind, event=event, **variables_about(parties, person), **variables))
        for person in notification.recipients(event, parties, now)
    ]


def _write(db: Connection, notifications: Sequence[ComposedNotification]) -> None:
    """Write the notifications, and the deliveries of those for mail or push."""
    rows: list[dict[str, str | None]] = []
    mailed: list[tuple[Event, str]] = []
    pushed: list[tuple[Event, str]] = []
    for each in notifications:
        for person, words in each.words:
            channels = person.channels_for(each.kind)
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
