"""Let the marketplace name what it makes by ids of its own, and describe it by an object of its own.

Revision: 0103, after 0102.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0103"
down_revision = "0102"
branch_labels = None
depends_on = None

# Bookings have metadata already.
WITH_METADATA = (
    *("users", "mentor_profiles", "courses", "products", "listings", "group_session_templates"),
    "bundle_purchases",
)
TABLES = (*WITH_METADATA, "bookings")


def upgrade() -> None:
    for table in TABLES:
        op.add_column(table, sa.Column("external_id", sa.Text()))
        op.create_check_constraint(
            op.f(f"ck_{table}_external_id_length"), table, "char_length(external_id) BETWEEN 1 AND 200"
        )
        op.create_index(
            f"uq_{table}_external_id",
            table,
            ["external_id"],
            unique=True,
            postgresql_where=sa.text("external_id IS NOT NULL"),
        )
    for table in WITH_METADATA:
        op.add_column(table, sa.Column("metadata", JSONB()))
        op.create_check_constraint(
            op.f(f"ck_{table}_metadata_is_an_object"), table, "jsonb_typeof(metadata) = 'object'"
        )


def downgrade() -> None:
    for table in WITH_METADATA:
        op.drop_column(table, "metadata")
    for table in TABLES:
        op.drop_column(table, "external_id")
