"""Effects of the queue `sessions`: the session of an accepted booking, and the timers of undecided requests, of waiting
lists and the seats that are offered to them, of bundles, of payments, and of proposals of another time."""

from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime, timedelta

import structlog
from sqlalchemy import Connection, exists, select

from models.bookings import BookingStatus
from models.events import events
from models.payments import PaymentStatus
from models.sessions import SessionStatus
from workflows.bookings.actions import expire, expiry_of
from workflows.bookings.records import BOOKING_BY_ID, Booking
from workflows.bundles import expiry as bundles
from workflows.events.event import Event
from workflows.events.event_types import (
    BookingAccepted,
    BookingRequested,
    BookingUndecided,
    BundleValiditySet,
    PaymentAwaiting,
    SessionCancelled,
    SessionCreated,
    SessionEvent,
    SessionReminderSet,
    SessionRescheduled,
    SessionRescheduleProposed,
    SessionStarted,
    WaitlistOffered,
)
from workflows.events.record import defer_write, record
from workflows.events.subscriptions import subscribe
from workflows.groups.place import read_group
from workflows.groups.seats import refund_all
from workflows.groups.waitlist import close_waitlist, offer_seats
from workflows.identity.actor import SYSTEM, Actor
from workflows.kernel.clock import CLOCK_SKEW
from workflows.kernel.errors import InvalidTransition
from workflows.kernel.locks import lock_group
from workflows.kernel.operator_policy import DEFAULT_POLICY, OperatorPolicy
from workflows.notifications.reminders import reminders_to_set
from workflows.payments.records import PAYMENT, Payment
from workflows.sessions.actions import create_all
from workflows.sessions.moving import expire_proposal
from workflows.sessions.records import SESSION_WITH_PROPOSAL, SESSION_WITH_TERMS, SessionWithProposal, SessionWithTerms
from workflows.settlements.actions import lapse

log = structlog.get_logger(__name__)

REMIND_AFTER = timedelta(hours=24)
# With less time left, the notice of the expiry would follow at once.
MIN_TIME_LEFT = timedelta(hours=1)


@subscribe(BookingAccepted, name="sessions.create", queue="sessions", uses_operator_policy=True, deferred=True)
def create_session(
    db: Connection, event: BookingAccepted, *, now: datetime, policy: OperatorPolicy = DEFAULT_POLICY
) -> None:
    """One session per booking, with its reminders."""
    defer_write(db, create_sessions, (event, policy, now))


def create_sessions(db: Connection, accepted: list[tuple[BookingAccepted, OperatorPolicy, datetime]]) -> None:
    """Create the sessions and record that, each in one statement; an existing session counts as created."""
    sessions = create_all(db, [event.booking_id for event, _policy, _now in accepted])
    created_events: list[Event] = []
    for event, policy, now in accepted:
        session = sessions.get(event.booking_id)
        if session is None:
            log.info("session.exists_already", booking_id=event.booking_id)
            continue
        created = SessionCreated.about(session, actor=SYSTEM, now=now, traceparent=event.traceparent)
        created_events.append(created)
        created_events += reminders_to_set(created, session.reminder_minutes, policy=policy, now=now)
    if created_events:
        record(db, *created_events)


@subscribe(BookingRequested, name="bookings.expire", queue="sessions", due=expiry_of)
def expire_draft(db: Connection, event: BookingRequested, *, now: datetime) -> None:
    """Cancel a draft at its start, and after 72 hours at the latest. Most have been decided by then."""
    booking = Booking.of(db.execute(BOOKING_BY_ID, {"id": event.booking_id}).one())
    if booking.status is BookingStatus.DRAFT:
        # Unless it is decided at this very moment.
        with suppress(InvalidTransition):
            expire(db, booking=booking, now=now)


@subscribe(
    BookingRequested, name="bookings.remind", queue="sessions", due=lambda event: event.occurred_at + REMIND_AFTER
)
def note_undecided(db: Connection, event: BookingRequested, *, now: datetime) -> None:
    """Record `booking.undecided` once, while there is time left to decide.

    An event of its own: a person has one notification per event and channel, and the request's event has had its own.
    """
    expires_at = expiry_of(event)
    if expires_at - now < MIN_TIME_LEFT:
        return
    booking = Booking.of(db.execute(BOOKING_BY_ID, {"id": event.booking_id}).one())
    recorded = exists().where(events.c.subject_id == booking.id, events.c.type == BookingUndecided.type)
    if booking.status is BookingStatus.DRAFT and not db.scalar(select(recorded)):
        record(db, BookingUndecided.about(booking, actor=SYSTEM, now=now, expires_at=expires_at))


@subscribe(SessionRescheduled, name="sessions.remind_moved", queue="sessions", uses_operator_policy=True)
def remind_of_moved(
    db: Connection, event: SessionRescheduled, *, now: datetime, policy: OperatorPolicy = DEFAULT_POLICY
) -> None:
    """Set the reminders of a session by its new time, unless it has moved again; its earlier ones are outdated."""
    session = SessionWithTerms.of(db.execute(SESSION_WITH_TERMS, {"id": event.session_id}).one())
    if session.status is SessionStatus.SCHEDULED and session.start_time == event.start_time:
        # Those of a time to which the session has moved back are still set.
        is_set = select(events.c.data["remind_at"].astext).where(
            events.c.subject_id == session.id,
            events.c.type == SessionReminderSet.type,
            events.c.data["start_time"].astext == event.start_time.isoformat(),
        )
        known = set(db.scalars(is_set))
        reminders = reminders_to_set(event, session.reminder_minutes, policy=policy, now=now)
        reminders = [each for each in reminders if each.remind_at.isoformat() not in known]
        if reminders:
            record(db, *reminders)


# Alone: the batches of two workers might meet in different orders.
@subscribe(
    SessionRescheduleProposed,
    name="sessions.expire_proposal",
    queue="sessions",
    due=lambda event: event.expires_at,
    alone=True,
)
def expire_unanswered(db: Connection, event: SessionRescheduleProposed, *, now: datetime) -> None:
    """End a proposal of another time that nobody has answered in time. Most have been answered by then."""
    ids = {"session_id": event.session_id, "proposal_id": event.proposal_id}
    found = SessionWithProposal.of(db.execute(SESSION_WITH_PROPOSAL, ids).one())
    if found.asked.is_open:
        # Unless it is answered at this very moment.
        with suppress(InvalidTransition):
            expire_proposal(db, session=found, proposal=found.asked, actor=SYSTEM, now=now)


# Alone: it locks its mentor, or a group.
@subscribe(
    PaymentAwaiting,
    name="payments.lapse",
    queue="sessions",
    due=lambda event: event.due_at,
    uses_operator_policy=True,
    alone=True,
)
def lapse_payment(
    db: Connection, event: PaymentAwaiting, *, now: datetime, policy: OperatorPolicy = DEFAULT_POLICY
) -> None:
    """Free what waits for a payment that has not arrived in time. Most have been paid by then."""
    payment = Payment.of(db.execute(PAYMENT, {"id": event.payment_id}).one())
    if payment.status is PaymentStatus.AWAITING:
        lapse(db, payment=payment, now=now, policy=policy)


# Alone: several offers of one group end at one time, and two batches would lock groups in different orders.
@subscribe(
    WaitlistOffered,
    name="waitlist.expire",
    queue="sessions",
    due=lambda event: event.expires_at,
    uses_operator_policy=True,
    alone=True,
)
def expire_offer(
    db: Connection, event: WaitlistOffered, *, now: datetime, policy: OperatorPolicy = DEFAULT_POLICY
) -> None:
    """Offer the seat to the next in line, unless it has been taken or declined by then."""
    lock_group(db, event.booking_id)
    # The timer was due by the database's clock, which `now` may be behind.
    ended = max(now, event.expires_at)
    offer_seats(db, group=read_group(db, event.booking_id), now=ended, policy=policy)


def _once_for_a_group(event: BookingAccepted | SessionEvent) -> Sequence[str]:
    return ("",) if event.mentee_user_id is None else ()


# Alone, as above.
@subscribe(
    BookingAccepted,
    name="waitlist.close",
    queue="sessions",
    # A request whose clock is behind may have entered the list until then.
    due=lambda event: event.start_time + CLOCK_SKEW,
    targets=_once_for_a_group,
    alone=True,
)
def close_waitlist_at_start(db: Connection, event: BookingAccepted, _target: str, *, now: datetime) -> None:
    """End the waiting list of a group at its start, whether its session has been started or not."""
    close_waitlist(db, booking_id=event.booking_id, now=now, unless_moved_from=event.start_time)


@subscribe(
    SessionRescheduled,
    name="waitlist.close_moved",
    queue="sessions",
    due=lambda event: event.start_time + CLOCK_SKEW,
    targets=_once_for_a_group,
    alone=True,
)
def close_waitlist_of_moved(db: Connection, event: SessionRescheduled, _target: str, *, now: datetime) -> None:
    """End the waiting list of a group that has moved, at its start, unless it has moved again."""
    close_waitlist(db, booking_id=event.booking_id, now=now, unless_moved_from=event.start_time)


@subscribe(SessionStarted, name="waitlist.close_started", queue="sessions", targets=_once_for_a_group, alone=True)
def close_waitlist_of_started(db: Connection, event: SessionStarted, _target: str, *, now: datetime) -> None:
    """End the waiting list of a group whose session was started, which may be before its start."""
    close_waitlist(db, booking_id=event.booking_id, now=now)


# Alone: it locks the bundles of all participants.
@subscribe(SessionCancelled, name="seats.refund", queue="sessions", targets=_once_for_a_group, alone=True)
def refund_seats(db: Connection, event: SessionCancelled, _target: str, *, now: datetime) -> None:
    """Give the participants of a cancelled group everything back, and drop its waiting list."""
    refund_all(db, group=read_group(db, event.booking_id), actor=Actor(name=event.actor), now=now)


@subscribe(BundleValiditySet, name="bundles.expire", queue="sessions", due=bundles.expiry_of, alone=True)
def expire_bundle(db: Connection, event: BundleValiditySet, *, now: datetime) -> None:
    """Take what is left in a bundle at the end of its validity."""
    bundles.expire(db, event=event, now=now)
