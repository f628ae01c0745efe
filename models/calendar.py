"""Calendars: the blocked times of mentors and mentees, by bookings or expiring holds; the secrets of calendar feeds."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, Column, ForeignKey, Index, LargeBinary, PrimaryKeyConstraint, Table, Uuid, text
from sqlalchemy.dialects.postgresql import TSTZRANGE, ExcludeConstraint

from models.base import Timestamp, changing, created, id_column, metadata

# Every writer locks the mentor's row first: two inserts that meet inside the exclusion check alone deadlock.
mentor_busy = Table(
    "mentor_busy",
    metadata,
    id_column(),
    Column("mentor_profile_id", Uuid, ForeignKey("mentor_profiles.id"), nullable=False),
    Column("busy", TSTZRANGE, nullable=False),
    Column("booking_id", Uuid, ForeignKey("bookings.id"), unique=True),
    # A hold: who has it, and for which time without the buffers.
    Column("hold_id", Uuid, unique=True),
    Column("expires_at", Timestamp),
    Column("held_by_user_id", Uuid, ForeignKey("users.id")),
    Column("held_start", Timestamp),
    Column("held_end", Timestamp),
    created(),
    # A mentor's blocked times never overlap.
    ExcludeConstraint(
        ("mentor_profile_id", "="), ("busy", "&&"), using="gist", name="ex_mentor_busy_mentor_profile_id_busy"
    ),
    CheckConstraint("num_nonnulls(booking_id, hold_id) = 1", name="a_booking_or_a_hold"),
    # A constraint cannot know the time, so that an expired hold is deleted by the next taker.
    CheckConstraint(
        "num_nonnulls(hold_id, expires_at, held_by_user_id, held_start, held_end) IN (0, 5)", name="a_hold_is_whole"
    ),
    CheckConstraint(
        "NOT isempty(busy) AND NOT lower_inf(busy) AND NOT upper_inf(busy) AND lower_inc(busy) AND NOT upper_inc(busy)",
        name="busy_is_a_half_open_stretch",
    ),
    Index(
        "ix_mentor_busy_held_by_user_id_id",
        "held_by_user_id",
        "id",
        postgresql_where=text("held_by_user_id IS NOT NULL"),
    ),
    Index("ix_mentor_busy_expires_at", "expires_at", postgresql_where=text("expires_at IS NOT NULL")),
)

# Every writer locks the user's row first, after the mentor's.
mentee_busy = Table(
    "mentee_busy",
    metadata,
    Column("booking_id", Uuid, ForeignKey("bookings.id"), nullable=False),
    Column("user_id", Uuid, ForeignKey("users.id"), nullable=False),
    Column("busy", TSTZRANGE, nullable=False),
    created(),
    PrimaryKeyConstraint("booking_id", "user_id"),
    # A person is never booked twice for one time, unless a setting allows it.
    ExcludeConstraint(("user_id", "="), ("busy", "&&"), using="gist", name="ex_mentee_busy_user_id_busy"),
)

# The secret in a feed's address grants access, so only its digest is stored.
calendar_secrets = Table(
    "calendar_secrets",
    metadata,
    # One per user: a new secret replaces the old one.
    Column("user_id", Uuid, ForeignKey("users.id"), primary_key=True),
    # SHA-256 of 32 random bytes, which cannot be guessed; a dump does not disclose the secret.
    Column("digest", LargeBinary, nullable=False, unique=True),
    *changing(),
    CheckConstraint("octet_length(digest) = 32", name="digest"),
)
