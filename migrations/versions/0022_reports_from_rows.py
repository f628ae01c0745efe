"""The counters behind the reports go, which are read from the rows themselves; completed sessions are measured.

Workers of the release before that still count while this runs fail: new workers run their deliveries again.

Revision: 0022, after 0021.
"""

from __future__ import annotations

from importlib import import_module

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None

# As in 0002, but that nothing of a decided booking changes: its `updated_at` is when it was decided.
GUARD = """
CREATE OR REPLACE FUNCTION guard_booking_update() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.status IS DISTINCT FROM OLD.status AND OLD.status <> 'draft' THEN
        PERFORM refuse('tr_bookings_status', format('A booking cannot go from %s to %s.', OLD.status, NEW.status));
    END IF;
    IF OLD.status <> 'draft' THEN
        PERFORM refuse('tr_bookings_unchangeable', 'A booking that is decided never changes.');
    END IF;
    IF (NEW.id, NEW.listing_id, NEW.mentor_profile_id, NEW.mentee_user_id, NEW.kind, NEW.start_time, NEW.end_time)
        IS DISTINCT FROM
       (OLD.id, OLD.listing_id, OLD.mentor_profile_id, OLD.mentee_user_id, OLD.kind, OLD.start_time, OLD.end_time) THEN
        PERFORM refuse('tr_bookings_unchangeable', 'The parties, the listing and the times of a booking never change.');
    END IF;
    RETURN NEW;
END $$
"""
COUNTERS = ("daily_session_stats", "quarter_hour_session_stats", "daily_transition_times")
MEASURED = """
INSERT INTO session_metrics (session_id, mentor_profile_id, course_id, completed_at, booked_minutes,
                             request_to_decision_ms, acceptance_to_session_ms, start_delay_ms, length_ms)
SELECT s.id, s.mentor_profile_id, s.course_id, s.completed_at,
       floor(extract(epoch FROM s.end_time - s.start_time) / 60),
       CASE WHEN b.version > 1 THEN greatest(0, floor(extract(epoch FROM b.updated_at - b.created_at) * 1000)) END,
       greatest(0, floor(extract(epoch FROM s.created_at - b.updated_at) * 1000)),
       floor(extract(epoch FROM s.started_at - s.start_time) * 1000),
       greatest(0, floor(extract(epoch FROM s.completed_at - s.started_at) * 1000))
FROM sessions s JOIN bookings b ON b.id = s.booking_id
WHERE s.status = 'completed'
"""


def upgrade() -> None:
    op.execute(GUARD)
    op.create_table(
        "session_metrics",
        sa.Column("session_id", sa.Uuid(), nullable=False),
        sa.Column("mentor_profile_id", sa.Uuid(), nullable=False),
        sa.Column("course_id", sa.Uuid(), nullable=True),
        sa.Column("completed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("booked_minutes", sa.Integer(), nullable=False),
        sa.Column("request_to_decision_ms", sa.BigInteger(), nullable=True),
        sa.Column("acceptance_to_session_ms", sa.BigInteger(), nullable=False),
        sa.Column("start_delay_ms", sa.BigInteger(), nullable=False),
        sa.Column("length_ms", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("session_id", name=op.f("pk_session_metrics")),
        *(
            sa.ForeignKeyConstraint([f"{name}_id"], [f"{table}.id"], name=op.f(f"fk_session_metrics_{name}_id"))
            for name, table in (("session", "sessions"), ("mentor_profile", "mentor_profiles"), ("course", "courses"))
        ),
    )
    # Waits for those that count: of what they have done by now the session is seen below, and nothing is counted later.
    op.execute(f"LOCK TABLE {', '.join(COUNTERS)} IN ACCESS EXCLUSIVE MODE")
    op.execute(MEASURED)
    for table in COUNTERS:
        op.drop_table(table)
    op.execute("DROP TYPE transition")
    # What was found of the counters, and how far they were recounted.
    op.execute("DELETE FROM violations WHERE invariant = 'daily_count_differs'")
    op.execute("DELETE FROM maintenance_cursors WHERE name IN ('counted quarters of an hour', 'whole of days')")


def downgrade() -> None:
    """Make the counters anew, empty: `tutelage effects backfill` of the release before counts what happened since."""
    op.drop_table("session_metrics")
    earlier = import_module("migrations.versions.0008_analytics")
    earlier._of_their_own("daily_session_stats", sa.Column("day", sa.Date(), nullable=False))
    op.execute(
        "ALTER TABLE daily_session_stats RENAME CONSTRAINT uq_daily_session_stats_whose"
        " TO uq_daily_session_stats_day_mentor_profile_id_course_id"
    )
    quarter = sa.Column("quarter_hour", sa.DateTime(timezone=True), nullable=False)
    earlier._of_their_own("quarter_hour_session_stats", quarter)
    earlier._transition_times()
    guard = import_module("migrations.versions.0002_guards").BOOKING_UPDATE
    op.execute(guard.replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION"))
