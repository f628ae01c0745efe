"""A payment from its decision on: asked for with that, ended with it, and what goes back of it."""

from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import Connection
from uuid_utils.compat import uuid7

from models.base import sql
from models.payments import PaidFor, PaymentStatus
from workflows.events.event_types import PaymentAwaiting, PaymentCancelled, PaymentLapsed
from workflows.identity.actor import Actor
from workflows.payments.checkout import outdate_page
from workflows.payments.ledger import owe
from workflows.payments.news import tell
from workflows.payments.records import Payment

PAY_WITHIN = timedelta(minutes=30)
_ASK = sql(
    f"""
INSERT INTO payments (
    id, paid_for, booking_id, series_id, seat_id, bundle_purchase_id, user_id, mentor_profile_id, amount, currency,
    due_at
)
VALUES (:id, CAST(:paid_for AS paid_for), :booking_id, :series_id, :seat_id, :bundle_purchase_id, :user_id,
        :mentor_profile_id, :amount, :currency, :due_at)
RETURNING {Payment.names()}
"""
).columns(*Payment.columns())
_END = sql(
    f"""
UPDATE payments SET status = CAST(:status AS payment_status)
WHERE id = :id AND status = 'awaiting' RETURNING {Payment.names()}
"""
).columns(*Payment.columns())
# Under the lock of the group, without which nobody changes several of its payments.
_HASTEN = sql(
    f"""
UPDATE payments SET due_at = least(due_at, CAST(:start_time AS timestamptz))
WHERE booking_id = :booking_id AND seat_id IS NOT NULL AND status = 'awaiting' RETURNING {Payment.names()}
"""
).columns(*Payment.columns())
_OF_DECISION = sql(
    f"""
SELECT {Payment.names()} FROM payments
WHERE (booking_id = :booking_id AND seat_id IS NULL) OR seat_id = :seat_id OR series_id = :series_id
   OR bundle_purchase_id = :bundle_purchase_id
FOR NO KEY UPDATE
"""
).columns(*Payment.columns())


def ask(
    db: Connection,
    paid_for: PaidFor,
    *,
    user_id: UUID,
    mentor_profile_id: UUID | None,
    amount: int,
    currency: str,
    due_before: datetime | None,
    pay_within: timedelta,
    booking_id: UUID | None = None,
    series_id: UUID | None = None,
    seat_id: UUID | None = None,
    bundle_purchase_id: UUID | None = None,
    actor: Actor,
    now: datetime,
) -> Payment:
    """Make the payment that a person owes for a decision, in the transaction of that decision.

    Args:
        amount: in minor units, above 0.
        due_before: the start, the first of a series, or the end of a bundle's validity; None for no end.
        pay_within: how long after `now` it is due.
    """
    due_at = now + pay_within
    values = {
        "id": uuid7(),
        "paid_for": paid_for,
        "booking_id": booking_id,
        "series_id": series_id,
        "seat_id": seat_id,
        "bundle_purchase_id": bundle_purchase_id,
        "user_id": user_id,
        "mentor_profile_id": mentor_profile_id,
        "amount": amount,
        "currency": currency,
        "due_at": due_at if due_before is None else min(due_at, due_before),
    }
    payment = Payment.of(db.execute(_ASK, values).one())
    tell(db, PaymentAwaiting, payment, actor=actor, now=now)
    return payment


def ask_again(db: Connection, *, booking_id: UUID, start_time: datetime, actor: Actor, now: datetime) -> None:
    """Ask for the awaited payments of a group's seats again, after its session has moved: each is due by its start.

    Under the lock of the group. `payment.awaiting` sets the timer of the time at which each is due now, and has its
    person told of the new time, who is no participant yet.
    """
    for row in db.execute(_HASTEN, {"booking_id": booking_id, "start_time": start_time}).all():
        tell(db, PaymentAwaiting, Payment.of(row), actor=actor, now=now)


def payment_of(
    db: Connection,
    *,
    booking_id: UUID | None = None,
    series_id: UUID | None = None,
    seat_id: UUID | None = None,
    bundle_purchase_id: UUID | None = None,
) -> Payment | None:
    """The payment of a decision, locked until the end of the transaction; None where it has none."""
    values = {
        "booking_id": None if seat_id else booking_id,
        "series_id": series_id,
        "seat_id": seat_id,
        "bundle_purchase_id": bundle_purchase_id,
    }
    row = db.execute(_OF_DECISION, values).one_or_none()
    return None if row is None else Payment.of(row)


def end_waiting(db: Connection, payment: Payment, status: PaymentStatus, *, actor: Actor, now: datetime) -> Payment:
    """End the wait for a locked payment without money: lapsed, cancelled or waived."""
    row = db.execute(_END, {"id": payment.id, "status": status}).one_or_none()
    if row is None:
        return payment
    ended = Payment.of(row)
    if status is not PaymentStatus.WAIVED:
        event = PaymentLapsed if status is PaymentStatus.LAPSED else PaymentCancelled
        tell(db, event, ended, actor=actor, now=now)
    outdate_page(db, ended, actor=actor, now=now)
    return ended


def owe_back(
    db: Connection,
    amount: int,
    *,
    booking_id: UUID,
    series_id: UUID | None = None,
    seat_id: UUID | None = None,
    reason: str,
    actor: Actor,
    now: datetime,
) -> None:
    """Enter what goes back of the payment of a booking, a seat or a series, where anything was charged for it."""
    payment = payment_of(db, booking_id=booking_id, series_id=series_id, seat_id=seat_id)
    if payment is not None:
        owe(db, payment, amount, reason=reason, actor=actor, now=now)
