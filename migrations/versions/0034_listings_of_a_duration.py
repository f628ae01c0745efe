"""A mentor's listings of one duration by price, which direct bookings ask for.

By the indexes over all prices they would be looked for among everyone's.

Revision: 0034, after 0033.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0034"
down_revision = "0033"
branch_labels = None
depends_on = None


def upgrade() -> None:
    columns = ["mentor_profile_id", "duration_minutes", "price_amount", "id"]
    op.create_index("ix_listings_of_a_duration", "listings", columns, postgresql_where=sa.text("active"))


def downgrade() -> None:
    op.drop_index("ix_listings_of_a_duration", "listings")
