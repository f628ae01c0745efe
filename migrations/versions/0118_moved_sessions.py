"""Let sessions move to another time: the terms, the proposals, and the guards that let booking and session move as one.

Revision: 0118, after 0117. A step back keeps the times to which sessions have moved.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from migrations import function_sql

revision = "0118"
down_revision = "0117"
branch_labels = None
depends_on = None

OFFERS = ("bookings", "listings", "group_session_templates")
CHANGED = ("guard_booking_update", "guard_session_update", "guard_person_busy")
ADDED = ("guard_booking_move", "guard_proposal_update", "end_proposal")
TYPES = {
    "reschedule_mode": ("free", "by_agreement", "off"),
    "proposal_status": ("open", "accepted", "declined", "expired", "withdrawn"),
}
COLUMNS = """
ALTER TABLE bookings ADD COLUMN reschedule_count integer DEFAULT 0 NOT NULL, ADD COLUMN decided_at timestamptz,
    ADD CONSTRAINT ck_bookings_decided_at_once_moved CHECK ((reschedule_count > 0) = (decided_at IS NOT NULL));
ALTER TABLE sessions ADD COLUMN rescheduled_from timestamptz,
    ADD COLUMN reschedule_count integer DEFAULT 0 NOT NULL, ADD COLUMN rescheduled_at timestamptz,
    ADD CONSTRAINT ck_sessions_rescheduled CHECK (
        num_nonnulls(rescheduled_from, rescheduled_at) = CASE WHEN reschedule_count > 0 THEN 2 ELSE 0 END
    );
CREATE TABLE reschedule_proposals (
    id uuid NOT NULL,
    session_id uuid NOT NULL,
    from_time timestamptz NOT NULL,
    start_time timestamptz NOT NULL,
    proposed_by text NOT NULL,
    proposed_by_user_id uuid,
    reason text,
    status proposal_status NOT NULL,
    expires_at timestamptz NOT NULL,
    created_at timestamptz DEFAULT now() NOT NULL,
    updated_at timestamptz DEFAULT now() NOT NULL,
    version integer DEFAULT 1 NOT NULL,
    CONSTRAINT pk_reschedule_proposals PRIMARY KEY (id),
    CONSTRAINT fk_reschedule_proposals_session_id FOREIGN KEY (session_id) REFERENCES sessions (id),
    CONSTRAINT fk_reschedule_proposals_proposed_by_user_id FOREIGN KEY (proposed_by_user_id) REFERENCES users (id),
    CONSTRAINT ck_reschedule_proposals_proposed_by CHECK (proposed_by IN ('mentee', 'mentor', 'operator')),
    CONSTRAINT ck_reschedule_proposals_proposed_by_user_id CHECK (
        (proposed_by_user_id IS NULL) = (proposed_by = 'operator')
    ),
    CONSTRAINT ck_reschedule_proposals_another_time CHECK (start_time <> from_time)
);
CREATE INDEX ix_reschedule_proposals_session_id_id ON reschedule_proposals (session_id, id);
CREATE UNIQUE INDEX uq_reschedule_proposals_open ON reschedule_proposals (session_id) WHERE status = 'open';
CREATE INDEX ix_reschedule_proposals_proposed_by_user_id_id ON reschedule_proposals (proposed_by_user_id, id)
    WHERE proposed_by_user_id IS NOT NULL;
CREATE TRIGGER tr_reschedule_proposals_version BEFORE UPDATE ON reschedule_proposals
    FOR EACH ROW EXECUTE FUNCTION touch()
"""
WITHOUT = """
DROP TRIGGER tr_bookings_moved ON bookings;
DROP TRIGGER tr_sessions_end_proposal ON sessions;
DROP TRIGGER tr_person_busy_move ON person_busy;
DROP TABLE reschedule_proposals;
ALTER TABLE bookings DROP COLUMN reschedule_count, DROP COLUMN decided_at;
ALTER TABLE sessions DROP COLUMN rescheduled_from, DROP COLUMN reschedule_count, DROP COLUMN rescheduled_at
"""


def upgrade() -> None:
    for name, values in TYPES.items():
        postgresql.ENUM(*values, name=name).create(op.get_bind())
    for table in OFFERS:
        mode = postgresql.ENUM(name="reschedule_mode", create_type=False)
        op.add_column(table, sa.Column("reschedule_mode", mode, server_default="by_agreement", nullable=False))
        for column, default in (("reschedule_window_hours", "24"), ("reschedule_max_times", "2")):
            op.add_column(table, sa.Column(column, sa.Integer(), server_default=default, nullable=False))
            op.create_check_constraint(op.f(f"ck_{table}_{column}"), table, f"{column} >= 0")
    run(COLUMNS, *(function_sql(name, at=revision) for name in (*CHANGED, *ADDED)))


def downgrade() -> None:
    run(WITHOUT, *(function_sql(name, at=down_revision) for name in CHANGED), f"DROP FUNCTION {', '.join(ADDED)}")
    for table in OFFERS:
        for column in ("reschedule_mode", "reschedule_window_hours", "reschedule_max_times"):
            op.drop_column(table, column)
    run(f"DROP TYPE {', '.join(TYPES)}")


def run(*statements: str) -> None:
    # A colon is no parameter there.
    for each in statements:
        op.execute(each.replace(":", "\\:"))
