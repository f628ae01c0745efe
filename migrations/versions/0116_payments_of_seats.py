"""Let seats of groups be paid before they are taken.

Revision: 0116, after 0115. A step back ends the payments of the seats that wait.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from migrations import function_sql

revision = "0116"
down_revision = "0115"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index(
        "uq_payments_awaited_seat",
        "payments",
        ["booking_id", "user_id"],
        unique=True,
        postgresql_where=sa.text("seat_id IS NOT NULL AND status = 'awaiting'"),
    )
    op.create_index(
        "ix_payments_seats",
        "payments",
        ["booking_id", "user_id", "id"],
        postgresql_where=sa.text("seat_id IS NOT NULL"),
    )
    op.execute(function_sql("guard_seat_paid", at=revision))


WITHOUT_KEPT_SEATS = (
    """
UPDATE group_sessions g SET seats_offered = seats_offered - kept.seats FROM (
    SELECT booking_id, count(*) AS seats FROM payments
    WHERE seat_id IS NOT NULL AND status = 'awaiting' GROUP BY booking_id
) AS kept WHERE g.booking_id = kept.booking_id
""",
    """
DELETE FROM person_busy m USING payments p
WHERE p.seat_id IS NOT NULL AND p.status = 'awaiting' AND m.booking_id = p.booking_id AND m.user_id = p.user_id
""",
    "UPDATE payments SET status = 'cancelled' WHERE seat_id IS NOT NULL AND status = 'awaiting'",
)


def downgrade() -> None:
    for statement in WITHOUT_KEPT_SEATS:
        op.execute(statement)
    op.execute("DROP TRIGGER tr_booking_participants_paid ON booking_participants")
    op.execute("DROP FUNCTION guard_seat_paid")
    op.drop_index("ix_payments_seats", "payments")
    op.drop_index("uq_payments_awaited_seat", "payments")
