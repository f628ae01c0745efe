"""Take data that a marketplace brings over.

Revision: 0115, after 0114.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

from models.base import Timestamp

revision = "0115"
down_revision = "0114"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "imports",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("dry_run", sa.Boolean(), nullable=False),
        sa.Column("notify", sa.Boolean(), nullable=False),
        sa.Column("lines", sa.Integer(), nullable=False),
        *(
            sa.Column(name, sa.Integer(), server_default="0", nullable=False)
            for name in ("created", "updated", "unchanged", "refused")
        ),
        sa.Column("errors", JSONB(), server_default=sa.text("'[]'"), nullable=False),
        sa.Column("finished_at", Timestamp),
        sa.Column("expires_at", Timestamp, server_default=sa.text("now() + interval '7 days'"), nullable=False),
        sa.Column("created_at", Timestamp, server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint(
            "created >= 0 AND updated >= 0 AND unchanged >= 0 AND refused >= 0", name=op.f("ck_imports_counters")
        ),
        sa.CheckConstraint("created + updated + unchanged + refused <= lines", name=op.f("ck_imports_no_line_twice")),
        sa.CheckConstraint(
            "finished_at IS NULL OR created + updated + unchanged + refused = lines",
            name=op.f("ck_imports_finished_at"),
        ),
        sa.CheckConstraint(
            "jsonb_typeof(errors) = 'array' AND jsonb_array_length(errors) <= 1000", name=op.f("ck_imports_errors")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_imports")),
    )
    op.create_index("ix_imports_expires_at", "imports", ["expires_at"])
    op.create_table(
        "import_chunks",
        sa.Column("import_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("sealed", sa.Text(), nullable=False),
        sa.Column("created_at", Timestamp, server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("number >= 0", name=op.f("ck_import_chunks_number")),
        sa.ForeignKeyConstraint(
            ["import_id"], ["imports.id"], name=op.f("fk_import_chunks_import_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("import_id", "number", name=op.f("pk_import_chunks")),
    )


def downgrade() -> None:
    op.drop_table("import_chunks")
    op.drop_table("imports")
