"""Where a booked session takes place: fixed with the booking, and copied to its session with the early start.

Revision: 0038, after 0037.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0038"
down_revision = "0037"
branch_labels = None
depends_on = None

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
        OR NEW.mentee_user_id IS DISTINCT FROM booking.mentee_user_id
        OR NEW.course_id IS DISTINCT FROM booking.course_id THEN
        PERFORM refuse('tr_sessions_of_its_booking', '{whose}');
    END IF;
    IF NEW.status <> 'scheduled' THEN
        PERFORM refuse('tr_sessions_status', format('A session begins as scheduled, not as %s.', NEW.status));
    END IF;{copied}
    RETURN NEW;
END $$
"""
WHOSE = "A session has the id, the mentee and the course that its booking says."
COPIED = """
    NEW.location := booking.location;
    NEW.early_start_minutes := booking.early_start_minutes;"""
# Of what is still to come: others never show it. A booking of before has the location that its offer has now.
FILLED = (
    """
UPDATE bookings SET location = listings.location FROM listings
WHERE listings.id = bookings.listing_id AND listings.location IS NOT NULL
  AND bookings.status IN ('draft', 'accepted') AND bookings.end_time > now()
""",
    """
UPDATE bookings SET location = template.location
FROM group_sessions AS own JOIN group_session_templates AS template ON template.id = own.template_id
WHERE own.booking_id = bookings.id AND template.location IS NOT NULL
  AND bookings.status = 'accepted' AND bookings.end_time > now()
""",
    """
UPDATE sessions SET location = bookings.location, early_start_minutes = bookings.early_start_minutes FROM bookings
WHERE bookings.id = sessions.booking_id AND sessions.status IN ('scheduled', 'in_progress')
""",
)


def upgrade() -> None:
    for table in ("bookings", "sessions"):
        op.add_column(table, sa.Column("location", postgresql.JSONB(astext_type=sa.Text()), nullable=True))
    op.create_check_constraint(
        op.f("ck_bookings_location_is_an_object"), "bookings", "jsonb_typeof(location) = 'object'"
    )
    op.add_column("sessions", sa.Column("early_start_minutes", sa.Integer(), nullable=True))
    for table in ("bookings", "sessions"):
        op.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
    for statement in FILLED:
        op.execute(statement)
    for table in ("bookings", "sessions"):
        op.execute(f"ALTER TABLE {table} ENABLE TRIGGER USER")
    # Without a further look: the trigger reads the booking anyway. Workers of the release before fill them too.
    op.execute(SESSION_INSERT.format(whose=WHOSE, copied=COPIED))


def downgrade() -> None:
    op.execute(SESSION_INSERT.format(whose=WHOSE, copied=""))
    op.drop_column("sessions", "early_start_minutes")
    for table in ("sessions", "bookings"):
        op.drop_column(table, "location")
