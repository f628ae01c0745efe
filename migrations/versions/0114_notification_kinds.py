"""Let staff switch channels of a kind of notification off for everybody.

Revision: 0114, after 0113.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from models.base import Timestamp

revision = "0114"
down_revision = "0113"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "notification_kinds",
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("email", sa.Boolean(), nullable=False),
        sa.Column("push", sa.Boolean(), nullable=False),
        sa.Column("in_app", sa.Boolean(), nullable=False),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.Column("changed_at", Timestamp, server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("kind", name=op.f("pk_notification_kinds")),
    )


def downgrade() -> None:
    op.drop_table("notification_kinds")
