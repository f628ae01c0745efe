"""A booking sees the hold that its mentee has taken while it waited for the mentor's lock.

Revision: 0049, after 0048.
"""

from __future__ import annotations

from alembic import op

revision = "0049"
down_revision = "0048"
branch_labels = None
depends_on = None

# Called under the mentor's lock, which its look is younger than, as each statement of a function is. Without a holder,
# as for a group, only what has expired is deleted.
END_HOLDS = """
CREATE FUNCTION end_holds(mentor uuid, holder uuid, wanted tstzrange) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM mentor_busy
    WHERE mentor_profile_id = mentor AND busy && wanted AND (expires_at <= now() OR held_by_user_id = holder);
    RETURN true;
END $$
"""


def upgrade() -> None:
    op.execute(END_HOLDS)


def downgrade() -> None:
    op.execute("DROP FUNCTION end_holds(uuid, uuid, tstzrange)")
