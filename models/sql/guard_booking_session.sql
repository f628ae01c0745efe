CREATE OR REPLACE FUNCTION guard_booking_session() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM refuse('tr_bookings_unchangeable', 'The session of a booking never changes.');
    RETURN NULL;
END $$;

CREATE OR REPLACE TRIGGER tr_bookings_session BEFORE UPDATE OF session_id ON bookings
    FOR EACH ROW WHEN (OLD.session_id IS NOT NULL AND NEW.session_id IS DISTINCT FROM OLD.session_id)
    EXECUTE FUNCTION guard_booking_session();
