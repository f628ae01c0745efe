"""Find the latest mails of a person among all of their notifications.

Revision: 0127, after 0126.
"""

from __future__ import annotations

from alembic import op

from migrations import build_index

revision = "0127"
down_revision = "0126"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.get_context().autocommit_block():
        op.drop_index("ix_notifications_mailed", "notifications", postgresql_concurrently=True, if_exists=True)


def downgrade() -> None:
    build_index("ix_notifications_mailed", "notifications", ["user_id", "kind", "id"], where="channel = 'email'")
