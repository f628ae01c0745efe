"""What it cost to leave the seat of a group session, and why it was left.

Revision: 0028, after 0027.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "seat_cancellations",
        sa.Column("seat_id", sa.Uuid(), nullable=False),
        sa.Column("booking_id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("late", sa.Boolean(), nullable=False),
        sa.Column("fee_amount", sa.BigInteger(), nullable=False),
        sa.Column("refund_amount", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("fee_amount >= 0 AND refund_amount >= 0", name=op.f("ck_seat_cancellations_amounts")),
        sa.ForeignKeyConstraint(["booking_id"], ["bookings.id"], name=op.f("fk_seat_cancellations_booking_id")),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_seat_cancellations_user_id")),
        sa.PrimaryKeyConstraint("seat_id", name=op.f("pk_seat_cancellations")),
    )
    op.create_index("ix_seat_cancellations_booking_id", "seat_cancellations", ["booking_id"])
    op.create_index("ix_seat_cancellations_user_id", "seat_cancellations", ["user_id"])


def downgrade() -> None:
    op.drop_table("seat_cancellations")
