-- Reports count per course: what they have counted must not move to another course.
CREATE OR REPLACE FUNCTION guard_course() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM refuse('tr_' || TG_TABLE_NAME || '_unchangeable', 'The course of a booking or a session never changes.');
    RETURN NULL;
END $$;

CREATE OR REPLACE TRIGGER tr_bookings_course BEFORE UPDATE OF course_id ON bookings
    FOR EACH ROW WHEN (OLD.course_id IS DISTINCT FROM NEW.course_id) EXECUTE FUNCTION guard_course();
CREATE OR REPLACE TRIGGER tr_sessions_course BEFORE UPDATE OF course_id ON sessions
    FOR EACH ROW WHEN (OLD.course_id IS DISTINCT FROM NEW.course_id) EXECUTE FUNCTION guard_course();
