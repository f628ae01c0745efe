"""Bookings: the decision about one mentor, one time and one listing, and who takes part in it."""

from __future__ import annotations

from enum import StrEnum

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from models.base import Timestamp, changing, created, enum, id_column, metadata


class BookingStatus(StrEnum):
    """Where the decision stands."""

    DRAFT = "draft"  # in: the mentee's request; out: the mentor, the mentee, or the system when it expires
    ACCEPTED = "accepted"  # in: the mentor, or at once for an instant listing; final
    DECLINED = "declined"  # in: the mentor; final
    CANCELLED = "cancelled"  # in: the mentee, or the system when it expires; final


BOOKING_TRANSITIONS: dict[BookingStatus, frozenset[BookingStatus]] = {
    BookingStatus.DRAFT: frozenset({BookingStatus.ACCEPTED, BookingStatus.DECLINED, BookingStatus.CANCELLED}),
    BookingStatus.ACCEPTED: frozenset(),
    BookingStatus.DECLINED: frozenset(),
    BookingStatus.CANCELLED: frozenset(),
}


class BookingKind(StrEnum):
    """How many may take part."""

    INDIVIDUAL = "individual"
    GROUP = "group"


bookings = Table(
    "bookings",
    metadata,
    id_column(),
    Column("listing_id", Uuid, nullable=False),
    Column("mentor_profile_id", Uuid, ForeignKey("mentor_profiles.id"), nullable=False),
    Column("mentee_user_id", Uuid, ForeignKey("users.id")),
    Column("course_id", Uuid, ForeignKey("courses.id")),
    Column("kind", enum(BookingKind, "booking_kind"), nullable=False, server_default=text("'individual'")),
    Column("start_time", Timestamp, nullable=False),
    Column("end_time", Timestamp, nullable=False),
    Column("status", enum(BookingStatus, "booking_status"), nullable=False),
    Column("title", Text),
    Column("notes", Text),
    Column("metadata", JSONB(none_as_null=True)),
    Column("price_amount", BigInteger, nullable=False),
    Column("price_currency", Text, nullable=False),
    Column("buffer_minutes", Integer, nullable=False, server_default=text("0")),
    Column("session_id", Uuid, unique=True),
    Column("decline_reason", Text),
    Column("cancel_reason", Text),
    *changing(),
    # A booking's mentor is its listing's.
    ForeignKeyConstraint(["listing_id", "mentor_profile_id"], ["listings.id", "listings.mentor_profile_id"]),
    # The target of the composite key by which a session cannot drift from its booking.
    UniqueConstraint("id", "start_time", "end_time", "mentor_profile_id"),
    CheckConstraint("end_time > start_time", name="ends_after_it_starts"),
    CheckConstraint("(mentee_user_id IS NULL) = (kind = 'group')", name="mentee_unless_group"),
    # The client knows the session's address from the moment of acceptance, and from no earlier one.
    CheckConstraint("(session_id IS NOT NULL) = (status = 'accepted')", name="session_id_once_accepted"),
    CheckConstraint("jsonb_typeof(metadata) = 'object'", name="metadata_is_an_object"),
    CheckConstraint("price_amount >= 0", name="price_amount"),
    CheckConstraint("buffer_minutes >= 0", name="buffer_minutes"),
    Index("ix_bookings_listing_id", "listing_id"),
    Index("ix_bookings_mentor_profile_id_start_time_id", "mentor_profile_id", text("start_time DESC"), "id"),
    Index("ix_bookings_mentee_user_id_start_time_id", "mentee_user_id", text("start_time DESC"), "id"),
    Index("ix_bookings_status_start_time", "status", "start_time"),
    Index("ix_bookings_start_time", "start_time"),
    # What maintain looks at: what changed since its last round.
    Index("ix_bookings_updated_at_id", "updated_at", "id"),
)

booking_participants = Table(
    "booking_participants",
    metadata,
    # The key forbids a double join, and finds the mentees of a booking.
    Column("booking_id", Uuid, ForeignKey("bookings.id"), nullable=False),
    Column("user_id", Uuid, ForeignKey("users.id"), nullable=False),
    created(),
    PrimaryKeyConstraint("booking_id", "user_id"),
    Index("ix_booking_participants_user_id", "user_id"),
)
