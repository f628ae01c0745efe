"""Group sessions by their start, of everyone, a course, a mentor or a participant; one for each date of a template.

Revision: 0025, after 0024.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None

# Individual bookings pay for the comparison alone.
COPY_START = """
CREATE FUNCTION copy_start_to_seat() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    SELECT start_time INTO NEW.start_time FROM bookings WHERE id = NEW.booking_id;
    RETURN NEW;
END $$
"""
COPY_START_TRIGGER = """
CREATE TRIGGER tr_booking_participants_start_time BEFORE INSERT ON booking_participants
    FOR EACH ROW WHEN (NEW.seat_id IS NOT NULL) EXECUTE FUNCTION copy_start_to_seat()
"""
GROUP_INDEXES = {
    "ix_bookings_group_start_time_id": ["start_time", "id"],
    "ix_bookings_group_course_id_start_time_id": ["course_id", "start_time", "id"],
    "ix_bookings_group_mentor_profile_id_start_time_id": ["mentor_profile_id", "start_time", "id"],
}


def upgrade() -> None:
    # Before this revision nothing makes groups, so that these tables and indexes are empty.
    op.add_column("group_sessions", sa.Column("cancelled_at", sa.DateTime(timezone=True), nullable=True))
    op.drop_index("ix_group_sessions_template_id_occurs_on", "group_sessions")
    op.create_index(
        "uq_group_sessions_template_id_occurs_on",
        "group_sessions",
        ["template_id", "occurs_on"],
        unique=True,
        postgresql_where=sa.text("cancelled_at IS NULL"),
    )
    op.add_column("booking_participants", sa.Column("start_time", sa.DateTime(timezone=True), nullable=True))
    op.create_check_constraint(
        op.f("ck_booking_participants_start_time_of_a_seat"),
        "booking_participants",
        "(start_time IS NULL) = (seat_id IS NULL)",
    )
    op.execute(COPY_START)
    op.execute(COPY_START_TRIGGER)
    op.create_index(
        "ix_booking_participants_user_id_start_time_booking_id",
        "booking_participants",
        ["user_id", sa.text("start_time DESC"), "booking_id"],
        postgresql_where=sa.text("seat_id IS NOT NULL"),
    )
    for name, columns in GROUP_INDEXES.items():
        op.create_index(name, "bookings", columns, postgresql_where=sa.text("kind = 'group'"))


def downgrade() -> None:
    for name in GROUP_INDEXES:
        op.drop_index(name, "bookings")
    op.drop_index("ix_booking_participants_user_id_start_time_booking_id", "booking_participants")
    op.execute("DROP TRIGGER tr_booking_participants_start_time ON booking_participants")
    op.execute("DROP FUNCTION copy_start_to_seat()")
    op.drop_constraint(op.f("ck_booking_participants_start_time_of_a_seat"), "booking_participants")
    op.drop_column("booking_participants", "start_time")
    op.drop_index("uq_group_sessions_template_id_occurs_on", "group_sessions")
    op.create_index("ix_group_sessions_template_id_occurs_on", "group_sessions", ["template_id", "occurs_on"])
    op.drop_column("group_sessions", "cancelled_at")
