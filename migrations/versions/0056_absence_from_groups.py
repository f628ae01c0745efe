"""Absence is recorded of participants of groups alone: of an individual session it is a no-show.

An absence that was recorded of an individual session is removed, so that its mentee can review the session. A step back
does not bring it back.

Revision: 0056, after 0055.
"""

from __future__ import annotations

from alembic import op

revision = "0056"
down_revision = "0055"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("UPDATE booking_participants SET present = NULL WHERE present = false AND seat_id IS NULL")
    op.create_check_constraint(
        op.f("ck_booking_participants_absence_from_a_group"),
        "booking_participants",
        "present IS NOT FALSE OR seat_id IS NOT NULL",
    )


def downgrade() -> None:
    op.drop_constraint(op.f("ck_booking_participants_absence_from_a_group"), "booking_participants")
