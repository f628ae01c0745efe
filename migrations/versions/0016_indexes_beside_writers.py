"""Indexes over what was kept for endpoints that did not listen, and over the attempts that a defect of ours ended.

Both tables are written to all the time: their writers go on while the indexes are built.

Revision: 0016, after 0015.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

# Name, table, which of its rows.
INDEXES = (
    ("ix_deliveries_missed", "deliveries", "cancel_reason = 'not_listening' AND attempts = 0"),
    ("ix_delivery_attempts_internal", "delivery_attempts", "error_class = 'internal'"),
)


def upgrade() -> None:
    with _beside_writers():
        for name, table, rows in INDEXES:
            # A build that was interrupted leaves an index behind that is kept up to date and never read.
            _drop(name, table)
            op.create_index(name, table, ["event_id"], postgresql_where=sa.text(rows), postgresql_concurrently=True)


def downgrade() -> None:
    with _beside_writers():
        for name, table, _rows in INDEXES:
            _drop(name, table)


@contextmanager
def _beside_writers() -> Iterator[None]:
    """Outside any transaction, and as patient as need be: it waits for those that write, and none waits for it."""
    with op.get_context().autocommit_block():
        before = op.get_bind().scalar(sa.text("SHOW lock_timeout"))
        op.execute("SET lock_timeout = 0")
        yield
        op.execute(f"SET lock_timeout = '{before}'")


def _drop(name: str, table: str) -> None:
    op.drop_index(name, table_name=table, postgresql_concurrently=True, if_exists=True)
