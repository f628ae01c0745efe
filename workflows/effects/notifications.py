"""The queue `notifications`: who is told of which event, in the application, by mail and by push."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select

from models.catalog import courses
from models.sessions import SessionStatus
from workflows.events.catalogue import (
    BookingAccepted,
    BookingCancelled,
    BookingDeclined,
    BookingRequested,
    BookingUndecided,
    BundleExhausted,
    Event,
    ReviewUnlocked,
    SeatEvent,
    SeatJoined,
    SeatLeft,
    SessionCancelled,
    SessionCompleted,
    SessionCreated,
    SessionReminderSet,
    SessionStarted,
    WebhookEndpointDisabled,
    WebhookEndpointEvent,
    WebhookEndpointExhausted,
    WebhookEndpointFailing,
)
from workflows.events.record import follow_up
from workflows.events.subscriptions import subscribe
from workflows.identity.actor import SYSTEM
from workflows.notifications.compose import Quotation, compose
from workflows.notifications.endpoint_news import news_of
from workflows.notifications.notices import NOTICES, hear_of, tell_operators
from workflows.notifications.notify import Notice, notify, tell
from workflows.notifications.people import Parties, Person, about, parties_of, person_of
from workflows.operator_policy import DEFAULT_POLICY, OperatorPolicy
from workflows.outside.send_mail import OPERATORS, SEND_MAIL
from workflows.reminders.set_all import set_all
from workflows.reminders.still import is_of_use, is_undecided
from workflows.reminders.words import in_words


def _everybody(_event: Event, parties: Parties, _now: datetime) -> Sequence[Person]:
    return parties.everybody


def _mentor(_event: Event, parties: Parties, _now: datetime) -> Sequence[Person]:
    return [parties.mentor]


def _mentees(_event: Event, parties: Parties, _now: datetime) -> Sequence[Person]:
    return parties.mentees


def _mentees_who_waited(event: BookingAccepted, parties: Parties, _now: datetime) -> Sequence[Person]:
    """Of an instant listing nobody is told: the mentee has just booked it."""
    return [mentee for mentee in parties.mentees if event.actor not in mentee.acts_as]


def _others(event: SessionStarted, parties: Parties, _now: datetime) -> Sequence[Person]:
    return parties.others(event.actor)


def _parties_of_end(event: BookingCancelled, parties: Parties, _now: datetime) -> Sequence[Person]:
    """Only the system expires, and whoever takes a request back knows of it already."""
    return parties.everybody if event.actor == SYSTEM.name else [parties.mentor]


def _unless_cancelled(_event: SessionCreated, parties: Parties, _now: datetime) -> Sequence[Person]:
    """Not of a session that has been cancelled meanwhile, which they are told of."""
    return () if parties.session_status is SessionStatus.CANCELLED else parties.everybody


def _permitted(event: ReviewUnlocked, parties: Parties, _now: datetime) -> Sequence[Person]:
    """The one whom the permit is for; of a group everybody has an event of their own."""
    return [mentee for mentee in parties.mentees if mentee.user_id == event.mentee_user_id]


def _mentor_if_undecided(event: BookingUndecided, parties: Parties, now: datetime) -> Sequence[Person]:
    return [parties.mentor] if is_undecided(event, parties, now=now) else ()


def _everybody_in_time(event: SessionReminderSet, parties: Parties, now: datetime) -> Sequence[Person]:
    """Nobody is reminded of what has begun or is off."""
    return parties.everybody if is_of_use(event, parties, now=now) else ()


def _expired(event: BookingCancelled, _parties: Parties, _now: datetime) -> Mapping[str, Any]:
    return {"expired": event.actor == SYSTEM.name}


def _decline_reason(_event: BookingDeclined, parties: Parties, _now: datetime) -> Mapping[str, Any]:
    """The reason is the mentor's private word to the mentee, so that it is no part of the event."""
    return {"reason": _quoted(parties.decline_reason)}


def _cancellation(_event: SessionCancelled, parties: Parties, _now: datetime) -> Mapping[str, Any]:
    """The reason is for the two sides alone, so that it is no part of the event."""
    return {
        "reason": _quoted(parties.cancellation.get("reason")),
        "refund_requested": bool(parties.cancellation.get("refundRequested")),
    }


def _starts_in(event: SessionReminderSet, _parties: Parties, now: datetime) -> Mapping[str, Any]:
    """A late reminder says how little time is left."""
    return {"starts_in": in_words(event.start_time - now)}


def _quoted(words: str | None) -> Quotation | None:
    return Quotation(str(words)) if words and str(words).strip() else None


def _time_of(event: SessionReminderSet) -> datetime:
    return event.remind_at


# Each effect is called after its notice's kind.
TOLD: tuple[tuple[type[Event], Notice], ...] = (
    (BookingRequested, Notice(kind="booking_requested", readers=_mentor)),
    (BookingUndecided, Notice(kind="booking_reminder", readers=_mentor_if_undecided)),
    (BookingAccepted, Notice(kind="booking_accepted", readers=_mentees_who_waited)),
    (BookingDeclined, Notice(kind="booking_declined", readers=_mentees, told=_decline_reason)),
    (BookingCancelled, Notice(kind="booking_cancelled", readers=_parties_of_end, told=_expired)),
    (SessionCreated, Notice(kind="session_created", readers=_unless_cancelled)),
    (SessionReminderSet, Notice(kind="session_reminder", readers=_everybody_in_time, told=_starts_in)),
    (SessionStarted, Notice(kind="session_started", readers=_others)),
    (SessionCompleted, Notice(kind="session_completed", readers=_everybody)),
    # Whoever cancelled it, too: of a fee one wants to have something in writing, and calendars hold it still.
    (SessionCancelled, Notice(kind="session_cancelled", readers=_everybody, told=_cancellation)),
    (ReviewUnlocked, Notice(kind="review_unlocked", readers=_permitted)),
)
DUE: dict[type[Event], Callable[[Any], datetime]] = {SessionReminderSet: _time_of}


def _subscribe(event_type: type[Event], notice: Notice) -> None:
    @subscribe(
        event_type,
        name=f"notifications.{notice.kind}",
        queue="notifications",
        due=DUE.get(event_type),
        deferred=True,
    )
    def notify_people(db: Connection, event: Event, *, now: datetime) -> None:
        notify(db, event, notice, now=now)


for _row in TOLD:
    _subscribe(*_row)


def _subscribe_seat(event_type: type[SeatEvent], kind: str) -> None:
    @subscribe(event_type, name=f"notifications.{kind}", queue="notifications")
    def notify_both(db: Connection, event: SeatEvent, *, now: datetime) -> None:
        """Whoever took the seat or gave it back, and the mentor; the others see who sits beside them in the session.

        By now the seat may have changed hands again, so that its person is read by themselves.
        """
        parties, person = parties_of(db, event.booking_id), person_of(db, event.user_id)
        letters = [
            (reader, compose(kind, event=event, **about(parties, reader), who=person.name))
            for reader in (parties.mentor, person)
        ]
        tell(db, event, kind=kind, letters=letters)


_subscribe_seat(SeatJoined, "seat_joined")
_subscribe_seat(SeatLeft, "seat_left")


@subscribe(BundleExhausted, name="notifications.bundle_exhausted", queue="notifications")
def tell_of_bundle(db: Connection, event: BundleExhausted, *, now: datetime) -> None:
    """A bundle has no mentor, so that its mentee alone is told."""
    mentee = person_of(db, event.mentee_user_id)
    course = db.scalar(select(courses.c.title).where(courses.c.id == event.course_id)) or "sessions"
    words = compose("bundle_exhausted", event=event, reader=mentee, course=course)
    tell(db, event, kind="bundle_exhausted", letters=[(mentee, words)])


def _subscribe_endpoint(event_type: type[WebhookEndpointEvent]) -> None:
    @subscribe(event_type, name=f"notifications.{event_type.type.replace('.', '_')}", queue="notifications")
    def notify_owner(db: Connection, event: WebhookEndpointEvent, *, now: datetime) -> None:
        """A mentor in the application and by mail, the operators by mail; of an endpoint that is gone, nobody."""
        news = news_of(db, event)
        if news is None:
            return
        if news.owner_user_id is None:
            follow_up(db, event, SEND_MAIL, [OPERATORS])
        else:
            tell(db, event, kind=news.kind, letters=[(person_of(db, news.owner_user_id), news.words)])


for _event_type in (WebhookEndpointExhausted, WebhookEndpointFailing, WebhookEndpointDisabled):
    _subscribe_endpoint(_event_type)


def _subscribe_channels(kind: str, event_type: type[Event]) -> None:
    @subscribe(
        event_type,
        name=f"channels.{kind}",
        queue="notifications",
        uses_operator_policy=True,
        wanted=hear_of(event_type),
    )
    def tell_channels(db: Connection, event: Event, *, now: datetime, policy: OperatorPolicy = DEFAULT_POLICY) -> None:
        """The operators, by channels of their own; only where they have some, and want to hear of this."""
        tell_operators(db, event, policy=policy)


for _kind, _event in NOTICES.items():
    _subscribe_channels(_kind, _event)


@subscribe(SessionCreated, name="reminders.set", queue="notifications", uses_operator_policy=True, retired=True)
def set_reminders(
    db: Connection, event: SessionCreated, *, now: datetime, policy: OperatorPolicy = DEFAULT_POLICY
) -> None:
    """Run what processes of the release before have written: from now on they are set as the session is created."""
    set_all(db, event, policy=policy, now=now)
