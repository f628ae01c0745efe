"""A mentor's listings of one duration by price, which direct bookings ask for.

By the indexes over all prices they would be looked for among everyone's.

Revision: 0032, after 0031.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0032"
down_revision = "0031"
branch_labels = None
depends_on = None


def upgrade() -> None:
    columns = ["mentor_profile_id", "duration_minutes", "price_amount", "id"]
    op.create_index("ix_listings_of_a_duration", "listings", columns, postgresql_where=sa.text("active"))


def downgrade() -> None:
    op.drop_index("ix_listings_of_a_duration", "listings")
