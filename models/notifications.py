"""Notifications, people's preferences about them, and the browsers that show push messages."""

from enum import StrEnum

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    text,
)

from models.base import Timestamp, changing, created, enum, id_column, metadata
from models.personal import DELETED, IMPERSONAL, replaced_by


class Channel(StrEnum):
    """Way in which a notification reaches a person."""

    IN_APP = "in_app"
    EMAIL = "email"
    PUSH = "push"


notifications = Table(
    "notifications",
    metadata,
    id_column(),
    Column("event_id", Uuid, ForeignKey("events.id"), nullable=False),
    Column("user_id", Uuid, ForeignKey("users.id"), nullable=False),
    Column("channel", enum(Channel, "notification_channel"), nullable=False),
    Column("kind", Text, nullable=False, info=IMPERSONAL),
    Column("title", Text, nullable=False, info=replaced_by("'About a person who has deleted their account'")),
    Column("body", Text, nullable=False, info=replaced_by("''")),
    Column("booking_id", Uuid, ForeignKey("bookings.id")),
    Column("session_id", Uuid, ForeignKey("sessions.id")),
    Column("read_at", Timestamp),
    # A mail is held when many of its kind went to its reader; at this moment all held ones are sent as one mail.
    Column("gathered_until", Timestamp),
    created(),
    # An event that is delivered twice notifies once.
    UniqueConstraint("event_id", "user_id", "channel"),
    CheckConstraint("gathered_until IS NULL OR channel = 'email'", name="gathered_until"),
    # The latest mails of a kind are counted by it too, before another one is sent: they are among a person's latest.
    Index("ix_notifications_user_id_id", "user_id", "id"),
    # Mails that are held.
    Index(
        "ix_notifications_gathered",
        "user_id",
        "kind",
        "gathered_until",
        postgresql_where=text("gathered_until IS NOT NULL"),
    ),
    # The application counts these at every refresh; they are few among all rows.
    Index("ix_notifications_unread", "user_id", "id", postgresql_where=text("channel = 'in_app' AND read_at IS NULL")),
)

notification_preferences = Table(
    "notification_preferences",
    metadata,
    # Only people's choices; without a row, the kind's default holds. A choice that was taken back keeps its row, as the
    # default: `updated_at` tells since when notifications may differ from it.
    Column("user_id", Uuid, ForeignKey("users.id"), nullable=False, info=DELETED),
    Column("kind", Text, nullable=False, info=DELETED),
    Column("channel", enum(Channel, "notification_channel"), nullable=False, info=DELETED),
    Column("wanted", Boolean, nullable=False, info=DELETED),
    *changing(),
    PrimaryKeyConstraint("user_id", "kind", "channel"),
)

notification_kinds = Table(
    "notification_kinds",
    metadata,
    # Only the kinds of which staff have switched channels; without a row, every channel is on.
    Column("kind", Text, primary_key=True, info=IMPERSONAL),
    Column("email", Boolean, nullable=False, info=IMPERSONAL),
    Column("push", Boolean, nullable=False, info=IMPERSONAL),
    Column("in_app", Boolean, nullable=False, info=IMPERSONAL),
    Column("version", Integer, nullable=False, server_default=text("1"), info=IMPERSONAL),
    Column("changed_at", Timestamp, nullable=False, server_default=text("now()")),
)

push_subscriptions = Table(
    "push_subscriptions",
    metadata,
    id_column(),
    Column("user_id", Uuid, ForeignKey("users.id"), nullable=False, info=DELETED),
    # Address and keys suffice to write to that browser: they are stored encrypted, and found by a digest.
    Column("endpoint_digest", Text, nullable=False, unique=True, info=DELETED),
    Column("sealed", Text, nullable=False, info=DELETED),
    # The push service alone, by which users tell their browsers apart.
    Column("host", Text, nullable=False, info=DELETED),
    *changing(),
    Index("ix_push_subscriptions_user_id_id", "user_id", "id"),
)
