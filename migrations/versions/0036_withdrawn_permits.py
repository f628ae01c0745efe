"""Permits to review that are withdrawn, since their mentee was recorded as absent.

Revision: 0036, after 0035.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0036"
down_revision = "0035"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("review_permits", sa.Column("withdrawn_at", sa.DateTime(timezone=True), nullable=True))


def downgrade() -> None:
    # Before this revision every permit was good until it expired.
    op.drop_column("review_permits", "withdrawn_at")
