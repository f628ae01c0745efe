"""Permits to review a session, and reviews."""

from sqlalchemy import (
    CheckConstraint,
    Column,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
)

from models.base import Timestamp, changing, created, id_column, metadata
from models.personal import DELETED_ACCOUNT, ERASED, kept, replaced_by

MAX_TEXT_CHARACTERS = 5000  # also in the table's checks

review_permits = Table(
    "review_permits",
    metadata,
    id_column(),
    Column("session_id", Uuid, ForeignKey("sessions.id"), nullable=False),
    Column("mentee_user_id", Uuid, ForeignKey("users.id"), nullable=False),
    Column("mentor_profile_id", Uuid, ForeignKey("mentor_profiles.id"), nullable=False),
    Column("unlocked_at", Timestamp, nullable=False),
    Column("expires_at", Timestamp, nullable=False),
    # While the mentee is recorded as absent; a review that was written before stays.
    Column("withdrawn_at", Timestamp),
    created(),
    UniqueConstraint("session_id", "mentee_user_id"),
    # The target of the key by which a review's parties are always its permit's.
    UniqueConstraint("session_id", "mentee_user_id", "mentor_profile_id"),
    CheckConstraint("expires_at > unlocked_at", name="expires_after_it_opens"),
    Index("ix_review_permits_mentee_user_id_id", "mentee_user_id", "id"),
)

reviews = Table(
    "reviews",
    metadata,
    id_column(),
    Column("session_id", Uuid, nullable=False),
    Column("mentee_user_id", Uuid, nullable=False),
    Column("mentor_profile_id", Uuid, nullable=False),
    # Counted in the mentor's average, so that a trigger refuses every change.
    Column("rating", SmallInteger, nullable=False, info=kept("counted in the mentor's average")),
    Column("comment", Text, info=ERASED),
    Column("answer", Text, info=ERASED),
    # Stays when an erasure takes the answer away: a review is answered once.
    Column("answered_at", Timestamp),
    # Hidden by an operator; a hidden review does not count.
    Column("hidden_at", Timestamp),
    Column(
        "hidden_reason", Text, info=replaced_by(f"CASE WHEN hidden_reason IS NOT NULL THEN '{DELETED_ACCOUNT}' END")
    ),
    *changing(),
    ForeignKeyConstraint(
        ["session_id", "mentee_user_id", "mentor_profile_id"],
        ["review_permits.session_id", "review_permits.mentee_user_id", "review_permits.mentor_profile_id"],
    ),
    # One review per permit.
    UniqueConstraint("session_id", "mentee_user_id"),
    CheckConstraint("rating BETWEEN 1 AND 5", name="rating"),
    CheckConstraint("char_length(comment) <= 5000", name="comment_length"),
    CheckConstraint("char_length(answer) BETWEEN 1 AND 5000", name="answer_length"),
    CheckConstraint("answer IS NULL OR answered_at IS NOT NULL", name="answered_at"),
    CheckConstraint("(hidden_at IS NOT NULL) = (hidden_reason IS NOT NULL)", name="hidden_at"),
    Index("ix_reviews_mentor_profile_id_id", "mentor_profile_id", "id"),
    # Maintain reads the rows that changed since its last round.
    Index("ix_reviews_updated_at_id", "updated_at", "id"),
)
