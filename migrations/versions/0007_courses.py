"""Courses, and which course a listing, a booking and a session belong to.

Revision: 0007, after 0006.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

OF_A_COURSE = ("listings", "bookings", "sessions")

SESSION_INSERT = """
CREATE OR REPLACE FUNCTION guard_session_insert() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    booking bookings%ROWTYPE;
BEGIN
    SELECT * INTO booking FROM bookings WHERE id = NEW.booking_id;
    IF booking.status IS DISTINCT FROM 'accepted' THEN
        PERFORM refuse('tr_sessions_booking_accepted', 'Only an accepted booking becomes a session.');
    END IF;
    IF NEW.id IS DISTINCT FROM booking.session_id
        OR NEW.mentee_user_id IS DISTINCT FROM booking.mentee_user_id{also} THEN
        PERFORM refuse('tr_sessions_of_its_booking', '{whose}');
    END IF;
    IF NEW.status <> 'scheduled' THEN
        PERFORM refuse('tr_sessions_status', format('A session begins as scheduled, not as %s.', NEW.status));
    END IF;
    RETURN NEW;
END $$
"""
WITH_COURSE = SESSION_INSERT.format(
    also="\n        OR NEW.course_id IS DISTINCT FROM booking.course_id",
    whose="A session has the id, the mentee and the course that its booking says.",
)
WITHOUT_COURSE = SESSION_INSERT.format(also="", whose="A session has the id and the mentee that its booking says.")

# What is counted per course must not move to another one afterwards.
COURSE_STAYS = """
CREATE FUNCTION guard_course() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM refuse('tr_' || TG_TABLE_NAME || '_unchangeable', 'The course of a booking or a session never changes.');
    RETURN NULL;
END $$
"""


def upgrade() -> None:
    op.create_table(
        "courses",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("active", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.CheckConstraint("char_length(title) BETWEEN 1 AND 200", name=op.f("ck_courses_title_length")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_courses")),
    )
    op.execute("CREATE TRIGGER tr_courses_version BEFORE UPDATE ON courses FOR EACH ROW EXECUTE FUNCTION touch()")
    for table in OF_A_COURSE:
        op.add_column(table, sa.Column("course_id", sa.Uuid(), nullable=True))
        op.create_foreign_key(op.f(f"fk_{table}_course_id"), table, "courses", ["course_id"], ["id"])
    op.create_unique_constraint(
        op.f("uq_listings_course_id_mentor_profile_id"), "listings", ["course_id", "mentor_profile_id"]
    )
    op.execute(WITH_COURSE)
    op.execute(COURSE_STAYS)
    for table in ("bookings", "sessions"):
        op.execute(
            f"CREATE TRIGGER tr_{table}_course BEFORE UPDATE OF course_id ON {table} FOR EACH ROW"
            " WHEN (OLD.course_id IS DISTINCT FROM NEW.course_id) EXECUTE FUNCTION guard_course()"
        )


def downgrade() -> None:
    for table in ("bookings", "sessions"):
        op.execute(f"DROP TRIGGER tr_{table}_course ON {table}")
    op.execute("DROP FUNCTION guard_course()")
    op.execute(WITHOUT_COURSE)
    op.drop_constraint(op.f("uq_listings_course_id_mentor_profile_id"), "listings", type_="unique")
    for table in OF_A_COURSE:
        op.drop_column(table, "course_id")
    op.drop_table("courses")
