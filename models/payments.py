"""Payments: what one person owes for one decision, each with its append-only ledger."""

from enum import StrEnum

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKey,
    Identity,
    Index,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    text,
)

from models.base import Timestamp, changing, created, enum, id_column, metadata
from models.personal import ERASED, IMPERSONAL, KEPT_ACCOUNT


class PaymentMode(StrEnum):
    """When the price of an offer is to be paid; a term of what is booked or bought."""

    NONE = "none"  # outside of this system
    BEFORE = "before"  # before it is given


class PaidFor(StrEnum):
    """Kind of decision that a payment is for."""

    BOOKING = "booking"
    SERIES = "series"
    SEAT = "seat"
    BUNDLE = "bundle"


class PaymentStatus(StrEnum):
    """State of a payment; refunds are entries of its ledger."""

    AWAITING = "awaiting"  # in: made with what it is for
    PAID = "paid"  # in: the marketplace's backend, or its payment provider; final
    LAPSED = "lapsed"  # in: the system, when nothing arrived in time; out: money that arrives late
    CANCELLED = "cancelled"  # in: a party or an operator who cancels what it is for; out: money that arrives late
    WAIVED = "waived"  # in: an operator; final


PAYMENT_TRANSITIONS: dict[PaymentStatus, frozenset[PaymentStatus]] = {
    PaymentStatus.AWAITING: frozenset(
        {PaymentStatus.PAID, PaymentStatus.LAPSED, PaymentStatus.CANCELLED, PaymentStatus.WAIVED}
    ),
    PaymentStatus.PAID: frozenset(),
    PaymentStatus.LAPSED: frozenset({PaymentStatus.PAID}),
    PaymentStatus.CANCELLED: frozenset({PaymentStatus.PAID}),
    PaymentStatus.WAIVED: frozenset(),
}


class PaymentEntryKind(StrEnum):
    """Kind of an entry of a payment's ledger."""

    CHARGE = "charge"
    REFUND_DUE = "refund_due"
    REFUND_DONE = "refund_done"
    REFUND_FAILED = "refund_failed"  # the payment provider could not pay it out after all: it is due again


# One type of several tables.
PAYMENT_MODE = enum(PaymentMode, "payment_mode")

payments = Table(
    "payments",
    metadata,
    id_column(),
    Column("paid_for", enum(PaidFor, "paid_for"), nullable=False),
    # Of a seat, the group's.
    Column("booking_id", Uuid, ForeignKey("bookings.id")),
    Column("series_id", Uuid),
    Column("seat_id", Uuid),
    Column("bundle_purchase_id", Uuid, ForeignKey("bundle_purchases.id")),
    Column("user_id", Uuid, ForeignKey("users.id"), nullable=False),
    # Null of a bundle.
    Column("mentor_profile_id", Uuid, ForeignKey("mentor_profiles.id")),
    Column("amount", BigInteger, nullable=False, info=KEPT_ACCOUNT),
    Column("currency", Text, nullable=False, info=KEPT_ACCOUNT),
    Column("status", enum(PaymentStatus, "payment_status"), nullable=False, server_default=text("'awaiting'")),
    Column("due_at", Timestamp, nullable=False),
    Column("paid_at", Timestamp),
    # The payer's or the provider's own name of the money that arrived.
    Column("reference", Text, info=KEPT_ACCOUNT),
    # Change with an entry in the ledger, in one statement.
    Column("charged", BigInteger, nullable=False, server_default=text("0"), info=KEPT_ACCOUNT),
    Column("refund_due", BigInteger, nullable=False, server_default=text("0"), info=KEPT_ACCOUNT),
    Column("refunded", BigInteger, nullable=False, server_default=text("0"), info=KEPT_ACCOUNT),
    # Of the payment provider: the page at which it can be paid, until then.
    Column("checkout_id", Text, unique=True, info=KEPT_ACCOUNT),
    Column("checkout_url", Text, info=IMPERSONAL),
    Column("checkout_expires_at", Timestamp),
    *changing(),
    CheckConstraint("amount > 0", name="amount"),
    CheckConstraint("currency ~ '^[A-Z]{3}$'", name="currency"),
    CheckConstraint(
        "CASE paid_for WHEN 'booking' THEN booking_id IS NOT NULL AND num_nonnulls(series_id, seat_id) = 0"
        " WHEN 'series' THEN series_id IS NOT NULL AND num_nonnulls(booking_id, seat_id) = 0"
        " WHEN 'seat' THEN num_nulls(booking_id, seat_id) = 0 AND series_id IS NULL"
        " ELSE num_nonnulls(booking_id, series_id, seat_id) = 0 END"
        " AND (bundle_purchase_id IS NOT NULL) = (paid_for = 'bundle')"
        " AND (mentor_profile_id IS NULL) = (paid_for = 'bundle')",
        name="of_one_decision",
    ),
    CheckConstraint(
        "(status = 'paid') = (paid_at IS NOT NULL) AND (status = 'paid') = (reference IS NOT NULL)"
        " AND charged = CASE WHEN status = 'paid' THEN amount ELSE 0 END",
        name="charged_once_paid",
    ),
    CheckConstraint("refund_due >= 0 AND refunded >= 0 AND refund_due + refunded <= charged", name="refunds"),
    CheckConstraint("num_nulls(checkout_id, checkout_url, checkout_expires_at) IN (0, 3)", name="checkout"),
    UniqueConstraint("reference"),
    # One payment of each decision.
    Index("uq_payments_booking_id", "booking_id", unique=True, postgresql_where=text("seat_id IS NULL")),
    Index("uq_payments_series_id", "series_id", unique=True),
    Index("uq_payments_seat_id", "seat_id", unique=True),
    Index("uq_payments_bundle_purchase_id", "bundle_purchase_id", unique=True),
    Index("ix_payments_user_id_id", "user_id", "id"),
    # A person waits for one seat of a group at a time.
    Index(
        "uq_payments_awaited_seat",
        "booking_id",
        "user_id",
        unique=True,
        postgresql_where=text("seat_id IS NOT NULL AND status = 'awaiting'"),
    ),
    Index("ix_payments_seats", "booking_id", "user_id", "id", postgresql_where=text("seat_id IS NOT NULL")),
    Index("ix_payments_mentor_profile_id_id", "mentor_profile_id", "id"),
    Index("ix_payments_status_id", "status", "id"),
    Index("ix_payments_refund_due", "id", postgresql_where=text("refund_due > 0")),
    # Maintain reads the rows that changed since its last round.
    Index("ix_payments_updated_at_id", "updated_at", "id"),
)

# Append-only, by a trigger.
payment_entries = Table(
    "payment_entries",
    metadata,
    # Of an entry `refund_due`, the refund's.
    id_column(),
    # Given under the lock of the payment's row: the order of the entries of one payment.
    Column("sequence", BigInteger, Identity(always=True), nullable=False, info=IMPERSONAL),
    Column("payment_id", Uuid, ForeignKey("payments.id"), nullable=False),
    Column("kind", enum(PaymentEntryKind, "payment_entry_kind"), nullable=False),
    Column("amount", BigInteger, nullable=False, info=KEPT_ACCOUNT),
    # The refund that is done, or has failed afterwards.
    Column("refund_id", Uuid, ForeignKey("payment_entries.id")),
    Column("reason", Text, info=ERASED),
    Column("reference", Text, info=KEPT_ACCOUNT),
    Column("actor", Text, nullable=False, info=IMPERSONAL),
    created(),
    CheckConstraint("amount > 0", name="amount"),
    CheckConstraint("(refund_id IS NULL) = (kind IN ('charge', 'refund_due'))", name="refund_id"),
    CheckConstraint("(reference IS NULL) = (kind = 'refund_due')", name="reference"),
    Index("ix_payment_entries_payment_id_sequence", "payment_id", "sequence"),
    # By turns done and failed, by a trigger.
    Index("ix_payment_entries_refund_id_sequence", "refund_id", "sequence"),
    # Reports of a period.
    Index("ix_payment_entries_created_at", "created_at"),
)
