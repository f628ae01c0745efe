"""Which notifications people want, and by which way; and the browsers that show them.

Revision: 0010, after 0009.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

CHANNEL = postgresql.ENUM(name="notification_channel", create_type=False)


def upgrade() -> None:
    # Adds without rewriting the table. Nothing below may use the new value before this transaction has ended.
    op.execute("ALTER TYPE notification_channel ADD VALUE 'push'")
    op.create_index(
        "ix_notifications_unread",
        "notifications",
        ["user_id", "id"],
        postgresql_where=sa.text("channel = 'in_app' AND read_at IS NULL"),
    )
    op.create_table(
        "notification_preferences",
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("channel", CHANNEL, nullable=False),
        sa.Column("wanted", sa.Boolean(), nullable=False),
        *_changing(),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_notification_preferences_user_id")),
        sa.PrimaryKeyConstraint("user_id", "kind", "channel", name=op.f("pk_notification_preferences")),
    )
    op.create_table(
        "push_subscriptions",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("endpoint_digest", sa.Text(), nullable=False),
        sa.Column("sealed", sa.Text(), nullable=False),
        sa.Column("host", sa.Text(), nullable=False),
        *_changing(),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_push_subscriptions_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_push_subscriptions")),
        sa.UniqueConstraint("endpoint_digest", name=op.f("uq_push_subscriptions_endpoint_digest")),
    )
    op.create_index("ix_push_subscriptions_user_id_id", "push_subscriptions", ["user_id", "id"])
    for table in ("notification_preferences", "push_subscriptions"):
        op.execute(f"CREATE TRIGGER tr_{table}_version BEFORE UPDATE ON {table} FOR EACH ROW EXECUTE FUNCTION touch()")


def downgrade() -> None:
    op.drop_table("push_subscriptions")
    op.drop_table("notification_preferences")
    op.drop_index("ix_notifications_unread", table_name="notifications")
    op.execute("DELETE FROM notifications WHERE channel = 'push'")
    op.execute("ALTER TYPE notification_channel RENAME TO notification_channel_with_push")
    op.execute("CREATE TYPE notification_channel AS ENUM ('in_app', 'email')")
    op.execute(
        "ALTER TABLE notifications ALTER COLUMN channel TYPE notification_channel"
        " USING channel::text::notification_channel"
    )
    op.execute("DROP TYPE notification_channel_with_push")


def _changing() -> tuple[sa.Column[object], ...]:
    return (
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False),
    )
