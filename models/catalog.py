"""The catalogue: courses, their products, and mentors' listings with durations, prices and policies."""

from enum import StrEnum

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, TSVECTOR, ExcludeConstraint

from models.base import changing, enum, external_id, id_column, metadata, own_metadata
from models.payments import PAYMENT_MODE
from models.personal import ERASED, IMPERSONAL, replaced_by
from models.terms import asked_questions, offered_terms

# Of a listing or the operator policy; also in the table's check.
MAX_REMINDERS = 5
MAX_REMINDER_MINUTES = 43_200  # 30 days
# Of a product; also in the table's checks.
MAX_SESSIONS_OF_A_BUNDLE = 1000
MAX_VALID_DAYS = 3660


class BookingMode(StrEnum):
    """Who decides about a booking of a listing."""

    REQUEST = "request"  # its mentor, later
    INSTANT = "instant"  # accepted as it is made


class ProductKind(StrEnum):
    """Kind of a product of a course."""

    SINGLE = "single"
    BUNDLE = "bundle"
    GROUP_SEAT = "group_seat"


class LocationKind(StrEnum):
    """Where the sessions of a listing take place."""

    ONLINE = "online"
    ADDRESS = "address"
    PHONE = "phone"


courses = Table(
    "courses",
    metadata,
    id_column(),
    Column("title", Text, nullable=False, info=IMPERSONAL),
    Column("description", Text, info=IMPERSONAL),
    Column("active", Boolean, nullable=False, server_default=text("true"), info=IMPERSONAL),
    *external_id("courses", IMPERSONAL),
    *own_metadata(IMPERSONAL),
    # The words of title and description, by a trigger.
    Column("search", TSVECTOR, nullable=False, server_default=text("''"), info=IMPERSONAL),
    *changing(),
    CheckConstraint("char_length(title) BETWEEN 1 AND 200", name="title_length"),
    # Without a list of pending entries, which each search would read.
    Index("ix_courses_search", "search", postgresql_using="gin", postgresql_with={"fastupdate": "off"}),
)

products = Table(
    "products",
    metadata,
    id_column(),
    Column("course_id", Uuid, ForeignKey("courses.id"), nullable=False),
    Column("kind", enum(ProductKind, "product_kind"), nullable=False),
    Column("title", Text, nullable=False, info=IMPERSONAL),
    Column("session_count", Integer, nullable=False, server_default=text("1"), info=IMPERSONAL),
    # Of the sessions that it pays for; null for any.
    Column("duration_minutes", Integer, info=IMPERSONAL),
    Column("price_amount", BigInteger, nullable=False, info=IMPERSONAL),
    Column("price_currency", Text, nullable=False, info=IMPERSONAL),
    # How long a bundle lasts; null for no end.
    Column("valid_days", Integer, info=IMPERSONAL),
    Column("payment_mode", PAYMENT_MODE, nullable=False, server_default=text("'none'")),
    Column("active", Boolean, nullable=False, server_default=text("true"), info=IMPERSONAL),
    *external_id("products", IMPERSONAL),
    *own_metadata(IMPERSONAL),
    *changing(),
    CheckConstraint("char_length(title) BETWEEN 1 AND 200", name="title_length"),
    CheckConstraint("session_count BETWEEN 1 AND 1000", name="session_count"),
    CheckConstraint("kind = 'bundle' OR (session_count = 1 AND valid_days IS NULL)", name="several_in_a_bundle"),
    CheckConstraint("duration_minutes BETWEEN 5 AND 1440", name="duration_minutes"),
    CheckConstraint("price_amount >= 0", name="price_amount"),
    CheckConstraint("price_currency ~ '^[A-Z]{3}$'", name="price_currency"),
    CheckConstraint("valid_days BETWEEN 1 AND 3660", name="valid_days"),
    # The target of foreign keys by which a bought product always belongs to its course.
    UniqueConstraint("id", "course_id"),
    Index("ix_products_course_id_id", "course_id", "id"),
)

listings = Table(
    "listings",
    metadata,
    id_column(),
    Column("mentor_profile_id", Uuid, ForeignKey("mentor_profiles.id"), nullable=False),
    # A mentor teaches a course by holding a listing of it.
    Column("course_id", Uuid, ForeignKey("courses.id")),
    Column("title", Text, nullable=False, info=replaced_by("'Deleted'")),
    Column("description", Text, info=ERASED),
    Column("duration_minutes", Integer, nullable=False, info=IMPERSONAL),
    *offered_terms(),
    Column("booking_mode", enum(BookingMode, "booking_mode"), nullable=False, server_default=text("'request'")),
    Column("min_notice_minutes", Integer, nullable=False, server_default=text("0"), info=IMPERSONAL),
    Column("buffer_before_minutes", Integer, nullable=False, server_default=text("0"), info=IMPERSONAL),
    # How long before the start both sides are reminded; null for the operator's choice.
    Column("reminder_minutes", ARRAY(Integer), info=IMPERSONAL),
    *asked_questions(),
    Column("active", Boolean, nullable=False, server_default=text("true"), info=replaced_by("false")),
    *external_id("listings"),
    *own_metadata(),
    *changing(),
    CheckConstraint("char_length(title) BETWEEN 1 AND 200", name="title_length"),
    CheckConstraint("duration_minutes BETWEEN 5 AND 1440", name="duration_minutes"),
    CheckConstraint("min_notice_minutes >= 0", name="min_notice_minutes"),
    CheckConstraint("buffer_before_minutes BETWEEN 0 AND 1440", name="buffer_before_minutes"),
    CheckConstraint(
        "cardinality(reminder_minutes) <= 5 AND 1 <= ALL (reminder_minutes) AND 43200 >= ALL (reminder_minutes)"
        " AND array_position(reminder_minutes, NULL) IS NULL",
        name="reminder_minutes",
    ),
    # The target of the key by which a booking's mentor is always its listing's.
    UniqueConstraint("id", "mentor_profile_id"),
    # One offer per course and duration.
    Index(
        "uq_listings_course_id_mentor_profile_id_duration_minutes",
        "course_id",
        "mentor_profile_id",
        "duration_minutes",
        unique=True,
        postgresql_where=text("active"),
    ),
    # Prices are compared to find the cheapest listing, so that they need one currency.
    ExcludeConstraint(
        ("mentor_profile_id", "="),
        ("duration_minutes", "="),
        ("price_currency", "<>"),
        where=text("active"),
        using="gist",
        name="ex_listings_mentor_profile_id_duration_minutes_price_currency",
    ),
    Index("ix_listings_mentor_profile_id_id", "mentor_profile_id", "id"),
    Index(
        "ix_listings_of_a_duration",
        "mentor_profile_id",
        "duration_minutes",
        "price_amount",
        "id",
        postgresql_where=text("active"),
    ),
    Index("ix_listings_price_amount_id", "price_amount", "id", postgresql_where=text("active")),
    Index(
        "ix_listings_price_currency_price_amount_id",
        "price_currency",
        "price_amount",
        "id",
        postgresql_where=text("active"),
    ),
)
