"""The waiting lists of a person are found by an index.

Revision: 0047, after 0046.
"""

from __future__ import annotations

from alembic import op

revision = "0047"
down_revision = "0046"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_waitlist_entries_user_id_id", "waitlist_entries", ["user_id", "id"])


def downgrade() -> None:
    op.drop_index("ix_waitlist_entries_user_id_id", "waitlist_entries")
