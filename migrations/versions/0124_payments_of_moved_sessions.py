"""Let a payment that is awaited be due sooner, once its session has moved to before its time.

Revision: 0124, after 0123.
"""

from __future__ import annotations

from alembic import op

from migrations import function_sql

revision = "0124"
down_revision = "0123"
branch_labels = None
depends_on = None
CHANGED = ("guard_payment_update", "guard_booking_move")


def upgrade() -> None:
    for name in CHANGED:
        op.execute(function_sql(name, at=revision))


def downgrade() -> None:
    for name in CHANGED:
        op.execute(function_sql(name, at=down_revision))
