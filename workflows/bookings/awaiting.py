"""Bookings that await their payment: asked for it, accepted with it, or ended without it."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import Connection, bindparam

from models.base import sql
from models.bookings import BOOKING_TRANSITIONS, BookingStatus, bookings
from models.payments import PaidFor, PaymentStatus
from models.prepared import PreparedStatement
from models.sessions import session_id_of
from workflows.bookings.records import Booking
from workflows.events.event_types import BookingAccepted, BookingAwaitingPayment, BookingCancelled, BookingTimeFreed
from workflows.events.record import record
from workflows.identity.actor import Actor
from workflows.kernel.locks import LOCK_MENTOR, lock_calendar
from workflows.kernel.transitions import StateMachine, update_statement
from workflows.payments.actions import ask, end_waiting, payment_of
from workflows.payments.records import Payment

UNPAID = "unpaid"
# As accepting, it releases the time under the mentor's lock.
_CANCEL = f"""
WITH {LOCK_MENTOR},
booking AS (
    UPDATE bookings SET status = 'cancelled', cancel_reason = :cancel_reason FROM mentor
    WHERE bookings.mentor_profile_id = mentor.id AND bookings.id = :id
      AND CAST(bookings.status AS text) = 'awaiting_payment' AND bookings.version = :version
    RETURNING {Booking.names(of="bookings")}
),
released AS (DELETE FROM person_busy USING booking WHERE person_busy.booking_id = booking.id)
SELECT * FROM booking
"""
_MACHINE = StateMachine(
    "booking",
    BOOKING_TRANSITIONS,
    Booking,
    {
        BookingStatus.ACCEPTED: update_statement(
            Booking, BookingStatus.AWAITING_PAYMENT, BookingStatus.ACCEPTED, "session_id"
        ),
        BookingStatus.CANCELLED: PreparedStatement(sql(_CANCEL).columns(*Booking.columns())),
    },
)
OF_PAYMENT = (
    Booking.query()
    .where((bookings.c.id == bindparam("booking_id")) | (bookings.c.series_id == bindparam("series_id")))
    .order_by(bookings.c.id)
    .with_for_update(key_share=True)
)


def await_payment(
    db: Connection, made: Sequence[Booking], *, actor: Actor, now: datetime, pay_within: timedelta
) -> list[Booking]:
    """Ask for the one payment of a booking, or of all bookings of a series, that were just made or accepted.

    Args:
        pay_within: how long it is awaited; not beyond the first start.

    Returns:
        the bookings with their payment.
    """
    first = min(made, key=lambda booking: booking.start_time)
    assert first.mentee_user_id is not None
    record(db, *(BookingAwaitingPayment.about(booking, actor=actor, now=now) for booking in made))
    of_series = len(made) > 1
    payment = ask(
        db,
        PaidFor.SERIES if of_series else PaidFor.BOOKING,
        booking_id=None if of_series else first.id,
        series_id=first.series_id if of_series else None,
        user_id=first.mentee_user_id,
        mentor_profile_id=first.mentor_profile_id,
        amount=sum(booking.price_amount for booking in made),
        currency=first.price_currency,
        due_before=first.start_time,
        pay_within=pay_within,
        actor=actor,
        now=now,
    )
    return [replace(booking, payment=payment) for booking in made]


def lock_bookings_of(db: Connection, payment: Payment, *, to_end: bool = False) -> list[Booking]:
    """The bookings that a payment is for, locked before it.

    Args:
        to_end: whether their time is to be freed, which takes the lock of their mentor's calendar first.
    """
    if to_end and payment.mentor_profile_id is not None:
        lock_calendar(db, payment.mentor_profile_id)
    values = {"booking_id": payment.booking_id, "series_id": payment.series_id}
    return [Booking.of(row) for row in db.execute(OF_PAYMENT, values)]


def accept_paid(db: Connection, booking: Booking, *, actor: Actor, now: datetime) -> Booking:
    """Accept a booking whose payment has arrived, or is waived; its session follows.

    Args:
        actor: who owed the payment.
    """
    accepted = _MACHINE.move(db, booking, BookingStatus.ACCEPTED, session_id=session_id_of(booking.id))
    record(db, BookingAccepted.about(accepted, actor=actor, now=now))
    return accepted


def end_unpaid(
    db: Connection, booking: Booking, *, status: PaymentStatus, reason: str | None, actor: Actor, now: datetime
) -> Booking:
    """Cancel a booking that awaits its payment, free its time, and end the wait with the last booking of a payment.

    Args:
        status: of the payment then.

    Raises:
        InvalidTransition: its payment has arrived meanwhile, or it is cancelled.
    """
    cancelled = _MACHINE.move(
        db,
        booking,
        BookingStatus.CANCELLED,
        mentor_profile_id=booking.mentor_profile_id,
        cancel_reason=reason,
    )
    freed = BookingTimeFreed.about(cancelled, actor=actor, now=now)
    # No credit pays for what is paid before.
    about = {"awaited_payment": True, "credit_returned": None, "credit_valid_to": None}
    record(db, BookingCancelled.about(cancelled, actor=actor, now=now, **about), freed)
    payment = payment_of(db, booking_id=booking.id, series_id=booking.series_id)
    if payment is None:
        return cancelled
    if not _others_wait(db, payment):
        payment = end_waiting(db, payment, status, actor=actor, now=now)
    return replace(cancelled, payment=payment)


_OTHERS_WAIT = sql(
    "SELECT EXISTS (SELECT FROM bookings WHERE series_id = :series_id AND CAST(status AS text) = 'awaiting_payment')"
)


def _others_wait(db: Connection, payment: Payment) -> bool:
    series_id: UUID | None = payment.series_id
    return series_id is not None and bool(db.scalar(_OTHERS_WAIT, {"series_id": series_id}))
