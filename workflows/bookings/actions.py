"""Decisions about a draft: accept, decline, cancel and expire. What follows from them is left to the effects."""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection
from uuid_utils.compat import uuid7

from models.base import sql
from models.bookings import BOOKING_TRANSITIONS, BookingStatus
from models.payments import PaymentStatus
from models.prepared import PreparedStatement
from models.sessions import session_id_of
from workflows.availability.busy import BLOCK_TIME
from workflows.bookings.awaiting import await_payment, end_unpaid
from workflows.bookings.records import Booking
from workflows.bundles.ledger import give_back
from workflows.events.event_types import BookingAccepted, BookingCancelled, BookingDeclined, BookingRequested
from workflows.events.record import defer_write, record
from workflows.identity.access import require_active_mentor, require_booking_canceller, require_mentor
from workflows.identity.actor import SYSTEM, Actor
from workflows.kernel.errors import InvalidTransition
from workflows.kernel.locks import LOCK_MENTOR, LOCK_PEOPLE
from workflows.kernel.transitions import StateMachine, update_statement
from workflows.payments.actions import PAY_WITHIN

TIME_TO_DECIDE = timedelta(hours=72)
EXPIRED = "expired"

# As in `update_statement`, no index of all drafts can serve.
ACCEPT = f"""
WITH {LOCK_MENTOR},
{LOCK_PEOPLE},
booking AS (
    UPDATE bookings SET status = 'accepted', session_id = :session_id
    FROM mentor, people
    WHERE bookings.mentor_profile_id = mentor.id AND bookings.id = :id
      AND CAST(bookings.status AS text) = 'draft' AND bookings.version = :version
    RETURNING {Booking.names(of="bookings")}
),
{BLOCK_TIME}
SELECT * FROM booking
"""
_AWAIT_PAYMENT = ACCEPT.replace("'accepted', session_id = :session_id", "'awaiting_payment'")
BOOKING_MACHINE = StateMachine(
    "booking",
    BOOKING_TRANSITIONS,
    Booking,
    {
        BookingStatus.AWAITING_PAYMENT: PreparedStatement(sql(_AWAIT_PAYMENT).columns(*Booking.columns())),
        BookingStatus.ACCEPTED: PreparedStatement(sql(ACCEPT).columns(*Booking.columns())),
        BookingStatus.DECLINED: update_statement(
            Booking, BookingStatus.DRAFT, BookingStatus.DECLINED, "decline_reason"
        ),
        BookingStatus.CANCELLED: update_statement(
            Booking, BookingStatus.DRAFT, BookingStatus.CANCELLED, "cancel_reason"
        ),
    },
)


def accept(
    db: Connection,
    *,
    actor: Actor,
    booking: Booking,
    now: datetime,
    mentee_overlap: bool = False,
    pay_within: timedelta = PAY_WITHIN,
) -> Booking:
    """Accept a draft and block the time of both sides, in one statement; return it with its session's id.

    Where its price is paid before, it awaits its payment from then on, and has no session until that has arrived.

    Args:
        mentee_overlap: whether the mentee may have another session, as a mentee, at that time.
        pay_within: how long its payment is awaited.

    Raises:
        Forbidden: the caller is not the booking's mentor, or their profile is not active.
        InvalidTransition: it is no longer a draft, or its start time has passed.
        Conflict: `slot_taken`, when another booking or a hold has the mentor's time or, with `details.mentee`, the
            mentee's, whichever part each of them takes in it.
    """
    require_active_mentor(actor, booking)
    if booking.start_time <= now:
        step = BOOKING_MACHINE.step(booking, BookingStatus.ACCEPTED)
        raise InvalidTransition("The start time of this booking has passed; it can no longer be accepted.", step=step)
    blocking = {
        "mentor_profile_id": booking.mentor_profile_id,
        "mentee_user_id": booking.mentee_user_id,
        "mentee_overlap": mentee_overlap,
        "busy_id": uuid7(),
        "attending_id": uuid7(),
    }
    if booking.is_prepaid:
        waiting = BOOKING_MACHINE.move(db, booking, BookingStatus.AWAITING_PAYMENT, **blocking)
        return await_payment(db, [waiting], actor=actor, now=now, pay_within=pay_within)[0]
    session_id = session_id_of(booking.id)
    accepted = BOOKING_MACHINE.move(db, booking, BookingStatus.ACCEPTED, session_id=session_id, **blocking)
    record(db, BookingAccepted.about(accepted, actor=actor, now=now))
    return accepted


def decline(db: Connection, *, actor: Actor, booking: Booking, reason: str | None, now: datetime) -> Booking:
    """Decline a draft, and return it as it stands then.

    Raises:
        Forbidden: the caller is not the booking's mentor.
        InvalidTransition: it is no longer a draft.
    """
    require_mentor(actor, booking)
    declined = BOOKING_MACHINE.move(db, booking, BookingStatus.DECLINED, decline_reason=reason)
    credit = _returned_credit(db, declined, actor, "The request was declined.", now, by_mentee=False)
    record(db, BookingDeclined.about(declined, actor=actor, now=now, **credit))
    return declined


def cancel(db: Connection, *, actor: Actor, booking: Booking, reason: str | None, now: datetime) -> Booking:
    """Cancel a draft as its mentee, or a booking that awaits its payment; return it as it stands then.

    Raises:
        Forbidden: the caller is not the booking's mentee nor, while it awaits its payment, its mentor or an operator.
        InvalidTransition: it is decided; an accepted booking is cancelled as its session.
    """
    require_booking_canceller(actor, booking)
    if booking.awaits_payment:
        return end_unpaid(db, booking, status=PaymentStatus.CANCELLED, reason=reason, actor=actor, now=now)
    if booking.status is BookingStatus.ACCEPTED:
        raise InvalidTransition(
            f"An accepted booking is cancelled as its session: POST /sessions/{booking.session_id}/cancel.",
            step=BOOKING_MACHINE.step(booking, BookingStatus.CANCELLED),
        )
    cancelled = BOOKING_MACHINE.move(db, booking, BookingStatus.CANCELLED, cancel_reason=reason)
    credit = _returned_credit(db, cancelled, actor, "The request was withdrawn.", now, by_mentee=True)
    record(db, BookingCancelled.about(cancelled, actor=actor, now=now, **credit))
    return cancelled


def expire(db: Connection, *, booking: Booking, now: datetime) -> Booking:
    """Cancel a draft that was not decided in time.

    Where a credit paid for it, the rest happens at the end of the transaction, together with other drafts.

    Raises:
        InvalidTransition: it is no longer a draft.
    """
    cancelled = BOOKING_MACHINE.move(db, booking, BookingStatus.CANCELLED, cancel_reason=EXPIRED)
    if cancelled.bundle_purchase_id is None:
        _conclude_expired(db, [(cancelled, now)])
    else:
        defer_write(db, _conclude_expired, (cancelled, now))
    return cancelled


def _conclude_expired(db: Connection, expired: list[tuple[Booking, datetime]]) -> None:
    # In the order of the bundles: transactions that lock several of them in different orders deadlock.
    for booking, now in sorted(expired, key=lambda each: str(each[0].bundle_purchase_id)):
        credit = _returned_credit(db, booking, SYSTEM, "The request expired.", now, by_mentee=False)
        record(db, BookingCancelled.about(booking, actor=SYSTEM, now=now, **credit))


def expiry_of(event: BookingRequested) -> datetime:
    """When the request expires: at its start, and after 72 hours at the latest."""
    return min(event.start_time, event.occurred_at + TIME_TO_DECIDE)


def _returned_credit(
    db: Connection, booking: Booking, actor: Actor, reason: str, now: datetime, *, by_mentee: bool
) -> dict[str, Any]:
    if booking.bundle_purchase_id is None:
        return {"credit_returned": None, "credit_valid_to": None}
    bundle = give_back(db, booking_id=booking.id, actor=actor, by_mentee=by_mentee, now=now, reason=reason)
    return {"credit_returned": bundle is not None, "credit_valid_to": bundle and bundle.valid_to}
