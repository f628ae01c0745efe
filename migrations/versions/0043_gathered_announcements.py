"""Changes of availability that are announced together, and deleted endpoints with deliveries that are still pending.

Revision: 0043, after 0042.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0043"
down_revision = "0042"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "availability_announcements",
        sa.Column("mentor_profile_id", sa.Uuid(), nullable=False),
        sa.Column("announced_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("held_back", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("event_id", sa.Uuid(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint(
            "held_back >= 0 AND (held_back > 0) = (event_id IS NOT NULL)",
            name=op.f("ck_availability_announcements_held_back"),
        ),
        sa.ForeignKeyConstraint(
            ["mentor_profile_id"],
            ["mentor_profiles.id"],
            name=op.f("fk_availability_announcements_mentor_profile_id"),
        ),
        sa.PrimaryKeyConstraint("mentor_profile_id", name=op.f("pk_availability_announcements")),
    )
    # Of those that are deleted already, what is pending is cancelled when it is due, as before.
    op.add_column(
        "deleted_webhook_endpoints",
        sa.Column("deliveries_left", sa.Boolean(), server_default=sa.text("false"), nullable=False),
    )
    op.create_index(
        "ix_deleted_webhook_endpoints_deliveries_left",
        "deleted_webhook_endpoints",
        ["id"],
        postgresql_where=sa.text("deliveries_left"),
    )


def downgrade() -> None:
    op.drop_index("ix_deleted_webhook_endpoints_deliveries_left", "deleted_webhook_endpoints")
    op.drop_column("deleted_webhook_endpoints", "deliveries_left")
    op.drop_table("availability_announcements")
