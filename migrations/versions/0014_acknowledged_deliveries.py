"""A dead delivery may also be cancelled: by an operator who has seen it, and will not have it retried.

Revision: 0014, after 0013.
"""

from __future__ import annotations

from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

GUARD = """
CREATE OR REPLACE FUNCTION guard_delivery_update() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.state <> 'pending' AND NOT (OLD.state = 'dead' AND NEW.state {from_dead}) THEN
        PERFORM refuse('tr_deliveries_state', format('A delivery cannot go from %s to %s.', OLD.state, NEW.state));
    END IF;
    RETURN NEW;
END $$
"""


def upgrade() -> None:
    op.execute(GUARD.format(from_dead="IN ('pending', 'cancelled')"))


def downgrade() -> None:
    op.execute(GUARD.format(from_dead="= 'pending'"))
