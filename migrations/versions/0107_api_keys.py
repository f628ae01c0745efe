"""Give machines keys of their own, with scopes.

Revision: 0107, after 0106.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY

from models.base import Timestamp

revision = "0107"
down_revision = "0106"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "api_keys",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("scopes", ARRAY(sa.Text()), nullable=False),
        sa.Column("prefix", sa.Text(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("former_digest", sa.LargeBinary()),
        sa.Column("former_until", Timestamp),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("last_used_at", Timestamp),
        sa.Column("expires_at", Timestamp),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.Column("created_at", Timestamp, server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("char_length(name) BETWEEN 1 AND 200", name=op.f("ck_api_keys_name_length")),
        sa.CheckConstraint(
            "cardinality(scopes) > 0 AND scopes <@ ARRAY['read', 'act', 'payments', 'events', 'import', 'operations']",
            name=op.f("ck_api_keys_scopes"),
        ),
        sa.CheckConstraint("(former_digest IS NULL) = (former_until IS NULL)", name=op.f("ck_api_keys_former_until")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_keys")),
        sa.UniqueConstraint("digest", name=op.f("uq_api_keys_digest")),
        sa.UniqueConstraint("former_digest", name=op.f("uq_api_keys_former_digest")),
    )


def downgrade() -> None:
    op.drop_table("api_keys")
