"""Whose webhook endpoints were that are deleted, so that their owners go on reading what they were sent.

Revision: 0024, after 0023.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "deleted_webhook_endpoints",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("mentor_profile_id", sa.Uuid(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_deleted_webhook_endpoints"),
        sa.ForeignKeyConstraint(
            ["mentor_profile_id"],
            ["mentor_profiles.id"],
            name="fk_deleted_webhook_endpoints_mentor_profile_id",
        ),
    )


def downgrade() -> None:
    op.drop_table("deleted_webhook_endpoints")
