"""Links in mails that have been used, and mail addresses that are still to be confirmed.

Revision: 0039, after 0038.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0039"
down_revision = "0038"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "spent_links",
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("subject_id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("action", "subject_id", "user_id", "expires_at", name=op.f("pk_spent_links")),
    )
    op.create_index("ix_spent_links_expires_at", "spent_links", ["expires_at"])
    op.create_table(
        "email_changes",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("email", sa.Text(), nullable=False),
        sa.Column("former_email", sa.Text(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("open", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("char_length(email) BETWEEN 3 AND 320", name=op.f("ck_email_changes_email_length")),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_email_changes_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_email_changes")),
    )
    op.create_index(
        "uq_email_changes_open", "email_changes", ["user_id"], unique=True, postgresql_where=sa.text("open")
    )
    op.create_index("ix_email_changes_user_id_expires_at", "email_changes", ["user_id", "expires_at"])
    op.create_index("ix_email_changes_expires_at", "email_changes", ["expires_at"])


def downgrade() -> None:
    op.drop_table("email_changes")
    op.drop_table("spent_links")
