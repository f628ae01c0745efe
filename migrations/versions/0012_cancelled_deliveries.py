"""An index over the cancelled deliveries, so that operators find them however many are done.

Revision: 0012, after 0011.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index(
        "ix_deliveries_cancelled",
        "deliveries",
        ["event_id"],
        postgresql_where=sa.text("state = 'cancelled'"),
    )


def downgrade() -> None:
    op.drop_index("ix_deliveries_cancelled", table_name="deliveries")
