"""The mentor's calendar: which times are taken, by bookings or for the moment by holds; and the secrets of feeds."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, Column, ForeignKey, LargeBinary, Table, Uuid
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
    Column("hold_id", Uuid, unique=True),
    Column("expires_at", Timestamp),
    created(),
    # No mentor twice at one time (domain rule 1).
    ExcludeConstraint(
        ("mentor_profile_id", "="), ("busy", "&&"), using="gist", name="ex_mentor_busy_mentor_profile_id_busy"
    ),
    CheckConstraint("num_nonnulls(booking_id, hold_id) = 1", name="a_booking_or_a_hold"),
    # A constraint cannot know the time, so that an expired hold is deleted by the next taker.
    CheckConstraint("(hold_id IS NULL) = (expires_at IS NULL)", name="a_hold_expires"),
    CheckConstraint(
        "NOT isempty(busy) AND NOT lower_inf(busy) AND NOT upper_inf(busy) AND lower_inc(busy) AND NOT upper_inc(busy)",
        name="busy_is_a_half_open_stretch",
    ),
)

# A secret in the address of a feed grants access, so that its digest alone is stored.
calendar_secrets = Table(
    "calendar_secrets",
    metadata,
    # One a user: a new one takes the place of the old, which then leads nowhere.
    Column("user_id", Uuid, ForeignKey("users.id"), primary_key=True),
    # SHA-256 of 32 random bytes' worth of secret: there is nothing to guess, and nothing to be read from a dump.
    Column("digest", LargeBinary, nullable=False, unique=True),
    *changing(),
    CheckConstraint("octet_length(digest) = 32", name="digest"),
)
