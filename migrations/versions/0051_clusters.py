"""In which clusters of PostgreSQL the database has lived: transaction ids are compared within one.

Revision: 0051, after 0050.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0051"
down_revision = "0050"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # `tutelage migrate` writes the rows, the first one included.
    op.create_table(
        "clusters",
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("system_identifier", sa.BigInteger(), nullable=False),
        sa.Column("events_up_to", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_clusters")),
    )


def downgrade() -> None:
    op.drop_table("clusters")
