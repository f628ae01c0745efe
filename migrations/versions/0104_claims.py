"""Let an account say by which claims it was written last, so that claims which have changed are noticed.

Revision: 0104, after 0103.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from models.base import Timestamp

revision = "0104"
down_revision = "0103"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("users", sa.Column("claims_digest", sa.LargeBinary()))
    op.add_column("users", sa.Column("claims_at", Timestamp))


def downgrade() -> None:
    op.drop_column("users", "claims_at")
    op.drop_column("users", "claims_digest")
