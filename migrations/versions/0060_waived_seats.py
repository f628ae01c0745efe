"""The fee of a seat that was left late can be waived.

Revision: 0060, after 0059.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0060"
down_revision = "0059"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("seat_cancellations", sa.Column("waived_at", sa.DateTime(timezone=True)))


def downgrade() -> None:
    op.drop_column("seat_cancellations", "waived_at")
