-- The session takes the terms that it shows from its booking, which is read anyway.
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
        PERFORM refuse(
            'tr_sessions_of_its_booking', 'A session has the id, the mentee and the course that its booking says.'
        );
    END IF;
    IF NEW.status <> 'scheduled' THEN
        PERFORM refuse('tr_sessions_status', format('A session begins as scheduled, not as %s.', NEW.status));
    END IF;
    NEW.location := booking.location;
    NEW.early_start_minutes := booking.early_start_minutes;
    RETURN NEW;
END $$;

CREATE OR REPLACE TRIGGER tr_sessions_insert BEFORE INSERT ON sessions
    FOR EACH ROW EXECUTE FUNCTION guard_session_insert();
