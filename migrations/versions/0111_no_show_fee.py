"""Let listings and templates of groups say what a mentee owes who does not come.

Revision: 0111, after 0110. Offers keep the fee that they had: of a late cancellation, or the whole price where
nobody can cancel. So do bookings, whose column stays null.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0111"
down_revision = "0110"
branch_labels = None
depends_on = None
OFFERS = ("listings", "group_session_templates")


def upgrade() -> None:
    for table in (*OFFERS, "bookings"):
        op.add_column(table, sa.Column("no_show_fee_percent", sa.Integer()))
        op.create_check_constraint(
            op.f(f"ck_{table}_no_show_fee_percent"), table, "no_show_fee_percent BETWEEN 0 AND 100"
        )
    # An offer is not changed by it: its version and the time of its last change stay.
    op.execute("SET LOCAL tutelage.keep_versions = 'on'")
    for table in OFFERS:
        op.execute(
            f"UPDATE {table} SET no_show_fee_percent ="
            " CASE WHEN cancellation_window_hours IS NULL THEN 100 ELSE late_fee_percent END"
        )
        op.alter_column(table, "no_show_fee_percent", nullable=False, server_default="100")
    op.execute("SET LOCAL tutelage.keep_versions = 'off'")


def downgrade() -> None:
    for table in (*OFFERS, "bookings"):
        op.drop_column(table, "no_show_fee_percent")
