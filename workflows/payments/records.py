"""Payments: the record with its refunds, and how to find payments."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Connection,
    Dialect,
    Label,
    Select,
    Text,
    and_,
    bindparam,
    case,
    literal_column,
    select,
    type_coerce,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.types import TypeDecorator

from models.base import Timestamp, enum_literal, sql
from models.bookings import bookings
from models.payments import PaidFor, PaymentEntryKind, PaymentMode, PaymentStatus, payment_entries, payments
from workflows.kernel.paging import NO_TIME, PagedList, narrowed
from workflows.kernel.transitions import StatefulRecord


@dataclass(frozen=True, kw_only=True)
class Refund:
    """What goes back of a payment, in minor units; `reference` and `done_at` are None until it is done."""

    id: UUID
    amount: int
    currency: str
    reason: str | None
    reference: str | None
    created_at: datetime
    done_at: datetime | None

    @property
    def status(self) -> str:
        """`due` or `done`."""
        return "due" if self.done_at is None else "done"


@dataclass(frozen=True, kw_only=True)
class Payment(StatefulRecord):
    """What one person owes for one decision, in minor units. Times in UTC.

    Args:
        booking_id: of a seat, the group's.
        mentor_profile_id: None of a bundle.
        charged: what has arrived; of it, `refund_due` is to go back, and `refunded` has gone.
        refunds: the latest, the oldest of them first; where they were read.
    """

    table = payments

    paid_for: PaidFor
    booking_id: UUID | None
    series_id: UUID | None
    seat_id: UUID | None
    bundle_purchase_id: UUID | None
    user_id: UUID
    mentor_profile_id: UUID | None
    amount: int
    currency: str
    status: PaymentStatus
    due_at: datetime
    paid_at: datetime | None
    reference: str | None
    charged: int
    refund_due: int
    refunded: int
    checkout_id: str | None
    checkout_url: str | None
    checkout_expires_at: datetime | None
    created_at: datetime
    updated_at: datetime
    refunds: tuple[Refund, ...] = ()

    @property
    def open_checkout_url(self) -> str | None:
        """The address of the page at which it can be paid, while it is awaited."""
        return self.checkout_url if self.status is PaymentStatus.AWAITING else None


@dataclass(frozen=True, kw_only=True)
class PaymentOfRefund(Payment):
    """A payment, and that refund of it; `refund_reference` is None while it is due."""

    refund_id: UUID
    refund_reference: str | None = None


class _Refunds(TypeDecorator[tuple[Refund, ...]]):
    impl = JSONB
    cache_ok = True

    def process_result_value(self, value: Any, _dialect: Dialect) -> tuple[Refund, ...]:
        return tuple(_refund(each) for each in value or ())


class _Shown(TypeDecorator[Payment | None]):
    impl = JSONB
    cache_ok = True

    def process_result_value(self, value: Any, _dialect: Dialect) -> Payment | None:
        if value is None:
            return None
        refunds = tuple(_refund(each) for each in value.pop("refunds") or ())
        typed = {name: _READ[name](found) for name, found in value.items() if found is not None and name in _READ}
        return Payment.of_values({**value, **typed, "refunds": refunds})


def _refund(found: dict[str, Any]) -> Refund:
    return Refund(
        id=UUID(found["id"]),
        amount=found["amount"],
        currency=found["currency"],
        reason=found["reason"],
        reference=found["reference"],
        created_at=datetime.fromisoformat(found["created_at"]),
        done_at=found["done_at"] and datetime.fromisoformat(found["done_at"]),
    )


# Of a refund `due`: the entry that it is done, unless it has failed since.
LATEST_OF_REFUND = """LEFT JOIN LATERAL (
    SELECT e.* FROM payment_entries e WHERE e.refund_id = due.id ORDER BY e.sequence DESC LIMIT 1
) AS done ON done.kind = 'refund_done'"""
_REFERENCE_OF_REFUND = literal_column(
    "(SELECT CASE done.kind WHEN 'refund_done' THEN done.reference END FROM payment_entries done"
    " WHERE done.refund_id = payment_entries.id ORDER BY done.sequence DESC LIMIT 1)",
    Text,
).label("refund_reference")
_KINDS: dict[type, Callable[[Any], Any]] = {UUID: UUID, datetime: datetime.fromisoformat}
_READ: dict[str, Callable[[Any], Any]] = {
    **{
        column.name: _KINDS[column.type.python_type] for column in payments.columns if column.type.python_type in _KINDS
    },
    "paid_for": PaidFor,
    "status": PaymentStatus,
}
_REFUNDS = "refunds_of({of}.id, {of}.currency)"
REFUNDS = literal_column(_REFUNDS.format(of="payments"), _Refunds()).label("refunds")


def shown_payment(of: str) -> Label[Any]:
    """The column `payment` of a select from bookings: the payment that a booking or its series has; else null.

    Looked up by its key, and for a booking that is paid before alone.

    Args:
        of: the name of the table, or of the part of the statement, that has the booking's columns.
    """
    of_booking = f"paid.series_id IS NULL AND paid.seat_id IS NULL AND paid.booking_id = {of}.id"
    return literal_column(
        f"CASE WHEN {of}.payment_mode = 'before' AND {of}.price_amount > 0 AND {of}.kind = 'individual' THEN"
        f" (SELECT to_jsonb(paid) || jsonb_build_object('refunds', {_REFUNDS.format(of='paid')})"
        f" FROM payments paid WHERE ({of_booking}) OR paid.series_id = {of}.series_id LIMIT 1) END",
        _Shown(),
    ).label("payment")


def payment_of_seat(user_id: UUID | ColumnElement[UUID]) -> Label[Any]:
    """The column `payment` of a select from groups: the latest payment of that person for a seat; else null."""
    paid, booking = payments.alias("paid"), bookings.c
    shown = literal_column(f"to_jsonb(paid) || jsonb_build_object('refunds', {_REFUNDS.format(of='paid')})", JSONB)
    latest = select(shown).select_from(paid).order_by(paid.c.id.desc()).limit(1).correlate(bookings)
    latest = latest.where(paid.c.booking_id == booking.id, paid.c.user_id == user_id, paid.c.seat_id.is_not(None))
    is_prepaid = and_(booking.payment_mode == enum_literal(PaymentMode.BEFORE), booking.price_amount > 0)
    return type_coerce(case((is_prepaid, latest.scalar_subquery())), _Shown()).label("payment")


PAYMENT_OF_BUNDLE: Label[Any] = literal_column(
    f"""(SELECT to_jsonb(paid) || jsonb_build_object('refunds', {_REFUNDS.format(of="paid")})
    FROM payments paid WHERE paid.bundle_purchase_id = bundle_purchases.id)""",
    _Shown(),
).label("payment")


def payment_query(payment_id: UUID | BindParameter[UUID]) -> Select[Any]:
    """The payment of that id, with its refunds."""
    return Payment.query().add_columns(REFUNDS).where(payments.c.id == payment_id)


def refund_query(payment_id: UUID | None, refund_id: UUID) -> Select[Any]:
    """The payment of that id, or any, if it has a refund of that id."""
    entry = payment_entries.c
    found = Payment.query().add_columns(REFUNDS, entry.id.label("refund_id"), _REFERENCE_OF_REFUND)
    found = found.join_from(payments, payment_entries, entry.payment_id == payments.c.id)
    due = entry.kind == enum_literal(PaymentEntryKind.REFUND_DUE)
    found = found.where(entry.id == refund_id, due)
    return found if payment_id is None else found.where(payments.c.id == payment_id)


def payments_query(
    *,
    status: Any = None,
    refund_due: bool | None = None,
    updated_since: datetime | None = None,
) -> Select[Any]:
    """Payments that fit every filter that is given.

    Args:
        status: a PaymentStatus.
        refund_due: whether something is still to go back.
    """
    payment = payments.c
    return narrowed(
        Payment.query().add_columns(REFUNDS),
        (status, lambda: payment.status == enum_literal(status)),
        (refund_due, lambda: payment.refund_due > 0 if refund_due else payment.refund_due == 0),
        (updated_since, lambda: payment.updated_at + NO_TIME >= updated_since),
    )


PAYMENTS = PagedList(Payment, rows=payments_query, equal=("user_id", "mentor_profile_id"))
PAYMENT = payment_query(bindparam("id", type_=payments.c.id.type))
# Whose it is, in words, and when, also before its last move since then; whether what it was paid for came back whole.
PAID_FOR = sql(
    """
SELECT p.status, payer.locale, mentor.name AS mentor, booking.start_time, course.title AS course,
       moved.rescheduled_from AS moved_from, moved.rescheduled_at AS moved_at,
       p.status = 'paid' AND NOT EXISTS (
           SELECT FROM payment_entries e
           WHERE e.payment_id = p.id AND e.kind = 'refund_due' AND e.amount = p.amount AND e.created_at = p.paid_at
       ) AS is_given
FROM payments p
JOIN users payer ON payer.id = p.user_id
LEFT JOIN LATERAL (
    SELECT b.start_time FROM bookings b WHERE b.id = p.booking_id OR b.series_id = p.series_id
    ORDER BY b.start_time LIMIT 1
) AS booking ON true
LEFT JOIN sessions moved ON moved.booking_id = p.booking_id AND moved.rescheduled_at >= p.created_at
LEFT JOIN mentor_profiles m ON m.id = p.mentor_profile_id
LEFT JOIN users mentor ON mentor.id = m.user_id
LEFT JOIN bundle_purchases bundle ON bundle.id = p.bundle_purchase_id
LEFT JOIN courses course ON course.id = bundle.course_id
WHERE p.id = :id
"""
).columns(start_time=Timestamp, moved_from=Timestamp, moved_at=Timestamp)
_LOCKED = Payment.query().where(payments.c.id == bindparam("id")).with_for_update(key_share=True)


def locked(db: Connection, payment_id: UUID) -> Payment:
    """The payment as it stands, locked until the end of the transaction, without its refunds."""
    return Payment.of(db.execute(_LOCKED, {"id": payment_id}).one())


def with_refunds(db: Connection, payment: Payment) -> Payment:
    """The payment as it stands now, with its refunds."""
    return Payment.of(db.execute(PAYMENT, {"id": payment.id}).one())
