"""Find the entries of payments, and the seats that were left, by their time.

Revision: 0113, after 0112.
"""

from __future__ import annotations

from alembic import op

revision = "0113"
down_revision = "0112"
branch_labels = None
depends_on = None
TABLES = ("payment_entries", "seat_cancellations")


def upgrade() -> None:
    with op.get_context().autocommit_block():
        for table in TABLES:
            op.create_index(
                f"ix_{table}_created_at", table, ["created_at"], postgresql_concurrently=True, if_not_exists=True
            )


def downgrade() -> None:
    for table in TABLES:
        op.drop_index(f"ix_{table}_created_at", table)
