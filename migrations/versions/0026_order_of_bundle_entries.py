"""The entries of a bundle's ledger are numbered in the order in which they moved its credits.

Their ids are made before the bundle's row is locked, so that of two moves at once the later one may have the smaller.

Revision: 0026, after 0025.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("bundle_entries", sa.Column("sequence", sa.BigInteger(), sa.Identity(always=True), nullable=False))
    op.drop_index("ix_bundle_entries_bundle_purchase_id_id", "bundle_entries")
    op.create_index(
        "ix_bundle_entries_bundle_purchase_id_sequence", "bundle_entries", ["bundle_purchase_id", "sequence"]
    )


def downgrade() -> None:
    op.drop_index("ix_bundle_entries_bundle_purchase_id_sequence", "bundle_entries")
    op.drop_column("bundle_entries", "sequence")
    op.create_index("ix_bundle_entries_bundle_purchase_id_id", "bundle_entries", ["bundle_purchase_id", "id"])
