"""Bookings: the decision about one mentor, one time and one listing, and who takes part in it."""

from enum import StrEnum

from sqlalchemy import (
    BigInteger,
    Boolean,
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

from models.base import Timestamp, changing, created, enum, external_id, id_column, metadata, own_metadata
from models.personal import ERASED, IMPERSONAL, KEPT_ACCOUNT, kept, own_reason, replaced_by
from models.terms import agreed_terms


class BookingStatus(StrEnum):
    """State of the decision."""

    DRAFT = "draft"  # in: the mentee's request; out: the mentor, the mentee, or the system when it expires
    ACCEPTED = "accepted"  # in: the mentor, or at once for an instant listing; final
    DECLINED = "declined"  # in: the mentor; final
    CANCELLED = "cancelled"  # in: the mentee, or the system when it expires; while unpaid, either party; final
    # In: as accepted, where it is paid before; out: its payment, which accepts it, or a party or the system without it.
    AWAITING_PAYMENT = "awaiting_payment"


BOOKING_TRANSITIONS: dict[BookingStatus, frozenset[BookingStatus]] = {
    BookingStatus.DRAFT: frozenset(set(BookingStatus) - {BookingStatus.DRAFT}),
    BookingStatus.ACCEPTED: frozenset(),
    BookingStatus.DECLINED: frozenset(),
    BookingStatus.CANCELLED: frozenset(),
    BookingStatus.AWAITING_PAYMENT: frozenset({BookingStatus.ACCEPTED, BookingStatus.CANCELLED}),
}


class BookingKind(StrEnum):
    """How many may take part."""

    INDIVIDUAL = "individual"
    GROUP = "group"


bookings = Table(
    "bookings",
    metadata,
    id_column(),
    # Null for a group, whose terms come from its template.
    Column("listing_id", Uuid),
    Column("mentor_profile_id", Uuid, ForeignKey("mentor_profiles.id"), nullable=False),
    Column("mentee_user_id", Uuid, ForeignKey("users.id")),
    Column("course_id", Uuid, ForeignKey("courses.id")),
    Column("kind", enum(BookingKind, "booking_kind"), nullable=False, server_default=text("'individual'")),
    Column("start_time", Timestamp, nullable=False),
    Column("end_time", Timestamp, nullable=False),
    Column("status", enum(BookingStatus, "booking_status"), nullable=False),
    Column("title", Text, info=ERASED),
    Column("notes", Text, info=ERASED),
    # Encrypted, with the questions as they were asked.
    Column("answers", Text, info=ERASED),
    *external_id("bookings"),
    *own_metadata(),
    # How it was paid: a product's price, or a credit.
    Column("product_id", Uuid, ForeignKey("products.id")),
    Column("bundle_purchase_id", Uuid, ForeignKey("bundle_purchases.id")),
    # The recurring bookings that were made by one request.
    Column("series_id", Uuid),
    *agreed_terms(),
    Column("session_id", Uuid, unique=True),
    # How often its session has moved, and when it was decided, which `updated_at` tells until then.
    Column("reschedule_count", Integer, nullable=False, server_default=text("0"), info=IMPERSONAL),
    Column("decided_at", Timestamp),
    Column("decline_reason", Text, info=replaced_by(own_reason("decline_reason"))),
    Column("cancel_reason", Text, info=replaced_by(own_reason("cancel_reason"))),
    *changing(),
    # A booking's mentor is its listing's.
    ForeignKeyConstraint(["listing_id", "mentor_profile_id"], ["listings.id", "listings.mentor_profile_id"]),
    # The target of the composite key by which a session cannot drift from its booking.
    UniqueConstraint("id", "start_time", "end_time", "mentor_profile_id"),
    CheckConstraint("end_time > start_time", name="ends_after_it_starts"),
    CheckConstraint("(listing_id IS NULL) = (kind = 'group')", name="listing_unless_group"),
    CheckConstraint("(mentee_user_id IS NULL) = (kind = 'group')", name="mentee_unless_group"),
    CheckConstraint("(reschedule_count > 0) = (decided_at IS NOT NULL)", name="decided_at_once_moved"),
    # The client knows the session's address from the moment of acceptance on.
    CheckConstraint("(session_id IS NOT NULL) = (status = 'accepted')", name="session_id_once_accepted"),
    # One open request of a mentee for one mentor and time; it also finds all open ones.
    Index(
        "uq_bookings_open_draft",
        "mentee_user_id",
        "mentor_profile_id",
        "start_time",
        unique=True,
        postgresql_where=text("status = 'draft'"),
    ),
    Index("ix_bookings_listing_id", "listing_id"),
    Index("ix_bookings_series_id", "series_id", postgresql_where=text("series_id IS NOT NULL")),
    Index(
        "ix_bookings_bundle_purchase_id", "bundle_purchase_id", postgresql_where=text("bundle_purchase_id IS NOT NULL")
    ),
    Index("ix_bookings_mentor_profile_id_start_time_id", "mentor_profile_id", text("start_time DESC"), "id"),
    Index("ix_bookings_mentee_user_id_start_time_id", "mentee_user_id", text("start_time DESC"), "id"),
    # The texts that a mentee stored in the last day: a guard bounds them.
    Index(
        "ix_bookings_mentee_user_id_created_at",
        "mentee_user_id",
        "created_at",
        postgresql_where=text("metadata IS NOT NULL OR octet_length(notes) > 1000 OR octet_length(answers) > 1000"),
    ),
    # The specification requires these two for operators who ask by state or time: no statement here reads them.
    Index("ix_bookings_status_start_time", "status", "start_time"),
    Index("ix_bookings_start_time", "start_time"),
    Index("ix_bookings_course_id_start_time", "course_id", "start_time"),
    # The group sessions that can be joined, the soonest first: of everyone, of a course, of a mentor.
    Index("ix_bookings_group_start_time_id", "start_time", "id", postgresql_where=text("kind = 'group'")),
    Index(
        "ix_bookings_group_course_id_start_time_id",
        "course_id",
        "start_time",
        "id",
        postgresql_where=text("kind = 'group'"),
    ),
    Index(
        "ix_bookings_group_mentor_profile_id_start_time_id",
        "mentor_profile_id",
        "start_time",
        "id",
        postgresql_where=text("kind = 'group'"),
    ),
    # Maintain reads the rows that changed since its last round.
    Index("ix_bookings_updated_at_id", "updated_at", "id"),
)

booking_participants = Table(
    "booking_participants",
    metadata,
    # The key forbids a double join, and finds the mentees of a booking.
    Column("booking_id", Uuid, ForeignKey("bookings.id"), nullable=False),
    Column("user_id", Uuid, ForeignKey("users.id"), nullable=False),
    # A participant of a group holds a seat, with what was paid for it; the mentee of an individual booking has none.
    Column("seat_id", Uuid, unique=True),
    Column("price_amount", BigInteger, info=KEPT_ACCOUNT),
    Column("price_currency", Text, info=KEPT_ACCOUNT),
    Column("product_id", Uuid, ForeignKey("products.id")),
    Column("bundle_purchase_id", Uuid, ForeignKey("bundle_purchases.id")),
    # Null until attendance is recorded.
    Column("present", Boolean, info=kept("what a session was")),
    # A trigger copies it from the booking to a seat: the group sessions of a person are listed by it.
    Column("start_time", Timestamp),
    created(),
    PrimaryKeyConstraint("booking_id", "user_id"),
    CheckConstraint("num_nonnulls(seat_id, price_amount, price_currency) IN (0, 3)", name="seat"),
    CheckConstraint("(start_time IS NULL) = (seat_id IS NULL)", name="start_time_of_a_seat"),
    # A mentee who misses an individual session is a no-show, which has rules of its own.
    CheckConstraint("present IS NOT FALSE OR seat_id IS NOT NULL", name="absence_from_a_group"),
    Index("ix_booking_participants_user_id", "user_id"),
    Index(
        "ix_booking_participants_user_id_start_time_booking_id",
        "user_id",
        text("start_time DESC"),
        "booking_id",
        postgresql_where=text("seat_id IS NOT NULL"),
    ),
)
