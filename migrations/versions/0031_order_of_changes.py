"""The order of all changes, by which live streams are continued.

Revision: 0031, after 0030.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0031"
down_revision = "0030"
branch_labels = None
depends_on = None

NAME = "ix_events_xid_sequence"


def upgrade() -> None:
    # Beside writers, and as long as it takes: it waits for those that write, and none of them waits for it.
    with op.get_context().autocommit_block():
        before = op.get_bind().scalar(sa.text("SHOW lock_timeout"))
        op.execute("SET lock_timeout = 0")
        # A build that was interrupted leaves an index behind that is kept up to date and never read.
        op.drop_index(NAME, table_name="events", postgresql_concurrently=True, if_exists=True)
        op.create_index(NAME, "events", ["xid", "sequence"], postgresql_concurrently=True)
        op.execute(f"SET lock_timeout = '{before}'")


def downgrade() -> None:
    with op.get_context().autocommit_block():
        op.drop_index(NAME, table_name="events", postgresql_concurrently=True, if_exists=True)
