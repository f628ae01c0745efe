"""Groups by their last change, so that maintain checks the seats that moved.

Revision: 0035, after 0034.
"""

from __future__ import annotations

from alembic import op

revision = "0035"
down_revision = "0034"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_group_sessions_updated_at_booking_id", "group_sessions", ["updated_at", "booking_id"])


def downgrade() -> None:
    op.drop_index("ix_group_sessions_updated_at_booking_id", "group_sessions")
