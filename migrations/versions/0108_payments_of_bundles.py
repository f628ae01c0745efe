"""Let bundles be paid before their credits can be spent.

Revision: 0108, after 0107. A step back opens the bundles that wait.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from migrations import function_sql

revision = "0108"
down_revision = "0107"
branch_labels = None
depends_on = None


def upgrade() -> None:
    awaits = sa.Column("awaits_payment", sa.Boolean(), server_default=sa.text("false"), nullable=False)
    op.add_column("bundle_purchases", awaits)
    op.create_check_constraint(
        op.f("ck_bundle_purchases_unused_until_paid"),
        "bundle_purchases",
        "NOT awaits_payment OR remaining_sessions = total_sessions",
    )
    op.execute(function_sql("guard_bundle_paid", at=revision))


def downgrade() -> None:
    op.execute("DROP TRIGGER tr_bundle_purchases_paid ON bundle_purchases")
    op.execute("DROP FUNCTION guard_bundle_paid")
    op.drop_column("bundle_purchases", "awaits_payment")
