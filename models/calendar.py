"""Calendars: the blocked times of people, by bookings or expiring holds; the secrets of calendar feeds."""

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    LargeBinary,
    Table,
    UniqueConstraint,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB, TSTZRANGE, ExcludeConstraint

from models.base import Timestamp, changing, created, id_column, metadata
from models.personal import DELETED, IMPERSONAL

# The one calendar of each person, as a mentor and as a mentee: booked sessions, and holds of a mentor's time. Every
# writer locks the rows of its people in `users` first, by id: two inserts that meet inside the exclusion check alone
# deadlock.
person_busy = Table(
    "person_busy",
    metadata,
    id_column(),
    Column("user_id", Uuid, ForeignKey("users.id"), nullable=False),
    # Where the person is the mentor; null for a mentee.
    Column("mentor_profile_id", Uuid, ForeignKey("mentor_profiles.id")),
    # A mentor's with the buffers of the booking, a mentee's without.
    Column("busy", TSTZRANGE, nullable=False, info=IMPERSONAL),
    Column("booking_id", Uuid, ForeignKey("bookings.id")),
    # A mentee's alone: whether other sessions as a mentee may overlap, by the setting when this session or an
    # overlapping one was booked.
    Column("may_overlap", Boolean, nullable=False, server_default=text("false"), info=IMPERSONAL),
    # A hold of a mentor's time: who has it, and for which time without the buffers.
    Column("hold_id", Uuid, info=DELETED),
    Column("expires_at", Timestamp, info=DELETED),
    Column("held_by_user_id", Uuid, ForeignKey("users.id"), info=DELETED),
    Column("held_start", Timestamp, info=DELETED),
    Column("held_end", Timestamp, info=DELETED),
    # The listing of the hold, by its `id`, and its terms as they were then: a booking of it has these.
    Column("held_offer", JSONB(none_as_null=True), info=IMPERSONAL),
    created(),
    UniqueConstraint("booking_id", "user_id"),
    # No person is busy twice at one time. Rows of a person that may overlap share one value here and do not conflict;
    # every other row has its own.
    ExcludeConstraint(
        ("user_id", "="),
        ("busy", "&&"),
        (text("(CASE WHEN may_overlap THEN user_id ELSE id END)"), "<>"),
        using="gist",
        name="ex_person_busy_user_id_busy",
    ),
    CheckConstraint("num_nonnulls(booking_id, hold_id) = 1", name="a_booking_or_a_hold"),
    # A constraint cannot know the time, so that an expired hold is deleted by the next taker.
    CheckConstraint(
        "num_nonnulls(hold_id, expires_at, held_by_user_id, held_start, held_end) IN (0, 5)", name="a_hold_is_whole"
    ),
    CheckConstraint("hold_id IS NULL OR mentor_profile_id IS NOT NULL", name="a_hold_is_of_a_mentor"),
    CheckConstraint("NOT may_overlap OR mentor_profile_id IS NULL", name="a_mentor_never_overlaps"),
    CheckConstraint(
        "NOT isempty(busy) AND NOT lower_inf(busy) AND NOT upper_inf(busy) AND lower_inc(busy) AND NOT upper_inc(busy)",
        name="busy_is_a_half_open_stretch",
    ),
    Index("uq_person_busy_hold_id", "hold_id", unique=True, postgresql_where=text("hold_id IS NOT NULL")),
    Index(
        "ix_person_busy_held_by_user_id_id",
        "held_by_user_id",
        "id",
        postgresql_where=text("held_by_user_id IS NOT NULL"),
    ),
    Index("ix_person_busy_expires_at", "expires_at", postgresql_where=text("expires_at IS NOT NULL")),
)

# The secret in a feed's address grants access, so only its digest is stored.
calendar_secrets = Table(
    "calendar_secrets",
    metadata,
    # One per user: a new secret replaces the old one.
    Column("user_id", Uuid, ForeignKey("users.id"), primary_key=True, info=DELETED),
    # SHA-256 of 32 random bytes, which cannot be guessed; a dump does not disclose the secret.
    Column("digest", LargeBinary, nullable=False, unique=True, info=DELETED),
    *changing(),
    CheckConstraint("octet_length(digest) = 32", name="digest"),
)
