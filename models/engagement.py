"""What a session leaves behind: permits to review it, and the day's counts."""

from __future__ import annotations

from sqlalchemy import (
    CheckConstraint,
    Column,
    Date,
    ForeignKey,
    Index,
    Integer,
    PrimaryKeyConstraint,
    Table,
    UniqueConstraint,
    Uuid,
    text,
)

from models.base import Timestamp, changing, created, id_column, metadata

review_permits = Table(
    "review_permits",
    metadata,
    id_column(),
    Column("session_id", Uuid, ForeignKey("sessions.id"), nullable=False),
    Column("mentee_user_id", Uuid, ForeignKey("users.id"), nullable=False),
    Column("mentor_profile_id", Uuid, ForeignKey("mentor_profiles.id"), nullable=False),
    Column("unlocked_at", Timestamp, nullable=False),
    Column("expires_at", Timestamp, nullable=False),
    created(),
    UniqueConstraint("session_id", "mentee_user_id"),
    CheckConstraint("expires_at > unlocked_at", name="expires_after_it_opens"),
    Index("ix_review_permits_mentee_user_id_id", "mentee_user_id", "id"),
)

daily_session_stats = Table(
    "daily_session_stats",
    metadata,
    Column("day", Date, nullable=False),
    Column("mentor_profile_id", Uuid, ForeignKey("mentor_profiles.id"), nullable=False),
    Column("created", Integer, nullable=False, server_default=text("0")),
    Column("started", Integer, nullable=False, server_default=text("0")),
    Column("completed", Integer, nullable=False, server_default=text("0")),
    Column("minutes", Integer, nullable=False, server_default=text("0")),
    *changing(),
    PrimaryKeyConstraint("day", "mentor_profile_id"),
    CheckConstraint("created >= 0 AND started >= 0 AND completed >= 0 AND minutes >= 0", name="counters"),
)
