"""Write notifications: a row per person and channel, and the deliveries of the mails and pushes.

The notifications of all events of a transaction are written at its end: their recipients are read by one statement,
and everything is written by two.
"""

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
from workflows.events.delivery import Cancel
from workflows.events.event import Event
from workflows.events.record import Unsent, defer_write, follow_up_all
from workflows.notifications.deliveries import share_effect
from workflows.notifications.mails import SEND_MAIL
from workflows.notifications.outdated import at_present_time
from workflows.notifications.pushes import SEND_PUSH
from workflows.notifications.recipients import Parties, Person, parties_by_booking, variables_about
from workflows.notifications.reminders import require_of_use
from workflows.notifications.texts import Words, compose


@dataclass(frozen=True)
class BookingNotification:
    """A kind of notification that follows from an event of a booking."""

    event: type[Event]
    kind: str  # one of `KINDS`, and its template's name
    # The booking's people who get it, unless it is outdated.
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
    composed: list[ComposedNotification] = []
    unsent: list[Unsent] = []
    for each in deferred:
        event, notification, of_booking = each.event, each.notification, parties.get(each.event.booking_id)
        # The booking of an old event may have been deleted.
        if of_booking is None:
            continue
        recipients = notification.recipients(event, of_booking, each.now)
        try:
            require_of_use(event, of_booking, now=each.now)
        except Cancel as overtaken:
            mailed = [person for person in recipients if Channel.EMAIL in person.channels_for(notification.kind)]
            unsent += [Unsent(SEND_MAIL, event, str(person.user_id), reason=str(overtaken)) for person in mailed]
            continue
        present = at_present_time(event, of_booking.start_time)
        variables = notification.variables(present, of_booking, each.now)
        words = [
            (person, compose(notification.kind, event=present, **variables_about(of_booking, person), **variables))
            for person in recipients
        ]
        composed.append(ComposedNotification(event, notification.kind, words))
    _write(db, composed, unsent)


def _write(db: Connection, notifications: Sequence[ComposedNotification], overtaken: Sequence[Unsent] = ()) -> None:
    """Write the notifications, the deliveries of those for mail or push, and why others are not mailed.

    Args:
        overtaken: mails that are of no use any more.
    """
    rows: list[dict[str, str | None]] = []
    mailed: list[tuple[Event, str]] = []
    pushed: list[tuple[Event, str]] = []
    unsent = list(overtaken)
    for each in notifications:
        for person, words in each.words:
            channels = person.channels_for(each.kind)
            rows += [_row(each.event, each.kind, person, words, channel) for channel in channels]
            if Channel.EMAIL in channels:
                mailed.append((each.event, str(person.user_id)))
            elif reason := person.stopped_reason(each.kind, Channel.EMAIL):
                unsent.append(Unsent(SEND_MAIL, each.event, str(person.user_id), reason))
            if Channel.PUSH in channels:
                pushed += [(each.event, str(browser)) for browser in person.browsers]
    if rows:
        db.execute(_WRITE, {"rows": rows})
    follow_up_all(db, [(SEND_MAIL, *each) for each in mailed] + [(SEND_PUSH, *each) for each in pushed], unsent)


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
