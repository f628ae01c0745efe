"""Group sessions: the weekly templates, the seats of each booking that they became, and its waiting list."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Date,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    Text,
    Time,
    UniqueConstraint,
    Uuid,
    text,
)

from models.base import Timestamp, changing, created, external_id, id_column, metadata, own_metadata
from models.personal import DELETED, ERASED, IMPERSONAL, KEPT_ACCOUNT, replaced_by
from models.terms import asked_questions, offered_terms

MAX_CAPACITY = 1000

group_session_templates = Table(
    "group_session_templates",
    metadata,
    id_column(),
    Column("mentor_profile_id", Uuid, ForeignKey("mentor_profiles.id"), nullable=False),
    Column("course_id", Uuid, ForeignKey("courses.id")),
    # The group_seat product whose price was taken, where none was given.
    Column("product_id", Uuid),
    Column("title", Text, nullable=False, info=replaced_by("'Deleted'")),
    # 0 for Monday, with the wall-clock time in `time_zone`, an IANA name.
    Column("weekday", SmallInteger, nullable=False, info=IMPERSONAL),
    Column("start_time", Time, nullable=False, info=IMPERSONAL),
    Column("time_zone", Text, nullable=False, info=IMPERSONAL),
    Column("duration_minutes", Integer, nullable=False, info=IMPERSONAL),
    Column("capacity", Integer, nullable=False, info=IMPERSONAL),
    # The price of one seat.
    *offered_terms(),
    *asked_questions(),
    Column("active", Boolean, nullable=False, server_default=text("true"), info=replaced_by("false")),
    *external_id("group_session_templates"),
    *own_metadata(),
    *changing(),
    ForeignKeyConstraint(["product_id", "course_id"], ["products.id", "products.course_id"]),
    CheckConstraint("char_length(title) BETWEEN 1 AND 200", name="title_length"),
    CheckConstraint("weekday BETWEEN 0 AND 6", name="weekday"),
    CheckConstraint("duration_minutes BETWEEN 5 AND 1440", name="duration_minutes"),
    CheckConstraint("capacity BETWEEN 1 AND 1000", name="capacity"),
    Index("ix_group_session_templates_mentor_profile_id_id", "mentor_profile_id", "id"),
)

# The data of a group that changes after its booking is accepted; the booking's own row does not change then.
group_sessions = Table(
    "group_sessions",
    metadata,
    Column("booking_id", Uuid, ForeignKey("bookings.id"), primary_key=True),
    Column("template_id", Uuid, ForeignKey("group_session_templates.id"), nullable=False),
    # The date of the occurrence in the template's zone.
    Column("occurs_on", Date, nullable=False, info=IMPERSONAL),
    Column("capacity", Integer, nullable=False, info=IMPERSONAL),
    # Change with the rows of booking_participants and waitlist_entries, in one statement.
    Column("seats_taken", Integer, nullable=False, server_default=text("0"), info=IMPERSONAL),
    Column("seats_offered", Integer, nullable=False, server_default=text("0"), info=IMPERSONAL),
    # Set with its session's cancellation: from then on nobody can join or leave, and the date can be scheduled again.
    Column("cancelled_at", Timestamp),
    *changing(),
    CheckConstraint("capacity BETWEEN 1 AND 1000", name="capacity"),
    CheckConstraint(
        "seats_taken >= 0 AND seats_offered >= 0 AND seats_taken + seats_offered <= capacity", name="seats"
    ),
    # One booking per template and date.
    Index(
        "uq_group_sessions_template_id_occurs_on",
        "template_id",
        "occurs_on",
        unique=True,
        postgresql_where=text("cancelled_at IS NULL"),
    ),
    # Maintain reads the groups whose seats changed since its last round.
    Index("ix_group_sessions_updated_at_booking_id", "updated_at", "booking_id"),
)

# The answers of people who have a seat, or for whom one is kept until it is paid; they go with the seat.
seat_answers = Table(
    "seat_answers",
    metadata,
    Column("booking_id", Uuid, ForeignKey("group_sessions.booking_id"), nullable=False),
    Column("user_id", Uuid, ForeignKey("users.id"), nullable=False),
    # Encrypted, with the questions as they were asked.
    Column("answers", Text, nullable=False, info=DELETED),
    PrimaryKeyConstraint("booking_id", "user_id"),
    Index("ix_seat_answers_user_id", "user_id"),
)

waitlist_entries = Table(
    "waitlist_entries",
    metadata,
    # A UUIDv7: the order of the waiting list.
    id_column(),
    Column("booking_id", Uuid, ForeignKey("group_sessions.booking_id"), nullable=False),
    Column("user_id", Uuid, ForeignKey("users.id"), nullable=False, info=DELETED),
    # Until then a seat is kept for this person; null while they wait for one.
    Column("offered_until", Timestamp),
    created(),
    UniqueConstraint("booking_id", "user_id"),
    Index("ix_waitlist_entries_booking_id_id", "booking_id", "id"),
    Index("ix_waitlist_entries_user_id_id", "user_id", "id"),
)

# Refunds of seats that mentees left; the rows in booking_participants are deleted.
seat_cancellations = Table(
    "seat_cancellations",
    metadata,
    Column("seat_id", Uuid, primary_key=True),
    Column("booking_id", Uuid, ForeignKey("bookings.id"), nullable=False),
    Column("user_id", Uuid, ForeignKey("users.id"), nullable=False),
    Column("late", Boolean, nullable=False, info=KEPT_ACCOUNT),
    Column("price_amount", BigInteger, nullable=False, info=KEPT_ACCOUNT),
    Column("fee_amount", BigInteger, nullable=False, info=KEPT_ACCOUNT),
    Column("refund_amount", BigInteger, nullable=False, info=KEPT_ACCOUNT),
    Column("currency", Text, nullable=False, info=KEPT_ACCOUNT),
    # For the mentor alone.
    Column("reason", Text, info=ERASED),
    # From then on there is no fee, and the refund is the whole price, or the credit has returned.
    Column("waived_at", Timestamp),
    created(),
    CheckConstraint(
        "fee_amount >= 0 AND refund_amount >= 0 AND fee_amount + refund_amount <= price_amount", name="amounts"
    ),
    Index("ix_seat_cancellations_booking_id", "booking_id"),
    Index("ix_seat_cancellations_user_id", "user_id"),
    # Reports of a period.
    Index("ix_seat_cancellations_created_at", "created_at"),
)
