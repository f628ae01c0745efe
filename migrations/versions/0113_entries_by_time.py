"""Find the entries of payments, and the seats that were left, by their time.

Revision: 0113, after 0112.
"""

from __future__ import annotations

from alembic import op

from migrations import build_index

revision = "0113"
down_revision = "0112"
branch_labels = None
depends_on = None
TABLES = ("payment_entries", "seat_cancellations")


def upgrade() -> None:
    for table in TABLES:
        build_index(f"ix_{table}_created_at", table, ["created_at"])


def downgrade() -> None:
    for table in TABLES:
        op.drop_index(f"ix_{table}_created_at", table)
