"""Bundles that mentees have bought, each with the ledger of its credits."""

from enum import StrEnum

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    ForeignKeyConstraint,
    Identity,
    Index,
    Integer,
    Table,
    Text,
    Uuid,
    text,
)

from models.base import Timestamp, changing, created, enum, external_id, id_column, metadata, own_metadata
from models.personal import ERASED, IMPERSONAL, KEPT_ACCOUNT


class BundleEntryKind(StrEnum):
    """Kind of a move of a bundle's credits."""

    PURCHASE = "purchase"
    SPEND = "spend"
    GIVE_BACK = "give_back"
    ADJUST = "adjust"
    EXPIRE = "expire"


bundle_purchases = Table(
    "bundle_purchases",
    metadata,
    id_column(),
    Column("mentee_user_id", Uuid, ForeignKey("users.id"), nullable=False),
    Column("course_id", Uuid, nullable=False),
    Column("product_id", Uuid, nullable=False),
    Column("total_sessions", Integer, nullable=False, info=IMPERSONAL),
    # Changes with an entry in the ledger, in one statement.
    Column("remaining_sessions", Integer, nullable=False, info=IMPERSONAL),
    # Of its product at the time of purchase, as the price is; null for sessions of any duration.
    Column("duration_minutes", Integer, info=IMPERSONAL),
    Column("price_amount", BigInteger, nullable=False, info=KEPT_ACCOUNT),
    Column("price_currency", Text, nullable=False, info=KEPT_ACCOUNT),
    Column("valid_from", Timestamp, nullable=False),
    # Exclusive; null for no end.
    Column("valid_to", Timestamp),
    # Set when the last credit is used, or by the purchase that follows an expiry; from then on another can be bought.
    Column("closed_at", Timestamp),
    # Until its payment has arrived; then none of its sessions has been used.
    Column("awaits_payment", Boolean, nullable=False, server_default=text("false"), info=IMPERSONAL),
    *external_id("bundle_purchases"),
    *own_metadata(),
    *changing(),
    ForeignKeyConstraint(["product_id", "course_id"], ["products.id", "products.course_id"]),
    CheckConstraint("remaining_sessions BETWEEN 0 AND total_sessions", name="remaining_sessions"),
    CheckConstraint("valid_to > valid_from", name="valid_to"),
    CheckConstraint("NOT awaits_payment OR remaining_sessions = total_sessions", name="unused_until_paid"),
    CheckConstraint("remaining_sessions > 0 OR closed_at IS NOT NULL", name="closed_when_exhausted"),
    Index(
        "uq_bundle_purchases_open",
        "mentee_user_id",
        "course_id",
        "product_id",
        unique=True,
        postgresql_where=text("closed_at IS NULL"),
    ),
    Index("ix_bundle_purchases_mentee_user_id_id", "mentee_user_id", "id"),
    # Maintain reads the rows that changed since its last round.
    Index("ix_bundle_purchases_updated_at_id", "updated_at", "id"),
)

# Append-only, by a trigger.
bundle_entries = Table(
    "bundle_entries",
    metadata,
    id_column(),
    # Given under the lock of the bundle's row: the order of the entries of one bundle.
    Column("sequence", BigInteger, Identity(always=True), nullable=False, info=IMPERSONAL),
    Column("bundle_purchase_id", Uuid, ForeignKey("bundle_purchases.id"), nullable=False),
    Column("kind", enum(BundleEntryKind, "bundle_entry_kind"), nullable=False),
    Column("credits", Integer, nullable=False, info=IMPERSONAL),
    # The credits that remain after this entry.
    Column("balance", Integer, nullable=False, info=IMPERSONAL),
    Column("booking_id", Uuid, ForeignKey("bookings.id")),
    # The seat of a group for which the credit was used; seats that were left are deleted.
    Column("seat_id", Uuid),
    Column("reason", Text, info=ERASED),
    Column("actor", Text, nullable=False, info=IMPERSONAL),
    created(),
    CheckConstraint("balance >= 0", name="balance"),
    CheckConstraint(
        "CASE kind WHEN 'purchase' THEN credits > 0 WHEN 'spend' THEN credits = -1"
        " WHEN 'give_back' THEN credits = 1 WHEN 'expire' THEN credits < 0 ELSE true END",
        name="credits",
    ),
    CheckConstraint("(booking_id IS NOT NULL) = (kind IN ('spend', 'give_back'))", name="booking_id"),
    # The credit of a booking or a seat is spent once and given back once.
    Index(
        "uq_bundle_entries_booking_id_kind", "booking_id", "kind", unique=True, postgresql_where=text("seat_id IS NULL")
    ),
    Index("uq_bundle_entries_seat_id_kind", "seat_id", "kind", unique=True),
    Index("ix_bundle_entries_bundle_purchase_id_sequence", "bundle_purchase_id", "sequence"),
)
