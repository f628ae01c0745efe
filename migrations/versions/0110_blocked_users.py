"""Let staff block people, and find them by name or address.

Revision: 0110, after 0109.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from models.base import Timestamp

revision = "0110"
down_revision = "0109"
branch_labels = None
depends_on = None

USER_WORDS = (
    "to_tsvector('simple'::regconfig, translate(regexp_replace(NORMALIZE((name || ' '::text) || email, NFKD),"
    r" '[\u0300-\u036f]'::text, ''::text, 'g'::text), './\-_@:<>&'''::text, '           '::text))"
)


def upgrade() -> None:
    op.add_column("users", sa.Column("blocked_at", Timestamp))
    op.create_index(
        "ix_users_search",
        "users",
        [sa.text(USER_WORDS)],
        postgresql_using="gin",
        postgresql_with={"fastupdate": "off"},
    )
    op.create_index("ix_users_blocked", "users", ["id"], postgresql_where=sa.text("blocked_at IS NOT NULL"))


def downgrade() -> None:
    op.drop_index("ix_users_blocked", "users")
    op.drop_index("ix_users_search", "users")
    op.drop_column("users", "blocked_at")
