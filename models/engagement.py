"""What a session leaves behind: permits to review it."""

from __future__ import annotations

from sqlalchemy import (
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Table,
    UniqueConstraint,
    Uuid,
)

from models.base import Timestamp, created, id_column, metadata

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
