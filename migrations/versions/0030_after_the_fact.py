"""Sessions after the fact: operators void what has begun, and mentors are reminded of what was never completed.

Revision: 0030, after 0029.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0030"
down_revision = "0029"
branch_labels = None
depends_on = None

GUARD = """
CREATE OR REPLACE FUNCTION guard_session_update() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.status IS DISTINCT FROM OLD.status
        AND (OLD.status, NEW.status) NOT IN (
            {steps}
        ) THEN
        PERFORM refuse('tr_sessions_status', format('A session cannot go from %s to %s.', OLD.status, NEW.status));
    END IF;
    IF (NEW.id, NEW.booking_id, NEW.mentor_profile_id, NEW.mentee_user_id, NEW.start_time, NEW.end_time)
        IS DISTINCT FROM
       (OLD.id, OLD.booking_id, OLD.mentor_profile_id, OLD.mentee_user_id, OLD.start_time, OLD.end_time) THEN
        PERFORM refuse('tr_sessions_unchangeable', 'The booking, the parties and the times of a session never change.');
    END IF;
    RETURN NEW;
END $$
"""
STEPS = "('scheduled', 'in_progress'), ('scheduled', 'cancelled'), ('in_progress', 'completed')"
STARTED = "(started_at IS NOT NULL) = (status IN ('in_progress', 'completed'))"
BY_OPERATOR = (
    "status <> 'cancelled' OR started_at IS NULL OR (cancellation ->> 'cancelledBy') IS NOT DISTINCT FROM 'operator'"
)


def upgrade() -> None:
    op.execute(GUARD.format(steps=f"{STEPS}, ('in_progress', 'cancelled')"))
    op.drop_constraint(op.f("ck_sessions_started_at"), "sessions", type_="check")
    for name, rule in (("started_at", f"{STARTED} OR status = 'cancelled'"), ("begun_and_cancelled", BY_OPERATOR)):
        # Validated under a lock that lets sessions be written meanwhile.
        op.execute(f"ALTER TABLE sessions ADD CONSTRAINT ck_sessions_{name} CHECK ({rule}) NOT VALID")
        op.execute(f"ALTER TABLE sessions VALIDATE CONSTRAINT ck_sessions_{name}")
    op.add_column("sessions", sa.Column("completion_reminded_at", sa.DateTime(timezone=True), nullable=True))
    op.create_index(
        "ix_sessions_to_complete",
        "sessions",
        ["start_time"],
        postgresql_where=sa.text("status = 'in_progress' AND completion_reminded_at IS NULL"),
    )


def downgrade() -> None:
    op.drop_index("ix_sessions_to_complete", "sessions")
    op.drop_column("sessions", "completion_reminded_at")
    op.drop_constraint(op.f("ck_sessions_begun_and_cancelled"), "sessions", type_="check")
    op.drop_constraint(op.f("ck_sessions_started_at"), "sessions", type_="check")
    op.execute("UPDATE sessions SET started_at = NULL WHERE status = 'cancelled' AND started_at IS NOT NULL")
    op.create_check_constraint(op.f("ck_sessions_started_at"), "sessions", STARTED)
    op.execute(GUARD.format(steps=STEPS))
