"""What maintain remembers between its rounds, and counts of sessions, of which triggers note every change.

What there is already is counted by 0021.

Revision: 0020, after 0019.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

NOW = sa.text("now()")
NO_ID = sa.text("'00000000-0000-0000-0000-000000000000'")

COUNT_SESSION = """
CREATE FUNCTION count_session() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP <> 'INSERT' THEN
        INSERT INTO session_count_changes (mentor_profile_id, counter, amount)
        VALUES (OLD.mentor_profile_id, OLD.status, -1);
    END IF;
    IF TG_OP <> 'DELETE' THEN
        INSERT INTO session_count_changes (mentor_profile_id, counter, amount)
        VALUES (NEW.mentor_profile_id, NEW.status, 1);
    END IF;
    RETURN NULL;
END $$
"""

COUNT_BOOKING = """
CREATE FUNCTION count_accepted_booking() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP <> 'INSERT' AND OLD.status = 'accepted' THEN
        INSERT INTO session_count_changes (mentor_profile_id, counter, amount)
        VALUES (OLD.mentor_profile_id, 'accepted_bookings', -1);
    END IF;
    IF TG_OP <> 'DELETE' AND NEW.status = 'accepted' THEN
        INSERT INTO session_count_changes (mentor_profile_id, counter, amount)
        VALUES (NEW.mentor_profile_id, 'accepted_bookings', 1);
    END IF;
    RETURN NULL;
END $$
"""

TRIGGERS = """
CREATE TRIGGER tr_sessions_count AFTER INSERT OR DELETE ON sessions
FOR EACH ROW EXECUTE FUNCTION count_session();
CREATE TRIGGER tr_sessions_recount AFTER UPDATE OF status, mentor_profile_id ON sessions
FOR EACH ROW WHEN ((OLD.status, OLD.mentor_profile_id) IS DISTINCT FROM (NEW.status, NEW.mentor_profile_id))
EXECUTE FUNCTION count_session();
CREATE TRIGGER tr_bookings_count AFTER INSERT OR DELETE ON bookings
FOR EACH ROW EXECUTE FUNCTION count_accepted_booking();
CREATE TRIGGER tr_bookings_recount AFTER UPDATE OF status, mentor_profile_id ON bookings
FOR EACH ROW WHEN ((OLD.status, OLD.mentor_profile_id) IS DISTINCT FROM (NEW.status, NEW.mentor_profile_id))
EXECUTE FUNCTION count_accepted_booking();
"""


def upgrade() -> None:
    op.create_table(
        "maintenance_cursors",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("moment", sa.DateTime(timezone=True), nullable=False),
        sa.Column("id", sa.Uuid(), server_default=NO_ID, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=NOW, nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_maintenance_cursors")),
    )
    op.create_table(
        "violations",
        sa.Column("invariant", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("about", sa.Text(), nullable=False),
        sa.Column("looked_at", sa.DateTime(timezone=True), server_default=NOW, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=NOW, nullable=False),
        sa.PrimaryKeyConstraint("invariant", "subject", name=op.f("pk_violations")),
    )
    op.create_table(
        "session_counts",
        sa.Column("mentor_profile_id", sa.Uuid(), nullable=False),
        sa.Column("counter", sa.Text(), nullable=False),
        sa.Column("amount", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=NOW, nullable=False),
        sa.ForeignKeyConstraint(
            ["mentor_profile_id"], ["mentor_profiles.id"], name=op.f("fk_session_counts_mentor_profile_id")
        ),
        sa.PrimaryKeyConstraint("mentor_profile_id", "counter", name=op.f("pk_session_counts")),
    )
    op.create_table(
        "session_count_changes",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("mentor_profile_id", sa.Uuid(), nullable=False),
        sa.Column("counter", sa.Text(), nullable=False),
        sa.Column("amount", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=NOW, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_session_count_changes")),
        postgresql_with={"autovacuum_vacuum_scale_factor": "0", "autovacuum_vacuum_threshold": "5000"},
    )
    for statement in (COUNT_SESSION, COUNT_BOOKING, TRIGGERS):
        op.execute(statement)


def downgrade() -> None:
    for table in ("bookings", "sessions"):
        op.execute(f"DROP TRIGGER tr_{table}_recount ON {table}")
        op.execute(f"DROP TRIGGER tr_{table}_count ON {table}")
    op.execute("DROP FUNCTION count_accepted_booking()")
    op.execute("DROP FUNCTION count_session()")
    for table in ("session_count_changes", "session_counts", "violations", "maintenance_cursors"):
        op.drop_table(table)
