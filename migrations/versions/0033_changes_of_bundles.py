"""The bundles that changed since the last look at the invariants are found by an index.

Revision: 0033, after 0032.
"""

from __future__ import annotations

from alembic import op

revision = "0033"
down_revision = "0032"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_bundle_purchases_updated_at_id", "bundle_purchases", ["updated_at", "id"])


def downgrade() -> None:
    op.drop_index("ix_bundle_purchases_updated_at_id", "bundle_purchases")
