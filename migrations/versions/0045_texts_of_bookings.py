"""A bound on the metadata and notes that a mentee stores with bookings in a day, however many are withdrawn.

The index is built beside those who write. Interrupted, it can be run again.

Revision: 0045, after 0044.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy as sa
from alembic import op

revision = "0045"
down_revision = "0044"
branch_labels = None
depends_on = None

INDEX = "ix_bookings_mentee_user_id_created_at"
LARGE = "metadata IS NOT NULL OR octet_length(notes) > 1000"
# 4 MiB. The mentee's row is locked by the statement that inserts; the look is younger than that lock.
GUARD = """
CREATE OR REPLACE FUNCTION guard_booking_texts() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (
        SELECT sum(coalesce(pg_column_size(b.metadata), 0) + coalesce(octet_length(b.notes), 0)) FROM bookings b
        WHERE b.mentee_user_id = NEW.mentee_user_id AND b.created_at > now() - interval '24 hours'
          AND (b.metadata IS NOT NULL OR octet_length(b.notes) > 1000)
    ) > 4194304 THEN
        PERFORM refuse('tr_bookings_texts', 'A mentee stores at most 4 MiB with the bookings of 24 hours.');
    END IF;
    RETURN NEW;
END $$
"""


def upgrade() -> None:
    op.execute(GUARD)
    with _beside_writers():
        # A build that was interrupted leaves an index behind that is kept up to date and never read.
        op.drop_index(INDEX, table_name="bookings", postgresql_concurrently=True, if_exists=True)
        op.create_index(
            INDEX,
            "bookings",
            ["mentee_user_id", "created_at"],
            postgresql_where=sa.text(LARGE),
            postgresql_concurrently=True,
        )
    op.execute("DROP TRIGGER IF EXISTS tr_bookings_texts ON bookings")
    # What has neither costs nothing.
    op.execute(
        "CREATE TRIGGER tr_bookings_texts BEFORE INSERT ON bookings FOR EACH ROW"
        " WHEN (NEW.mentee_user_id IS NOT NULL AND (NEW.metadata IS NOT NULL OR octet_length(NEW.notes) > 1000))"
        " EXECUTE FUNCTION guard_booking_texts()"
    )


def downgrade() -> None:
    op.execute("DROP TRIGGER IF EXISTS tr_bookings_texts ON bookings")
    with _beside_writers():
        op.drop_index(INDEX, table_name="bookings", postgresql_concurrently=True, if_exists=True)
    op.execute("DROP FUNCTION IF EXISTS guard_booking_texts()")


@contextmanager
def _beside_writers() -> Iterator[None]:
    """Outside any transaction, and without a limit of time: it waits for those that write, and none of them waits."""
    with op.get_context().autocommit_block():
        before = op.get_bind().scalar(sa.text("SHOW lock_timeout"))
        op.execute("SET lock_timeout = 0")
        yield
        op.execute(f"SET lock_timeout = '{before}'")
