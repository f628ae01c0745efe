"""Mails that are held and sent as one, where many of a kind went to one person.

The table is written to all the time: its writers go on while the indexes are built.

Revision: 0048, after 0047.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0048"
down_revision = "0047"
branch_labels = None
depends_on = None

TABLE = "notifications"
CHECK = "ck_notifications_gathered_until"
RULE = "CHECK (gathered_until IS NULL OR channel = 'email')"
# Name, columns, which rows.
INDEXES = (
    ("ix_notifications_mailed", ["user_id", "kind", "id"], "channel = 'email'"),
    ("ix_notifications_gathered", ["user_id", "kind", "gathered_until"], "gathered_until IS NOT NULL"),
)


def upgrade() -> None:
    # As an interrupted run leaves it: the step is committed before the indexes are built.
    op.execute(f"ALTER TABLE {TABLE} ADD COLUMN IF NOT EXISTS gathered_until timestamptz")
    op.execute(f"ALTER TABLE {TABLE} DROP CONSTRAINT IF EXISTS {CHECK}")
    op.execute(f"ALTER TABLE {TABLE} ADD CONSTRAINT {CHECK} {RULE} NOT VALID")
    with op.get_context().autocommit_block():
        before = op.get_bind().scalar(sa.text("SHOW lock_timeout"))
        op.execute("SET lock_timeout = 0")
        op.execute(f"ALTER TABLE {TABLE} VALIDATE CONSTRAINT {CHECK}")
        for name, columns, rows in INDEXES:
            # A build that was interrupted leaves an index behind that is kept up to date and never read.
            op.drop_index(name, table_name=TABLE, postgresql_concurrently=True, if_exists=True)
            op.create_index(name, TABLE, columns, postgresql_where=sa.text(rows), postgresql_concurrently=True)
        op.execute(f"SET lock_timeout = '{before}'")


def downgrade() -> None:
    for name, _columns, _rows in INDEXES:
        op.drop_index(name, table_name=TABLE)
    op.execute(f"ALTER TABLE {TABLE} DROP CONSTRAINT {CHECK}")
    op.drop_column(TABLE, "gathered_until")
