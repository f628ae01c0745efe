"""Let the fee and the refund of a cancellation never be more than was paid.

A waived fee is 0 from now on, also of what was waived before.

Revision: 0102, after 0101.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0102"
down_revision = "0101"
branch_labels = None
depends_on = None

# Of a group, everything goes back; what all of its seats were paid with is the refund.
NAME_WHAT_WAS_PAID = """
UPDATE sessions SET cancellation = cancellation || jsonb_build_object(
    'paid', CASE WHEN sessions.mentee_user_id IS NULL THEN cancellation -> 'refund' ELSE
        jsonb_build_object('amount', bookings.price_amount, 'currency', bookings.price_currency) END
) || CASE WHEN cancellation ->> 'waivedAt' IS NULL THEN '{}'
          ELSE jsonb_build_object('fee', cancellation -> 'fee' || '{"amount": 0}') END
FROM bookings WHERE bookings.id = sessions.booking_id AND cancellation IS NOT NULL
"""
AMOUNTS = """
(cancellation -> 'fee' ->> 'amount')::bigint >= 0 AND (cancellation -> 'refund' ->> 'amount')::bigint >= 0
AND (cancellation -> 'fee' ->> 'amount')::bigint + (cancellation -> 'refund' ->> 'amount')::bigint
    <= (cancellation -> 'paid' ->> 'amount')::bigint
"""


def upgrade() -> None:
    op.execute(NAME_WHAT_WAS_PAID)
    op.add_column("seat_cancellations", sa.Column("price_amount", sa.BigInteger()))
    op.execute(
        "UPDATE seat_cancellations SET fee_amount = CASE WHEN waived_at IS NULL THEN fee_amount ELSE 0 END,"
        " price_amount = CASE WHEN waived_at IS NULL THEN fee_amount ELSE 0 END + refund_amount"
    )
    # A constraint cannot be added while events of the rows' triggers are pending.
    op.execute("SET CONSTRAINTS ALL IMMEDIATE")
    op.alter_column("seat_cancellations", "price_amount", nullable=False)
    op.drop_constraint("ck_seat_cancellations_amounts", "seat_cancellations")
    op.create_check_constraint(
        op.f("ck_seat_cancellations_amounts"),
        "seat_cancellations",
        "fee_amount >= 0 AND refund_amount >= 0 AND fee_amount + refund_amount <= price_amount",
    )
    op.create_check_constraint(op.f("ck_sessions_amounts"), "sessions", AMOUNTS)


def downgrade() -> None:
    op.drop_constraint("ck_sessions_amounts", "sessions")
    op.execute("UPDATE sessions SET cancellation = cancellation - 'paid' WHERE cancellation IS NOT NULL")
    op.execute("SET CONSTRAINTS ALL IMMEDIATE")
    op.drop_constraint("ck_seat_cancellations_amounts", "seat_cancellations")
    op.drop_column("seat_cancellations", "price_amount")
    op.create_check_constraint(
        op.f("ck_seat_cancellations_amounts"), "seat_cancellations", "fee_amount >= 0 AND refund_amount >= 0"
    )
