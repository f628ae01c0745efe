"""An index by which a worker finds what else is due of an effect, beside the deliveries that its wake-up names.

Revision: 0017, after 0016.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

INDEX, TABLE = "ix_deliveries_effect_due_at", "deliveries"


def upgrade() -> None:
    with _beside_writers():
        # A build that was interrupted leaves an index behind that is kept up to date and never read.
        op.drop_index(INDEX, table_name=TABLE, postgresql_concurrently=True, if_exists=True)
        op.create_index(
            INDEX,
            TABLE,
            ["effect", "due_at"],
            postgresql_where=sa.text("state = 'pending' AND lease_until IS NULL"),
            postgresql_concurrently=True,
        )


def downgrade() -> None:
    with _beside_writers():
        op.drop_index(INDEX, table_name=TABLE, postgresql_concurrently=True, if_exists=True)


@contextmanager
def _beside_writers() -> Iterator[None]:
    """Outside any transaction, and without a limit of time: it waits for those that write, and none of them waits."""
    with op.get_context().autocommit_block():
        before = op.get_bind().scalar(sa.text("SHOW lock_timeout"))
        op.execute("SET lock_timeout = 0")
        yield
        op.execute(f"SET lock_timeout = '{before}'")
