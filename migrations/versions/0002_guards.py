"""The guards: triggers that refuse what no caller may do, of any role.

Revision: 0002, after 0001.
"""

from __future__ import annotations

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

VERSIONED = ("users", "mentor_profiles", "listings", "bookings", "sessions", "daily_session_stats", "webhook_endpoints")

# Each refusal is raised as a check violation under a name of its own, by which the code above knows it.
REFUSE = """
CREATE FUNCTION refuse(rule text, message text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION USING ERRCODE = 'check_violation', CONSTRAINT = rule, MESSAGE = message;
END $$
"""

TOUCH = """
CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.version := OLD.version + 1;
    NEW.updated_at := now();
    RETURN NEW;
END $$
"""

BOOKING_INSERT = """
CREATE FUNCTION guard_booking_insert() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.status NOT IN ('draft', 'accepted') THEN
        PERFORM refuse('tr_bookings_status', format('A booking begins as draft or accepted, not as %s.', NEW.status));
    END IF;
    RETURN NEW;
END $$
"""

BOOKING_UPDATE = """
CREATE FUNCTION guard_booking_update() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.status IS DISTINCT FROM OLD.status AND OLD.status <> 'draft' THEN
        PERFORM refuse('tr_bookings_status', format('A booking cannot go from %s to %s.', OLD.status, NEW.status));
    END IF;
    IF (NEW.id, NEW.listing_id, NEW.mentor_profile_id, NEW.mentee_user_id, NEW.kind, NEW.start_time, NEW.end_time)
        IS DISTINCT FROM
       (OLD.id, OLD.listing_id, OLD.mentor_profile_id, OLD.mentee_user_id, OLD.kind, OLD.start_time, OLD.end_time) THEN
        PERFORM refuse('tr_bookings_unchangeable', 'The parties, the listing and the times of a booking never change.');
    END IF;
    RETURN NEW;
END $$
"""

SESSION_INSERT = """
CREATE FUNCTION guard_session_insert() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    booking bookings%ROWTYPE;
BEGIN
    SELECT * INTO booking FROM bookings WHERE id = NEW.booking_id;
    IF booking.status IS DISTINCT FROM 'accepted' THEN
        PERFORM refuse('tr_sessions_booking_accepted', 'Only an accepted booking becomes a session.');
    END IF;
    IF NEW.id IS DISTINCT FROM booking.session_id OR NEW.mentee_user_id IS DISTINCT FROM booking.mentee_user_id THEN
        PERFORM refuse('tr_sessions_of_its_booking', 'A session has the id and the mentee that its booking says.');
    END IF;
    IF NEW.status <> 'scheduled' THEN
        PERFORM refuse('tr_sessions_status', format('A session begins as scheduled, not as %s.', NEW.status));
    END IF;
    RETURN NEW;
END $$
"""

SESSION_UPDATE = """
CREATE FUNCTION guard_session_update() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.status IS DISTINCT FROM OLD.status
        AND (OLD.status, NEW.status) NOT IN (
            ('scheduled', 'in_progress'), ('scheduled', 'cancelled'), ('in_progress', 'completed')
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

DELIVERY_UPDATE = """
CREATE FUNCTION guard_delivery_update() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.state <> 'pending' AND NOT (OLD.state = 'dead' AND NEW.state = 'pending') THEN
        PERFORM refuse('tr_deliveries_state', format('A delivery cannot go from %s to %s.', OLD.state, NEW.state));
    END IF;
    RETURN NEW;
END $$
"""

EVENT_CHANGE = """
CREATE FUNCTION guard_event_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM refuse('tr_events_append_only', 'What happened is never changed and never deleted.');
    RETURN NULL;
END $$
"""

TRIGGERS = (
    "CREATE TRIGGER tr_bookings_insert BEFORE INSERT ON bookings FOR EACH ROW EXECUTE FUNCTION guard_booking_insert()",
    "CREATE TRIGGER tr_bookings_update BEFORE UPDATE ON bookings FOR EACH ROW EXECUTE FUNCTION guard_booking_update()",
    "CREATE TRIGGER tr_sessions_insert BEFORE INSERT ON sessions FOR EACH ROW EXECUTE FUNCTION guard_session_insert()",
    "CREATE TRIGGER tr_sessions_update BEFORE UPDATE ON sessions FOR EACH ROW EXECUTE FUNCTION guard_session_update()",
    "CREATE TRIGGER tr_deliveries_update BEFORE UPDATE OF state ON deliveries FOR EACH ROW"
    " WHEN (OLD.state IS DISTINCT FROM NEW.state) EXECUTE FUNCTION guard_delivery_update()",
    "CREATE TRIGGER tr_events_change BEFORE UPDATE OR DELETE ON events"
    " FOR EACH ROW EXECUTE FUNCTION guard_event_change()",
)

FUNCTIONS = (
    REFUSE,
    TOUCH,
    BOOKING_INSERT,
    BOOKING_UPDATE,
    SESSION_INSERT,
    SESSION_UPDATE,
    DELIVERY_UPDATE,
    EVENT_CHANGE,
)


def upgrade() -> None:
    for function in FUNCTIONS:
        op.execute(function)
    for trigger in TRIGGERS:
        op.execute(trigger)
    for table in VERSIONED:
        # Triggers fire in the order of their names: the guards before the touch.
        op.execute(f"CREATE TRIGGER tr_{table}_version BEFORE UPDATE ON {table} FOR EACH ROW EXECUTE FUNCTION touch()")


def downgrade() -> None:
    for table in VERSIONED:
        op.execute(f"DROP TRIGGER tr_{table}_version ON {table}")
    for table, trigger in (
        ("bookings", "tr_bookings_insert"),
        ("bookings", "tr_bookings_update"),
        ("sessions", "tr_sessions_insert"),
        ("sessions", "tr_sessions_update"),
        ("deliveries", "tr_deliveries_update"),
        ("events", "tr_events_change"),
    ):
        op.execute(f"DROP TRIGGER {trigger} ON {table}")
    for name in (
        "guard_booking_insert()",
        "guard_booking_update()",
        "guard_session_insert()",
        "guard_session_update()",
        "guard_delivery_update()",
        "guard_event_change()",
        "touch()",
        "refuse(text, text)",
    ):
        op.execute(f"DROP FUNCTION {name}")
