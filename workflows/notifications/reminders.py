"""Reminders: of a session that is about to begin, and of a request that still waits for its mentor's decision."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row

from models.bookings import BookingStatus
from models.payments import PaymentStatus
from models.sessions import SessionStatus
from workflows.events.delivery import Cancel
from workflows.events.event import Event, own_fields
from workflows.events.event_types import (
    BookingUndecided,
    PaymentAwaiting,
    SeatEvent,
    SeatJoined,
    SessionCreated,
    SessionEvent,
    SessionOverdue,
    SessionReminderSet,
    SessionRescheduled,
    SessionRescheduleProposed,
    WaitlistEvent,
    WaitlistOffered,
)
from workflows.groups.waitlist import is_offered
from workflows.identity.actor import SYSTEM, is_operators
from workflows.kernel.operator_policy import OperatorPolicy
from workflows.notifications.outdated import at_present_time, require_current
from workflows.notifications.recipients import NOT_A_PARTY, Parties, Person, parties_of, person_of, variables_about
from workflows.notifications.texts import Words, compose
from workflows.payments.records import PAID_FOR

MOVED_SINCE = "The session has moved since."


@dataclass(frozen=True, kw_only=True)
class Reminder:
    """One reminder. It is of use until the next one's time, the last one until the start."""

    minutes_before: int
    remind_at: datetime
    useful_until: datetime


def reminders_of(start: datetime, minutes: Iterable[int], *, since: datetime) -> list[Reminder]:
    """The reminders of a session that starts then; those due by `since` are left out.

    Elapsed time counts: an hour before the start is an hour before the start, across a change of the clocks as well.

    Args:
        minutes: before the start, in any order.
    """
    ahead = sorted(set(minutes), reverse=True)
    times = [*(start - timedelta(minutes=each) for each in ahead), start]
    planned = [
        Reminder(minutes_before=each, remind_at=at, useful_until=until)
        for each, (at, until) in zip(ahead, pairwise(times), strict=True)
    ]
    return [reminder for reminder in planned if reminder.remind_at > since]


def reminders_to_set(
    session: SessionCreated | SessionRescheduled,
    minutes: Sequence[int] | None,
    *,
    policy: OperatorPolicy,
    now: datetime,
) -> list[SessionReminderSet]:
    """The events of a session's reminders; each has a notification that is due when the reminder is.

    Reminders due before the session was made, or has moved, are left out, and those that would by now be of no use.

    Args:
        minutes: before the start, None for the operator's default.
    """
    about = {name: getattr(session, name) for name in own_fields(SessionEvent)}
    chosen = policy.reminder_minutes if minutes is None else minutes
    return [
        SessionReminderSet(
            actor=SYSTEM.name, occurred_at=now, traceparent=session.traceparent, **about, **vars(reminder)
        )
        for reminder in reminders_of(session.start_time, chosen, since=session.occurred_at)
        if reminder.useful_until > now
    ]


def require_of_use(event: Event, parties: Parties, *, now: datetime) -> None:
    """Refuse to notify of an event that is outdated by what its booking or session is now.

    Raises:
        Cancel: why there is nothing to be notified of.
    """
    require_current(event, booking_status=parties.booking_status, session_status=parties.session_status)
    match event:
        case BookingUndecided() if now >= event.expires_at or parties.booking_status is not BookingStatus.DRAFT:
            raise Cancel("The request has been decided or has expired.")
        case SessionOverdue() if parties.session_status is not SessionStatus.IN_PROGRESS:
            raise Cancel("The session has been completed or voided.")
        case SessionReminderSet() if parties.session_status is SessionStatus.CANCELLED:
            raise Cancel("The session was cancelled before this reminder.")
        case SessionRescheduled() | SessionRescheduleProposed() if (
            parties.session_status is not SessionStatus.SCHEDULED
        ):
            raise Cancel("The session was cancelled before this left, or has begun.")
        case SessionReminderSet() | SessionRescheduled() if parties.start_time != event.start_time:
            raise Cancel(MOVED_SINCE)
        case SessionRescheduleProposed() if now >= event.expires_at or parties.open_proposal_id != event.proposal_id:
            raise Cancel("The proposal is no longer open.")
        case SessionReminderSet() if now >= event.start_time or parties.session_status is not SessionStatus.SCHEDULED:
            raise Cancel("The session has begun.")
        case SessionReminderSet() if now >= event.useful_until:
            raise Cancel("The next reminder of the session is due.")


def require_asked_for(event: PaymentAwaiting, about: Row[Any]) -> None:
    """Refuse to ask for a payment that is no longer awaited, or that a later event asks for at another time.

    Args:
        about: what it is paid for, as of `PAID_FOR`.

    Raises:
        Cancel: why it is not asked for.
    """
    if about.status != PaymentStatus.AWAITING:
        raise Cancel("The payment is no longer awaited.")
    if about.moved_at is not None and event.occurred_at < about.moved_at:
        raise Cancel(MOVED_SINCE)


def words_about_seat(event: SeatEvent | WaitlistEvent, parties: Parties, reader: Person, **about: Any) -> Words:
    """The text about a seat of a group, at the time that the group has now."""
    kind, present = event.type.replace(".", "_"), at_present_time(event, parties.start_time)
    by_operator = is_operators(event.actor)
    return compose(kind, event=present, by_operator=by_operator, **about, **variables_about(parties, reader))


def _words_about_moved(db: Connection, event: SeatJoined | WaitlistOffered, reader_id: UUID) -> Words:
    parties, who = parties_of(db, event.booking_id), person_of(db, event.user_id)
    reader = parties.mentor if reader_id == parties.mentor.user_id else who
    return words_about_seat(event, parties, reader, who=who.name, reason=None)


def words_now(
    db: Connection, event: Event, reader_id: UUID, written: Words, *, start_time: datetime | None, now: datetime
) -> Words:
    """The text of a message that is sent now.

    A reminder tells how much time is left, and a message about a seat of a group that has moved tells the present time;
    all others stay as written.

    Args:
        start_time: of the booking as it is now; None where the message is about none.

    Raises:
        Cancel: it is a reminder of a session that has begun, has moved or is cancelled, of a request that has been
            decided, or its reader is no longer a party; or it offers a seat that is no longer kept for its reader, or
            a time that is no longer proposed; or it tells of a new session that has moved; or it asks for a payment
            that is no longer awaited, or that was asked for again when its session moved.
    """
    if isinstance(event, PaymentAwaiting):
        require_asked_for(event, db.execute(PAID_FOR, {"id": event.payment_id}).one())
    if isinstance(event, WaitlistOffered) and not is_offered(db, event, now=now):
        raise Cancel("The seat has been taken or declined, or is no longer kept.")
    if isinstance(event, SessionCreated | SeatJoined | WaitlistOffered):
        if start_time in (None, event.start_time):
            return written
        if isinstance(event, SessionCreated):
            raise Cancel(MOVED_SINCE)
        return _words_about_moved(db, event, reader_id)
    if not isinstance(event, BookingUndecided | SessionReminderSet | SessionRescheduled | SessionRescheduleProposed):
        return written
    parties = parties_of(db, event.booking_id)
    require_of_use(event, parties, now=now)
    if not isinstance(event, SessionReminderSet):
        return written
    reader = next((person for person in parties.all if person.user_id == reader_id), None)
    if reader is None:
        raise Cancel(NOT_A_PARTY)
    time_left = event.start_time - now
    return compose("session_reminder", event=event, **variables_about(parties, reader), time_left=time_left)
