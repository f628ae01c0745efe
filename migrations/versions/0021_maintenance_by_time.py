"""Counts of sessions from what there is, and indexes by which maintain finds what changed.

Both are made beside those who write. Interrupted, it can be run again.

Revision: 0021, after 0020.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None

TABLES = ("bookings", "sessions", "reviews")

# In one snapshot: what it sees of the changes it sees of the rows as well, and what it does not see is added later.
BEGIN_COUNTS = """
WITH seen AS (DELETE FROM session_count_changes)
INSERT INTO session_counts (mentor_profile_id, counter, amount)
SELECT mentor_profile_id, status::text, count(*) FROM sessions GROUP BY 1, 2
UNION ALL
SELECT mentor_profile_id, 'accepted_bookings', count(*) FROM bookings WHERE status = 'accepted' GROUP BY 1
ON CONFLICT (mentor_profile_id, counter) DO UPDATE SET amount = excluded.amount
"""


def upgrade() -> None:
    # The snapshot begins behind the lock: nothing is added up meanwhile.
    op.execute("LOCK TABLE session_counts IN EXCLUSIVE MODE")
    op.execute(BEGIN_COUNTS)
    with _beside_writers():
        for table in TABLES:
            name = f"ix_{table}_updated_at_id"
            # A build that was interrupted leaves an index behind that is kept up to date and never read.
            op.drop_index(name, table_name=table, postgresql_concurrently=True, if_exists=True)
            op.create_index(name, table, ["updated_at", "id"], postgresql_concurrently=True)


def downgrade() -> None:
    with _beside_writers():
        for table in TABLES:
            op.drop_index(f"ix_{table}_updated_at_id", table_name=table, postgresql_concurrently=True, if_exists=True)


@contextmanager
def _beside_writers() -> Iterator[None]:
    """Outside any transaction, and without a limit of time: it waits for those that write, and none of them waits."""
    with op.get_context().autocommit_block():
        before = op.get_bind().scalar(sa.text("SHOW lock_timeout"))
        op.execute("SET lock_timeout = 0")
        yield
        op.execute(f"SET lock_timeout = '{before}'")
