"""A booking's session id never changes: the client has had the session's address since the acceptance.

Revision: 0005, after 0004.
"""

from __future__ import annotations

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("""
CREATE FUNCTION guard_booking_session() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM refuse('tr_bookings_unchangeable', 'The session of a booking never changes.');
    RETURN NULL;
END $$
""")
    op.execute(
        "CREATE TRIGGER tr_bookings_session BEFORE UPDATE OF session_id ON bookings FOR EACH ROW"
        " WHEN (OLD.session_id IS NOT NULL AND NEW.session_id IS DISTINCT FROM OLD.session_id)"
        " EXECUTE FUNCTION guard_booking_session()"
    )


def downgrade() -> None:
    op.execute("DROP TRIGGER tr_bookings_session ON bookings")
    op.execute("DROP FUNCTION guard_booking_session()")
